//! The minimal risk manoeuvre: stop, in the lane, by what is already known.
//!
//! The lane's line is kept in world coordinates and refreshed whenever the surroundings are; the stopping trajectory on
//! it (how to steer now, where the robot will stand) is made again at every tick, so that losing the link, the policy
//! or the perception needs no new decision.

use super::pursuit;
use protocol::v1::{Pose2, Surroundings};

/// Standing counts as stopped below this speed, m/s.
pub const STANDSTILL_MPS: f64 = 0.1;
/// Points of the lane's line that are kept.
const MAX_POINTS: usize = 64;
/// The manoeuvre asks for this much more than the deceleration that is promised, as brakes take time to build up.
const BRAKE_MARGIN: f64 = 1.5;
/// The same when slow, where that time is most of all there is.
const BRAKE_MARGIN_SLOW: f64 = 2.0;
/// Slow, m/s.
const SLOW_MPS: f64 = 7.5;
/// Pure pursuit looks this far ahead, seconds of driving, within bounds in metres.
const LOOK_AHEAD_S: f64 = 0.6;
const LOOK_AHEAD_M: (f64, f64) = (4.0, 15.0);

/// Line of the lane ahead, world frame.
#[derive(Debug, Clone)]
pub struct StoppingPath {
    points: Vec<(f64, f64)>,
}

impl Default for StoppingPath {
    fn default() -> Self {
        Self { points: Vec::with_capacity(MAX_POINTS) }
    }
}

/// How to stop from here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoppingTrajectory {
    /// Curvature of the path now, 1/m; `None` without a usable line.
    pub curvature_per_m: Option<f64>,
    /// Acceleration now, m/s^2.
    pub acceleration_mps2: f64,
    /// Distance to the standstill that is promised, metres.
    pub distance_m: f64,
}

impl StoppingPath {
    /// Takes the corridor of `surroundings`, seen from `world_from_vehicle`. A corridor that is of no use leaves the
    /// line as it was.
    pub fn refresh(&mut self, world_from_vehicle: &Pose2, surroundings: &Surroundings) {
        let corridor = &surroundings.corridor;
        if corridor.len() < 2 || corridor.iter().any(|p| !(p.x_m.is_finite() && p.y_m.is_finite())) {
            return;
        }
        let (sin, cos) = world_from_vehicle.heading_rad.sin_cos();
        self.points.clear();
        self.points.extend(corridor.iter().take(MAX_POINTS).map(|p| {
            let (x, y) = (f64::from(p.x_m), f64::from(p.y_m));
            (world_from_vehicle.x_m + cos * x - sin * y, world_from_vehicle.y_m + sin * x + cos * y)
        }));
    }

    /// The trajectory from `pose` at `speed_mps` for a robot that is trusted to brake with `decel_mps2`.
    #[must_use]
    pub fn trajectory(&self, pose: Option<&Pose2>, speed_mps: f64, decel_mps2: f64) -> StoppingTrajectory {
        let moves = speed_mps > STANDSTILL_MPS;
        StoppingTrajectory {
            curvature_per_m: pose.filter(|_| moves).and_then(|pose| self.curvature_per_m(pose, speed_mps)),
            acceleration_mps2: stopping_acceleration_mps2(speed_mps, decel_mps2),
            distance_m: stopping_distance_m(speed_mps, decel_mps2),
        }
    }

    /// Pure-pursuit curvature (Coulter 1992), 1/m, from `pose` along the line; `None` without a usable one.
    #[must_use]
    pub fn curvature_per_m(&self, pose: &Pose2, speed_mps: f64) -> Option<f64> {
        let look_ahead_m = (LOOK_AHEAD_S * speed_mps).clamp(LOOK_AHEAD_M.0, LOOK_AHEAD_M.1);
        pursuit::curvature_per_m(self.points.iter().copied(), pose, look_ahead_m)
    }
}

/// The acceleration that the manoeuvre asks for, m/s^2: more than the `decel_mps2` that is promised, at once.
#[must_use]
pub fn stopping_acceleration_mps2(speed_mps: f64, decel_mps2: f64) -> f64 {
    -decel_mps2 * if speed_mps < SLOW_MPS { BRAKE_MARGIN_SLOW } else { BRAKE_MARGIN }
}

/// Distance within which the robot stands after the last valid command, metres: 0.2 s and v^2 / (2 a).
#[must_use]
pub fn stopping_distance_m(speed_mps: f64, decel_mps2: f64) -> f64 {
    let v = speed_mps.max(0.0);
    v * 0.2 + v * v / (2.0 * decel_mps2)
}

/// How the newest command degrades as it gets stale: ages in microseconds from which it no longer speeds the robot up,
/// and from which it brakes gently.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StalenessDegradation {
    /// From this age on, no acceleration.
    pub coast_us: u64,
    /// From this age on, the brakes are applied.
    pub brake_us: u64,
}

/// Commands of an operator come every 10 to 20 ms.
pub const OPERATOR_DEGRADATION: StalenessDegradation = StalenessDegradation { coast_us: 80_000, brake_us: 120_000 };
/// Proposals of the policy come every 100 ms.
pub const POLICY_DEGRADATION: StalenessDegradation = StalenessDegradation { coast_us: 120_000, brake_us: 150_000 };
/// Gentle braking in expectation of the manoeuvre, m/s^2.
pub const DEGRADED_BRAKING_MPS2: f64 = -2.0;

impl StalenessDegradation {
    /// What is left of `acceleration_mps2` at `age_us`.
    #[must_use]
    pub fn apply(&self, acceleration_mps2: f64, age_us: u64) -> f64 {
        if age_us >= self.brake_us {
            acceleration_mps2.min(DEGRADED_BRAKING_MPS2)
        } else if age_us >= self.coast_us {
            acceleration_mps2.min(0.0)
        } else {
            acceleration_mps2
        }
    }
}

#[cfg(test)]
#[path = "fallback_tests.rs"]
mod tests;
