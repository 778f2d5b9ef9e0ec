//! Everything driven and every takeover, as the control plane shows them.

use crate::{EpisodeId, PolicyVersion, VehicleId};
use serde::{Deserialize, Serialize};

/// One row of `GET /api/v1/takeovers`: a takeover, its episode, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakeoverView {
    /// Identity of takeover and episode.
    pub id: EpisodeId,
    /// The vehicle that it belongs to.
    pub vehicle: VehicleId,
    /// `live` or `virtual`.
    pub kind: String,
    /// Which policy was taken over from.
    pub policy: PolicyVersion,
    /// [`crate::v1::TakeoverCause::label`].
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

/// How far vehicles get between takeovers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MilesPerDisengagement {
    /// Miles with the policy in authority.
    pub miles: f64,
    /// Takeovers in those miles.
    pub disengagements: u64,
    /// Miles per disengagement; the miles themselves when there was none.
    pub mpd: f64,
    /// Lower end of the exact Poisson 95 % interval.
    pub mpd_low: f64,
    /// Upper end; `null` when there was no disengagement.
    pub mpd_high: Option<f64>,
}

/// Distance and takeovers of one kind of vehicle with one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetRow {
    /// `live` or `virtual`.
    pub kind: String,
    /// Which policy was loaded.
    pub policy: PolicyVersion,
    /// Miles with anybody but the policy in authority.
    pub manual_miles: f64,
    /// Miles with the policy in authority, takeovers, and their quotient with its interval.
    #[serde(flatten)]
    pub driven: MilesPerDisengagement,
}

/// Distance and takeovers of one kind of vehicle over all policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetTotal {
    /// `live` or `virtual`.
    pub kind: String,
    /// How many vehicles of this kind are known.
    pub vehicles: u64,
    /// Miles with anybody but the policy in authority.
    pub manual_miles: f64,
    /// Miles with the policy in authority, takeovers, and their quotient with its interval.
    #[serde(flatten)]
    pub driven: MilesPerDisengagement,
}

/// How often a cause was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCount {
    /// `live` or `virtual`.
    pub kind: String,
    /// [`crate::v1::TakeoverCause::label`].
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
