//! Any bytes as packets of a picture stream: media, redundancy and marks that lie.
#![no_main]

use link::media::{Receiver, RtpIn};
use link::rtp::FrameInfo;

const LONGEST: usize = 1_200;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut receiver = Receiver::default();
    let mut rest = bytes;
    let mut now_us = 0;
    while let [sequence, timestamp, flags, length, tail @ ..] = rest {
        let (extension, tail) = tail.split_at(tail.len().min(24));
        let (payload, tail) = tail.split_at((usize::from(*length) * 5).min(LONGEST).min(tail.len()));
        let info = FrameInfo::decode(extension);
        now_us += u64::from(flags & 0x3f) * 1_000;
        receiver.push(
            now_us,
            RtpIn {
                sequence: u16::from(*sequence),
                timestamp: u32::from(*timestamp) * 3_000,
                marker: flags & 0x80 != 0,
                payload_type: if flags & 0x40 != 0 { link::media::FEC_PAYLOAD_TYPE } else { 102 },
                mark: info.map(|info| info.mark),
                recovers_from: info.and_then(|info| info.recovers_from),
                payload: payload.to_vec().into(),
            },
        );
        receiver.poll(now_us);
        while receiver.pop().is_some() {}
        rest = tail;
    }
});
