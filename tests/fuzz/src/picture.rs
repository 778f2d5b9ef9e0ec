//! An access unit of H.264 to decode, and luma that may hold a timecode.

use video::H264Decoder;

const WIDTH: usize = 640;

pub fn run(bytes: &[u8]) {
    if let Ok(mut decoder) = H264Decoder::new() {
        let _ = decoder.decode(bytes);
        // What comes after a broken one.
        let _ = decoder.decode(bytes);
    }
    let _ = video::timecode::read(bytes, WIDTH, bytes.len() / WIDTH);
    let _ = video::h264::is_keyframe(bytes);
    for unit in video::h264::units(bytes) {
        let _ = video::h264::is_bidirectional(unit);
        let _ = video::h264::size(unit);
    }
}
