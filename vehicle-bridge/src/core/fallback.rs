//! The minimal risk manoeuvre: stop, in the lane, by what is already known.
//!
//! The lane's line is kept in world coordinates and refreshed whenever the surroundings are, so that losing the link,
//! the policy or the perception needs no new decision.

use protocol::v1::{Pose2, Surroundings};

/// Line of the lane ahead, world frame.
#[derive(Debug, Default, Clone)]
pub struct StoppingPath {
    points: Vec<(f64, f64)>,
}

/// Wheelbase of the reference car, metres; the arc of a steering angle.
pub const WHEELBASE_M: f64 = 2.7;

impl StoppingPath {
    /// Takes the corridor of `surroundings`, seen from `world_from_vehicle`.
    pub fn refresh(&mut self, world_from_vehicle: &Pose2, surroundings: &Surroundings) {
        let (sin, cos) = world_from_vehicle.heading_rad.sin_cos();
        self.points.clear();
        self.points.extend(surroundings.corridor.iter().map(|p| {
            let (x, y) = (f64::from(p.x_m), f64::from(p.y_m));
            (world_from_vehicle.x_m + cos * x - sin * y, world_from_vehicle.y_m + sin * x + cos * y)
        }));
    }

    /// Pure-pursuit steering angle (Coulter 1992) from `pose` along the path; `None` without a usable path.
    #[must_use]
    pub fn steering_rad(&self, pose: &Pose2, speed_mps: f64) -> Option<f64> {
        let (sin, cos) = pose.heading_rad.sin_cos();
        let look_ahead_m = (0.9 * speed_mps).clamp(5.0, 25.0);
        let ahead = |(wx, wy): &(f64, f64)| {
            let (dx, dy) = (wx - pose.x_m, wy - pose.y_m);
            (cos * dx + sin * dy, cos * dy - sin * dx)
        };
        let (x, y) = self.points.iter().map(ahead).find(|(x, y)| *x > 0.0 && x.hypot(*y) >= look_ahead_m)?;
        let curvature = 2.0 * y / (x * x + y * y);
        Some((curvature * WHEELBASE_M).atan())
    }
}

/// How hard the manoeuvre brakes, m/s^2: gently at first would waste the stopping distance that the safety page
/// promises, so the embodiment's trusted deceleration is asked for at once.
#[must_use]
pub fn stopping_acceleration_mps2(stop_decel_mps2: f64) -> f64 {
    -stop_decel_mps2
}

/// Standing counts as stopped below this speed, m/s.
pub const STANDSTILL_MPS: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::v1::CorridorPoint;

    fn bend(radius_m: f32) -> Surroundings {
        let corridor = (0..41)
            .map(|i| {
                let s = i as f32 * 3.0;
                let angle = s / radius_m;
                CorridorPoint {
                    s_m: s,
                    x_m: radius_m * angle.sin(),
                    y_m: radius_m * (1.0 - angle.cos()),
                    ..Default::default()
                }
            })
            .collect();
        Surroundings { corridor, ..Default::default() }
    }

    #[test]
    fn stopping_without_any_new_data_stays_in_a_bend() {
        let mut path = StoppingPath::default();
        let mut pose = Pose2 { x_m: 100.0, y_m: -50.0, heading_rad: 0.7 };
        path.refresh(&pose, &bend(60.0));
        let start = pose;
        let mut speed: f64 = 14.0;
        while speed > 0.0 {
            let steering = path.steering_rad(&pose, speed).unwrap();
            pose.heading_rad += speed * steering.tan() / WHEELBASE_M * 0.02;
            pose.x_m += speed * pose.heading_rad.cos() * 0.02;
            pose.y_m += speed * pose.heading_rad.sin() * 0.02;
            speed -= 4.0 * 0.02;
        }
        let centre = (start.x_m - 60.0 * start.heading_rad.sin(), start.y_m + 60.0 * start.heading_rad.cos());
        let off = (pose.x_m - centre.0).hypot(pose.y_m - centre.1) - 60.0;
        assert!(off.abs() < 0.4, "{off} m from the lane's centre");
    }

    #[test]
    fn no_path_gives_no_steering() {
        assert_eq!(StoppingPath::default().steering_rad(&Pose2::default(), 10.0), None);
    }
}
