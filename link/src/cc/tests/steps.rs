//! Paths that change.

use super::SEEDS;
use super::drive::{Setup, drive};
use super::path::PathSpec;

fn step(rates: Vec<(u64, f64)>, one_way_us: u64) -> PathSpec {
    PathSpec { rates, queue_ms: 1_000.0, delays_us: vec![(0, one_way_us)], ..PathSpec::default() }
}

#[test]
fn after_a_drop_from_8_to_1_frames_are_in_time_within_a_second_and_the_rate_comes_back() {
    for seed in SEEDS {
        let rates = vec![(0, 8e6), (15_000_000, 1e6), (30_000_000, 8e6)];
        let outcome = drive(Setup { limits: limits(10e6), ..Setup::new(step(rates, 15_000), 45, seed) });
        let settled_s = outcome.settled_after_s(150.0, 15.0, 29.0);
        let back_s = outcome.reaches_after_s(5.6e6, 30.0);
        println!(
            "8-1-8: in time after {settled_s:.2} s, worst {:.0} ms, used at 1: {:.1} %, 70 % of 8 after {back_s:.2} s, queue p95 at 1: {:.1} ms, back at 8: {:.1} ms",
            outcome.frame_ms(100.0, 14.5, 16.0),
            100.0 * outcome.goodput_bps(17.0, 30.0) / 1e6,
            outcome.queue_ms(95.0, 17.0, 30.0),
            outcome.queue_ms(95.0, 32.0, 45.0),
        );
        assert!(settled_s < 1.2 && back_s < 3.0);
        assert!(outcome.goodput_bps(17.0, 30.0) > 0.8e6 && outcome.goodput_bps(35.0, 45.0) > 0.8 * 8e6);
    }
}

#[test]
fn a_drop_from_4_to_1_5_is_over_soon() {
    for seed in SEEDS {
        let outcome = drive(Setup::new(step(vec![(0, 4e6), (15_000_000, 1.5e6)], 25_000), 30, seed));
        let p99 = outcome.frame_ms(99.0, 5.0, 30.0);
        println!("4-1.5: frames p99 {p99:.0} ms, in time after {:.2} s", outcome.settled_after_s(150.0, 15.0, 29.0));
        assert!(p99 < 316.0);
    }
}

#[test]
fn a_competitor_gets_its_share_and_leaves_it_again() {
    for seed in SEEDS {
        let mut path = step(vec![(0, 8e6)], 15_000);
        path.cross = vec![(0, 0.0), (15_000_000, 5e6), (30_000_000, 0.0)];
        let outcome = drive(Setup::new(path, 45, seed));
        println!(
            "competitor: used {:.1} % of 3, queue p95 {:.1} ms, in time after {:.2} s, 70 % of 8 after {:.2} s",
            100.0 * outcome.goodput_bps(18.0, 30.0) / 3e6,
            outcome.queue_ms(95.0, 18.0, 30.0),
            outcome.settled_after_s(150.0, 15.0, 29.0),
            outcome.reaches_after_s(5.6e6, 30.0)
        );
        assert!(outcome.goodput_bps(18.0, 30.0) > 0.6 * 3e6 && outcome.queue_ms(95.0, 18.0, 30.0) < 60.0);
        assert!(outcome.reaches_after_s(5.6e6, 30.0) < 12.0);
    }
}

#[test]
fn after_a_blackout_of_5_s_the_rate_is_back_within_a_second() {
    for seed in SEEDS {
        let mut path = step(vec![(0, 8e6)], 25_000);
        path.blackout_us = Some((15_000_000, 20_000_000));
        let outcome = drive(Setup::new(path, 30, seed));
        let before_bps = outcome.target_bps(14.9);
        let back_s = outcome.reaches_after_s(0.9 * before_bps, 20.05);
        println!(
            "blackout: {:.2} Mbit/s before, {:.2} just after, 90 % after {back_s:.2} s",
            before_bps / 1e6,
            outcome.target_bps(20.3) / 1e6
        );
        assert!(outcome.target_bps(20.1) < 8.2e6 && back_s < 1.0);
        assert!(outcome.loss(21.0, 30.0) < 0.01 && outcome.frame_ms(95.0, 21.0, 30.0) < 150.0);
    }
}

#[test]
fn a_path_that_becomes_longer_keeps_its_rate() {
    for seed in SEEDS {
        let mut path = step(vec![(0, 20e6)], 15_000);
        path.delays_us = vec![(0, 15_000), (15_000_000, 65_000)];
        let outcome = drive(Setup { limits: limits(6e6), ..Setup::new(path, 30, seed) });
        println!("longer: {:.2} Mbit/s at the end, least {:.2}", outcome.target_bps(29.9) / 1e6, least(&outcome) / 1e6);
        assert!(outcome.mean_target_bps(20.0, 30.0) > 5.5e6);
    }
}

fn least(outcome: &super::drive::Outcome) -> f64 {
    outcome.estimates.iter().filter(|(us, _)| *us > 15_000_000).map(|(_, e)| e.target_bps).fold(f64::INFINITY, f64::min)
}

fn limits(max_bps: f64) -> crate::cc::RateLimits {
    crate::cc::RateLimits { max_bps, ..Default::default() }
}
