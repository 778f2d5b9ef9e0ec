//! A planar lidar, mounted as the robot's embodiment says: [`BEAMS`] beams over the full circle.
//!
//! Ranges are exact intersections with the outlines of what is around, plus noise with a standard deviation of 2 cm.
//! A beam that meets nothing within [`MAX_RANGE_M`], or whose echo is lost in rain, reports [`MAX_RANGE_M`]. The noise
//! depends on seed and tick alone, so a replayed world gives the same scan.

use crate::world::Footprint;
use protocol::foxglove::{LaserScan, Pose, Quaternion, Vector3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::{PI, TAU};

/// Beams of a scan.
pub const BEAMS: usize = 240;
/// Longest range, m; also what a beam without an echo reports.
pub const MAX_RANGE_M: f64 = 80.0;
/// Standard deviation of a range, m.
pub const NOISE_M: f64 = 0.02;

/// The angle between two beams, rad.
const STEP_RAD: f64 = TAU / BEAMS as f64;
/// Share of echoes lost close by in the heaviest rain.
const RAIN_LOSS_NEAR: f64 = 0.05;
/// Further share lost at the longest range in the heaviest rain.
const RAIN_LOSS_FAR: f64 = 0.55;

/// Where the sensor is in the world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LidarPose {
    /// East, m.
    pub x_m: f64,
    /// North, m.
    pub y_m: f64,
    /// Heading of the car, rad.
    pub heading_rad: f64,
    /// From the robot's origin forward to the sensor, m.
    pub ahead_m: f64,
    /// Height of the sensor above the ground, m.
    pub height_m: f64,
}

/// One scan of `around`. `rain` is 0 (dry) to 1; `seed` and `tick` choose the noise. Angles count from the car's x axis,
/// counter-clockwise, from -pi; `timestamp` is left to the caller.
pub fn scan(
    mount: LidarPose,
    around: impl IntoIterator<Item = Footprint>,
    rain: f64,
    seed: u64,
    tick: u64,
) -> LaserScan {
    let mut ranges = vec![f64::INFINITY; BEAMS];
    for thing in around {
        sweep(mount, &thing, &mut ranges);
    }
    weather(&mut ranges, rain, seed, tick);
    LaserScan {
        timestamp: None,
        frame_id: "vehicle".to_owned(),
        pose: Some(Pose {
            position: Some(Vector3 { x: mount.ahead_m, y: 0.0, z: mount.height_m }),
            orientation: Some(Quaternion { x: 0.0, y: 0.0, z: 0.0, w: 1.0 }),
        }),
        start_angle: -PI,
        end_angle: PI - STEP_RAD,
        ranges,
        intensities: Vec::new(),
    }
}

/// Shortens the ranges of the beams that meet `thing`; only those within the angle it can cover are tried.
fn sweep(mount: LidarPose, thing: &Footprint, ranges: &mut [f64]) {
    let (dx, dy) = (thing.x_m - mount.x_m, thing.y_m - mount.y_m);
    let (distance, reach) = (dx.hypot(dy), thing.reach_m());
    if distance - reach > MAX_RANGE_M {
        return;
    }
    let half = if distance > reach { (reach / distance).asin() } else { PI };
    let bearing = dy.atan2(dx) - mount.heading_rad + PI;
    let first = ((bearing - half) / STEP_RAD).ceil() as i64;
    let last = (((bearing + half) / STEP_RAD).floor() as i64).min(first + BEAMS as i64 - 1);
    for beam in first..=last {
        let angle = mount.heading_rad - PI + beam as f64 * STEP_RAD;
        let (uy, ux) = angle.sin_cos();
        if let Some(range) = thing.ray_m(mount.x_m, mount.y_m, ux, uy) {
            let slot = &mut ranges[beam.rem_euclid(BEAMS as i64) as usize];
            *slot = slot.min(range);
        }
    }
}

/// Adds noise, loses echoes in rain, and ends ranges at the longest. One 64-bit number a beam: three parts for a nearly
/// normal deviate (sum of uniforms, Irwin-Hall), one for the loss.
fn weather(ranges: &mut [f64], rain: f64, seed: u64, tick: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x11DA);
    rng.set_stream(tick);
    let part = |bits: u64, shift: u32| ((bits >> shift) & 0xFFFF) as f64 / 65_536.0;
    for range in ranges {
        let bits = rng.next_u64();
        if *range > MAX_RANGE_M {
            *range = MAX_RANGE_M;
            continue;
        }
        let lost = rain * (RAIN_LOSS_NEAR + RAIN_LOSS_FAR * *range / MAX_RANGE_M);
        let noise = 2.0 * (part(bits, 0) + part(bits, 16) + part(bits, 32) - 1.5) * NOISE_M;
        *range = if part(bits, 48) < lost { MAX_RANGE_M } else { (*range + noise).clamp(0.0, MAX_RANGE_M) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: LidarPose = LidarPose { x_m: 3.0, y_m: -2.0, heading_rad: 0.7, ahead_m: 1.3, height_m: 1.6 };

    fn thing(bearing: f64, distance: f64, half: f64, round: bool) -> Footprint {
        let (sin, cos) = (HERE.heading_rad + bearing).sin_cos();
        let (x_m, y_m) = (HERE.x_m + distance * cos, HERE.y_m + distance * sin);
        Footprint { x_m, y_m, cos, sin, half_length_m: half, half_width_m: half, round }
    }

    fn beam(bearing: f64) -> usize {
        ((bearing + PI) / STEP_RAD).round() as usize % BEAMS
    }

    #[test]
    fn a_box_ahead_is_measured_within_its_noise() {
        let errors: Vec<f64> = (0..2000)
            .map(|tick| scan(HERE, [thing(0.0, 20.0, 1.0, false)], 0.0, 7, tick).ranges[beam(0.0)] - 19.0)
            .collect();
        let mean = errors.iter().sum::<f64>() / 2000.0;
        let sigma = (errors.iter().map(|e| e * e).sum::<f64>() / 2000.0).sqrt();
        assert!(mean.abs() < 0.002, "{mean}");
        assert!((sigma - NOISE_M).abs() < 0.002, "{sigma}");
    }

    #[test]
    fn things_are_seen_at_their_bearing_all_around_also_behind_at_the_seam() {
        for bearing in [-3.1, -1.5, -0.2, 0.9, 2.4, PI - 0.001] {
            let scan = scan(HERE, [thing(bearing, 10.0, 0.5, true)], 0.0, 1, 1);
            assert!((scan.ranges[beam(bearing)] - 9.5).abs() < 0.2, "{bearing}");
            let seen = scan.ranges.iter().filter(|r| **r < MAX_RANGE_M).count();
            assert!((3..=5).contains(&seen), "{bearing}: {seen}");
        }
    }

    #[test]
    fn the_nearer_of_two_hides_the_farther() {
        let scan = scan(HERE, [thing(0.0, 30.0, 1.0, false), thing(0.0, 12.0, 1.0, false)], 0.0, 1, 1);
        assert!((scan.ranges[beam(0.0)] - 11.0).abs() < 0.2);
    }

    #[test]
    fn heavy_rain_loses_far_echoes_more_than_near_ones_and_a_seed_repeats_itself() {
        let lost = |distance: f64| {
            (0..1000)
                .filter(|tick| {
                    scan(HERE, [thing(0.0, distance, 1.0, false)], 1.0, 3, *tick).ranges[beam(0.0)] >= MAX_RANGE_M
                })
                .count()
        };
        let (near, far) = (lost(10.0), lost(70.0));
        assert!(near > 50 && near < 200 && far > 400 && far < 700, "{near} {far}");
        let again = || scan(HERE, [thing(0.3, 25.0, 1.0, false)], 0.8, 3, 99);
        assert_eq!(again(), again());
    }
}
