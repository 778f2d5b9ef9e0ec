use super::*;
use proptest::prelude::*;

const DT_S: f64 = 0.02;

fn after(latencies_ms: &[u64]) -> Governor {
    let mut governor = Governor::default();
    for (index, latency_ms) in latencies_ms.iter().enumerate() {
        let now_us = 10_000_000 + index as u64 * 20_000;
        governor.observe(now_us, DT_S, Some(now_us - latency_ms * 1_000));
    }
    governor
}

#[test]
fn the_rule_is_the_ordinances() {
    assert_eq!(after(&[200]).limit_mps(), None);
    let kmh = |ms| after(&[ms]).limit_mps().unwrap() * 3.6;
    assert!((kmh(201) - 49.8).abs() < 0.1);
    assert!((kmh(250) - 40.0).abs() < 0.1);
    assert!((kmh(500) - 20.0).abs() < 0.1);
}

#[test]
fn bad_news_count_at_once_and_good_news_slowly() {
    let mut governor = after(&[100, 400]);
    assert!((governor.limit_mps().unwrap() - 6.95).abs() < 0.01);
    let at = |g: &mut Governor, ticks: u64| {
        for tick in 0..ticks {
            let now_us = 20_000_000 + tick * 20_000;
            g.observe(now_us, DT_S, Some(now_us - 100_000));
        }
        g.limit_mps()
    };
    // 400 ms fall to 190 within 2.1 s, which still limits, and to below 180 within 2.2 s.
    assert!((at(&mut governor, 105).unwrap() - BLIND_M / 0.19).abs() < 0.01);
    assert!(at(&mut governor, 4).is_some());
    assert_eq!(at(&mut governor, 2), None);
    assert!((governor.latency_us() - 178_000.0).abs() < 1.0);
}

#[test]
fn between_the_bounds_nothing_changes() {
    assert_eq!(after(&[150, 190]).limit_mps(), None);
    assert_eq!(after(&[150, 200]).limit_mps(), None);
    let mut limiting = after(&[201]);
    limiting.observe(20_000_000, 1.0, Some(20_000_000 - 180_001));
    assert!(limiting.limit_mps().is_some());
    limiting.observe(20_020_000, 1.0, Some(20_020_000 - 180_000));
    assert_eq!(limiting.limit_mps(), None);
}

#[test]
fn a_frozen_picture_is_latency_that_grows_and_is_named() {
    let mut governor = Governor::default();
    let mut limit = |now_us| {
        governor.observe(now_us, DT_S, Some(5_000_000));
        governor.limit(now_us)
    };
    assert_eq!(limit(5_050_000), None);
    assert_eq!(limit(5_200_000), None);
    let late = limit(5_250_000).unwrap();
    assert_eq!((late.reason(), late.latency_ms), (Reason::PictureFrozen, 250.0));
    assert!(limit(6_000_000).unwrap().limit_mps < late.limit_mps);
}

#[test]
fn a_late_picture_that_moves_is_called_latency() {
    let governor = after(&[300, 300, 300]);
    let limit = governor.limit(10_040_000).unwrap();
    assert_eq!((limit.reason(), limit.latency_ms), (Reason::Latency, 300.0));
    assert_eq!(governor.limit(10_040_000 + 150_000).unwrap().reason(), Reason::Latency);
    assert_eq!(governor.limit(10_040_000 + 150_001).unwrap().reason(), Reason::PictureFrozen);
}

#[test]
fn an_operator_without_a_picture_creeps() {
    let mut governor = Governor::default();
    governor.observe(1_000_000, DT_S, None);
    let limit = governor.limit(9_000_000).unwrap();
    assert_eq!((limit.limit_mps, limit.reason(), limit.latency_ms), (BLIND_M, Reason::Latency, 0.0));
    governor.rest();
    assert_eq!((governor.limit_mps(), governor.latency_us()), (None, 0.0));
}

#[test]
fn braking_to_the_limit_is_no_harder_than_trusted() {
    assert_eq!(limit_acceleration(20.0, 10.0, 4.0), -4.0);
    assert!((limit_acceleration(11.0, 10.0, 4.0) + 1.2).abs() < 1e-9);
    assert!((limit_acceleration(5.0, 10.0, 4.0) - 4.8).abs() < 1e-9);
    assert!((limit_acceleration(1.0, 2.0, 4.0) - 0.9).abs() < 1e-9);
}

proptest! {
    /// Engine and brakes follow with a lag of 0.2 s; whatever is wanted, the speed settles below the limit and stays.
    #[test]
    fn no_setpoint_passes_the_governor(
        setpoints in prop::collection::vec(-8.0f64..=3.0, 1..400),
        start in 0.0f64..14.0,
        limit in 2.0f64..14.0,
    ) {
        let (mut speed, mut thrust) = (start, 0.0f64);
        for (tick, setpoint) in setpoints.into_iter().enumerate() {
            let command = setpoint.min(limit_acceleration(speed, limit, 4.0));
            thrust += (command - thrust) * (1.0 - (-DT_S / 0.2f64).exp());
            let before = speed;
            speed = (speed + thrust * DT_S).max(0.0);
            prop_assert!(speed <= limit || before > limit - 0.3 && tick < 60 || speed <= before);
        }
    }
}
