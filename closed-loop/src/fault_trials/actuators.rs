//! Actuators that fail, and what can still be promised then.

use super::Fault;
use protocol::Embodiment;
use protocol::v1::{ControlCommand, VehicleState};
use vehicle_core::authority::COMMAND_TIMEOUT_US;

/// A failed actuator is found out at most this long after it began to do clearly something else than it was told: the
/// lag of a healthy one, and the vehicle's patience.
const ECHO_US: u64 = 650_000;
/// What an engine gives that does not listen, m/s^2.
const RUNAWAY_MPS2: f64 = 3.0;
/// Brakes that are asked for this much cut such an engine off, m/s^2, as they do in every new car; less fights it.
const CUT_OFF_MPS2: f64 = -2.0;
/// Wheels that point this far from where they were told to, rad, clearly do not obey.
const ASTRAY_RAD: f64 = 0.1;
/// At speed it is less: what makes this much to the side, m/s^2.
const ASIDE_MPS2: f64 = 2.0;
/// An engine that gives this much more than it was told clearly does not obey, m/s^2.
const ASTRAY_MPS2: f64 = 2.0;
/// Brakes that were asked for this much clearly should bite, m/s^2.
const HARD_MPS2: f64 = -4.0;

impl Fault {
    /// Longest time to the manoeuvre.
    pub(super) fn latest_us(self) -> u64 {
        if self.is_of_an_actuator() { ECHO_US } else { COMMAND_TIMEOUT_US }
    }

    /// Whether the car can still brake.
    pub(super) fn promises_distance(self) -> bool {
        self != Self::BrakesFailed
    }

    /// Whether the car can still steer and did so until the manoeuvre began.
    pub(super) fn promises_lane(self) -> bool {
        !self.is_of_an_actuator()
    }
}

/// What the car makes of `command` with the actuator of `fault` failed, which then stood at `held`.
pub(super) fn spoil(fault: Fault, embodiment: &Embodiment, command: &mut ControlCommand, held: &[f64]) {
    let channels = embodiment.channels();
    let channel = if fault == Fault::SteeringStuck { channels.steer } else { channels.accelerate };
    let Some(index) = channel else { return };
    let Some(value) = command.action.get_mut(index) else { return };
    match fault {
        Fault::SteeringStuck => *value = held.get(index).copied().unwrap_or(*value),
        Fault::BrakesFailed => *value = value.max(0.0),
        Fault::EngineStuck if *value > CUT_OFF_MPS2 => *value = RUNAWAY_MPS2 + value.min(0.0),
        _ => {}
    }
}

/// Whether the actuator of `fault` clearly does something else than `command` tells it.
pub(super) fn is_astray(fault: Fault, embodiment: &Embodiment, command: &ControlCommand, state: &VehicleState) -> bool {
    let channels = embodiment.channels();
    let asked = |index: Option<usize>| index.and_then(|index| command.action.get(index)).copied().unwrap_or(0.0);
    let seen = |index: Option<usize>| index.and_then(|index| state.observation.get(index)).copied().unwrap_or(0.0);
    let (acceleration, steering) = (asked(channels.accelerate), asked(channels.steer));
    let (measured_mps2, measured) = (seen(channels.acceleration), seen(channels.steering));
    let speed_mps = seen(channels.speed);
    match fault {
        Fault::SteeringStuck => {
            let aside = embodiment.kinematics.steering(ASIDE_MPS2 / (speed_mps * speed_mps).max(1.0), speed_mps);
            (steering - measured).abs() > aside.min(ASTRAY_RAD)
        }
        Fault::BrakesFailed => acceleration < HARD_MPS2,
        Fault::EngineStuck => measured_mps2 > acceleration + ASTRAY_MPS2,
        _ => false,
    }
}
