//! Automatic emergency braking: the lidar's veto on driving into what the vehicle sees.

use super::fallback::STANDSTILL_MPS;
use protocol::Embodiment;
use protocol::foxglove::LaserScan;

/// Room that must be free on either side of the body, metres: a hand's breadth, as echoes are a few centimetres off and
/// the path is an approximation.
const SIDE_ROOM_M: f64 = 0.125;
/// Emergency braking asks for this much more than the deceleration that it counts on, as brakes take time to build up.
const BRAKE_MARGIN: f64 = 1.25;
/// Distance kept to an obstacle at standstill, metres.
const GAP_M: f64 = 1.0;
/// Time for brakes to build up, seconds.
pub const BUILD_UP_S: f64 = 0.25;
/// A standing vehicle does not start towards an obstacle nearer than this, metres.
const HOLD_M: f64 = 0.4;

/// Distance, metres, from the front end along the arc of `curvature_per_m` to the nearest echo inside the path that the
/// body sweeps; infinity when it is free.
#[must_use]
pub fn free_distance_m(scan: &LaserScan, curvature_per_m: f64, embodiment: &Embodiment) -> f64 {
    // Nearer echoes are beside or behind the front.
    let front_m = embodiment.lidar_to_front_m();
    let half_width_m = embodiment.half_width_m() + SIDE_ROOM_M;
    let beams = scan.ranges.len().max(2);
    let step = (scan.end_angle - scan.start_angle) / (beams - 1) as f64;
    let mut nearest = f64::INFINITY;
    for (index, range) in scan.ranges.iter().enumerate() {
        if !range.is_finite() || *range > 60.0 {
            continue;
        }
        let (sin, cos) = (scan.start_angle + step * index as f64).sin_cos();
        let (x, y) = (range * cos, range * sin);
        // Small-angle arc: lateral place of the path at x.
        let beside = y - curvature_per_m * x * x / 2.0;
        if x > front_m && beside.abs() < half_width_m {
            nearest = nearest.min(x - front_m);
        }
    }
    nearest
}

/// Whether a vehicle at `speed_mps` that can count on `decel_mps2` must brake hard now to stop `GAP_M` short of an
/// obstacle `free_m` ahead.
#[must_use]
pub fn must_brake(speed_mps: f64, free_m: f64, decel_mps2: f64) -> bool {
    let stopping = speed_mps * BUILD_UP_S + speed_mps * speed_mps / (2.0 * decel_mps2);
    speed_mps > STANDSTILL_MPS && free_m < stopping + GAP_M
}

/// Whether a standing vehicle must not start, since an obstacle touches it almost.
#[must_use]
pub fn must_hold(speed_mps: f64, free_m: f64) -> bool {
    speed_mps <= STANDSTILL_MPS && free_m < HOLD_M
}

/// The acceleration to ask for while [`must_brake`] holds, m/s^2, of a robot that can count on `decel_mps2`.
#[must_use]
pub fn emergency_acceleration_mps2(decel_mps2: f64) -> f64 {
    -BRAKE_MARGIN * decel_mps2
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    fn free_m(scan: &LaserScan, curvature_per_m: f64) -> f64 {
        free_distance_m(scan, curvature_per_m, &Embodiment::built_in()[0])
    }

    fn wall_at(x: f64, from_y: f64, to_y: f64) -> LaserScan {
        let beams = 721;
        let ranges = (0..beams)
            .map(|i| {
                let angle = -PI + 2.0 * PI * f64::from(i) / f64::from(beams - 1);
                let y = x * angle.tan();
                if angle.cos() > 0.05 && (from_y..to_y).contains(&y) { x / angle.cos() } else { f64::MAX }
            })
            .collect();
        LaserScan { start_angle: -PI, end_angle: PI, ranges, ..Default::default() }
    }

    #[test]
    fn a_wall_ahead_is_seen_and_one_beside_is_not() {
        assert!((free_m(&wall_at(22.3, -1.0, 1.0), 0.0) - 20.0).abs() < 0.1);
        assert_eq!(free_m(&wall_at(22.3, 1.5, 4.0), 0.0), f64::INFINITY);
        assert!(free_m(&wall_at(22.3, 2.5, 8.0), 0.023) < 21.0);
    }

    #[test]
    fn a_small_robot_sweeps_a_narrow_path_from_its_own_front() {
        let robot = Embodiment::delivery_robot();
        // The lidar sits 0.15 m behind the front; the body is 0.55 m wide.
        let ahead = free_distance_m(&wall_at(2.15, -0.3, 0.3), 0.0, &robot);
        assert!((ahead - 2.0).abs() < 0.01, "{ahead}");
        assert_eq!(free_distance_m(&wall_at(2.15, 0.41, 0.6), 0.0, &robot), f64::INFINITY);
    }

    #[test]
    fn braking_starts_in_time_to_stop_short() {
        assert!(must_brake(15.0, 23.0, 6.0));
        assert!(!must_brake(15.0, 30.0, 6.0));
        assert!(!must_brake(0.0, 0.2, 6.0));
        // 15 m/s need 3.75 m of build-up and 18.75 m of braking.
        assert!(must_brake(15.0, 23.4, 6.0) && !must_brake(15.0, 23.6, 6.0));
        assert!(must_brake(0.11, 1.0, 6.0) && !must_brake(0.1, 0.0, 6.0) && !must_brake(0.11, 1.1, 6.0));
        assert_eq!(emergency_acceleration_mps2(6.0), -7.5);
    }

    #[test]
    fn a_standing_vehicle_does_not_start_into_what_touches_it() {
        assert!(must_hold(0.0, 0.39) && must_hold(0.1, 0.39));
        assert!(!must_hold(0.0, 0.4) && !must_hold(0.11, 0.39));
    }

    #[test]
    fn echoes_beside_the_bumper_lost_echoes_and_those_too_far_do_not_count() {
        let one = |x: f64, y: f64| {
            let (angle, range) = (y.atan2(x), x.hypot(y));
            LaserScan {
                start_angle: angle,
                end_angle: angle + 1.0,
                ranges: vec![range, f64::NAN],
                ..Default::default()
            }
        };
        assert!((free_m(&one(12.3, 0.5), 0.0) - 10.0).abs() < 1e-9);
        assert_eq!(free_m(&one(2.29, 0.5), 0.0), f64::INFINITY);
        assert_eq!(free_m(&one(60.1, 0.0), 0.0), f64::INFINITY);
        assert!(free_m(&one(60.0, 0.0), 0.0).is_finite());
        assert_eq!(free_m(&one(12.3, 1.06), 0.0), f64::INFINITY);
        assert!(free_m(&one(12.3, -1.04), 0.0).is_finite());
        let alone = LaserScan { start_angle: 0.0, end_angle: 0.0, ranges: vec![12.3], ..Default::default() };
        assert!((free_m(&alone, 0.0) - 10.0).abs() < 1e-9);
        let second = LaserScan { end_angle: 0.2, ranges: vec![f64::NAN, 21.2], start_angle: -0.2, ..alone };
        // The last beam points 0.2 rad to the left, the path's arc does too.
        assert_eq!(free_m(&second, 0.0), f64::INFINITY);
        let there = 2.0 * 21.2 * 0.2f64.sin() / (21.2 * 0.2f64.cos()).powi(2);
        assert!(free_m(&second, there) < 20.0);
    }
}
