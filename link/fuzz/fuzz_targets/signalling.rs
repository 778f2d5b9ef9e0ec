//! Any text as a signalling message and as a session description.
#![no_main]

use protocol::signalling::{Signal, announced_fingerprints, description_matches};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(signal) = serde_json::from_str::<Signal>(text) {
        let again = serde_json::to_string(&signal).unwrap();
        assert_eq!(serde_json::from_str::<Signal>(&again).unwrap(), signal);
    }
    let _ = announced_fingerprints(text);
    let _ = description_matches(text, "AB:CD");
});
