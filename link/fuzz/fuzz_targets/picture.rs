//! Any bytes as an access unit to decode, and as a picture that may hold a timecode.
#![no_main]

use link::video::H264Decoder;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut decoder) = H264Decoder::new() {
        let _ = decoder.decode(bytes);
    }
    let _ = link::timecode::read(bytes, 640, bytes.len() / 640);
});
