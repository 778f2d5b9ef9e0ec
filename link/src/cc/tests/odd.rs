//! Clocks, jitter, and what no well-behaved peer would send.

use super::SEEDS;
use super::drive::{Setup, drive};
use super::path::PathSpec;
use crate::cc::{Estimator, RateLimits, State};
use rtc::interceptor::{BandwidthEstimator, PacketReport};
use std::time::{Duration, Instant};

#[test]
fn jitter_without_a_bottleneck_does_not_cost_the_rate() {
    for seed in SEEDS {
        let path = PathSpec { jitter_us: 20_000, ..PathSpec::default() };
        let mut setup = Setup::new(path, 30, seed);
        setup.limits.max_bps = 6e6;
        let outcome = drive(setup);
        println!("jitter: mean {:.2} of 6 Mbit/s", outcome.mean_target_bps(3.0, 30.0) / 1e6);
        assert!(outcome.mean_target_bps(3.0, 30.0) > 5e6);
    }
}

#[test]
fn jitter_on_a_narrow_path_leaves_most_of_it_usable() {
    for seed in SEEDS {
        let path = PathSpec { rates: vec![(0, 2e6)], jitter_us: 20_000, ..PathSpec::default() };
        let outcome = drive(Setup::new(path, 30, seed));
        let (used, queue_ms) = (outcome.goodput_bps(8.0, 30.0) / 2e6, outcome.queue_ms(95.0, 8.0, 30.0));
        println!("jitter at 2 Mbit/s: used {:.1} %, queue p95 {queue_ms:.1} ms", 100.0 * used);
        assert!(used > 0.5 && queue_ms < 70.0);
    }
}

#[test]
fn a_clock_that_drifts_by_300_ppm_changes_nothing() {
    for drift_ppm in [-300.0, 300.0] {
        for seed in SEEDS {
            let path = PathSpec { rates: vec![(0, 4e6)], ..PathSpec::default() };
            let outcome = drive(Setup { drift_ppm, ..Setup::new(path, 60, seed) });
            let (used, queue_ms) = (outcome.goodput_bps(8.0, 60.0) / 4e6, outcome.queue_ms(95.0, 8.0, 60.0));
            println!("drift {drift_ppm} ppm: used {:.1} %, queue p95 {queue_ms:.1} ms", 100.0 * used);
            assert!(used > 0.85 && queue_ms < 40.0);
        }
    }
}

fn report(id: u64, departure: Instant, arrival: Option<Duration>) -> PacketReport {
    PacketReport {
        ssrc: 1,
        id,
        rtp_sequence_number: id as u16,
        is_twcc: true,
        twcc_sequence_number: id as u16,
        size: 1_200,
        arrived: arrival.is_some(),
        departure,
        arrival,
        ecn: Default::default(),
    }
}

#[test]
fn nonsense_times_are_survived_and_the_rate_stays_within_its_limits() {
    let (mut estimator, handle) = Estimator::new(RateLimits::default());
    let origin = Instant::now() + Duration::from_secs(1_000);
    let times = [Duration::MAX, Duration::ZERO, Duration::from_secs(16_777_216 * 64 / 1_000), Duration::from_micros(1)];
    for i in 0..4_000u64 {
        let now = origin + Duration::from_millis(i * 5);
        let departure = if i % 7 == 0 { now + Duration::from_secs(900) } else { now - Duration::from_millis(i % 300) };
        let packets: Vec<_> =
            (0..i % 9).map(|k| report(i * 9 + k, departure, times.get((i + k) as usize % 6).copied())).collect();
        estimator.on_reports(now, &packets);
        let estimate = handle.read();
        assert!((150_000.0..=6e6).contains(&estimate.target_bps), "{estimate:?}");
        assert!((0.0..=1.0).contains(&estimate.loss));
    }
}

#[test]
fn silence_holds_the_rate_and_is_told() {
    let (mut estimator, handle) = Estimator::new(RateLimits::default());
    let origin = Instant::now();
    assert_eq!(estimator.poll_timeout(), None);
    for i in 0..40u64 {
        let now = origin + Duration::from_millis(i * 25);
        estimator.on_reports(now + Duration::from_millis(30), &[report(i, now, Some(Duration::from_millis(i * 25)))]);
    }
    let before_bps = handle.read().target_bps;
    let due = estimator.poll_timeout().unwrap();
    estimator.handle_timeout(due);
    assert_eq!((handle.read().state, handle.read().target_bps), (State::Hold, before_bps));
    assert_eq!(estimator.poll_timeout(), None);
}
