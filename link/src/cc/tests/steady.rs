//! Paths that stay as they are.

use super::SEEDS;
use super::drive::{Outcome, Setup, drive};
use super::path::PathSpec;
use crate::cc::Limit;

fn over(mbps: f64, one_way_us: u64, keyframe: f64, seed: u64) -> Outcome {
    let path = PathSpec { rates: vec![(0, mbps * 1e6)], delays_us: vec![(0, one_way_us)], ..PathSpec::default() };
    let mut setup = Setup::new(path, 30, seed);
    setup.keyframe = keyframe;
    drive(setup)
}

/// Share of the path used, and 95th percentile of the time in its queue.
fn figures(case: &str, mbps: f64, outcome: &Outcome) -> (f64, f64) {
    let share = outcome.goodput_bps(5.0, 30.0) / (mbps * 1e6);
    let queue_ms = outcome.queue_ms(95.0, 5.0, 30.0);
    println!(
        "{case} {mbps} Mbit/s: used {:.1} %, queue p50 {:.1} p95 {queue_ms:.1} p99 {:.1} ms, frames p50 {:.1} p99 {:.1} ms, loss {:.2} %",
        100.0 * share,
        outcome.queue_ms(50.0, 5.0, 30.0),
        outcome.queue_ms(99.0, 5.0, 30.0),
        outcome.frame_ms(50.0, 5.0, 30.0),
        outcome.frame_ms(99.0, 5.0, 30.0),
        100.0 * outcome.loss(5.0, 30.0)
    );
    (share, queue_ms)
}

#[test]
fn a_steady_path_is_used_and_its_queue_stays_short() {
    for mbps in [1.0, 2.0, 4.0, 8.0] {
        for seed in SEEDS {
            let (share, queue_ms) = figures("steady", mbps, &over(mbps, 15_000, 1.0, seed));
            assert!(share > 0.85 && queue_ms < 40.0);
        }
    }
}

#[test]
fn keyframes_do_not_drive_the_rate_down() {
    for mbps in [1.0, 4.0] {
        for seed in SEEDS {
            let (share, _) = figures("keyframes", mbps, &over(mbps, 15_000, 5.0, seed));
            assert!(share > 0.8);
        }
    }
}

#[test]
fn a_round_trip_of_240_ms_is_used_too() {
    for mbps in [1.0, 4.0] {
        for seed in SEEDS {
            let (share, queue_ms) = figures("240 ms", mbps, &over(mbps, 120_000, 1.0, seed));
            assert!(share > 0.8 && queue_ms < 60.0);
        }
    }
}

#[test]
fn a_path_without_limit_gets_all_there_is_at_once() {
    for seed in SEEDS {
        let mut setup = Setup::new(PathSpec::default(), 10, seed);
        setup.limits.max_bps = 6e6;
        let outcome = drive(setup);
        let after_s = outcome.reaches_after_s(6e6, 0.0);
        println!("open: 6 Mbit/s after {after_s:.2} s");
        assert!(after_s < 2.5);
        assert!(outcome.estimates.iter().rev().take(300).all(|(_, e)| e.target_bps >= 6e6 && !e.narrow));
    }
}

#[test]
fn an_encoder_that_sends_less_neither_raises_nor_lowers_the_rate() {
    for seed in SEEDS {
        let mut setup = Setup::new(PathSpec::default(), 20, seed);
        setup.encoder_max_bps = 1e6;
        let outcome = drive(setup);
        let targets: Vec<f64> = outcome.estimates.iter().skip(250).map(|(_, e)| e.target_bps).collect();
        assert!(targets.windows(2).all(|w| w[0] == w[1]), "{targets:?}");
        assert!((1e6..3e6).contains(&targets[0]), "{}", targets[0]);
        assert_eq!(outcome.estimates.last().unwrap().1.limit, Limit::Application);
    }
}
