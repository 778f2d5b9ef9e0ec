//! The estimator in a closed loop with a path in virtual time: frames at 30 Hz that follow the target, a bottleneck with a
//! drop-tail queue, delay, losses, and feedback every 25 ms.

use super::{Estimator, Limit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rtc::interceptor::{BandwidthEstimator, PacketReport};
use rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[derive(Clone)]
struct Path {
    /// Rate from this time on, microseconds and bits per second.
    rates: Vec<(u64, f64)>,
    queue_us: u64,
    one_way_us: u64,
    jitter_us: u64,
    loss: f64,
    mean_burst: f64,
    feedback_loss: f64,
    drift_ppm: f64,
    max_bps: f64,
    seed: u64,
}

impl Path {
    fn of(rate_bps: f64) -> Self {
        Self {
            rates: vec![(0, rate_bps)],
            queue_us: 300_000,
            one_way_us: 20_000,
            jitter_us: 0,
            loss: 0.0,
            mean_burst: 1.0,
            feedback_loss: 0.0,
            drift_ppm: 0.0,
            max_bps: 8e6,
            seed: 1,
        }
    }
}

struct Run {
    /// Capture time of each frame and its age when its last packet arrived, microseconds; none for one with a loss by
    /// the queue.
    frames: Vec<(u64, Option<u64>)>,
    /// Bits that arrived in each second.
    arrived: Vec<f64>,
    targets: Vec<f64>,
}

const PACKET: usize = 1_100;

fn run(path: &Path, seconds: u64) -> Run {
    let mut rng = ChaCha8Rng::seed_from_u64(path.seed);
    let (mut estimator, handle) = Estimator::new();
    handle.set_max(path.max_bps);
    let origin = Instant::now();
    let at = |us: u64| origin + Duration::from_micros(us);
    let mut out = Run { frames: Vec::new(), arrived: vec![0.0; seconds as usize + 2], targets: Vec::new() };
    let (mut free_us, mut in_burst, mut id, mut pause_seen, mut pause_until) = (0u64, false, 0u64, 0u32, 0u64);
    // Sent but not reported: when the report can know of it, and the report.
    let mut reports: VecDeque<(u64, PacketReport)> = VecDeque::new();
    let mut last_arrival = 0u64;
    for tick in 0..seconds * 1_000 {
        let now = tick * 1_000;
        if tick % 33 == 0 && now >= pause_until {
            let rate = path.rates.iter().rev().find(|(from, _)| now >= *from).map_or(1e6, |r| r.1);
            let bytes = (handle.read().target_bps * 0.93 / 30.0 / 8.0) as usize;
            let spacing = (PACKET as f64 * 8e6 / handle.read().pacing_bps()) as u64;
            let mut newest = Some(0);
            for packet in 0..bytes.div_ceil(PACKET).max(1) {
                let departure = now + packet as u64 * spacing;
                let leave = if path.mean_burst > 1.0 { 1.0 / path.mean_burst } else { 1.0 - path.loss };
                let enter = leave * path.loss / (1.0 - path.loss);
                in_burst = if in_burst { !rng.random_bool(leave) } else { rng.random_bool(enter.min(1.0)) };
                let waits = free_us.saturating_sub(departure);
                let dropped = waits > path.queue_us;
                if !dropped {
                    free_us = free_us.max(departure) + ((PACKET + 38) as f64 * 8e6 / rate) as u64;
                }
                let jitter = if path.jitter_us > 0 { rng.random_range(0..path.jitter_us * 2) } else { 0 };
                let arrival = (free_us + path.one_way_us + jitter).max(last_arrival);
                let arrived = !dropped && !in_burst;
                if arrived {
                    last_arrival = arrival;
                    out.arrived[(arrival / 1_000_000).min(seconds) as usize] += PACKET as f64 * 8.0;
                }
                newest = if dropped { None } else { newest.map(|_| arrival - now) };
                id += 1;
                let clock = (arrival as f64 * (1.0 + path.drift_ppm * 1e-6)) as u64 + 5_000_000;
                let known = if dropped { departure + path.one_way_us } else { arrival };
                reports.push_back((
                    known,
                    PacketReport {
                        ssrc: 1,
                        id,
                        rtp_sequence_number: id as u16,
                        is_twcc: true,
                        twcc_sequence_number: id as u16,
                        size: PACKET,
                        arrived,
                        departure: at(departure),
                        arrival: arrived.then(|| Duration::from_micros(clock)),
                        ecn: Ecn::default(),
                    },
                ));
            }
            out.frames.push((now, newest));
        }
        // Feedback takes the way back, too.
        if tick % 25 == 0 {
            let mut batch = Vec::new();
            while reports.front().is_some_and(|(known, _)| known + path.one_way_us <= now) {
                batch.extend(reports.pop_front().map(|r| r.1));
            }
            if !rng.random_bool(path.feedback_loss) {
                estimator.on_reports(at(now), &batch);
            }
            let pause = handle.read().pause;
            if pause.1 != pause_seen {
                pause_seen = pause.1;
                pause_until = now + pause.0;
            }
        }
        if tick % 1_000 == 999 {
            out.targets.push(handle.read().target_bps);
        }
    }
    out
}

impl Run {
    fn mean_bps(&self, seconds: std::ops::Range<usize>) -> f64 {
        let n = seconds.len() as f64;
        self.arrived[seconds].iter().sum::<f64>() / n
    }

    /// The frames' age that the share `p` of those captured from `from_us` on stays below, milliseconds.
    fn age_ms(&self, from_us: u64, p: f64) -> f64 {
        let mut ages: Vec<f64> = self
            .frames
            .iter()
            .filter(|(at, _)| *at >= from_us)
            .map(|(_, age)| age.map_or(1e9, |us| us as f64 / 1e3))
            .collect();
        ages.sort_by(f64::total_cmp);
        ages[((ages.len() - 1) as f64 * p) as usize]
    }
}

#[test]
fn a_steady_path_is_used_and_its_queue_kept_short() {
    for mbps in [1.0, 2.0, 4.0, 7.0] {
        for seed in 0..3 {
            let run = run(&Path { seed, ..Path::of(mbps * 1e6) }, 60);
            let (used, age) = (run.mean_bps(10..60) / (mbps * 1e6), run.age_ms(10_000_000, 0.95));
            println!(
                "{mbps} Mbit/s seed {seed}: used {used:.2}, frame age p95 {age:.0} p99.9 {:.0} ms",
                run.age_ms(10_000_000, 0.999)
            );
            assert!(used > 0.75, "{used}");
            assert!(age < 110.0, "{age}");
        }
    }
}

#[test]
fn a_step_down_is_followed_within_a_second_and_the_way_up_found_again() {
    for seed in 0..3 {
        let path =
            Path { rates: vec![(0, 8e6), (20_000_000, 1e6), (40_000_000, 8e6)], seed, max_bps: 6e6, ..Path::of(8e6) };
        let run = run(&path, 60);
        let late = run
            .frames
            .iter()
            .filter(|(at, age)| (21_000_000..40_000_000).contains(at) && age.is_none_or(|a| a > 150_000))
            .count();
        println!(
            "late after the first second {late}; targets {:?}",
            run.targets.iter().map(|t| (t / 1e5).round() / 10.0).collect::<Vec<_>>()
        );
        assert!(late <= 6, "{late} frames late from a second after the drop");
        assert!(run.mean_bps(46..60) > 3.5e6, "{}", run.mean_bps(46..60));
    }
}

#[test]
fn losses_that_come_anyway_cost_no_rate() {
    for (loss, mean_burst) in [(0.1, 1.0), (0.3, 1.0), (0.1, 5.0), (0.3, 5.0), (0.05, 1.0)] {
        for seed in 0..3 {
            let run = run(&Path { loss, mean_burst, seed, max_bps: 5e6, ..Path::of(20e6) }, 60);
            let mean = run.targets[10..].iter().sum::<f64>() / (run.targets.len() - 10) as f64;
            println!("loss {loss} burst {mean_burst} seed {seed}: mean target {:.2} Mbit/s", mean / 1e6);
            assert!(mean > 3.5e6, "{mean}");
        }
    }
}

#[test]
fn losses_of_a_policer_are_followed_down() {
    for seed in 0..3 {
        let run = run(&Path { queue_us: 12_000, seed, max_bps: 5e6, ..Path::of(1e6) }, 60);
        let cut = run.frames.iter().filter(|(at, age)| *at > 10_000_000 && age.is_none()).count();
        let mean = run.targets[10..].iter().sum::<f64>() / (run.targets.len() - 10) as f64;
        println!("policer seed {seed}: frames cut {cut}, mean target {:.2}", mean / 1e6);
        assert!(mean < 1.6e6, "{mean}");
        assert!(run.mean_bps(10..60) > 0.5e6);
    }
}

#[test]
fn a_path_that_wavers_or_a_clock_that_drifts_is_not_taken_for_a_queue() {
    for (jitter_us, drift_ppm) in [(10_000, 0.0), (0, 100.0), (0, -100.0), (5_000, 100.0)] {
        let run = run(&Path { jitter_us, drift_ppm, max_bps: 5e6, ..Path::of(30e6) }, 60);
        println!(
            "jitter {jitter_us} drift {drift_ppm}: {:?}",
            run.targets.iter().map(|t| (t / 1e5).round() / 10.0).collect::<Vec<_>>()
        );
        assert!(run.mean_bps(10..60) > 3.5e6, "{}", run.mean_bps(10..60));
    }
}

#[test]
fn lost_feedback_and_long_round_trips_are_borne() {
    let lossy = run(&Path { feedback_loss: 0.3, ..Path::of(4e6) }, 60);
    assert!(lossy.mean_bps(10..60) > 2.6e6, "{}", lossy.mean_bps(10..60));
    let long = run(&Path { one_way_us: 120_000, max_bps: 3e6, ..Path::of(4e6) }, 60);
    assert!(long.mean_bps(10..60) > 2.0e6, "{}", long.mean_bps(10..60));
    println!("long: age p95 {}", long.age_ms(10_000_000, 0.95));
}

#[test]
fn without_much_to_send_the_rate_does_not_grow_beyond_what_was_tried() {
    let (mut estimator, handle) = Estimator::new();
    handle.set_max(50e6);
    let origin = Instant::now();
    for i in 0..3_000u64 {
        let departure = origin + Duration::from_millis(i * 10);
        let report = PacketReport {
            ssrc: 1,
            id: i,
            rtp_sequence_number: i as u16,
            is_twcc: true,
            twcc_sequence_number: i as u16,
            size: 500,
            arrived: true,
            departure,
            arrival: Some(Duration::from_millis(i * 10 + 15)),
            ecn: Ecn::default(),
        };
        estimator.on_reports(departure + Duration::from_millis(30), &[report]);
    }
    let estimate = handle.read();
    assert_eq!(estimate.limit, Limit::Application);
    assert!(estimate.target_bps < 3e6, "{}", estimate.target_bps);
    assert!((29_000..31_000).contains(&estimate.round_trip_us));
}
