//! Actuators that fail, and what can still be promised then.

use super::Fault;
use crate::core::authority::COMMAND_TIMEOUT_US;
use crate::core::fallback::WHEELBASE_M;
use protocol::v1::{ControlCommand, VehicleState};

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
pub(super) fn spoil(fault: Fault, command: &mut ControlCommand, held: &[f64]) {
    let [acceleration, steering, ..] = command.action.as_mut_slice() else { return };
    match fault {
        Fault::SteeringStuck => *steering = held.get(1).copied().unwrap_or(*steering),
        Fault::BrakesFailed => *acceleration = acceleration.max(0.0),
        Fault::EngineStuck if *acceleration > CUT_OFF_MPS2 => *acceleration = RUNAWAY_MPS2 + acceleration.min(0.0),
        _ => {}
    }
}

/// Whether the actuator of `fault` clearly does something else than `command` tells it.
pub(super) fn is_astray(fault: Fault, command: &ControlCommand, state: &VehicleState) -> bool {
    let [acceleration, steering, ..] = command.action[..] else { return false };
    let [speed_mps, measured_mps2, measured_rad, ..] = state.observation[..] else { return false };
    match fault {
        Fault::SteeringStuck => {
            let aside_rad = ASIDE_MPS2 * WHEELBASE_M / (speed_mps * speed_mps).max(1.0);
            (steering - measured_rad).abs() > aside_rad.min(ASTRAY_RAD)
        }
        Fault::BrakesFailed => acceleration < HARD_MPS2,
        Fault::EngineStuck => measured_mps2 > acceleration + ASTRAY_MPS2,
        _ => false,
    }
}
