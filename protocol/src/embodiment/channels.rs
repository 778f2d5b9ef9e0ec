//! Channels by what they mean, looked up once.

use super::{Channel, Kinematics};

/// Names of the channels whose meaning the platform knows.
pub(super) const SPEED: &str = "speed_mps";
pub(super) const ACCELERATION: &str = "acceleration_mps2";
pub(super) const YAW_RATE: &str = "yaw_rate_radps";
pub(super) const STEERING: &str = "steering_rad";

/// Where the channels are whose meaning the platform knows; `None` for what a robot does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Channels {
    /// Observation: speed along its x axis, m/s.
    pub speed: Option<usize>,
    /// Observation: rate of the speed, m/s^2.
    pub acceleration: Option<usize>,
    /// Observation: what the steering channel of the actions really does, such as the angle of the front wheels.
    pub steering: Option<usize>,
    /// Observation: rad/s.
    pub yaw_rate: Option<usize>,
    /// Action: acceleration, m/s^2.
    pub accelerate: Option<usize>,
    /// Action: what turns it: the angle of the front wheels or the yaw rate ([`Kinematics`]).
    pub steer: Option<usize>,
}

impl Channels {
    pub(super) fn of(observation: &[Channel], action: &[Channel], kinematics: &Kinematics) -> Self {
        let observed = |name: &str| observation.iter().position(|channel| channel.name == name);
        let acts = |name: &str| action.iter().position(|channel| channel.name == name);
        Self {
            speed: observed(SPEED),
            acceleration: observed(ACCELERATION),
            steering: kinematics.steering_channel().and_then(observed),
            yaw_rate: observed(YAW_RATE),
            accelerate: acts(ACCELERATION),
            steer: kinematics.steering_channel().and_then(acts),
        }
    }
}
