//! The model in virtual time.

use crate::netem::{
    Direction, DirectionStats, Impairment, ImpairmentChange, Path, PathSpec, PushVerdict, QueueLimit, Script,
};
use proptest::prelude::*;

fn direction(change: &ImpairmentChange, seed: u64) -> Direction<u64> {
    Direction::new(Script::constant(change.apply(&Impairment::default(), "").unwrap()), seed)
}

/// Everything that arrives until `end_us`, as (time, payload), asking only when told to.
fn drain(direction: &mut Direction<u64>, end_us: u64) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    while let Some(next) = direction.next_us().filter(|next| *next <= end_us) {
        while let Some(delivery) = direction.poll(next) {
            all.push((delivery.at_us, delivery.payload));
        }
    }
    all
}

/// Sends `count` packets of `bytes`, one each `period_us`, and hears them all.
fn send(direction: &mut Direction<u64>, count: u64, period_us: u64, bytes: usize) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    for n in 0..count {
        all.extend(drain(direction, n * period_us));
        direction.push(n * period_us, bytes, n);
    }
    all.extend(drain(direction, u64::MAX));
    all
}

fn missing(arrived: &[(u64, u64)], count: u64) -> Vec<u64> {
    let mut there = vec![false; count as usize];
    arrived.iter().for_each(|(_, n)| there[*n as usize] = true);
    (0..count).filter(|n| !there[*n as usize]).collect()
}

/// Mean length of runs of consecutive numbers.
fn mean_run(numbers: &[u64]) -> f64 {
    let runs = numbers.iter().enumerate().filter(|(i, n)| *i == 0 || numbers[i - 1] + 1 != **n).count();
    numbers.len() as f64 / runs as f64
}

const COUNT: u64 = 100_000;

#[test]
fn a_clean_path_delivers_at_once_and_in_order() {
    let arrived = send(&mut direction(&ImpairmentChange::default(), 1), 1000, 700, 1200);
    assert_eq!(arrived, (0..1000).map(|n| (n * 700, n)).collect::<Vec<_>>());
}

#[test]
fn a_delay_is_exact() {
    let change = ImpairmentChange { delay_ms: Some(25.5), ..ImpairmentChange::default() };
    let arrived = send(&mut direction(&change, 1), 1000, 700, 1200);
    assert_eq!(arrived, (0..1000).map(|n| (n * 700 + 25_500, n)).collect::<Vec<_>>());
}

#[test]
fn independent_loss_has_the_mean_and_the_runs_that_chance_gives() {
    for (seed, loss) in [(1, 0.02), (2, 0.1), (3, 0.3), (4, 0.5)] {
        let change = ImpairmentChange { loss_percent: Some(loss * 100.0), ..ImpairmentChange::default() };
        let gone = missing(&send(&mut direction(&change, seed), COUNT, 100, 1200), COUNT);
        // Five standard deviations of a binomial count.
        let sigma = (loss * (1.0 - loss) / COUNT as f64).sqrt();
        let mean = gone.len() as f64 / COUNT as f64;
        assert!((mean - loss).abs() < 5.0 * sigma, "seed {seed}: lost {mean} instead of {loss}");
        let run = mean_run(&gone);
        assert!((run * (1.0 - loss) - 1.0).abs() < 0.06, "seed {seed}: runs of {run} at {loss}");
    }
}

#[test]
fn bursts_have_their_mean_loss_and_their_mean_length() {
    for (seed, loss, burst) in [(1, 0.1, 5.0), (2, 0.05, 3.0), (3, 0.3, 10.0), (4, 0.01, 1.0)] {
        let change = ImpairmentChange {
            loss_percent: Some(loss * 100.0),
            burst_packets: Some(burst),
            ..ImpairmentChange::default()
        };
        let gone = missing(&send(&mut direction(&change, seed), COUNT, 100, 1200), COUNT);
        let runs = gone.len() as f64 / burst;
        let run = mean_run(&gone);
        // The lengths are geometric: their standard deviation is below the mean.
        assert!((run - burst).abs() < 5.0 * burst / runs.sqrt(), "seed {seed}: runs of {run} instead of {burst}");
        let mean = gone.len() as f64 / COUNT as f64;
        assert!((mean - loss).abs() < 7.0 * loss / runs.sqrt(), "seed {seed}: lost {mean} instead of {loss}");
    }
}

#[test]
fn jitter_keeps_the_order_only_adds_and_has_its_mean() {
    let change = ImpairmentChange { delay_ms: Some(20.0), jitter_ms: Some(4.0), ..ImpairmentChange::default() };
    let arrived = send(&mut direction(&change, 5), 20_000, 33_333, 1200);
    assert!(arrived.windows(2).all(|pair| pair[0].1 < pair[1].1 && pair[0].0 <= pair[1].0));
    let extra: Vec<f64> = arrived.iter().map(|(at, n)| *at as f64 - (n * 33_333 + 20_000) as f64).collect();
    assert!(extra.iter().all(|us| (0.0..=32_000.0).contains(us)));
    let mean = extra.iter().sum::<f64>() / extra.len() as f64;
    assert!((mean - 4000.0).abs() < 5.0 * 4000.0 / (extra.len() as f64).sqrt(), "mean {mean} us");
}

#[test]
fn packets_sent_together_arrive_together_whatever_the_jitter() {
    let change = ImpairmentChange { jitter_ms: Some(10.0), ..ImpairmentChange::default() };
    let mut way = direction(&change, 5);
    (0..30).for_each(|n| _ = way.push(40_000, 1200, n));
    let arrived = drain(&mut way, u64::MAX);
    assert_eq!(arrived.len(), 30);
    assert!(arrived.iter().all(|(at, _)| *at == arrived[0].0));
}

#[test]
fn reordered_packets_are_overtaken_and_doubled_ones_come_twice() {
    let change = ImpairmentChange {
        delay_ms: Some(10.0),
        reorder_percent: Some(5.0),
        reorder_ms: Some(8.0),
        duplicate_percent: Some(3.0),
        ..ImpairmentChange::default()
    };
    let mut way = direction(&change, 9);
    let arrived = send(&mut way, COUNT, 1000, 1200);
    let DirectionStats { held_back, duplicated, delivered, .. } = way.stats();
    assert!((held_back as f64 / COUNT as f64 - 0.05).abs() < 0.004);
    assert!((duplicated as f64 / COUNT as f64 - 0.03).abs() < 0.003);
    assert_eq!(delivered, COUNT + duplicated);
    assert!(missing(&arrived, COUNT).is_empty());
    let late = arrived.iter().filter(|(at, n)| *at == n * 1000 + 18_000).count();
    let overtaken = arrived.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
    assert!(late as u64 >= held_back && overtaken as f64 > 0.9 * held_back as f64);
}

#[test]
fn a_rate_is_exact_and_a_full_queue_drops_the_newest() {
    // 1 Mbit/s carries 1,250 bytes in 10 ms; ten of them fit into 100 ms.
    let change = ImpairmentChange { rate_mbps: Some(1.0), queue_ms: Some(100), ..ImpairmentChange::default() };
    let mut way = direction(&change, 1);
    let verdicts: Vec<PushVerdict> = (0..15).map(|n| way.push(0, 1250, n)).collect();
    assert_eq!(verdicts[..10], [PushVerdict::Accepted; 10]);
    assert_eq!(verdicts[10..], [PushVerdict::QueueFull; 5]);
    assert_eq!(way.stats().most_queued_bytes, 12_500);
    assert_eq!(drain(&mut way, u64::MAX), (0..10).map(|n| ((n + 1) * 10_000, n)).collect::<Vec<_>>());
}

#[test]
fn a_saturated_bottleneck_delivers_its_rate_and_no_more() {
    let change = ImpairmentChange { rate_mbps: Some(4.0), queue_bytes: Some(20_000), ..ImpairmentChange::default() };
    let mut way = direction(&change, 1);
    let arrived = send(&mut way, 20_000, 1000, 1200);
    let bits = (arrived.len() - 1) as f64 * 1200.0 * 8.0;
    let seconds = (arrived.last().unwrap().0 - arrived[0].0) as f64 / 1e6;
    assert!((bits / seconds / 4e6 - 1.0).abs() < 1e-5, "{} bit/s", bits / seconds);
    assert!(way.stats().queue_full > 0 && way.stats().most_queued_bytes <= 20_000);
}

#[test]
fn a_step_of_the_rate_acts_on_what_waits_already() {
    let at =
        |mbps: u64| Impairment { rate_bps: mbps * 1_000_000, queue: QueueLimit::Ms(1000), ..Impairment::default() };
    let mut way = Direction::new(Script::new(at(1), vec![(15_000, at(2))], None), 1);
    (0..3).for_each(|n| _ = way.push(0, 1250, n));
    // The second is half sent at the step, and needs 2.5 ms for the rest.
    assert_eq!(drain(&mut way, u64::MAX), [(10_000, 0), (17_500, 1), (22_500, 2)]);
}

#[test]
fn a_blackout_swallows_what_leaves_in_it_and_ends_on_time() {
    let spec = PathSpec::preset("blackout").unwrap();
    let mut path = Path::new(&spec, 1);
    let mut way = std::mem::replace(&mut path.forward, direction(&ImpairmentChange::default(), 1));
    let gone = missing(&send(&mut way, 4500, 10_000, 100), 4500);
    assert_eq!(gone, (1500..2000).collect::<Vec<_>>());
    assert_eq!(way.stats().blackholed, 500);
}

#[test]
fn the_same_seed_gives_each_packet_the_same_fate_at_any_time_and_another_seed_another() {
    let change = ImpairmentChange { loss_percent: Some(20.0), burst_packets: Some(3.0), ..ImpairmentChange::default() };
    let fates = |seed, period_us| missing(&send(&mut direction(&change, seed), 5000, period_us, 900), 5000);
    assert_eq!(fates(7, 100), fates(7, 100));
    assert_eq!(fates(7, 100), fates(7, 31_007));
    assert_ne!(fates(7, 100), fates(8, 100));
    let mut path = Path::new(&PathSpec::preset("loss30").unwrap(), 7);
    let forward = missing(&send(&mut path.forward, 5000, 100, 900), 5000);
    assert_ne!(forward, missing(&send(&mut path.backward, 5000, 100, 900), 5000));
}

proptest! {
    #[test]
    fn no_packet_is_forgotten_whatever_the_times_and_sizes(
        packets in prop::collection::vec((0u64..20_000, 0usize..70_000), 1..300),
        loss in 0.0f64..60.0, rate in 0.0f64..5.0, delay in 0.0f64..50.0, jitter in 0.0f64..20.0, seed: u64,
        doubled in 0.0f64..50.0, held in 0.0f64..50.0, steps in any::<bool>(),
    ) {
        let change = ImpairmentChange {
            loss_percent: Some(loss), rate_mbps: Some((rate * 1000.0).round() / 1000.0), delay_ms: Some(delay),
            jitter_ms: Some(jitter), duplicate_percent: Some(doubled), reorder_percent: Some(held),
            ..ImpairmentChange::default()
        };
        let first = change.apply(&Impairment::default(), "").unwrap();
        let other = ImpairmentChange { rate_mbps: Some(0.3), blackhole: Some(true), ..ImpairmentChange::default() };
        let other = other.apply(&first, "").unwrap();
        let script = if steps { Script::new(first, vec![(30_000, other)], Some(50_000)) } else { Script::constant(first) };
        let mut way = Direction::new(script, seed);
        let (mut now_us, mut last_us) = (0, 0);
        for (n, (gap_us, bytes)) in packets.iter().enumerate() {
            now_us += gap_us;
            for (at_us, _) in drain(&mut way, now_us) {
                prop_assert!(at_us >= last_us && at_us <= now_us);
                last_us = at_us;
            }
            way.push(now_us, *bytes, n as u64);
        }
        drain(&mut way, u64::MAX);
        let stats = way.stats();
        prop_assert_eq!(stats.queued_bytes, 0);
        prop_assert_eq!(
            stats.packets + stats.duplicated,
            stats.delivered + stats.lost + stats.queue_full + stats.blackholed
        );
    }

    #[test]
    fn times_that_jump_about_do_no_harm(times in prop::collection::vec(any::<u64>(), 1..50), rate in 0u64..3) {
        let impairment = Impairment { rate_bps: rate * 1000, delay_us: 5000, jitter_us: 500, ..Impairment::default() };
        let other = Impairment { rate_bps: 500_000, ..impairment.clone() };
        let mut way = Direction::new(Script::new(impairment, vec![(1000, other)], Some(2000)), 3);
        for (n, now_us) in times.iter().enumerate() {
            way.push(*now_us, 1200, n as u64);
            while way.poll(*now_us).is_some() {}
        }
        prop_assert!(way.stats().delivered <= times.len() as u64);
    }
}

#[test]
fn a_flood_into_a_long_way_is_bounded() {
    let mut way = direction(&ImpairmentChange { delay_ms: Some(60_000.0), ..ImpairmentChange::default() }, 1);
    let verdicts = (0..60_000).map(|n| way.push(n, 1500, n)).filter(|v| *v == PushVerdict::QueueFull).count();
    assert_eq!(verdicts as u64, 60_000 - (64 << 20) / 1500);
}
