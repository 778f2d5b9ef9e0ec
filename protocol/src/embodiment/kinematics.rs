//! How a robot turns: between curvatures of its path and values of its steering channel.

use super::channels::{STEERING, YAW_RATE};
use serde::{Deserialize, Serialize};

/// Slower than this a robot that turns by its yaw rate is taken to turn about its own middle, m/s.
const SLOWEST_MPS: f64 = 0.1;

/// An Ackermann car: front wheels that steer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ackermann {
    /// Between the axles, metres.
    pub wheelbase_m: f64,
    /// From the front axle back to the centre of gravity, metres.
    pub gravity_behind_front_m: f64,
    /// Height of the centre of gravity, metres.
    pub gravity_height_m: f64,
    /// Moment of inertia about the vertical axis, kg m^2.
    pub yaw_inertia_kgm2: f64,
    /// Lateral tyre stiffness by axle load, 1/rad.
    pub cornering_per_rad: f64,
    /// Above this speed the engine's power limits the acceleration (in proportion to 1/speed), m/s.
    pub power_limit_mps: f64,
}

/// A differential drive: two driven wheels on one axle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differential {
    /// Between the driven wheels, metres.
    pub track_m: f64,
    /// Greatest speed of a wheel's rim, m/s.
    pub wheel_speed_max_mps: f64,
    /// Greatest change of that speed, m/s^2.
    pub wheel_acceleration_max_mps2: f64,
}

/// How a robot moves over the ground.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kinematics {
    /// Steers by the angle of its front wheels, `steering_rad`.
    Ackermann(Ackermann),
    /// Steers by its yaw rate, `yaw_rate_radps`.
    Differential(Differential),
    /// Does not drive: an arm on a table. `kinematics = "fixed"` in a file.
    Fixed,
}

impl Kinematics {
    /// Its word in files and reports.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Ackermann(_) => "ackermann",
            Self::Differential(_) => "differential",
            Self::Fixed => "fixed",
        }
    }

    /// Name of the channel that steers; `None` for what does not drive.
    #[must_use]
    pub fn steering_channel(&self) -> Option<&'static str> {
        match self {
            Self::Ackermann(_) => Some(STEERING),
            Self::Differential(_) => Some(YAW_RATE),
            Self::Fixed => None,
        }
    }

    /// Curvature of the path, 1/m, left positive, with the steering channel at `steering` and at `speed_mps`.
    #[must_use]
    pub fn curvature_per_m(&self, steering: f64, speed_mps: f64) -> f64 {
        match self {
            Self::Ackermann(car) => steering.tan() / car.wheelbase_m,
            Self::Differential(_) => steering / speed_mps.abs().max(SLOWEST_MPS),
            Self::Fixed => 0.0,
        }
    }

    /// Value of the steering channel for a path of `curvature_per_m` at `speed_mps`.
    #[must_use]
    pub fn steering(&self, curvature_per_m: f64, speed_mps: f64) -> f64 {
        match self {
            Self::Ackermann(car) => (curvature_per_m * car.wheelbase_m).atan(),
            Self::Differential(_) => curvature_per_m * speed_mps.abs(),
            Self::Fixed => 0.0,
        }
    }

    /// What becomes of `steering` when nobody says where to steer: wheels stay as they are, a turn ends with the motion.
    #[must_use]
    pub fn held(&self, steering: f64, speed_mps: f64) -> f64 {
        match self {
            Self::Ackermann(_) => steering,
            Self::Differential(_) => steering * (speed_mps.abs() / SLOWEST_MPS).min(1.0),
            Self::Fixed => 0.0,
        }
    }

    /// Length by which a curvature becomes an angle of ordinary size, metres: the wheelbase, or the track.
    #[must_use]
    pub fn turning_length_m(&self) -> f64 {
        match self {
            Self::Ackermann(car) => car.wheelbase_m,
            Self::Differential(drive) => drive.track_m,
            Self::Fixed => 0.0,
        }
    }

    /// From the robot's origin to its foremost axle, metres.
    #[must_use]
    pub fn front_axle_m(&self) -> f64 {
        match self {
            Self::Ackermann(car) => car.wheelbase_m,
            Self::Differential(_) | Self::Fixed => 0.0,
        }
    }

    /// Speed, m/s, at which the steering channel at `most` would mean `lateral_mps2`, for small angles.
    pub(super) fn half_steering_mps(&self, most: f64, lateral_mps2: f64) -> f64 {
        match self {
            Self::Ackermann(car) => (lateral_mps2 * car.wheelbase_m / most.max(1e-6)).sqrt(),
            Self::Differential(_) => lateral_mps2 / most.max(1e-6),
            Self::Fixed => f64::INFINITY,
        }
    }
}
