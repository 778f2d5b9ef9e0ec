//! How far actuators may be off what they are told: the table `[tracking]` of an embodiment's file.

use super::file::Limits;
use serde::{Deserialize, Serialize};

/// How far a robot's actuators may be off what they are told, beyond their lag, before they count as failed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackingBands {
    /// Slower than this, m/s, the acceleration tells nothing.
    pub slowest_mps: f64,
    /// The acceleration may be above what is asked by so much, m/s^2: slopes, noise.
    pub acceleration_mps2: f64,
    /// The same while brakes are asked for, m/s^2: the lag of the drive is no excuse then.
    pub braking_mps2: f64,
    /// Least share that has to come of the braking that is asked for, as on wet ground.
    pub brake_share: f64,
    /// The steering channel may always be off by so much, in its unit.
    pub steering_min: f64,
    /// It may never be off by more, in its unit.
    pub steering_max: f64,
    /// In between, the robot may be off to the side by so much, m/s^2: at speed a small angle is much.
    pub lateral_mps2: f64,
}

impl TrackingBands {
    /// For a robot whose file does not say: what serves the built-in car, in proportion to what the robot can do.
    pub(super) fn usual(limits: &Limits, steering_max: f64) -> Self {
        Self {
            slowest_mps: limits.stop_decel_mps2 / 4.0,
            acceleration_mps2: limits.emergency_decel_mps2 / 4.0,
            braking_mps2: limits.emergency_decel_mps2 / 6.0,
            brake_share: 0.35,
            steering_min: steering_max / 55.0,
            steering_max: steering_max * 6.0 / 55.0,
            lateral_mps2: limits.lateral_max_mps2 / 5.0,
        }
    }
}
