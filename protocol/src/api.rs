//! The JSON bodies of the control plane's HTTP interface, used by the server and by every client.
//!
//! Everything that counts is idempotent: cumulative counters or rows with an identity chosen by the sender, so that a
//! report repeated after a crash changes nothing.

mod answers;
mod evaluation;
mod fleet;
mod geofence;
mod storage;
mod vehicles;

pub use answers::{ChangeReason, ErrorAnswer, Stored, TripView};
pub use evaluation::{ALL_ROADS, DomainFigures, Evaluation, EvaluationRole, ScoreParts, UNSEEN_EVENTS};
pub use fleet::{CauseCount, Fleet, FleetRow, FleetTotal, MilesPerDisengagement, TakeoverView};
pub use geofence::{GeofenceRequest, GeofenceSummary, GeofenceView};
pub use storage::{Erasures, Removal, RetentionReport, RetentionRequest};
pub use vehicles::{ClockView, VehicleView};

use crate::{ClockDifference, EpisodeId, PolicyVersion, SeatId, VehicleId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `POST /api/v1/vehicles`: a vehicle registers or renews its description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VehicleRegistration {
    /// Its identity.
    pub vehicle: VehicleId,
    /// Name of its embodiment.
    pub embodiment: String,
    /// `live` for one that streams, `virtual` for one that drives in virtual time.
    pub kind: String,
    /// Road network it drives on.
    pub map: String,
    /// Software version.
    pub software: String,
}

/// `POST /api/v1/mileage`: distance by policy version, cumulative since the vehicle was made, so that repeating or
/// reordering reports loses and doubles nothing (the greatest wins).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mileage {
    /// Who drove.
    pub vehicle: VehicleId,
    /// Which policy was loaded.
    pub policy: PolicyVersion,
    /// Metres with the policy in authority.
    pub autonomous_m: f64,
    /// Metres with anybody else in authority.
    pub manual_m: f64,
}

/// `POST /api/v1/disengagements`: one takeover, once for each `id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disengagement {
    /// The takeover's identity.
    pub id: EpisodeId,
    /// The vehicle that it belongs to.
    pub vehicle: VehicleId,
    /// Which policy was taken over from.
    pub policy: PolicyVersion,
    /// [`crate::v1::TakeoverCause::label`].
    pub cause: String,
    /// Milliseconds since 1970; in virtual time, of the virtual clock.
    pub at_ms: i64,
    /// Road network.
    pub map: String,
    /// By how much the clock of `at_ms` is ahead of the control plane's, milliseconds, where the vehicle has measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
}

/// `POST /api/v1/episodes`: a finished episode file, once for each `id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The episode's identity, equal to the takeover's.
    pub id: EpisodeId,
    /// The vehicle that it belongs to.
    pub vehicle: VehicleId,
    /// Policy in force when it began.
    pub policy: PolicyVersion,
    /// [`crate::v1::TakeoverCause::label`]; may be empty where no takeover opened it, as an import has none.
    pub cause: String,
    /// File name below the episodes folder.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Start of the pre-roll, milliseconds since 1970.
    pub start_ms: i64,
    /// From the start of the pre-roll to the end of the post-roll, seconds.
    pub duration_s: f64,
    /// Road network.
    pub map: String,
    /// What opened it, such as `takeover` or `hard_brake`; absent in reports of earlier releases, as all that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Free text of the operator or the trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Version of the software that drove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
    /// Weather when it began, as the vehicle perceived it: `clear`, `rain`, `heavy_rain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weather: Option<String>,
    /// Seats that held the vehicle while it was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<SeatId>,
    /// Where it began, in the road network's coordinates, metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x_m: Option<f64>,
    /// The same, the other axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y_m: Option<f64>,
    /// Where it began on the Earth (WGS 84), degrees north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude_deg: Option<f64>,
    /// Degrees east.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude_deg: Option<f64>,
    /// By how much the clock of `start_ms` is ahead of the control plane's, milliseconds, where the vehicle has measured
    /// it. The catalogue keeps times by the control plane's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
}

impl Disengagement {
    /// [`Self::at_ms`] by the control plane's clock; by the vehicle's where the difference was never measured.
    #[must_use]
    pub fn at_control_plane_ms(&self) -> i64 {
        corrected_ms(self.at_ms, self.clock_ahead_ms)
    }
}

impl Episode {
    /// [`Self::start_ms`] by the control plane's clock; by the vehicle's where the difference was never measured.
    #[must_use]
    pub fn start_control_plane_ms(&self) -> i64 {
        corrected_ms(self.start_ms, self.clock_ahead_ms)
    }
}

fn corrected_ms(by_vehicle_ms: i64, ahead_ms: Option<i64>) -> i64 {
    by_vehicle_ms.saturating_sub(ahead_ms.unwrap_or(0)).max(0)
}

/// What a reviewer made of an episode; `PUT /api/v1/episodes/ID/verdict` takes it without `at_ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// One of [`Verdict::WORDS`].
    pub verdict: String,
    /// Who says so.
    pub by: String,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When, milliseconds since 1970 by the control plane's clock, which sets it.
    #[serde(default)]
    pub at_ms: i64,
}

impl Verdict {
    /// What can be said: learn from it, throw it away, somebody else should look.
    pub const WORDS: [&str; 3] = ["useful", "discard", "needs-review"];
}

/// An episode as `GET /api/v1/episodes` answers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeView {
    /// What was reported.
    #[serde(flatten)]
    pub episode: Episode,
    /// What a reviewer said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Whether a small film of it was uploaded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preview: bool,
}

/// What an uploaded file is to its episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadKind {
    /// The episode itself, MCAP.
    Episode,
    /// A small film of it, MP4.
    PreviewVideo,
    /// Its state once a second, JSON.
    PreviewState,
    /// Who recorded it, JSON.
    Signature,
}

impl UploadKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Episode, Self::PreviewVideo, Self::PreviewState, Self::Signature];

    /// Its name in JSON and in the catalogue.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Episode => "episode",
            Self::PreviewVideo => "preview_video",
            Self::PreviewState => "preview_state",
            Self::Signature => "signature",
        }
    }

    /// What its files' names end in.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Episode => "mcap",
            Self::PreviewVideo => "mp4",
            Self::PreviewState => "json",
            Self::Signature => "sig",
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Episode => "application/octet-stream",
            Self::PreviewVideo => "video/mp4",
            Self::PreviewState | Self::Signature => "application/json",
        }
    }
}

/// `POST /api/v1/uploads`: begins an upload or asks how far it came; the bytes follow by
/// `PATCH /api/v1/uploads/SHA256?offset=N`. Both answer an [`UploadState`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadStart {
    /// Whose; it must be registered.
    pub vehicle: VehicleId,
    /// Which episode the file belongs to.
    pub episode: EpisodeId,
    /// What it is to the episode.
    pub kind: UploadKind,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadState {
    /// The next byte that is wanted; those before it are on the control plane's disk.
    pub offset: u64,
    /// Whether the file is stored for good and known as the episode's.
    pub complete: bool,
}

/// How a vehicle's uploads are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct UploadProgress {
    /// Episodes that are not stored yet.
    pub episodes: u64,
    /// Bytes that are still to be sent.
    pub bytes: u64,
    /// What it may send now, bits per second; `null` for as fast as it goes.
    #[serde(default)]
    pub limit_bps: Option<f64>,
    /// What it sent in the last seconds, bits per second.
    pub rate_bps: f64,
}

/// `POST /api/v1/trips`: one finished drive with everything that came of it, stored in one transaction and once for
/// each `id`, so that a drive counts whole or not at all. A vehicle reports either trips or [`Mileage`] for the same
/// metres, never both: both are added up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trip {
    /// Chosen by the sender; the same rules as for every other identifier.
    pub id: String,
    /// Who drove.
    pub vehicle: VehicleId,
    /// Which policy was loaded, from start to end.
    pub policy: PolicyVersion,
    /// Metres with the policy in authority.
    pub autonomous_m: f64,
    /// Metres with anybody else in authority.
    pub manual_m: f64,
    /// Takeovers of this drive, all of `vehicle` and `policy`.
    pub disengagements: Vec<Disengagement>,
    /// Episodes of this drive, all of `vehicle`.
    pub episodes: Vec<Episode>,
}

/// `POST /api/v1/status`: a vehicle's state for people to look at, about once a second; kept in memory only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VehicleStatus {
    /// The vehicle that it belongs to.
    pub vehicle: VehicleId,
    /// [`crate::v1::Mode::label`].
    pub mode: String,
    /// [`crate::v1::Author::label`].
    pub author: String,
    /// Speed over ground.
    pub speed_mps: f64,
    /// The policy that is loaded.
    pub policy: PolicyVersion,
    /// Round trip to the seat, when there is one.
    #[serde(default)]
    pub round_trip_ms: Option<f64>,
    /// Messages of seats not acted on since the vehicle's software started, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u64>,
    /// Jitter of the control loop in the last second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<ControlTiming>,
    /// How the upload of episodes is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadProgress>,
    /// How its wall clock stands to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<VehicleClock>,
    /// The newest order on its geofence that it keeps to, by its serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geofence_serial: Option<u64>,
}

/// The answer to a [`VehicleStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusAnswer {
    /// It was taken.
    pub stored: bool,
    /// The control plane's wall clock when it answered, microseconds since 1970: the vehicle measures the difference by it.
    pub unix_us: u64,
    /// The newest order on the vehicle's geofence, by its serial; `GET /api/v1/vehicles/VEHICLE/geofence` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geofence_serial: Option<u64>,
}

/// A vehicle's wall clock beside others, as the vehicle has measured it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct VehicleClock {
    /// Vehicle's minus control plane's.
    #[serde(default)]
    pub control_plane: Option<ClockDifference>,
    /// Vehicle's minus that of a connected seat, the one that differs most.
    #[serde(default)]
    pub seat: Option<ClockDifference>,
}

/// Start of the control ticks of a second against when they were due; as in [`crate::v1::ControlTiming`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ControlTiming {
    /// Median, microseconds.
    pub lateness_p50_us: f64,
    /// 99th percentile, microseconds.
    pub lateness_p99_us: f64,
    /// Greatest, microseconds.
    pub lateness_max_us: f64,
    /// Longest time that a tick took, microseconds.
    pub work_max_us: f64,
    /// Ticks since the start that ended after the next was due.
    pub missed_deadlines: u64,
}

/// `POST /api/v1/policies`: a published version, immutable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Its version.
    pub version: PolicyVersion,
    /// The version it was trained from.
    pub parent: Option<PolicyVersion>,
    /// SHA-256 of its manifest, hex.
    pub sha256: String,
    /// How many episodes it learnt from.
    pub episodes: u64,
    /// How many frames it learnt from.
    pub frames: u64,
    /// `published`, or `refused` when it was worse than its parent.
    pub status: String,
    /// That no vehicle drives by it any more; the control plane sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawal>,
}

/// A published version was taken back: `POST /api/v1/policies/VERSION/withdraw` with a [`ChangeReason`]; vehicles go back to
/// the newest one that is left, which is the answer. `.../restore` takes that back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Why, for people.
    pub reason: String,
    /// Since when, milliseconds since 1970 by the control plane's clock.
    pub since_ms: i64,
}
