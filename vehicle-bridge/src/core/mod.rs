//! The vehicle core: observation, policy, arbitration, gate, actuation. Sans-IO: [`VehicleCore::tick`] is handed the
//! time, the sensors and what seats sent, and returns the command for the actuators. The bridge calls it in real time,
//! the simulator's fleet in virtual time; there is no second copy.
//!
//! [`authority`] says who may drive, [`gate`] what may be driven, [`governor`] how fast from afar, [`fallback`] how to
//! stop; [`health`] notices what fails. Once its buffers have grown, a tick allocates nothing.

pub mod action;
pub mod assist;
pub mod authority;
pub mod braking;
pub mod fallback;
pub mod gate;
pub mod geofence;
pub mod governor;
pub mod handover;
pub mod health;
pub mod pursuit;
pub mod reset_hold;
pub mod tally;
mod thought;
mod tick;
pub mod trajectory;
mod vehicle;

pub use thought::Thought;
pub use vehicle::{CoreError, VehicleCore};

use authority::Change;
use geofence::Geofence;
use protocol::foxglove::LaserScan;
use protocol::v1::{
    AuthorityState, CommandDatagram, ControlCommand, OperatorInput, PolicyProposal, SeatRequest, SeatResponse,
    Surroundings, VehicleState,
};
use std::sync::Arc;

/// Settings of a vehicle core.
#[derive(Debug, Clone, PartialEq)]
pub struct CoreConfig {
    /// Ticks a second.
    pub rate_hz: f64,
    /// Time after start in which the vehicle checks itself and fills its recorder before it accepts a driver: with a
    /// pre-roll of ten seconds, every takeover then has one.
    pub self_check_us: u64,
    /// The policy asks for help when its confidence stays below its own threshold ([`HELP_THRESHOLD`]) this long.
    pub help_after_us: u64,
    /// The minimal risk manoeuvre begins at most this long after the last word of a sensor.
    pub sensor_timeout_us: u64,
    /// A tick that comes this long after the last one: the control loop has failed.
    pub stall_us: u64,
    /// The permitted area; without one, everywhere.
    pub geofence: Option<Geofence>,
    /// The core asks its policy itself. Otherwise whoever runs the policy hands over what it thinks
    /// ([`VehicleCore::hear_policy`]).
    pub thinks: bool,
}

/// Metric of a policy's manifest below which confidence it asks for help; without it, it never asks.
pub const HELP_THRESHOLD: &str = "help_threshold";

impl Default for CoreConfig {
    fn default() -> Self {
        Self {
            rate_hz: 50.0,
            self_check_us: 10_200_000,
            help_after_us: 500_000,
            sensor_timeout_us: 200_000,
            stall_us: 150_000,
            geofence: None,
            thinks: true,
        }
    }
}

/// What the sensors say at a tick. `surroundings` and `scan` are the latest, shared and replaced when new.
#[derive(Debug, Clone)]
pub struct Sensors {
    /// The robot's own state now.
    pub state: VehicleState,
    /// Route and objects as of `Surroundings.monotonic_us`.
    pub surroundings: Option<Arc<Surroundings>>,
    /// Lidar.
    pub scan: Option<Arc<LaserScan>>,
    /// The vehicle's own emergency button is held down.
    pub estop_pressed: bool,
}

/// Something that arrived from a seat.
#[derive(Debug, Clone, PartialEq)]
pub struct FromSeat {
    /// Authenticated name of the seat.
    pub seat: String,
    /// Arrival by the vehicle's clock.
    pub received_us: u64,
    /// What.
    pub body: SeatBody,
}

/// See [`FromSeat`].
#[derive(Debug, Clone, PartialEq)]
pub enum SeatBody {
    /// A datagram of the command channel.
    Command(CommandDatagram),
    /// A request.
    Request(SeatRequest),
    /// A new session began; its clock may be another one than the last session's.
    Connected,
    /// The session ended.
    Gone,
}

/// What a tick decided.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// For the actuators.
    pub command: ControlCommand,
    /// For people and the recorder.
    pub authority: AuthorityState,
    /// The policy's proposal, when it made a new one.
    pub proposal: Option<PolicyProposal>,
    /// The newest operator input that passed the gate this tick.
    pub operator: Option<OperatorInput>,
    /// Answers to requests, by seat.
    pub responses: Vec<(String, SeatResponse)>,
    /// Changes of hands.
    pub changes: Vec<Change>,
    /// The note of a bookmark that an operator set.
    pub bookmark: Option<String>,
}
