//! Figures from made-up runs, whose truth is known.

use super::cases::Case;
use super::metrics::{metrics, percentile};
use super::trial::Trial;
use crate::seat::{ClockRecord, PictureRecord, SeatReport};
use vehicle_bridge::source::{CommandAges, SourceReport};

const ZERO_US: u64 = 1_700_000_000_000_000;
/// The seat's clock began this much before the vehicle's.
const SEAT_EARLIER_US: u64 = 3_000_000;

/// A minute of 30 Hz pictures, each `age_ms(n)` old when shown; `None` never comes.
fn trial(age_ms: impl Fn(u64) -> Option<f64>) -> Trial {
    let captured_us: Vec<u64> = (0..1800).map(|n| 2_000_000 + n * 33_333).collect();
    let shown = captured_us.iter().enumerate().filter_map(|(n, capture_us)| {
        let presented_us = capture_us + (age_ms(n as u64)? * 1e3) as u64;
        Some(PictureRecord {
            sequence: n as u32,
            capture_us: *capture_us,
            // The estimate is wrong by 7 ms; ages must not be.
            presented_us: presented_us + 7_000,
            presented_seat_us: presented_us + SEAT_EARLIER_US,
            stages_ms: vec![4.0, 1.0],
        })
    });
    let seat = SeatReport {
        origin_unix_us: ZERO_US - SEAT_EARLIER_US,
        seconds: 65.0,
        cpu_s: 12.0,
        cpu_over_s: 60.0,
        pictures: shown.collect(),
        clock: (0..60)
            .map(|s| ClockRecord { seat_us: s * 1_000_000, offset_us: -2_993_000.0, ..Default::default() })
            .collect(),
        stages: vec!["encode".to_owned(), "network".to_owned()],
        ..Default::default()
    };
    let commands = CommandAges { arrived_ms: vec![1.0; 1000], newest_ms: vec![6.0; 1000], inputs: 1000, missing: 0 };
    let bridge = SourceReport {
        origin_unix_us: ZERO_US,
        seconds: 66.0,
        cpu_s: 30.0,
        cpu_over_s: 60.0,
        captured_us,
        commands,
        ..Default::default()
    };
    Trial { bridge, seats: vec![seat], path_unix_us: ZERO_US, ..Default::default() }
}

fn of(case: &str, trial: &Trial, metric: &str) -> f64 {
    metrics(Case::find(case).unwrap(), trial).get(metric).copied().unwrap_or(f64::NAN)
}

#[test]
fn ages_are_true_whatever_the_seat_believes_of_the_clocks() {
    let trial = trial(|_| Some(20.0));
    assert_eq!(of("clean", &trial, "pixel_to_pixel_p50"), 20.0);
    assert_eq!(of("clean", &trial, "clock_error_max"), 7.0);
    assert_eq!(of("clean", &trial, "late_or_missing"), 0.0);
    assert!((of("clean", &trial, "vehicle_cpu") - 0.5).abs() < 1e-9);
    assert!((of("clean", &trial, "seat_cpu") - 0.2).abs() < 1e-9);
    assert!((of("clean", &trial, "frame_rate") - 30.0).abs() < 0.1);
    assert_eq!(of("clean", &trial, "command_added_p99"), 1.0);
    assert_eq!(of("clean", &trial, "stage encode mean"), 4.0);
    // 5 of 20 ms have a name.
    assert_eq!(of("clean", &trial, "stages_accounted"), 25.0);
}

#[test]
fn late_and_missing_pictures_are_told_apart() {
    let trial = trial(|n| match n % 100 {
        50 => None,
        60 | 61 => Some(151.0),
        _ => Some(20.0),
    });
    assert!((of("loss10", &trial, "missing") - 1.0).abs() < 0.1);
    assert!((of("loss10", &trial, "late_or_missing") - 3.0).abs() < 0.2);
}

#[test]
fn a_freeze_counts_whole_and_an_ordinary_gap_does_not() {
    // One gap of 31 intervals (about a second), and one of two intervals.
    let trial = trial(|n| ((n == 500 || n >= 530) || n < 500).then_some(20.0).filter(|_| n != 900));
    let frozen = of("satellite", &trial, "frozen_per_50s");
    let seconds = 1800.0 / 30.0 - 2.0;
    assert!((frozen * seconds / 50.0 - 1.0).abs() < 0.05, "{frozen}");
}

#[test]
fn the_time_after_a_blackout_is_that_to_the_first_new_picture() {
    // Nothing taken between 15 s and 20.4 s ever comes.
    let trial = trial(|n| {
        let at_s = 2.0 + n as f64 / 30.0;
        (!(15.0..20.4).contains(&at_s)).then_some(100.0)
    });
    let again = of("blackout", &trial, "picture_after_blackout_p95");
    assert!((again - 0.5).abs() < 0.04, "{again}");
}

#[test]
fn after_a_narrowing_the_last_late_picture_counts() {
    // The preset narrows at 20 s of its zero; pictures taken in the 0.8 s after are 400 ms old.
    let trial = trial(|n| {
        let at_s = 2.0 + n as f64 / 30.0;
        Some(if (20.0..20.8).contains(&at_s) { 400.0 } else { 30.0 })
    });
    let again = of("step", &trial, "below_150ms_again");
    assert!((again - 1.2).abs() < 0.05, "{again}");
}

#[test]
fn seats_that_saw_nothing_count_as_slow() {
    let seat = |ms| SeatReport { first_picture_ms: ms, seconds: 2.5, ..Default::default() };
    let seats = (0..19).map(|_| seat(Some(400.0))).chain([seat(None), seat(None)]).collect();
    let trial = Trial { seats, ..Default::default() };
    assert_eq!(of("connect", &trial, "first_picture_p50"), 0.4);
    assert_eq!(of("connect", &trial, "first_picture_p95"), 2.5);
}

#[test]
fn a_seat_that_never_saw_anything_missed_everything() {
    for case in ["clean", "blackout", "step"] {
        assert_eq!(of(case, &trial(|_| None), "late_or_missing"), 100.0);
        assert_eq!(of(case, &trial(|_| None), "frame_rate"), 0.0);
    }
}

#[test]
fn an_empty_run_gives_no_figures_and_no_panic() {
    for case in super::cases::CASES {
        assert!(metrics(case, &Trial::default()).values().all(|value| value.is_finite()));
    }
    assert!(percentile(&mut [], 0.5).is_nan());
    assert_eq!(percentile(&mut [3.0, 1.0, 2.0], 1.0), 3.0);
}
