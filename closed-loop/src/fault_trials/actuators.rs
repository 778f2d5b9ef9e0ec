//! Actuators that fail, and what can still be promised then.

use super::Fault;
use protocol::Embodiment;
use protocol::v1::{ControlCommand, VehicleState};
use vehicle_core::authority::COMMAND_TIMEOUT_US;

/// A failed actuator is found out at most this long after it began to do clearly something else than it was told: the
/// lag of a healthy one, and the vehicle's patience.
const ECHO_US: u64 = 650_000;
/// The shares below are those of the values that make the car of the trials clearly disobey: an engine that gives 2
/// m/s^2 more than it was told, brakes that were asked for 4 m/s^2, wheels that point 0.1 rad from where they were told
/// to or so far that it makes 2 m/s^2 to the side.
const ASTRAY_SHARE_OF_STOP: f64 = 1.0 / 2.0;
const ASTRAY_SHARE_OF_STEERING: f64 = 2.0 / 11.0;
const ASIDE_SHARE_OF_LATERAL: f64 = 1.0 / 3.0;

/// What a failed actuator of one robot does, and from when on that is clearly not what it was told.
struct Failure<'a> {
    embodiment: &'a Embodiment,
}

impl Failure<'_> {
    /// What an engine gives that does not listen, m/s^2: all it has.
    fn runaway_mps2(&self) -> f64 {
        let index = self.embodiment.channels().accelerate;
        index.and_then(|index| self.embodiment.action.get(index)).map_or(0.0, |channel| channel.max)
    }

    /// Brakes that are asked for this much cut such an engine off, m/s^2, as they do in every new car; less fights it.
    fn cut_off_mps2(&self) -> f64 {
        -self.embodiment.stop_decel_mps2 / 2.0
    }

    /// Brakes that were asked for this much clearly should bite, m/s^2.
    fn hard_mps2(&self) -> f64 {
        -self.embodiment.stop_decel_mps2
    }

    /// An engine that gives this much more than it was told clearly does not obey, m/s^2.
    fn astray_mps2(&self) -> f64 {
        self.embodiment.stop_decel_mps2 * ASTRAY_SHARE_OF_STOP
    }

    /// A steering this far from where it was told to be clearly does not obey, in its channel's unit.
    fn astray_steering(&self, speed_mps: f64) -> f64 {
        let embodiment = self.embodiment;
        let most = embodiment.channels().steer.and_then(|index| embodiment.action.get(index)).map_or(0.0, |c| c.max);
        let aside_mps2 = embodiment.lateral_max_mps2 * ASIDE_SHARE_OF_LATERAL;
        let aside = embodiment.kinematics.steering(aside_mps2 / (speed_mps * speed_mps).max(1.0), speed_mps);
        aside.min(most * ASTRAY_SHARE_OF_STEERING)
    }
}

/// The greatest speed at which `embodiment` may drive when `fault` strikes: an engine that is stuck shows only as long
/// as the robot gets faster.
pub(super) fn fastest_mps(fault: Fault, embodiment: &Embodiment) -> f64 {
    let gains_mps = Failure { embodiment }.runaway_mps2() * ECHO_US as f64 * 1e-6;
    embodiment.fastest_mps() - if fault == Fault::EngineStuck { gains_mps } else { 0.0 }
}

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
    let failure = Failure { embodiment };
    match fault {
        Fault::SteeringStuck => *value = held.get(index).copied().unwrap_or(*value),
        Fault::BrakesFailed => *value = value.max(0.0),
        Fault::EngineStuck if *value > failure.cut_off_mps2() => *value = failure.runaway_mps2() + value.min(0.0),
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
    let failure = Failure { embodiment };
    match fault {
        Fault::SteeringStuck => (steering - measured).abs() > failure.astray_steering(speed_mps),
        Fault::BrakesFailed => acceleration < failure.hard_mps2(),
        Fault::EngineStuck => measured_mps2 > acceleration + failure.astray_mps2(),
        _ => false,
    }
}
