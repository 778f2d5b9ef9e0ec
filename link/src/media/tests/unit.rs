//! Single decisions of sender and receiver.

use super::super::*;
use super::access_unit;
use crate::rtp::rtp_timestamp;
use video::EncodedFrame;

const FRAME_US: u64 = 33_333;

fn lossy() -> PathState {
    PathState { loss: 0.1, mean_burst: 1.0, round_trip_us: 240_000, spacing_us: 300, fec_allowed: true }
}

fn encoded(index: u32, packets: usize) -> EncodedFrame {
    let keyframe = index == 0;
    EncodedFrame {
        data: access_unit(index, keyframe, packets * 1100),
        capture_us: u64::from(index) * FRAME_US,
        keyframe,
        ..Default::default()
    }
}

/// A frame's packets as the receiver gets them.
fn send(sender: &mut MediaSender, index: u32, packets: usize, recovers_from: Option<u32>) -> Vec<RtpIn> {
    let frame = encoded(index, packets);
    sender.frame(frame.capture_us, &frame, recovers_from);
    drain(sender, frame.capture_us)
}

fn drain(sender: &mut MediaSender, now_us: u64) -> Vec<RtpIn> {
    std::iter::from_fn(|| sender.poll(now_us))
        .map(|packet| RtpIn {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload_type: packet.payload_type,
            payload: packet.payload,
            mark: Some(packet.mark),
            recovers_from: packet.recovers_from,
        })
        .collect()
}

fn outputs(receiver: &mut MediaReceiver) -> Vec<ReceiverOutput> {
    std::iter::from_fn(|| receiver.pop()).collect()
}

fn frames(outputs: &[ReceiverOutput]) -> Vec<u32> {
    outputs.iter().filter_map(|o| if let ReceiverOutput::Frame(f) = o { Some(f.timestamp) } else { None }).collect()
}

fn nacks(outputs: &[ReceiverOutput]) -> Vec<u16> {
    outputs.iter().flat_map(|o| if let ReceiverOutput::Nack(n) = o { n.clone() } else { Vec::new() }).collect()
}

/// A receiver that has had a keyframe, and the sender behind it.
fn started(path: PathState) -> (MediaSender, MediaReceiver) {
    let (mut sender, mut receiver) = (MediaSender::new(96, u16::MAX - 2), MediaReceiver::default());
    sender.set_path(path);
    receiver.set_round_trip(path.round_trip_us, 1_000);
    for packet in send(&mut sender, 0, 4, None) {
        receiver.push(0, packet);
    }
    assert_eq!(frames(&outputs(&mut receiver)), [0]);
    (sender, receiver)
}

#[test]
fn a_frame_leaves_with_its_last_packet() {
    let (mut sender, mut receiver) = started(PathState::default());
    let packets = send(&mut sender, 1, 5, None);
    for packet in packets {
        let marker = packet.marker;
        receiver.push(FRAME_US, packet);
        assert_eq!(frames(&outputs(&mut receiver)).len(), usize::from(marker));
    }
}

#[test]
fn no_packet_exceeds_its_limit() {
    let mut sender = MediaSender::new(96, 0);
    sender.set_path(lossy());
    for (index, packets) in [(0, 200), (1, 30), (2, 1)] {
        for packet in send(&mut sender, index, packets, None) {
            let fec = packet.payload_type == FEC_PAYLOAD_TYPE;
            let limit = MAX_MEDIA_PAYLOAD + if fec { FEC_OVERHEAD } else { 0 };
            assert!(packet.payload.len() <= limit, "{} bytes", packet.payload.len());
        }
    }
    assert!(sender.stats().fec_packets > 0);
}

#[test]
fn a_foreign_peer_gets_no_fec() {
    let mut sender = MediaSender::new(96, 0);
    sender.set_path(PathState { fec_allowed: false, ..lossy() });
    assert!(send(&mut sender, 0, 30, None).iter().all(|packet| packet.payload_type == 96));
}

#[test]
fn fec_mends_a_frame_whose_last_packets_are_lost_without_a_request() {
    let (mut sender, mut receiver) = started(lossy());
    let mut packets = send(&mut sender, 1, 8, None);
    packets.retain(|packet| packet.payload_type == FEC_PAYLOAD_TYPE || packet.mark.unwrap().index < 6);
    for packet in packets {
        receiver.push(FRAME_US, packet);
        receiver.poll(FRAME_US);
    }
    let got = outputs(&mut receiver);
    let Some(ReceiverOutput::Frame(frame)) = got.first() else { panic!("{got:?}") };
    assert_eq!((frame.data.clone(), frame.timestamp), (encoded(1, 8).data, rtp_timestamp(FRAME_US)));
    assert!(frame.repaired_by_fec >= 2 && nacks(&got).is_empty());
}

#[test]
fn a_gap_is_asked_for_once_a_round_trip() {
    let path = PathState { round_trip_us: 30_000, ..PathState::default() };
    let (mut sender, mut receiver) = started(path);
    let mut packets = send(&mut sender, 1, 5, None);
    let lost = packets.remove(1);
    for packet in packets {
        receiver.push(FRAME_US, packet);
    }
    let mut asked_us = Vec::new();
    for ms in 0..80 {
        let now_us = FRAME_US + ms * 1_000;
        receiver.poll(now_us);
        let wanted = nacks(&outputs(&mut receiver));
        if !wanted.is_empty() {
            assert_eq!(wanted, [lost.sequence]);
            asked_us.push(ms);
        }
    }
    assert_eq!(asked_us, [2, 36, 70]);
}

#[test]
fn a_missing_marker_is_asked_for_before_the_next_frame() {
    let (mut sender, mut receiver) = started(PathState { round_trip_us: 30_000, ..PathState::default() });
    let mut packets = send(&mut sender, 1, 5, None);
    let marker = packets.pop().unwrap();
    for packet in packets {
        receiver.push(FRAME_US, packet);
    }
    receiver.poll(FRAME_US + 10_000);
    assert_eq!(nacks(&outputs(&mut receiver)), [marker.sequence]);
    sender.on_nack(FRAME_US + 25_000, &[marker.sequence]);
    sender.on_nack(FRAME_US + 30_000, &[marker.sequence]);
    let repeated = drain(&mut sender, FRAME_US + 30_000);
    assert_eq!((repeated.len(), sender.stats().too_soon), (1, 1), "a second request cannot have missed the answer");
    assert_eq!(repeated[0], marker);
    receiver.push(FRAME_US + 45_000, repeated[0].clone());
    let got = outputs(&mut receiver);
    assert!(matches!(&got[..], [ReceiverOutput::Frame(frame)] if frame.repaired_by_nack == 1), "{got:?}");
}

#[test]
fn after_a_loss_nothing_comes_out_but_a_frame_coded_from_one_that_did() {
    let (mut sender, mut receiver) = started(PathState { round_trip_us: 30_000, ..PathState::default() });
    let mut packets = send(&mut sender, 1, 5, None);
    packets.remove(2);
    let late = send(&mut sender, 2, 3, None);
    for packet in packets.into_iter().chain(late) {
        receiver.push(FRAME_US, packet);
    }
    receiver.poll(FRAME_US + 10_000);
    receiver.poll(FRAME_US + 400_000);
    receiver.poll(FRAME_US + 401_000);
    let got = outputs(&mut receiver);
    assert!(frames(&got).is_empty() && got.contains(&ReceiverOutput::RecoveryWanted));
    assert_eq!(receiver.last_decodable(), Some(0));
    for (index, from) in [(3, Some(rtp_timestamp(2 * FRAME_US))), (4, Some(0)), (5, None)] {
        for packet in send(&mut sender, index, 3, from) {
            receiver.push(FRAME_US + 450_000, packet);
        }
    }
    assert_eq!(frames(&outputs(&mut receiver)), [4, 5].map(|index| rtp_timestamp(index * FRAME_US)));
}

#[test]
fn a_recovery_frame_overtakes_what_it_makes_useless() {
    let (mut sender, mut receiver) = started(PathState { round_trip_us: 30_000, ..PathState::default() });
    let mut packets = send(&mut sender, 1, 5, None);
    let lost = packets.remove(2);
    for packet in packets {
        receiver.push(FRAME_US, packet);
    }
    receiver.poll(FRAME_US + 10_000);
    receiver.poll(FRAME_US + 150_000);
    assert!(outputs(&mut receiver).contains(&ReceiverOutput::RecoveryWanted));
    for packet in send(&mut sender, 6, 3, Some(0)) {
        receiver.push(FRAME_US + 160_000, packet);
    }
    assert_eq!(frames(&outputs(&mut receiver)), [rtp_timestamp(6 * FRAME_US)]);
    receiver.poll(FRAME_US + 170_000);
    assert!(outputs(&mut receiver).is_empty());
    sender.on_nack(FRAME_US + 170_000, &[lost.sequence]);
    assert_eq!(sender.stats().too_late, 1);
}

#[test]
fn a_frame_after_a_failed_decode_needs_a_reference_from_before_it() {
    let (mut sender, mut receiver) = started(PathState::default());
    let second = rtp_timestamp(FRAME_US);
    for packet in send(&mut sender, 1, 3, None) {
        receiver.push(FRAME_US, packet);
    }
    outputs(&mut receiver);
    receiver.note_decode_failed(400_000, Some(second));
    assert_eq!(outputs(&mut receiver), [ReceiverOutput::RecoveryWanted]);
    for (index, from) in [(12, Some(second)), (13, Some(0))] {
        for packet in send(&mut sender, index, 2, from) {
            receiver.push(u64::from(index) * FRAME_US, packet);
        }
    }
    assert_eq!(frames(&outputs(&mut receiver)), [rtp_timestamp(13 * FRAME_US)]);
}

#[test]
fn the_same_packets_over_two_paths_give_each_frame_once() {
    let (mut sender, mut receiver) = started(lossy());
    let packets = send(&mut sender, 1, 10, None);
    let count = packets.len() as u64;
    for packet in packets.iter().chain(&packets) {
        receiver.push(FRAME_US, packet.clone());
    }
    assert_eq!(frames(&outputs(&mut receiver)).len(), 1);
    assert_eq!(receiver.stats().duplicates, count);
}

#[test]
fn a_request_for_a_fec_packet_is_answered_by_a_note() {
    let (mut sender, _) = started(lossy());
    let packets = send(&mut sender, 1, 10, None);
    let fec = packets.iter().find(|packet| packet.payload_type == FEC_PAYLOAD_TYPE).unwrap();
    sender.on_nack(FRAME_US + 240_000, &[fec.sequence]);
    let answer = drain(&mut sender, FRAME_US + 240_000);
    assert_eq!((answer.len(), answer[0].payload_type, answer[0].payload.len()), (1, FEC_PAYLOAD_TYPE, 8));
}

#[test]
fn retransmissions_end_at_their_bound() {
    let mut sender = MediaSender::new(96, 0);
    sender.set_path(PathState { round_trip_us: 10_000, ..PathState::default() });
    send(&mut sender, 0, 200, None);
    let all: Vec<u16> = (0..200).collect();
    for round in 1..40 {
        sender.on_nack(round * 20_000, &all);
    }
    let stats = sender.stats();
    assert!(stats.over_bound > 0 && stats.retransmitted_bytes < 250_000, "{stats:?}");
}

#[test]
fn marks_survive_the_wire_and_nonsense_is_refused() {
    let mark = FrameMark { index: 9, packets: 8, fec: 4, keyframe: true };
    assert_eq!(FrameMark::from_bytes(&mark.to_bytes()), Some(mark));
    for nonsense in [
        FrameMark { index: 12, ..mark },
        FrameMark { packets: 0, ..mark },
        FrameMark { fec: 9, ..mark },
        FrameMark { packets: 5_000, ..mark },
    ] {
        assert_eq!(FrameMark::from_bytes(&nonsense.to_bytes()), None, "{nonsense:?}");
    }
    assert_eq!(FrameMark::from_bytes(&[0; 5]), None);
}

#[test]
fn an_empty_access_unit_sends_nothing() {
    let mut sender = MediaSender::new(96, 0);
    sender.frame(0, &EncodedFrame::default(), None);
    assert_eq!((sender.poll(0), sender.next_us()), (None, None));
}
