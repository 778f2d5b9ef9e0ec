//! Short words for people, one for each code.

use crate::v1::{Author, Mode, Reason, TakeoverCause};

impl Mode {
    /// The word people see.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::Stopped => "stopped",
            Self::Monitor => "monitor",
            Self::Assist => "assist",
            Self::Drive => "drive",
        }
    }
}

impl Author {
    /// The word people see.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Unspecified => "nobody",
            Self::Policy => "policy",
            Self::Operator => "operator",
            Self::Fallback => "fallback",
        }
    }
}

impl TakeoverCause {
    /// The word used in the catalogue and on the dashboard.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::PolicyAsked => "policy_asked",
            Self::Safety => "safety",
            Self::Stuck => "stuck",
            Self::Fault => "fault",
            Self::Precaution => "precaution",
        }
    }
}

impl Reason {
    /// What to tell the person.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Unspecified => "no reason given",
            Self::Ok => "ok",
            Self::OperatorRequest => "the operator asked",
            Self::PolicyAsked => "the policy asked for help",
            Self::LinkLost => "no valid command arrived in time",
            Self::DeadmanReleased => "the deadman was released",
            Self::Estop => "emergency stop",
            Self::PolicyFailed => "the policy failed",
            Self::SensorsLost => "the sensors are silent",
            Self::ActuatorFault => "the actuators do not follow",
            Self::HeldByOther => "another seat holds authority",
            Self::Stale => "the command is too old",
            Self::WrongEpoch => "the command belongs to an earlier grant",
            Self::OutOfSequence => "the command is older than the last",
            Self::NotFinite => "the command holds a value that is not a number",
            Self::OutOfLimits => "the command exceeds the robot's limits",
            Self::NotAuthenticated => "the seat is not authenticated",
            Self::NotArmed => "the vehicle must be re-armed first",
            Self::NotInControl => "this seat does not hold authority",
            Self::StillMoving => "the vehicle still moves",
            Self::EstopLatched => "the emergency stop is latched",
            Self::HandedBack => "handed back to the policy",
            Self::CollisionAhead => "an obstacle is too close ahead",
            Self::Malformed => "the message could not be read",
            Self::RouteDone => "the route is finished",
            Self::Latency => "the picture and commands come too late for this speed",
            Self::PictureFrozen => "the picture stands still",
            Self::Geofence => "the edge of the permitted area is ahead",
            Self::DeadlineMissed => "the control loop missed its deadline",
            Self::NoSuchQuestion => "the question is no longer open",
            Self::PathBlocked => "that path cannot be driven",
            Self::NothingToReset => "no emergency stop is latched",
        }
    }

    /// Its name for programs: `link_lost` and the like.
    #[must_use]
    pub fn code(self) -> String {
        self.as_str_name().trim_start_matches("REASON_").to_ascii_lowercase()
    }
}
