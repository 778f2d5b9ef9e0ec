//! What a robot is made of, read from a TOML file, so that nothing outside an adapter assumes a car: body, kinematics,
//! actuators, sensors, and the channels of its observations and actions.

mod built_in;
mod channels;
mod check;
mod file;
mod kinematics;
mod summary;
mod tracking;

pub use built_in::EMBODIMENT_ATTACHMENT;
pub use channels::Channels;
pub use file::EmbodimentError;
pub use kinematics::{Ackermann, Differential, Kinematics};
pub use tracking::TrackingBands;

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most action channels of an embodiment.
pub const MAX_ACTION_CHANNELS: usize = 8;
/// Most observation channels.
pub const MAX_OBSERVATION_CHANNELS: usize = 64;
/// A seat's full turn of the stick asks at most for this share of the lateral acceleration that the gate permits: 5 of a
/// car's 6 m/s^2, half a g.
const SEAT_LATERAL_SHARE: f64 = 5.0 / 6.0;

/// One number that a robot reports or takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Name with its unit, such as `speed_mps`.
    pub name: String,
    /// The unit, as people read it: `m/s`.
    pub unit: String,
    /// Least value, in the unit of the name.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
    /// Greatest change a second.
    pub rate_per_s: f64,
}

/// What carries out an action channel, and how well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actuator {
    /// The action channel that it carries out.
    pub channel: String,
    /// Least value that it reaches.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
    /// Greatest change a second; absent where only the lag slows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<f64>,
    /// Greatest change of the rate, a second squared, that a command may ask for.
    pub rate_change_per_s2: f64,
    /// Time constant with which it follows its command, seconds.
    pub lag_s: f64,
}

/// The body, without sensors and mirrors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// From the foremost axle to the front end, metres.
    pub front_overhang_m: f64,
    /// From the rearmost axle to the rear end, metres.
    pub rear_overhang_m: f64,
    /// Metres.
    pub width_m: f64,
    /// Metres.
    pub height_m: f64,
    /// Kilograms.
    pub mass_kg: f64,
}

/// Where a sensor sits in the vehicle's frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Ahead of the vehicle's origin, metres.
    pub forward_m: f64,
    /// Left of the vehicle's middle line, metres; negative to the right.
    #[serde(default)]
    pub left_m: f64,
    /// Above the ground, metres.
    pub height_m: f64,
    /// Elevation of its axis, rad: negative looks down.
    #[serde(default)]
    pub pitch_rad: f64,
    /// Direction of its axis from straight ahead, rad; positive looks left.
    #[serde(default)]
    pub yaw_rad: f64,
}

/// A camera: a pinhole without distortion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSensor {
    /// Such as `front`.
    pub name: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Angle between the left and the right edge of the picture, rad.
    pub horizontal_fov_rad: f64,
    /// Where it sits.
    pub mount: Mount,
}

/// The planar lidar by which the gate brakes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LidarSensor {
    /// Where it sits.
    pub mount: Mount,
}

/// One kind of robot. Channels stand in the order used by every message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embodiment {
    /// Name, as recorded in episodes and policies.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Its body.
    pub body: Body,
    /// How it moves.
    pub kinematics: Kinematics,
    /// What `VehicleState.observation` holds.
    pub observation: Vec<Channel>,
    /// What `ControlCommand.action` holds.
    pub action: Vec<Channel>,
    /// What carries out the actions, one for each of `action` in its order.
    pub actuators: Vec<Actuator>,
    /// Its cameras; the first is the one to drive by.
    pub cameras: Vec<CameraSensor>,
    /// The lidar by which the gate brakes; a robot that drives has one.
    pub lidar: Option<LidarSensor>,
    /// Deceleration, m/s^2, that the robot can be trusted to reach in a minimal risk manoeuvre on a dry road.
    pub stop_decel_mps2: f64,
    /// Deceleration, m/s^2, that emergency braking can count on.
    pub emergency_decel_mps2: f64,
    /// Lateral acceleration, m/s^2, that no command may ask of it.
    pub lateral_max_mps2: f64,
    /// How far its actuators may be off what they are told before they count as failed.
    pub tracking: TrackingBands,
    #[serde(skip)]
    channels: Channels,
    /// The file that it was read from.
    #[serde(skip)]
    source: Arc<str>,
}

impl Embodiment {
    /// Where the channels are whose meaning the platform knows.
    #[must_use]
    pub fn channels(&self) -> &Channels {
        &self.channels
    }

    /// The TOML text that it was read from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Value of observation channel `name` in `values`.
    #[must_use]
    pub fn observation(&self, values: &[f64], name: &str) -> Option<f64> {
        let index = self.observation.iter().position(|c| c.name == name)?;
        values.get(index).copied()
    }

    /// Index of action channel `name`.
    #[must_use]
    pub fn action_index(&self, name: &str) -> Option<usize> {
        self.action.iter().position(|c| c.name == name)
    }

    /// Speed along its x axis in `observation`, m/s.
    #[must_use]
    pub fn speed_mps(&self, observation: &[f64]) -> Option<f64> {
        observation.get(self.channels.speed?).copied()
    }

    /// Greatest speed, m/s; 0 for a robot that does not drive.
    #[must_use]
    pub fn fastest_mps(&self) -> f64 {
        self.channels.speed.and_then(|index| self.observation.get(index)).map_or(0.0, |channel| channel.max)
    }

    /// From its origin to the front end, metres.
    #[must_use]
    pub fn front_m(&self) -> f64 {
        self.kinematics.front_axle_m() + self.body.front_overhang_m
    }

    /// From its origin back to the rear end, metres.
    #[must_use]
    pub fn rear_m(&self) -> f64 {
        self.body.rear_overhang_m
    }

    /// Length of the body, metres.
    #[must_use]
    pub fn length_m(&self) -> f64 {
        self.front_m() + self.rear_m()
    }

    /// Half of the body's width, metres.
    #[must_use]
    pub fn half_width_m(&self) -> f64 {
        self.body.width_m / 2.0
    }

    /// From its origin forward to the middle of the body, metres.
    #[must_use]
    pub fn centre_ahead_m(&self) -> f64 {
        self.length_m() / 2.0 - self.rear_m()
    }

    /// From the lidar forward to the front end, metres.
    #[must_use]
    pub fn lidar_to_front_m(&self) -> f64 {
        self.front_m() - self.lidar.map_or(0.0, |lidar| lidar.mount.forward_m)
    }

    /// Time constant of the actuator of action channel `index`, seconds; 0 without one.
    #[must_use]
    pub fn lag_s(&self, index: Option<usize>) -> f64 {
        index.and_then(|index| self.actuators.get(index)).map_or(0.0, |actuator| actuator.lag_s)
    }

    /// Speed, m/s, at which a seat lets a full turn of the stick mean half of the steering channel's range; with the share
    /// 1 / (1 + (v / this)^2) full turns stay below the lateral acceleration that the gate permits at any speed.
    #[must_use]
    pub fn half_steering_mps(&self) -> f64 {
        let most = self.channels.steer.and_then(|index| self.action.get(index)).map_or(0.0, |channel| channel.max);
        self.kinematics.half_steering_mps(most, SEAT_LATERAL_SHARE * self.lateral_max_mps2)
    }
}

#[cfg(test)]
mod tests;
