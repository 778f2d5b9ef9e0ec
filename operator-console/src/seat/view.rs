//! What the seat's thread publishes for the window to draw.

use super::{Check, EstopPhase, Holder, Notice};
use crate::input::{Device, Drive};
use protocol::{ClockEstimate, Embodiment, v1};
use std::sync::Arc;
use std::time::Instant;

/// How the seat stands with its vehicle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Connection {
    /// Looks for the control plane or for a vehicle there; says what is in the way.
    Searching(String),
    /// A vehicle is chosen; the session is being made.
    #[default]
    Connecting,
    /// In session.
    Connected,
    /// The session ended; it is being made again.
    Lost(String),
}

/// A question of the vehicle's, as it was asked; places are metres in the vehicle's frame at that time.
#[derive(Debug, Clone, PartialEq)]
pub struct PathChoice {
    /// The question with the ways that the vehicle offers.
    pub question: v1::PathQuestion,
    /// What was around the vehicle.
    pub surroundings: Option<v1::Surroundings>,
    /// The robot, where it is known here.
    pub robot: Option<Arc<Embodiment>>,
}

/// A snapshot of everything the seat knows.
#[derive(Debug, Clone)]
pub struct SeatView {
    /// When it was taken.
    pub at: Instant,
    /// This seat.
    pub seat_id: String,
    /// The vehicle; empty until one is chosen.
    pub vehicle_id: String,
    /// Only watches.
    pub watch_only: bool,
    /// How the seat stands with its vehicle.
    pub connection: Connection,
    /// Who drives.
    pub holder: Holder,
    /// The vehicle's last statement about authority.
    pub authority: Option<v1::AuthorityState>,
    /// The vehicle's last datagram, as pieced together from those that carried each part.
    pub vehicle: v1::StateDatagram,
    /// What the robot is made of, where that is known here.
    pub robot: Option<Arc<Embodiment>>,
    /// What this seat last asked of the action channels; empty while it does not drive.
    pub asked: Vec<f64>,
    /// Speed, m/s, when the vehicle reports one.
    pub speed_mps: Option<f64>,
    /// Age of the vehicle's state, microseconds.
    pub state_age_us: Option<u64>,
    /// Emergency stop.
    pub estop: EstopPhase,
    /// Share of the reset hold that is done, 0 to 1.
    pub reset_progress: f64,
    /// What must hold before taking over.
    pub checklist: Vec<Check>,
    /// Messages.
    pub notices: Vec<Notice>,
    /// Question of the vehicle to people.
    pub help: Option<v1::HelpRequest>,
    /// Which way? With what the vehicle saw around it when it asked.
    pub question: Option<Arc<PathChoice>>,
    /// The two clocks.
    pub clock: Option<ClockEstimate>,
    /// What the person should know of the vehicle's wall clock, in sentences.
    pub wall_clock: Vec<String>,
    /// Whether a picture was ever shown.
    pub has_picture: bool,
    /// Age of the picture on screen, microseconds.
    pub picture_age_us: Option<u64>,
    /// For how long the picture has not been live, microseconds.
    pub stale_us: Option<u64>,
    /// Mean and 95th percentile of capture to screen, milliseconds.
    pub picture_latency_ms: Option<(f64, f64)>,
    /// Pictures shown, and how many of them late.
    pub pictures: (u64, u64),
    /// Name of the gamepad.
    pub gamepad: Option<String>,
    /// Device in use.
    pub device: Device,
    /// Controls after rate limits.
    pub drive: Drive,
    /// The deadman is held.
    pub deadman: bool,
}

impl SeatView {
    /// The view of a seat that has not started.
    #[must_use]
    pub fn empty(seat_id: &str) -> Self {
        Self {
            at: Instant::now(),
            seat_id: seat_id.to_owned(),
            vehicle_id: String::new(),
            watch_only: false,
            connection: Connection::Connecting,
            holder: Holder::Unknown,
            authority: None,
            vehicle: v1::StateDatagram::default(),
            robot: None,
            asked: Vec::new(),
            speed_mps: None,
            state_age_us: None,
            estop: EstopPhase::Clear,
            reset_progress: 0.0,
            checklist: Vec::new(),
            notices: Vec::new(),
            help: None,
            question: None,
            clock: None,
            wall_clock: Vec::new(),
            has_picture: false,
            picture_age_us: None,
            stale_us: None,
            picture_latency_ms: None,
            pictures: (0, 0),
            gamepad: None,
            device: Device::Keyboard,
            drive: Drive::default(),
            deadman: false,
        }
    }
}
