//! The vehicle core: observation, policy, arbitration, gate, actuation. Sans-IO: [`VehicleCore::tick`] is handed the
//! time, the sensors and what seats sent, and returns the command for the actuators. The bridge calls it in real time,
//! simulations in virtual time; there is no second copy.
//!
//! - [`authority`] says who may drive, [`gate`] what may be driven, [`governor`] how fast from afar, [`fallback`] how to
//!   stop; [`health`] notices what fails, [`assist`] asks people which way to go. Once its buffers have grown, a tick
//!   allocates nothing.
//! - [`telemetry::TelemetryEncoder`] turns ticks into the messages of an episode, [`visualization`] adds what viewers
//!   need, [`mileage::MileageAccounting`] adds up metres and takeovers, [`triggers::TriggerEvaluator`] notices what else
//!   is recorded, [`manoeuvre::ManoeuvreWatch`] measures how the vehicle stopped.
//!
//! # The run loop
//!
//! A [`Robot`] is what the core drives, by one rule: **sense, then decide, then write, in the same tick**. The command
//! that a tick decides from its sensors leaves before the tick ends and covers the interval up to the next one; no
//! command waits for the next tick, and none is decided from older sensors than those of its tick. [`control_tick`] is
//! one turn of the loop, in real and in virtual time. A simulated robot lets its world go on under the command written
//! last when it is asked to sense again.
//!
//! ```
//! use policy::Policy;
//! use protocol::v1::{ControlCommand, VehicleState};
//! use protocol::{Embodiment, PolicyVersion};
//! use vehicle_core::{CoreConfig, Robot, Sensors, Tick, VehicleCore, control_tick};
//!
//! /// A car on a test stand: it stands, and it sees nothing.
//! #[derive(Default)]
//! struct TestStand(Vec<ControlCommand>);
//!
//! impl Robot for TestStand {
//!     fn sense(&mut self, now_us: u64) -> Sensors {
//!         let state = VehicleState { monotonic_us: now_us, observation: vec![0.0; 4], ..Default::default() };
//!         Sensors { state, surroundings: None, scan: None, estop_pressed: false }
//!     }
//!
//!     fn write(&mut self, command: &ControlCommand) {
//!         self.0.push(command.clone());
//!     }
//! }
//!
//! let car = Embodiment::ackermann_car();
//! let policy = Policy::untrained(&car, PolicyVersion::new("v0")?, 1)?;
//! let mut core = VehicleCore::new(car, CoreConfig::default(), policy, 0)?;
//! let (mut robot, mut inbox, mut tick) = (TestStand::default(), Vec::new(), Tick::default());
//! for now_us in (20_000..=100_000).step_by(20_000) {
//!     control_tick(&mut robot, &mut core, now_us, &mut inbox, &mut tick, |_, _, _| ());
//! }
//! assert_eq!(robot.0.len(), 5);
//! assert!(robot.0.iter().all(|command| command.action[0] < 0.0), "blind as it is, it holds the brakes");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it does not do: it has no clock, no thread, no file and no socket, and knows neither the simulator nor the link
//! nor the recorder. Whoever runs it brings these along.

pub mod action;
pub mod assist;
pub mod authority;
pub mod braking;
pub mod camera;
pub mod fallback;
pub mod gate;
pub mod geofence;
pub mod governor;
pub mod handover;
pub mod health;
mod inference;
pub mod manoeuvre;
pub mod mileage;
pub mod pursuit;
mod rate;
pub mod reset_hold;
mod robot;
pub mod tally;
pub mod telemetry;
mod tick;
pub mod trajectory;
pub mod triggers;
mod vehicle;
pub mod visualization;

pub use inference::InferenceResult;
pub use rate::{ControlRate, RateError};
pub use robot::{Robot, control_tick};
pub use vehicle::{CoreError, VehicleCore};

use authority::Change;
use geofence::Geofence;
use protocol::SeatKind;
use protocol::foxglove::LaserScan;
use protocol::v1::{
    AuthorityState, CommandDatagram, ControlCommand, OperatorInput, PolicyProposal, SeatRequest, SeatResponse,
    Surroundings, VehicleState,
};
use std::sync::Arc;

/// Settings of a vehicle core.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
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
    /// The core runs its policy itself. Otherwise whoever runs it hands over its results
    /// ([`VehicleCore::receive_inference`]).
    pub runs_policy: bool,
    /// Which sensors the robot has beside its own state.
    pub expects: ExpectedSensors,
}

/// The sensors whose silence is a fault. What a robot does not have cannot fall silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExpectedSensors {
    /// Route and objects. Without them no policy makes a proposal, so that only people drive.
    pub surroundings: bool,
    /// Lidar. Without it nothing brakes for what stands in the way.
    pub scan: bool,
}

/// All of them.
impl Default for ExpectedSensors {
    fn default() -> Self {
        Self { surroundings: true, scan: true }
    }
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
            runs_policy: true,
            expects: ExpectedSensors::default(),
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
    /// Who sits there, as its grant says.
    pub kind: SeatKind,
    /// Arrival by the vehicle's clock.
    pub received_us: u64,
    /// What it sent.
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
