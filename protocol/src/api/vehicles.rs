//! Vehicles as the control plane shows them.

use super::{ControlTiming, GeofenceSummary, UploadProgress, VehicleClock};
use crate::{PolicyVersion, VehicleId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One row of `GET /api/v1/vehicles`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VehicleView {
    /// Its identity.
    pub vehicle: VehicleId,
    /// `live` or `virtual`.
    pub kind: String,
    /// Name of its embodiment; empty before it registered.
    pub embodiment: String,
    /// Road network it drives on; empty before it registered.
    pub map: String,
    /// Software version; empty before it registered.
    pub software: String,
    /// Connected to signalling now.
    pub online: bool,
    /// Milliseconds since 1970 of the last word from it.
    pub last_seen_ms: i64,
    /// Age of the state below, milliseconds; `null` when it reported none since this server started.
    pub status_age_ms: Option<u64>,
    /// Its live state.
    pub mode: Option<String>,
    /// Who moves it.
    pub author: Option<String>,
    /// Speed over ground.
    pub speed_mps: Option<f64>,
    /// The policy that is loaded.
    pub policy: Option<PolicyVersion>,
    /// Round trip to the seat.
    pub round_trip_ms: Option<f64>,
    /// Messages of seats not acted on since the vehicle's software started, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Jitter of its control loop in the last second.
    pub timing: Option<ControlTiming>,
    /// How the upload of its episodes is.
    pub upload: Option<UploadProgress>,
    /// How its wall clock stands to others, as it has measured it; `null` before that.
    pub clock: Option<ClockView>,
    /// The newest order on where it may drive; `null` when there never was one.
    pub geofence: Option<GeofenceSummary>,
    /// Miles with the policy in authority.
    pub autonomous_miles: f64,
    /// Miles with anybody else in authority.
    pub manual_miles: f64,
    /// Its takeovers.
    pub disengagements: u64,
}

impl VehicleView {
    /// A live vehicle of which nothing is known but its name.
    #[must_use]
    pub fn unknown(vehicle: VehicleId) -> Self {
        Self {
            vehicle,
            kind: "live".into(),
            embodiment: String::new(),
            map: String::new(),
            software: String::new(),
            online: false,
            last_seen_ms: 0,
            status_age_ms: None,
            mode: None,
            author: None,
            speed_mps: None,
            policy: None,
            round_trip_ms: None,
            refused: BTreeMap::new(),
            timing: None,
            upload: None,
            clock: None,
            geofence: None,
            autonomous_miles: 0.0,
            manual_miles: 0.0,
            disengagements: 0,
        }
    }
}

/// A vehicle's wall clock beside others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClockView {
    /// The figures.
    #[serde(flatten)]
    pub clock: VehicleClock,
    /// Differences of a second and more, in words.
    pub warnings: Vec<String>,
}

impl ClockView {
    /// With its warnings.
    #[must_use]
    pub fn of(clock: VehicleClock) -> Self {
        let others = [(clock.control_plane, "the control plane"), (clock.seat, "a seat")];
        let warnings = others.into_iter().filter_map(|(difference, other)| difference?.warning(other)).collect();
        Self { clock, warnings }
    }
}
