//! An Opus packet, measured, decoded, used to repair the one before, and played; a segment of a lidar scan.

use crate::input::Input;
use link::audio::{AudioDecoder, AudioPacketIn, Playout};
use link::lidar::ScanAssembler;
use prost::Message;
use protocol::v1::LidarSegment;

pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    match input.u8() % 3 {
        0 => packet(input.0),
        1 => played(input),
        _ => segment(input.0),
    }
}

fn packet(bytes: &[u8]) {
    let Ok(mut decoder) = AudioDecoder::new() else { return };
    let _ = AudioDecoder::samples_in(bytes);
    let _ = AudioDecoder::carries_copy(bytes);
    let _ = decoder.decode(bytes);
    let _ = decoder.recover(bytes);
    let _ = decoder.conceal();
}

fn segment(bytes: &[u8]) {
    let Ok(segment) = LidarSegment::decode(bytes) else { return };
    let mut assembler = ScanAssembler::default();
    if let Ok(Some(scan)) = assembler.push(&segment) {
        assert_eq!(scan.ranges_m.len(), segment.beams as usize);
    }
    let _ = assembler.push(&LidarSegment { number: segment.number.wrapping_add(1), ..segment });
}

fn played(mut input: Input<'_>) {
    let Ok(mut playout) = Playout::new() else { return };
    let mut now_us = 0;
    while !input.is_empty() {
        let (sequence, timestamp, wait) = (input.u16(), input.u16(), input.u8());
        let length = input.u8();
        let payload = input.bytes(usize::from(length)).to_vec().into();
        let timestamp = u32::from(timestamp) * 480;
        playout.push(now_us, AudioPacketIn { sequence, timestamp, payload });
        now_us += u64::from(wait) * 1_000;
        let _ = playout.pull(now_us);
    }
}
