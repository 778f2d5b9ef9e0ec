//! JSON bodies that only the control plane defines; the others are in [`protocol::api`].

use crate::retention::Retention;
use protocol::api::{ControlTiming, Evaluation, UploadProgress, VehicleClock};
use protocol::erasure::Proof;
use protocol::{ClockDifference, EpisodeId, PolicyVersion, VehicleId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use protocol::api::{Trip, VehicleStatus};

/// Answer to every `POST` of something with an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Whether this request changed anything; `false` when it was known already.
    pub stored: bool,
}

/// One row of `GET /api/v1/vehicles`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VehicleView {
    /// Its identity.
    pub vehicle: VehicleId,
    /// `live` or `virtual`.
    pub kind: String,
    /// Name of its embodiment; empty before it signed up.
    pub embodiment: String,
    /// Road network it drives on; empty before it signed up.
    pub map: String,
    /// Software version; empty before it signed up.
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
    /// How punctual its control loop was in the last second.
    pub timing: Option<ControlTiming>,
    /// How the upload of its episodes is.
    pub upload: Option<UploadProgress>,
    /// How its wall clock stands to others, as it has measured it; `null` before that.
    pub clock: Option<ClockView>,
    /// Miles with the policy in authority.
    pub autonomous_miles: f64,
    /// Miles with anybody else in authority.
    pub manual_miles: f64,
    /// Its takeovers.
    pub disengagements: u64,
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
    pub fn of(clock: VehicleClock) -> Self {
        let others = [(clock.control_plane, "the control plane"), (clock.seat, "a seat")];
        let notable = others.into_iter().filter_map(|(difference, other)| Some((difference?, other)));
        let warnings = notable.filter(|(difference, _)| difference.is_notable());
        let words = |(difference, other): (ClockDifference, &str)| difference.words("the vehicle", other);
        Self { clock, warnings: warnings.map(words).collect() }
    }
}

/// One row of `GET /api/v1/takeovers`: a takeover, its episode, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakeoverView {
    /// Identity of takeover and episode.
    pub id: EpisodeId,
    /// Whose.
    pub vehicle: VehicleId,
    /// `live` or `virtual`.
    pub kind: String,
    /// Which policy was taken over from.
    pub policy: PolicyVersion,
    /// [`protocol::v1::TakeoverCause::label`].
    pub cause: String,
    /// Milliseconds since 1970; in virtual time, of the virtual clock.
    pub at_ms: i64,
    /// Road network.
    pub map: String,
    /// Whether it counts as a disengagement.
    pub counted: bool,
    /// Length of the episode; `null` until its file is finished.
    pub duration_s: Option<f64>,
    /// Size of the file.
    pub bytes: Option<u64>,
    /// Whether there is a film at `/api/v1/episodes/ID/preview_video`; it may be there before the episode.
    #[serde(default)]
    pub preview: bool,
}

/// Distance and takeovers of one kind of vehicle with one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetRow {
    /// `live` or `virtual`.
    pub kind: String,
    /// Miles with anybody but the policy in authority.
    pub manual_miles: f64,
    /// Miles with the policy in authority, takeovers, and their quotient with its interval.
    #[serde(flatten)]
    pub driven: Evaluation,
}

/// Distance and takeovers of one kind of vehicle over all policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetTotal {
    /// `live` or `virtual`.
    pub kind: String,
    /// How many vehicles of this kind are known.
    pub vehicles: u64,
    /// Miles with the policy in authority.
    pub miles: f64,
    /// Miles with anybody else in authority.
    pub manual_miles: f64,
    /// Takeovers.
    pub disengagements: u64,
    /// Miles per disengagement; the miles themselves when there was none.
    pub mpd: f64,
    /// Lower end of the exact Poisson 95 % interval.
    pub mpd_low: f64,
    /// Upper end; `null` when there was no disengagement.
    pub mpd_high: Option<f64>,
}

/// How often a cause was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCount {
    /// `live` or `virtual`.
    pub kind: String,
    /// [`protocol::v1::TakeoverCause::label`].
    pub cause: String,
    /// Takeovers.
    pub disengagements: u64,
}

/// `GET /api/v1/fleet`: everything driven, live and virtual apart. Every takeover counts, whatever its cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// One row for `live`, one for `virtual`.
    pub totals: Vec<FleetTotal>,
    /// By policy in the order of publication, then by kind.
    pub by_policy: Vec<FleetRow>,
    /// By cause.
    pub by_cause: Vec<CauseCount>,
}

/// One row of `GET /api/v1/removals`: an episode that left the storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Its identity.
    pub id: EpisodeId,
    /// SHA-256 of its file, hex; empty when the file had not come.
    pub sha256: String,
    /// Size of its file.
    pub bytes: u64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Which rule said so, or that it was erased.
    pub why: String,
}

/// `GET /api/v1/retention`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetentionView {
    /// The rules in force; `null` when everything is kept.
    pub rules: Option<Retention>,
}

/// `POST /api/v1/retention`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRequest {
    /// Only say what would go.
    pub dry_run: bool,
    /// Rules to try, TOML; those in force without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionReport {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// How many episodes there were.
    pub episodes: u64,
    /// What went, or would.
    pub removed: Vec<Removal>,
}

/// `GET /api/v1/erasures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasures {
    /// The public key that the proofs are signed with.
    pub key: String,
    /// From the first on.
    pub proofs: Vec<Proof>,
    /// Erasures that still have something to remove.
    pub unfinished: u64,
}
