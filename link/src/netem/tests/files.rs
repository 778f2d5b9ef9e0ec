//! Descriptions of paths.

use crate::netem::{PathSpec, QueueLimit, presets};
use proptest::prelude::*;

#[test]
fn a_file_says_what_both_directions_do_over_time() {
    let spec = PathSpec::from_toml(
        "repeat_s = 60\nboth = { delay_ms = 25, loss_percent = 0.5, burst_packets = 3 }\n\
         forward = { rate_mbps = 8, queue_bytes = 50000 }\n\
         [[steps]]\nat_s = 20\nforward = { rate_mbps = 1 }\n[[steps]]\nat_s = 30.5\nboth = { blackhole = true }\n",
    )
    .unwrap();
    let first = spec.forward.at(0);
    assert_eq!((first.delay_us, first.loss, first.burst_packets), (25_000, 0.005, 3.0));
    assert_eq!((first.rate_bps, first.queue), (8_000_000, QueueLimit::Bytes(50_000)));
    assert_eq!(spec.forward.at(20_000_000).rate_bps, 1_000_000);
    assert_eq!(spec.forward.next_change_us(20_000_000), Some(30_500_000));
    assert!(spec.forward.at(40_000_000).blackhole && spec.forward.at(40_000_000).delay_us == 25_000);
    assert_eq!(spec.forward.next_change_us(40_000_000), Some(60_000_000));
    assert_eq!(spec.forward.at(60_000_000), first);
    assert_eq!(spec.forward.next_change_us(60_000_000), Some(80_000_000));
    assert_eq!((spec.backward.at(0).rate_bps, spec.backward.at(0).delay_us), (0, 25_000));
}

#[test]
fn every_preset_can_be_used_and_says_what_it_is() {
    let names: Vec<String> = presets().unwrap().into_iter().map(|p| p.name).collect();
    for wanted in
        ["clean", "lan", "rtt50", "loss10", "loss30", "burst", "satellite", "1mbit", "step", "blackout", "lte"]
    {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is missing");
    }
    for preset in presets().unwrap() {
        assert!(!preset.about.is_empty(), "{} says nothing", preset.name);
    }
    let satellite = PathSpec::preset("satellite").unwrap();
    assert_eq!((satellite.forward.at(0).delay_us, satellite.forward.at(0).loss), (120_000, 0.05));
    let error = PathSpec::preset("moon").unwrap_err().to_string();
    assert!(error.contains("moon") && error.contains("satellite"), "{error}");
}

#[test]
fn an_error_names_the_place_the_key_and_the_value() {
    let cases = [
        ("both = { delay_ms = -1 }", "both.delay_ms = -1"),
        ("both = { delay_ms = nan }", "both.delay_ms = NaN"),
        ("both = { delay_ms = inf }", "both.delay_ms = inf"),
        ("forward = { loss_percent = 100.5 }", "forward.loss_percent = 100.5"),
        ("both = { burst_packets = 0.5 }", "both.burst_packets = 0.5"),
        ("both = { loss_percent = 80, burst_packets = 2 }", "loss_percent = 80"),
        ("both = { queue_ms = 10, queue_bytes = 5000 }", "both.queue_ms = 10"),
        ("both = { queue_bytes = 10 }", "both.queue_bytes = 10"),
        ("both = { rate_mbps = 1e9 }", "both.rate_mbps = 1000000000"),
        ("both = { speed = 3 }", "speed"),
        ("both = { delay_ms = \"long\" }", "long"),
        ("[[steps]]\nat_s = 0\n", "steps[0].at_s = 0"),
        ("[[steps]]\nat_s = 9\n[[steps]]\nat_s = 3\nboth = { delay_ms = 1 }", "steps[1].at_s = 3"),
        ("[[steps]]\nat_s = 9\nboth = { jitter_ms = 1e7 }", "steps[0].both.jitter_ms = 10000000"),
        ("repeat_s = 5\n[[steps]]\nat_s = 9\n", "repeat_s = 5"),
        ("repeat_s = 0", "repeat_s = 0"),
        ("delay = [", "not a description"),
    ];
    for (text, expected) in cases {
        let error = PathSpec::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(both|forward|steps|at_s|delay_ms|=|[{}\\[\\]]|[0-9.e-]|\"|\n| ){0,40}") {
        let _ = PathSpec::from_toml(&text);
    }
}
