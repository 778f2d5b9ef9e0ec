//! Whatever comes from outside: no wrong frame, no panic, no growth.

use super::super::fec;
use super::super::*;
use super::access_unit;
use crate::rtp::packetize_within;
use bytes::Bytes;
use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use video::EncodedFrame;

/// Frames, and their packets as a receiver gets them; `marks` as between our own peers.
fn stream(count: u32, len: usize, first_sequence: u16, loss: f64, marks: bool) -> (Vec<Bytes>, Vec<RtpIn>) {
    let mut sender = MediaSender::new(96, first_sequence);
    sender.set_path(PathState { loss, mean_burst: 1.0, round_trip_us: 200_000, spacing_us: 300, fec_allowed: marks });
    let (mut units, mut packets) = (Vec::new(), Vec::new());
    for index in 0..count {
        let keyframe = index % 15 == 0;
        let data = access_unit(index, keyframe, len + index as usize % 700);
        let capture_us = u64::from(index) * 33_400;
        sender.frame(
            capture_us,
            &EncodedFrame { data: data.clone(), capture_us, keyframe, ..Default::default() },
            None,
        );
        while let Some(packet) = sender.poll(capture_us) {
            packets.push(RtpIn {
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                marker: packet.marker,
                payload_type: packet.payload_type,
                payload: packet.payload,
                mark: marks.then_some(packet.mark),
                recovers_from: None,
            });
        }
        units.push(data);
    }
    (units, packets)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_as_many_packets_as_a_block_has_media_rebuild_the_frame(
        seed: u64, len in 1usize..130_000, share in 0.0..1.0f64, first: u16,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let media = packetize_within(&access_unit(seed as u32 % 1000, true, len), MAX_MEDIA_PAYLOAD);
        let repair = ((fec::max_repair(media.len()) as f64 * share) as usize).max(1);
        let redundancy = fec::encode(first, true, &media, repair);
        let blocks = fec::blocks(media.len());
        prop_assert_eq!(redundancy.len(), repair * blocks);
        for (i, payload) in redundancy.iter().enumerate() {
            let sequence = first.wrapping_add((media.len() + i) as u16);
            prop_assert!(fec::Header::parse(payload, sequence).is_some());
        }
        for block in 0..blocks {
            let members: Vec<Bytes> = media.iter().skip(block).step_by(blocks).cloned().collect();
            prop_assert_eq!(members.len(), fec::block_len(media.len(), block));
            let mut kept: Vec<usize> = (0..members.len() + repair).collect();
            kept.shuffle(&mut rng);
            kept.truncate(members.len());
            let have: Vec<Option<Bytes>> =
                members.iter().enumerate().map(|(i, payload)| kept.contains(&i).then(|| payload.clone())).collect();
            if have.iter().all(Option::is_some) { continue; }
            let shards: Vec<(usize, Bytes)> = (0..repair)
                .filter(|j| kept.contains(&(members.len() + j)))
                .map(|j| (j, redundancy[j * blocks + block].slice(fec::HEADER..)))
                .collect();
            for (place, payload) in fec::decode_block(&have, &shards, repair).unwrap() {
                prop_assert_eq!(&payload, &members[place]);
            }
            prop_assert!(fec::decode_block(&have, &shards[1..], repair).is_none());
        }
    }

    #[test]
    fn loss_reordering_duplication_and_truncation_never_yield_a_wrong_frame(
        seed: u64, loss in 0.0..0.3f64, reorder in 0usize..8, truncate in 0.0..0.05f64, len in 10usize..9000,
        first_sequence: u16, marks: bool,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (units, mut packets) = stream(60, len, first_sequence, loss, marks);
        for i in 0..packets.len() {
            let other = (i + rng.random_range(0..=reorder)).min(packets.len() - 1);
            packets.swap(i, other);
        }
        let mut receiver = MediaReceiver::default();
        let (mut truncated, mut last) = (false, None);
        for (i, packet) in packets.iter().enumerate() {
            if rng.random_bool(loss) { continue; }
            let mut packet = packet.clone();
            if rng.random_bool(truncate) {
                let keep = rng.random_range(0..=packet.payload.len());
                packet.payload.truncate(keep);
                truncated = true;
            }
            let now_us = i as u64 * 4000;
            if rng.random_bool(0.05) { receiver.push(now_us, packet.clone()); }
            receiver.push(now_us, packet);
            receiver.poll(now_us);
            while let Some(output) = receiver.pop() {
                let ReceiverOutput::Frame(frame) = output else { continue };
                let index = (frame.timestamp / 3006) as usize;
                prop_assert!(last.is_none_or(|l| index > l), "frame {} after {:?}", index, last);
                // A shortened payload in the middle of a unit cannot be noticed here; SRTP does that.
                if !truncated {
                    prop_assert_eq!(&frame.data, &units[index]);
                    prop_assert!(last.map(|l| l + 1) == Some(index) || frame.keyframe, "{} after {:?}", index, last);
                }
                last = Some(index);
            }
        }
        if loss == 0.0 && !truncated && reorder == 0 {
            prop_assert_eq!(last, Some(59));
        }
    }

    #[test]
    fn random_packets_never_panic_and_memory_stays_bounded(seed: u64, jump in 1u16..4000, true_fec: bool) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut receiver = MediaReceiver::default();
        let mut sequence = 0u16;
        for i in 0..2000u64 {
            sequence = sequence.wrapping_add(rng.random_range(0..jump));
            let mut payload = vec![0; rng.random_range(0..300)];
            rng.fill_bytes(&mut payload);
            if true_fec && payload.len() > 8 {
                // Plausible at first sight: the sequence number fits.
                let (packets, index) = (rng.random_range(1..40u16), rng.random_range(0..3u16));
                let first = sequence.wrapping_sub(packets).wrapping_sub(index);
                payload[..2].copy_from_slice(&first.to_be_bytes());
                payload[2..4].copy_from_slice(&packets.to_be_bytes());
                payload[4] = rng.random_range(1..5);
                payload[6..8].copy_from_slice(&index.to_be_bytes());
            }
            let mut mark = [0; 6];
            rng.fill_bytes(&mut mark);
            mark[0] &= 0x80;
            mark[2] = 0;
            mark[4] = 0;
            receiver.push(i * 100, RtpIn {
                sequence,
                timestamp: rng.random_range(0..4),
                marker: rng.random_bool(0.2),
                payload_type: if rng.random_bool(0.5) { FEC_PAYLOAD_TYPE } else { 96 },
                payload: payload.into(),
                mark: FrameMark::from_bytes(&mark),
                recovers_from: rng.random_bool(0.1).then_some(1),
            });
            receiver.poll(i * 100);
            while receiver.pop().is_some() {}
            let (packets, bytes, gaps) = receiver.footprint();
            prop_assert!(packets <= 2048 && bytes <= 4 << 20 && gaps <= 1024, "{} {} {}", packets, bytes, gaps);
        }
    }
}

#[test]
fn fec_packets_that_lie_are_counted_and_change_nothing() {
    let (units, packets) = stream(3, 9_000, 77, 0.1, true);
    let lie = |change: fn(&mut [u8])| -> Vec<RtpIn> {
        packets
            .iter()
            .cloned()
            .map(|mut packet| {
                if packet.payload_type == FEC_PAYLOAD_TYPE {
                    let mut payload = packet.payload.to_vec();
                    change(&mut payload);
                    packet.payload = payload.into();
                    packet.mark = None;
                }
                packet
            })
            .collect()
    };
    let lies: [fn(&mut [u8]); 5] =
        [|p| p[0] ^= 0x40, |p| p[2..4].fill(0xFF), |p| p[4] = 0, |p| p[4] = 0xFF, |p| p[6..8].fill(0xFF)];
    for (which, change) in lies.into_iter().enumerate() {
        let mut receiver = MediaReceiver::default();
        let mut got = HashMap::new();
        for packet in lie(change) {
            receiver.push(0, packet);
            while let Some(output) = receiver.pop() {
                if let ReceiverOutput::Frame(frame) = output {
                    got.insert(frame.timestamp / 3006, frame.data);
                }
            }
        }
        assert!(receiver.stats().malformed > 0, "lie {which}");
        assert!((0..3).all(|i| got.get(&i) == Some(&units[i as usize])), "lie {which}");
    }
}

#[test]
fn a_sender_that_starts_anew_is_followed() {
    let (_, first) = stream(4, 2_000, 10, 0.0, true);
    let (units, second) = stream(4, 2_000, 40_000, 0.0, true);
    let mut receiver = MediaReceiver::default();
    let mut last = None;
    for packet in first.into_iter().chain(second) {
        receiver.push(0, packet);
        while let Some(output) = receiver.pop() {
            if let ReceiverOutput::Frame(frame) = output {
                last = Some(frame.data);
            }
        }
    }
    assert_eq!(last, units.last().cloned());
}

#[test]
fn joining_in_the_middle_waits_for_a_keyframe_and_asks_for_nothing_else() {
    let (units, packets) = stream(20, 4_000, 100, 0.0, true);
    let mut receiver = MediaReceiver::default();
    let mut got = Vec::new();
    for (i, packet) in packets.into_iter().enumerate().skip(2) {
        receiver.push(i as u64 * 1_000, packet);
        receiver.poll(i as u64 * 1_000);
        while let Some(output) = receiver.pop() {
            match output {
                ReceiverOutput::Frame(frame) => got.push(frame.data),
                // The rest of the keyframe that was on its way is worth asking for.
                ReceiverOutput::Nack(sequences) => assert!(sequences.iter().all(|at| (100..102).contains(at))),
                ReceiverOutput::RecoveryWanted => {}
            }
        }
    }
    assert_eq!(got, units[15..]);
}
