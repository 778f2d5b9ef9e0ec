//! How often the gate is right, on trips drawn from a model.

use super::*;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Pairs that are driven once and drawn from again and again.
const POOL: usize = 5_000;
const TRIES: usize = 200;

fn gamma(shape: u32, rng: &mut impl Rng) -> f64 {
    (0..shape).map(|_| -(1.0 - rng.random::<f64>()).ln()).sum::<f64>() / f64::from(shape)
}

fn poisson(mean: f64, rng: &mut impl Rng) -> u64 {
    let (mut count, mut product, floor) = (0, rng.random::<f64>(), (-mean).exp());
    while product > floor {
        count += 1;
        product *= rng.random::<f64>();
    }
    count
}

/// A trip that both drive: how hard it is they share, how it goes each has of its own. One event a mile for the predecessor,
/// `rates` for the candidates; the variance of the counts is more than twice their mean.
fn pair(rates: &[f64], rng: &mut impl Rng) -> Vec<TripCount> {
    let hardness = gamma(2, rng);
    let mut drive = |rate: f64| {
        let miles = rng.random_range(0.4..0.95);
        let events = poisson(rate * miles * hardness * gamma(2, rng), rng);
        TripCount { miles, events, crashes: 0 }
    };
    std::iter::once(1.0).chain(rates.iter().copied()).map(&mut drive).collect()
}

/// In how many of [`TRIES`] a candidate ships, on pairs drawn again from a pool. A pool of equals is not quite equal:
/// there who is who is drawn again with each pair, or its difference would be found in place of the gate's error.
fn ships(rates: &[f64], pairs: usize, seed: u64) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pool: Vec<Vec<TripCount>> = (0..POOL).map(|_| pair(rates, &mut rng)).collect();
    let config = GateConfig { error: 0.05, pairs, candidates: rates.len() };
    let are_equal = rates.iter().all(|rate| *rate == 1.0);
    let decide = |rng: &mut ChaCha8Rng| {
        let mut gate = SequentialGate::new(config).unwrap();
        let mut known = 0;
        while let Some(wanted) = gate.wants() {
            let mut draw = || {
                let mut pair = pool[rng.random_range(0..POOL)].clone();
                if are_equal {
                    pair.shuffle(rng);
                }
                pair
            };
            let drawn: Vec<Vec<TripCount>> = (known..wanted).map(|_| draw()).collect();
            let of = |who: usize| drawn.iter().map(|pair| pair[who]).collect::<Vec<_>>();
            gate.add(&of(0), &(1..=rates.len()).map(of).collect::<Vec<_>>());
            known = wanted;
        }
        gate.decision().unwrap()
    };
    (0..TRIES).filter(|_| decide(&mut rng) == GateDecision::Ship).count()
}

#[test]
fn a_worse_candidate_hardly_ever_ships_and_a_better_one_mostly_does() {
    // A tenth of the default budget at most, so that the figures hold where judging takes most of it.
    let pairs = 200;
    let counts = [1.2, 1.0, 0.8].map(|rate| ships(&[rate], pairs, 11));
    println!("ships of {TRIES}: a fifth worse {}, equal {}, a fifth better {}", counts[0], counts[1], counts[2]);
    assert!(counts[0] <= TRIES / 20, "a fifth worse: {}", counts[0]);
    // 17 of 200 is the 99 % bound of a chance of 5 %.
    assert!(counts[1] <= 17, "equal: {}", counts[1]);
    let better = ships(&[0.8], 600, 12);
    println!("with {} pairs a fifth better: {better}", 600);
    assert!(better >= TRIES / 2, "a fifth better: {better}");
}

#[test]
fn the_choice_among_equals_is_paid_for() {
    let wrong = ships(&[1.0, 1.0, 1.0], 200, 13);
    println!("one of three equals ships in {wrong} of {TRIES}");
    assert!(wrong <= 17, "{wrong} of {TRIES}");
    assert!(ships(&[1.0, 0.6, 1.1], 300, 14) >= TRIES * 3 / 4, "the best of three is found");
}

#[test]
fn a_great_difference_is_seen_early_and_none_at_all_does_not_ship() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let config = GateConfig { error: 0.05, pairs: 2_000, candidates: 1 };
    for (rate, decision) in [(0.1, GateDecision::Ship), (4.0, GateDecision::Refuse)] {
        let mut gate = SequentialGate::new(config).unwrap();
        let pairs: Vec<Vec<TripCount>> = (0..400).map(|_| pair(&[rate], &mut rng)).collect();
        let of = |who: usize| pairs.iter().map(|pair| pair[who]).collect::<Vec<_>>();
        gate.add(&of(0), &[of(1)]);
        assert_eq!(gate.decision(), Some(decision), "{:?}", gate.looks());
        assert!(gate.looks().last().unwrap().pairs < 130 && gate.wants().is_none(), "{:?}", gate.looks());
    }
    let mut gate = SequentialGate::new(GateConfig { pairs: 40, ..config }).unwrap();
    let quiet = vec![TripCount { miles: 0.9, events: 0, crashes: 0 }; 40];
    gate.add(&quiet, std::slice::from_ref(&quiet));
    assert_eq!(gate.decision(), Some(GateDecision::Inconclusive));
}

#[test]
fn one_who_never_drives_is_no_better() {
    let mut gate = SequentialGate::new(GateConfig { error: 0.05, pairs: 60, candidates: 1 }).unwrap();
    let drives: Vec<TripCount> = (0..60).map(|i| TripCount { miles: 0.9, events: i % 2, crashes: 0 }).collect();
    let stands: Vec<TripCount> = (0..60).map(|i| TripCount { miles: 0.0, events: i % 3, crashes: 0 }).collect();
    gate.add(&drives, std::slice::from_ref(&stands));
    assert_eq!(gate.decision(), Some(GateDecision::Refuse));
    let mut gate = SequentialGate::new(GateConfig { error: 0.05, pairs: 60, candidates: 1 }).unwrap();
    gate.add(&stands, &[drives]);
    assert_eq!(gate.decision(), Some(GateDecision::Ship));
}

#[test]
fn settings_that_decide_nothing_are_refused() {
    let good = GateConfig { error: 0.05, pairs: 50, candidates: 1 };
    let bad = [
        GateConfig { error: 0.0, ..good },
        GateConfig { error: f64::NAN, ..good },
        GateConfig { pairs: 1, ..good },
        GateConfig { candidates: 0, ..good },
    ];
    assert!(bad.into_iter().all(|config| SequentialGate::new(config).is_err()));
    assert_eq!(looks(50), [16, 24, 36, 50]);
    assert_eq!(looks(2), [2]);
}
