//! What is written down.

use protocol::SeatKind;
use protocol::geofence::PermittedArea;
use protocol::grant::MaxMode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vehicle_core::manoeuvre::ManoeuvreRecord;

/// Something that the log must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AuditEvent {
    /// The vehicle's software began.
    Started {
        /// Version of the software.
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
        /// The seat's identity.
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
        /// Who sits there; absent for a person, as in logs of earlier releases.
        #[serde(default, skip_serializing_if = "SeatKind::is_human")]
        seat_kind: SeatKind,
        /// For which session.
        session: String,
        /// Up to which mode.
        #[serde(rename = "ceiling")]
        max_mode: MaxMode,
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
        /// The reason.
        reason: String,
    },
    /// A grant ran out: the session may watch only.
    GrantEnded {
        /// The seat's identity.
        seat: String,
        /// Which session.
        session: String,
    },
    /// A seat asked for authority, for its end, or for an emergency stop.
    Request {
        /// The seat's identity.
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
        /// The reason.
        reason: String,
        /// Whether the emergency stop is latched.
        estop: bool,
    },
    /// The control plane's order on where the vehicle may drive is obeyed from now on, beside the vehicle's own area.
    GeofenceOrdered {
        /// Its serial.
        serial: u64,
        /// The area; none when the order before is taken back.
        corners_m: Option<PermittedArea>,
        /// Why, as the control plane was told.
        reason: String,
        /// When it was given, milliseconds since 1970 by the control plane's clock.
        issued_ms: i64,
    },
    /// An order on where the vehicle may drive was refused.
    GeofenceRefused {
        /// The reason.
        reason: String,
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
