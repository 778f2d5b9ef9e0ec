//! Sender, lossy path and receiver in virtual time.

mod path;
mod quality;
mod robustness;
mod session;
mod unit;

use bytes::Bytes;

/// An access unit with recognisable content; keyframes carry parameter sets.
fn access_unit(index: u32, keyframe: bool, len: usize) -> Bytes {
    let mut unit = Vec::with_capacity(len + 24);
    if keyframe {
        unit.extend([0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x1F, 0, 0, 0, 1, 0x68, 0xCE, 0x3C, 0x80]);
    }
    unit.extend([0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
    // Bytes of 1 and above never form a start code.
    unit.extend((0..len.max(1)).map(|i| 1 + ((i as u32).wrapping_mul(31).wrapping_add(index * 7) % 255) as u8));
    Bytes::from(unit)
}
