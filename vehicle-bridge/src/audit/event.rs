//! What is written down.

use protocol::grant::Ceiling;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something that the log must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AuditEvent {
    /// The vehicle's software began.
    Started {
        /// Which.
        software: String,
        /// The first fencing token that this life may grant comes after this one.
        epoch: u64,
    },
    /// An earlier life was killed while it wrote this log.
    Recovered {
        /// Which file ended in a torn line.
        file: String,
        /// How long that line was.
        torn_bytes: u64,
        /// Its SHA-256.
        torn_sha256: String,
    },
    /// The log was damaged before this life began; what is there was left as it is.
    Damaged {
        /// Which file.
        file: String,
        /// Line of the first bad record, counted from 1.
        line: u64,
    },
    /// A seat came or went.
    Session {
        /// Who.
        seat: String,
        /// In which session.
        session: String,
        /// Whether it is there.
        up: bool,
        /// Whether it asked for watching only.
        watch_only: bool,
        /// Why it went.
        reason: String,
    },
    /// A grant of the control plane was accepted.
    GrantAccepted {
        /// For whom.
        seat: String,
        /// For which session.
        session: String,
        /// Up to which mode.
        ceiling: Ceiling,
        /// Its serial.
        serial: u64,
        /// How long it lasts from when the vehicle asked for it, milliseconds; 0 in logs of earlier releases.
        #[serde(default)]
        lasts_ms: u64,
    },
    /// A grant was refused, or a session without one.
    GrantRefused {
        /// For whom, as far as known.
        seat: String,
        /// For which session.
        session: String,
        /// Why.
        reason: String,
    },
    /// A grant ran out: the session may watch only.
    GrantEnded {
        /// Whose.
        seat: String,
        /// Which session.
        session: String,
    },
    /// A seat asked for authority, for its end, or for an emergency stop.
    Request {
        /// Who.
        seat: String,
        /// What: `takeover`, `hand_back`, `engage`, `estop`, `estop_reset`, `path_answer`.
        request: String,
        /// Whether it was granted.
        accepted: bool,
        /// Why not.
        reason: String,
    },
    /// Authority changed: from now on this is so.
    Authority {
        /// Mode.
        mode: String,
        /// Who moves the robot.
        author: String,
        /// Fencing token in force.
        epoch: u64,
        /// Seat that holds the grant, or held it last.
        seat: String,
        /// Why.
        reason: String,
        /// Whether the emergency stop is latched.
        estop: bool,
    },
    /// A minimal risk manoeuvre ended in standstill.
    Manoeuvre(ManoeuvreRecord),
    /// Messages refused since the start, by reason; once a second when it has changed.
    Refusals {
        /// Counts.
        counts: BTreeMap<String, u64>,
    },
    /// Events that could not be written in time.
    Missing {
        /// How many.
        events: u64,
    },
    /// The vehicle's software ended in order.
    Ended,
}

/// How a minimal risk manoeuvre went, by the vehicle's own sensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManoeuvreRecord {
    /// Why it began.
    pub reason: String,
    /// Who drove before.
    pub author: String,
    /// Last valid command or proposal, on the vehicle's clock.
    pub valid_us: u64,
    /// First tick of the manoeuvre.
    pub began_us: u64,
    /// First tick at standstill.
    pub stood_us: u64,
    /// Speed at the last valid command.
    pub speed_mps: f64,
    /// Greatest speed from then on: an engine that was asked for more lets go with a lag.
    pub fastest_mps: f64,
    /// From the last valid command to the standstill.
    pub distance_m: f64,
    /// v * 0.2 s + v^2 / (2 a), of the greatest speed.
    pub allowed_m: f64,
    /// How much faster than at its first tick the robot got.
    pub rise_mps: f64,
    /// Least distance of the body to the edge of the lane from the first tick on; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane_margin_m: Option<f64>,
}
