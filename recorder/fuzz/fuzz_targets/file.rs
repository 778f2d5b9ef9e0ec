//! Any bytes as an episode file: read, and recovered. Seed it with a real one:
//! `cargo run --release -p recorder --example sample_episode recorder/fuzz/corpus/file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(dir) = tempfile::tempdir() else { return };
    recorder::trials::read_hostile(dir.path(), bytes).unwrap();
});
