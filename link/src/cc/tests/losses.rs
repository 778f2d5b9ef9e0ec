//! Paths that lose packets.

use super::SEEDS;
use super::drive::{Outcome, Setup, drive};
use super::path::PathSpec;

fn losing(share: f64, burst: f64, seed: u64) -> Outcome {
    let path = PathSpec { rates: vec![(0, 20e6)], loss: (share, burst), ..PathSpec::default() };
    let mut setup = Setup::new(path, 60, seed);
    setup.limits.max_bps = 6e6;
    drive(setup)
}

#[test]
fn random_losses_do_not_cost_the_rate() {
    for (share, burst) in [(0.05, 1.0), (0.1, 1.0), (0.3, 1.0), (0.1, 5.0), (0.3, 5.0)] {
        for seed in SEEDS {
            let outcome = losing(share, burst, seed);
            let mean = outcome.mean_target_bps(4.0, 60.0);
            let last = outcome.estimates.last().unwrap().1;
            println!(
                "loss {share} bursts {burst}: mean {:.2} of 6 Mbit/s, measured loss {:.3}, bursts {:.1}",
                mean / 1e6,
                last.loss,
                last.mean_burst
            );
            assert!(mean > 0.85 * 6e6);
            assert!((last.mean_burst - burst).abs() < 0.35 * burst + 0.3);
        }
    }
}

#[test]
fn a_policer_with_a_shallow_bucket_is_recognised() {
    for (mbps, bucket) in [(1.0, 4_000.0), (1.0, 10_000.0), (3.0, 20_000.0)] {
        for seed in SEEDS {
            let path = PathSpec { policer: Some((mbps * 1e6, bucket)), ..PathSpec::default() };
            let outcome = drive(Setup::new(path, 60, seed));
            let loss = outcome.loss(10.0, 60.0);
            let used = outcome.goodput_bps(10.0, 60.0) / (mbps * 1e6);
            println!("policer {mbps} Mbit/s, bucket {bucket}: loss {:.2} %, used {:.1} %", 100.0 * loss, 100.0 * used);
            assert!(loss < 0.05 && used > 0.6);
        }
    }
}

#[test]
fn a_queue_of_10_ms_is_not_kept_full() {
    for seed in SEEDS {
        let path = PathSpec { rates: vec![(0, 1e6)], queue_ms: 10.0, ..PathSpec::default() };
        let outcome = drive(Setup::new(path, 60, seed));
        let (loss, used) = (outcome.loss(10.0, 60.0), outcome.goodput_bps(10.0, 60.0) / 1e6);
        println!("10 ms queue at 1 Mbit/s: loss {:.2} %, used {:.1} %", 100.0 * loss, 100.0 * used);
        assert!(loss < 0.08 && used > 0.5);
    }
}

#[test]
fn random_losses_on_a_narrow_path_leave_the_queue_short() {
    for seed in SEEDS {
        let path = PathSpec { rates: vec![(0, 2e6)], loss: (0.1, 1.0), ..PathSpec::default() };
        let outcome = drive(Setup::new(path, 40, seed));
        let sent = outcome.goodput_bps(8.0, 40.0) / 0.9 / 2e6;
        println!(
            "2 Mbit/s with 10 % loss: used {:.1} %, queue p95 {:.1} ms",
            100.0 * sent,
            outcome.queue_ms(95.0, 8.0, 40.0)
        );
        assert!(sent > 0.75 && outcome.queue_ms(95.0, 8.0, 40.0) < 50.0);
    }
}

#[test]
fn lost_reports_are_not_taken_for_lost_packets() {
    for mbps in [1.0, 4.0] {
        for seed in SEEDS {
            let path = PathSpec { rates: vec![(0, mbps * 1e6)], feedback_loss: 0.3, ..PathSpec::default() };
            let outcome = drive(Setup::new(path, 40, seed));
            let used = outcome.goodput_bps(8.0, 40.0) / (mbps * 1e6);
            let lossy: Vec<f64> = outcome.estimates.iter().skip(400).map(|(_, e)| e.loss).collect();
            let loss = lossy.iter().sum::<f64>() / lossy.len() as f64;
            println!(
                "30 % of reports lost, {mbps} Mbit/s: used {:.1} %, queue p95 {:.1} ms, measured loss {loss:.3}",
                100.0 * used,
                outcome.queue_ms(95.0, 8.0, 40.0)
            );
            assert!(used > 0.45 && outcome.queue_ms(95.0, 8.0, 40.0) < 60.0);
        }
    }
}
