//! Any text as a path of the impairment tool.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = link::netem::PathSpec::from_toml(text);
});
