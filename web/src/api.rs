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

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::SeatId;
    use protocol::api::{Episode, EpisodeView, Policy, Verdict};
    use std::collections::BTreeSet;

    /// The fields that `types/api.d.ts` gives the interface `name`.
    fn declared(name: &str) -> BTreeSet<String> {
        let types = include_str!("../types/api.d.ts");
        let (_, rest) = types.split_once(&format!("interface {name} {{")).unwrap_or_else(|| panic!("no {name}"));
        let (fields, _) = rest.split_once("\n  }").unwrap();
        fields
            .lines()
            .filter_map(|line| line.trim().split_once(':'))
            .map(|(f, _)| f.trim_end_matches('?').into())
            .collect()
    }

    fn sent(value: &impl Serialize) -> BTreeSet<String> {
        serde_json::to_value(value).unwrap().as_object().unwrap().keys().cloned().collect()
    }

    fn evaluation() -> Evaluation {
        let policy = PolicyVersion::new("v1").unwrap();
        Evaluation { policy, miles: 1.0, disengagements: 1, mpd: 1.0, mpd_low: 0.5, mpd_high: Some(2.0) }
    }

    #[test]
    fn the_pages_types_of_the_fleet_have_the_fields_that_are_sent() {
        let id = || VehicleId::new("car-1").unwrap();
        let timing = ControlTiming {
            lateness_p50_us: 1.0,
            lateness_p99_us: 1.0,
            lateness_max_us: 1.0,
            work_max_us: 1.0,
            missed_deadlines: 0,
        };
        let upload = UploadProgress::default();
        let difference = ClockDifference { ahead_ms: 5_000.0, uncertainty_ms: 1.0 };
        let clock = ClockView::of(VehicleClock { control_plane: Some(difference), seat: None });
        let vehicle = VehicleView {
            vehicle: id(),
            kind: "live".into(),
            embodiment: String::new(),
            map: String::new(),
            software: String::new(),
            online: true,
            last_seen_ms: 0,
            status_age_ms: None,
            mode: None,
            author: None,
            speed_mps: None,
            policy: None,
            round_trip_ms: None,
            refused: BTreeMap::new(),
            timing: Some(timing),
            upload: Some(upload),
            clock: Some(clock.clone()),
            autonomous_miles: 0.0,
            manual_miles: 0.0,
            disengagements: 0,
        };
        assert_eq!(declared("VehicleView"), sent(&vehicle));
        assert_eq!(declared("ControlTiming"), sent(&timing));
        assert_eq!(declared("UploadProgress"), sent(&upload));
        assert_eq!(declared("ClockView"), sent(&clock));
        assert_eq!(declared("ClockDifference"), sent(&difference));
        let total = FleetTotal {
            kind: "live".into(),
            vehicles: 0,
            miles: 0.0,
            manual_miles: 0.0,
            disengagements: 0,
            mpd: 0.0,
            mpd_low: 0.0,
            mpd_high: None,
        };
        assert_eq!(declared("FleetTotal"), sent(&total));
        let cause = CauseCount { kind: "live".into(), cause: "stuck".into(), disengagements: 1 };
        assert_eq!(declared("CauseCount"), sent(&cause));
        let row = FleetRow { kind: "live".into(), manual_miles: 0.0, driven: evaluation() };
        let fleet = Fleet { totals: vec![total], by_policy: vec![row.clone()], by_cause: vec![cause] };
        assert_eq!(declared("Fleet"), sent(&fleet));
        let mut of_row = declared("Evaluation");
        of_row.extend(["kind".into(), "manual_miles".into()]);
        assert_eq!(of_row, sent(&row));
    }

    #[test]
    fn the_pages_types_of_episodes_and_policies_have_the_fields_that_are_sent() {
        let (id, vehicle) = (EpisodeId::new("e-1").unwrap(), VehicleId::new("car-1").unwrap());
        let policy = PolicyVersion::new("v1").unwrap();
        let takeover = TakeoverView {
            id: id.clone(),
            vehicle: vehicle.clone(),
            kind: "live".into(),
            policy: policy.clone(),
            cause: "stuck".into(),
            at_ms: 0,
            map: String::new(),
            counted: true,
            duration_s: None,
            bytes: None,
            preview: false,
        };
        assert_eq!(declared("TakeoverView"), sent(&takeover));
        assert_eq!(declared("Evaluation"), sent(&evaluation()));
        let verdict = Verdict { verdict: "useful".into(), by: "Anna".into(), note: "glare".into(), at_ms: 1 };
        assert_eq!(declared("Verdict"), sent(&verdict));
        let text = || Some("x".to_owned());
        let episode = Episode {
            id,
            vehicle,
            policy: policy.clone(),
            cause: "stuck".into(),
            file: "e-1.mcap".into(),
            bytes: 1,
            sha256: String::new(),
            start_ms: 0,
            duration_s: 1.0,
            map: String::new(),
            trigger: text(),
            reason: text(),
            software: text(),
            weather: text(),
            seats: vec![SeatId::new("desk").unwrap()],
            x_m: Some(0.0),
            y_m: Some(0.0),
            latitude_deg: Some(0.0),
            longitude_deg: Some(0.0),
            // The catalogue's times are the control plane's.
            clock_ahead_ms: None,
        };
        assert_eq!(declared("EpisodeView"), sent(&EpisodeView { episode, verdict: Some(verdict), preview: true }));
        let version = Policy {
            version: policy,
            parent: None,
            sha256: String::new(),
            episodes: 0,
            frames: 0,
            status: "published".into(),
        };
        assert_eq!(declared("Policy"), sent(&version));
    }
}
