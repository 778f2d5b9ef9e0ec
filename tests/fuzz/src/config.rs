//! Files that people write: paths of the impairment tool, the recorder's settings, rules, retention.

use crate::input::Input;
use protocol::trigger::{Rule, Situation};
use recorder::Settings;

pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let kind = input.u8() % 4;
    let Ok(text) = std::str::from_utf8(input.0) else { return };
    match kind {
        0 => drop(link::netem::PathSpec::from_toml(text)),
        1 => settings(text),
        2 => rule(text),
        _ => retention(text),
    }
}

fn settings(text: &str) {
    if let Ok(settings) = Settings::from_toml(text) {
        let recorder = settings.recorder();
        assert!(recorder.pre_roll_ns < u64::MAX / 4 && recorder.post_roll_ns < u64::MAX / 4, "{recorder:?}");
    }
}

fn rule(text: &str) {
    if let Ok(rule) = Rule::parse(text) {
        let _ = rule.holds(&Situation::default());
    }
}

fn retention(text: &str) {
    if let Err(error) = web::Retention::parse(text) {
        assert!(!error.to_string().is_empty());
    }
}
