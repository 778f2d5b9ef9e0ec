use super::super::packetize;
use super::*;
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// An access unit with recognisable content; keyframes carry parameter sets.
fn access_unit(index: u32, keyframe: bool, len: usize) -> Bytes {
    let mut au = Vec::new();
    if keyframe {
        au.extend([0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x1F, 0, 0, 0, 1, 0x68, 0xCE, 0x3C, 0x80]);
    }
    au.extend([0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
    // Bytes of 1 and above never form a start code.
    au.extend((0..len.max(1)).map(|i| 1 + ((i as u32).wrapping_mul(31).wrapping_add(index * 7) % 255) as u8));
    Bytes::from(au)
}

fn stream(count: u32, key_every: u32, len: usize, first_sequence: u16) -> (Vec<Bytes>, Vec<Packet>) {
    let mut sequence = first_sequence;
    let (mut units, mut packets) = (Vec::new(), Vec::new());
    for i in 0..count {
        let au = access_unit(i, i % key_every == 0, len + i as usize % 700);
        let payloads = packetize(&au);
        let last = payloads.len() - 1;
        for (p, payload) in payloads.into_iter().enumerate() {
            packets.push(Packet { sequence, timestamp: i * 3000, marker: p == last, payload });
            sequence = sequence.wrapping_add(1);
        }
        units.push(au);
    }
    (units, packets)
}

fn drain(d: &mut Depacketizer) -> Vec<Output> {
    std::iter::from_fn(|| d.pop()).collect()
}

fn frames(outputs: &[Output]) -> Vec<AssembledFrame> {
    outputs.iter().filter_map(|o| if let Output::Frame(f) = o { Some(f.clone()) } else { None }).collect()
}

#[test]
fn a_frame_leaves_with_its_marker_packet() {
    let (units, packets) = stream(2, 10, 3000, 7);
    let mut d = Depacketizer::new(50_000);
    let first_marker = packets.iter().position(|p| p.marker).unwrap();
    for packet in &packets[..=first_marker] {
        assert!(frames(&drain(&mut d)).is_empty());
        d.push(0, packet.clone());
    }
    let got = frames(&drain(&mut d));
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].data, units[0]);
    assert!(got[0].keyframe);
}

#[test]
fn a_repaired_packet_in_time_costs_no_frame() {
    let (units, mut packets) = stream(6, 10, 3000, u16::MAX - 3);
    let lost = packets.remove(5);
    packets.insert(9, lost);
    let mut d = Depacketizer::new(50_000);
    for (i, packet) in packets.iter().enumerate() {
        d.push(i as u64 * 1000, packet.clone());
        d.poll(i as u64 * 1000);
    }
    let got = frames(&drain(&mut d));
    assert_eq!(got.iter().map(|f| f.data.clone()).collect::<Vec<_>>(), units);
}

#[test]
fn an_unrepaired_loss_holds_everything_until_the_next_keyframe_and_asks_for_it() {
    let (units, mut packets) = stream(20, 10, 3000, 0);
    packets.remove(8);
    let mut d = Depacketizer::new(20_000);
    let mut outputs = Vec::new();
    for (i, packet) in packets.iter().enumerate() {
        d.push(i as u64 * 10_000, packet.clone());
        d.poll(i as u64 * 10_000);
        outputs.extend(drain(&mut d));
    }
    let got: Vec<Bytes> = frames(&outputs).into_iter().map(|f| f.data).collect();
    let lost = units.iter().position(|u| !got.contains(u)).unwrap();
    assert!((1..10).contains(&lost));
    assert!(units[lost..10].iter().all(|u| !got.contains(u)), "a picture after the loss came out");
    assert_eq!(got[lost..], units[10..]);
    assert!(outputs.contains(&Output::KeyframeWanted));
    assert_eq!(d.stats().packets_lost, 1);
}

#[test]
fn joining_in_the_middle_waits_for_a_keyframe() {
    let (units, packets) = stream(12, 6, 4000, 100);
    let mut d = Depacketizer::new(20_000);
    for packet in &packets[2..] {
        d.push(0, packet.clone());
    }
    let got = frames(&drain(&mut d));
    assert_eq!(got[0].data, units[6]);
}

#[test]
fn a_sender_that_starts_anew_is_followed() {
    let (_, first) = stream(4, 4, 2000, 10);
    let (units, second) = stream(4, 4, 2000, 40_000);
    let mut d = Depacketizer::new(20_000);
    for packet in first.iter().chain(&second) {
        d.push(0, packet.clone());
    }
    let got = frames(&drain(&mut d));
    assert_eq!(got.last().unwrap().data, units[3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn loss_reordering_duplication_and_truncation_never_yield_a_wrong_frame(
        seed: u64, loss in 0.0..0.2f64, reorder in 0usize..8, truncate in 0.0..0.05f64, len in 10usize..5000,
        first_sequence: u16,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (units, mut packets) = stream(60, 15, len, first_sequence);
        for i in 0..packets.len() {
            let other = (i + rng.random_range(0..=reorder)).min(packets.len() - 1);
            packets.swap(i, other);
        }
        let mut d = Depacketizer::new(30_000);
        let mut outputs = Vec::new();
        let mut truncated = false;
        for (i, packet) in packets.iter().enumerate() {
            if rng.random_bool(loss) { continue; }
            let mut packet = packet.clone();
            if rng.random_bool(truncate) {
                let keep = rng.random_range(0..=packet.payload.len());
                packet.payload.truncate(keep);
                truncated = true;
            }
            let now = i as u64 * 2000;
            if rng.random_bool(0.05) { d.push(now, packet.clone()); }
            d.push(now, packet);
            d.poll(now);
            outputs.extend(drain(&mut d));
        }
        let mut last = None;
        for frame in frames(&outputs) {
            let index = (frame.timestamp / 3000) as usize;
            prop_assert!(last.is_none_or(|l| index > l), "frame {} after {:?}", index, last);
            // A shortened payload in the middle of a unit cannot be noticed here; SRTP does that.
            if !truncated {
                prop_assert_eq!(&frame.data, &units[index]);
                let follows = last.map(|l| l + 1) == Some(index);
                prop_assert!(follows || frame.keyframe, "frame {} does not follow {:?}", index, last);
            }
            last = Some(index);
        }
        if loss == 0.0 && !truncated && reorder == 0 {
            prop_assert_eq!(last, Some(59));
        }
    }

    #[test]
    fn random_bytes_never_panic_and_memory_stays_bounded(seed: u64, jump in 1u16..4000) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut d = Depacketizer::new(30_000);
        let mut sequence = 0u16;
        for i in 0..3000u64 {
            sequence = sequence.wrapping_add(rng.random_range(0..jump));
            let mut payload = vec![0; rng.random_range(0..300)];
            rng.fill_bytes(&mut payload);
            d.push(i * 100, Packet { sequence, timestamp: rng.random_range(0..4), marker: rng.random_bool(0.2), payload: payload.into() });
            d.poll(i * 100);
            drain(&mut d);
            prop_assert!(d.held.len() <= MAX_HELD && d.held_bytes <= MAX_BYTES);
        }
    }
}
