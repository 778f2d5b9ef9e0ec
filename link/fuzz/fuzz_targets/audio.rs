//! Any bytes as an Opus packet: measured, decoded, used to repair the one before.
#![no_main]

use link::audio::AudioDecoder;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(mut decoder) = AudioDecoder::new() else { return };
    let _ = AudioDecoder::samples_in(bytes);
    let _ = AudioDecoder::carries_copy(bytes);
    let _ = decoder.decode(bytes);
    let _ = decoder.recover(bytes);
});
