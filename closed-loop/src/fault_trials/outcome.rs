//! How a trial went, and whether that is well.

use super::Fault;
use protocol::Embodiment;
use protocol::v1::Reason;
use serde::Serialize;

/// Engine and brakes let go within this time, seconds: the speed may rise by what full acceleration gives in it, 0.25
/// m/s of a car.
const LETS_GO_S: f64 = 1.0 / 12.0;

/// How a trial went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// What was lost.
    pub fault: Fault,
    /// Name of the robot's embodiment.
    pub robot: String,
    /// Where.
    pub road: String,
    /// Which trial.
    pub seed: u64,
    /// Speed at the last valid command, m/s.
    pub speed_mps: f64,
    /// From the last valid command to the first tick of the manoeuvre, microseconds.
    pub delay_us: u64,
    /// From where the last valid command was used to the standstill, metres.
    pub distance_m: f64,
    /// v * 0.2 s + v^2 / (2 a).
    pub allowed_m: f64,
    /// How much faster than at the manoeuvre's first tick the car got.
    pub speed_rise_mps: f64,
    /// How much faster it may get: engine and brakes need time to let go.
    pub allowed_rise_mps: f64,
    /// Least distance of the body to the edge of the lane, metres.
    pub lane_margin_m: f64,
    /// Whether anything moved the car after the manoeuvre had begun.
    pub moved_again: bool,
    /// Whether the e-stop is latched at the end.
    pub latched: bool,
    /// Why the manoeuvre began, as the vehicle says.
    pub reason: String,
    /// Sensors and actuators that the vehicle thought to have failed before anything did.
    pub false_alarms: u32,
}

impl Fault {
    /// What the vehicle may call it.
    fn reasons(self) -> &'static [Reason] {
        match self {
            Self::LinkCutToVehicle | Self::LinkCutBothWays | Self::SessionEnds | Self::SeatFrozen => {
                &[Reason::LinkLost]
            }
            // What the seat goes on sending under the old picture or clock is refused, so that nothing valid comes.
            Self::LinkCutToSeat | Self::PictureFrozen | Self::SeatClockBack | Self::SeatClockAheadAndBack => {
                &[Reason::LinkLost]
            }
            Self::DeadmanReleased | Self::EstopWhileStopping => &[Reason::DeadmanReleased],
            Self::PolicyHung | Self::PolicyFails => &[Reason::PolicyFailed],
            Self::LidarLost | Self::SurroundingsLost | Self::StateLost | Self::LidarBlind => &[Reason::SensorsLost],
            Self::LoopStalls => &[Reason::DeadlineMissed],
            Self::SteeringStuck | Self::BrakesFailed | Self::EngineStuck => &[Reason::ActuatorFault],
            Self::EstopPressed
            | Self::EstopByWatcher
            | Self::EstopHalfBroken
            | Self::EstopPolicyDrives
            | Self::EstopInAssist => &[Reason::Estop],
        }
    }
}

/// How much faster `embodiment` may get before engine and brakes have let go, m/s.
pub(super) fn allowed_rise_mps(embodiment: &Embodiment) -> f64 {
    let index = embodiment.channels().accelerate;
    index.and_then(|index| embodiment.action.get(index)).map_or(0.0, |channel| channel.max * LETS_GO_S)
}

impl Outcome {
    /// Whether everything held that the manoeuvre promises.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.delay_us <= self.fault.latest_us()
            && (self.distance_m <= self.allowed_m || !self.fault.promises_distance())
            && self.speed_rise_mps <= self.allowed_rise_mps
            && (self.lane_margin_m >= 0.0 || !self.fault.promises_lane())
            && !self.moved_again
            && self.latched == self.fault.is_an_estop()
            && self.fault.reasons().iter().any(|reason| reason.code() == self.reason)
            && self.false_alarms == 0
    }
}
