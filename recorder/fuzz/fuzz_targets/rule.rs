//! Any text as a rule: refused, or one that can be evaluated.
#![no_main]

use recorder::trigger::{Rule, Situation};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(rule) = Rule::parse(text) {
        let _ = rule.holds(&Situation::default());
    }
});
