//! Packets of a picture stream: media, redundancy and marks that lie.

use crate::input::Input;
use link::media::{FEC_PAYLOAD_TYPE, MediaReceiver, RtpIn};
use link::rtp::FrameInfo;

/// An RTP packet's longest payload.
const LONGEST: usize = 1_200;

pub fn run(bytes: &[u8]) {
    let mut receiver = MediaReceiver::default();
    let mut input = Input(bytes);
    let mut now_us = 0;
    while input.0.len() >= 4 {
        let (sequence, timestamp, flags, length) = (input.u8(), input.u8(), input.u8(), input.u8());
        let info = FrameInfo::decode(input.bytes(24));
        let payload = input.bytes((usize::from(length) * 5).min(LONGEST));
        now_us += u64::from(flags & 0x3f) * 1_000;
        receiver.push(
            now_us,
            RtpIn {
                sequence: u16::from(sequence),
                timestamp: u32::from(timestamp) * 3_000,
                marker: flags & 0x80 != 0,
                payload_type: if flags & 0x40 != 0 { FEC_PAYLOAD_TYPE } else { 102 },
                mark: info.map(|info| info.mark),
                recovers_from: info.and_then(|info| info.recovers_from),
                payload: payload.to_vec().into(),
            },
        );
        receiver.poll(now_us);
        while receiver.pop().is_some() {}
    }
}
