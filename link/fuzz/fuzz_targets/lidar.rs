//! Any bytes as a lidar segment, alone and after another one.
#![no_main]

use prost::Message;
use protocol::v1::LidarSegment;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(segment) = LidarSegment::decode(bytes) else { return };
    let mut assembler = link::lidar::ScanAssembler::default();
    if let Ok(Some(scan)) = assembler.push(&segment) {
        assert_eq!(scan.ranges_m.len(), segment.beams as usize);
    }
    let _ = assembler.push(&LidarSegment { number: segment.number.wrapping_add(1), ..segment });
});
