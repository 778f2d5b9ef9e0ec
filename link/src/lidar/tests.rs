use super::*;
use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn laser(ranges: Vec<f64>) -> LaserScan {
    LaserScan { start_angle: -3.0, end_angle: 3.0, ranges, ..LaserScan::default() }
}

/// A street: two walls, a few cars, open sky ahead, with 2 cm of noise.
fn street(beams: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let range = |beam: usize| {
        let angle = (beam as f64 / beams as f64 - 0.5) * std::f64::consts::TAU;
        let wall = 6.0 / angle.sin().abs().max(0.05);
        let car = if (angle - 0.4).abs() < 0.12 { 11.0 / (angle - 0.4).cos() } else { f64::INFINITY };
        wall.min(car)
    };
    (0..beams)
        .map(|beam| match range(beam) {
            far if far > 80.0 => f64::INFINITY,
            near => near + rng.random_range(-0.03..0.03),
        })
        .collect()
}

fn receive(segments: &[LidarSegment]) -> Vec<LidarScan> {
    let mut assembler = ScanAssembler::default();
    segments.iter().filter_map(|segment| assembler.push(segment).unwrap()).collect()
}

#[test]
fn a_scan_arrives_within_half_a_step() {
    let ranges = street(1440, 1);
    let segments = encode(&laser(ranges.clone()), 7, 123);
    let scans = receive(&segments);
    let [scan] = scans.as_slice() else { panic!("{} scans", scans.len()) };
    assert_eq!((scan.number, scan.capture_us, scan.lost()), (7, 123, 0));
    for (got, wanted) in scan.ranges_m.iter().zip(&ranges) {
        match wanted.is_finite() {
            true => assert!((f64::from(*got) - wanted).abs() <= 0.5 * RESOLUTION_M + 1e-5, "{got} for {wanted}"),
            false => assert!(got.is_infinite()),
        }
    }
    assert!((scan.angle_rad(0) + 3.0).abs() < 1e-12 && (scan.angle_rad(1439) - 3.0).abs() < 1e-12);
}

#[test]
fn compression_of_a_street_is_at_least_fourfold_against_floats() {
    let (mut coded, mut floats) = (0, 0);
    for seed in 0..20 {
        let ranges = street(720, seed);
        floats += ranges.len() * 4;
        coded += encode(&laser(ranges), seed, 0).iter().map(|s| s.ranges.len()).sum::<usize>();
    }
    println!(
        "{:.2} bits a beam, {:.1} times smaller",
        coded as f64 * 32.0 / floats as f64,
        floats as f64 / coded as f64
    );
    assert!(coded * 4 <= floats, "{coded} of {floats}");
}

#[test]
fn a_lost_segment_costs_its_own_beams() {
    let segments = encode(&laser(street(12_000, 2)), 1, 0);
    assert!(segments.len() >= 3 && segments.iter().all(|s| s.ranges.len() <= SEGMENT_BYTES + 2 * BLOCK * 5));
    let next = encode(&laser(street(4000, 3)), 2, 0);
    let left: Vec<_> =
        segments.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, s)| s.clone()).chain(next).collect();
    let scans = receive(&left);
    assert_eq!(
        scans.iter().map(|s| (s.number, s.lost())).collect::<Vec<_>>(),
        [(1, segments[1].count as usize), (2, 0)]
    );
}

#[test]
fn order_and_repetition_do_not_matter() {
    let segments = encode(&laser(street(4000, 4)), 1, 0);
    let mut shuffled: Vec<_> = segments.iter().chain(&segments).cloned().collect();
    shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(5));
    let scans = receive(&shuffled);
    assert_eq!(scans.len(), 1);
    assert_eq!(scans[0].lost(), 0);
    assert!(receive(&encode(&laser(Vec::new()), 1, 0)).is_empty());
}

#[test]
fn a_late_segment_of_an_older_scan_is_left_out() {
    let (old, new) = (encode(&laser(street(2000, 1)), 1, 0), encode(&laser(street(2000, 2)), 2, 0));
    let mut assembler = ScanAssembler::default();
    assert_eq!(assembler.push(&new[0]).unwrap(), None);
    assert_eq!(assembler.push(&old[1]).unwrap(), None);
    let scan = new[1..].iter().find_map(|s| assembler.push(s).unwrap()).unwrap();
    assert_eq!((scan.number, scan.lost()), (2, 0));
}

#[test]
fn segments_that_lie_are_refused_with_what_is_wrong() {
    let good = encode(&laser(street(100, 1)), 1, 0).remove(0);
    let bad = |change: fn(&mut LidarSegment)| {
        let mut segment = good.clone();
        change(&mut segment);
        ScanAssembler::default().push(&segment).unwrap_err()
    };
    assert!(matches!(bad(|s| s.count = 101), LidarError::Beams { .. }));
    assert!(matches!(bad(|s| (s.first, s.count) = (u32::MAX, u32::MAX)), LidarError::Beams { .. }));
    assert!(matches!(bad(|s| (s.beams, s.count) = (u32::MAX, u32::MAX)), LidarError::Beams { .. }));
    assert!(matches!(bad(|s| s.ranges.truncate(9)), LidarError::Short { .. }));
    assert!(matches!(bad(|s| s.start_angle_rad = f64::NAN), LidarError::Geometry));
    assert!(matches!(bad(|s| s.resolution_m = 0.0), LidarError::Geometry));
}

proptest! {
    #[test]
    fn any_ranges_survive(ranges in prop::collection::vec(prop_oneof![0.01f64..655.0, Just(f64::NAN), Just(80.0), any::<f64>()], 0..600)) {
        let scans = receive(&encode(&laser(ranges.clone()), 1, 0));
        let got = scans.first().map(|s| s.ranges_m.clone()).unwrap_or_default();
        prop_assert_eq!(got.len(), ranges.len());
        for (got, wanted) in got.iter().zip(&ranges) {
            let expected = step(*wanted, RESOLUTION_M);
            prop_assert_eq!(step(f64::from(*got), RESOLUTION_M), expected);
        }
    }

    #[test]
    fn random_segments_yield_ranges_or_an_error(
        ranges in prop::collection::vec(any::<u8>(), 0..300), first in 0u32..40, count in 0u32..400, beams in 0u32..500,
    ) {
        let segment = LidarSegment { first, count, beams, resolution_m: 0.01, ranges, ..Default::default() };
        let mut assembler = ScanAssembler::default();
        if let Ok(Some(scan)) = assembler.push(&segment) {
            prop_assert_eq!(scan.ranges_m.len(), beams as usize);
        }
    }
}
