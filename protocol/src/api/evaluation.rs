//! A row of the report: how far a driver gets in the policy's seat, and how well it drives.

use crate::PolicyVersion;
use serde::{Deserialize, Serialize};

/// `road` of the row over all roads of a report.
pub const ALL_ROADS: &str = "all";
/// `road` of the row over all roads with the kinds of events that no training has seen.
pub const UNSEEN_EVENTS: &str = "unseen_events";

/// Who sat in the policy's seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvaluationRole {
    /// A policy; in a report the one in use.
    Policy,
    /// A policy that was in use before it.
    Previous,
    /// The scripted operator's own driving.
    Operator,
    /// The reference driver: three weights set by hand.
    Reference,
}

impl EvaluationRole {
    /// As the reports name it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Previous => "previous",
            Self::Operator => "operator",
            Self::Reference => "reference",
        }
    }
}

/// `POST /api/v1/evaluations`: what a driver in the policy's seat reached on roads and seeds kept out of training; the last
/// for a policy, a role and a road wins. `GET /api/v1/report` answers the list: published policies in the order of
/// publication, then operator and reference, for each its roads and then all of them; the same bytes as `report.json`.
///
/// Names that end in `_low` and `_high` are the ends of a 95 % interval: exact Poisson (Garwood 1936) for what is counted over
/// miles, exact binomial (Clopper and Pearson 1934) for `completion`, percentiles of a bootstrap over trips (Efron 1979) for
/// the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Which version; `operator` and `reference` for these.
    pub policy: PolicyVersion,
    /// Who that is.
    pub role: EvaluationRole,
    /// Name of the road, [`ALL_ROADS`] or [`UNSEEN_EVENTS`].
    pub road: String,
    /// Turn of the flywheel that made the policy, if one did.
    pub turn: Option<u64>,
    /// Seed of the policy's training; `null` for who was not trained.
    pub training_seed: Option<u64>,
    /// Miles with the policy in authority.
    pub miles: f64,
    /// Takeovers in those miles, and crashes with the policy in authority.
    pub takeovers: u64,
    /// Miles per takeover; the miles themselves when there was none.
    pub mpd: f64,
    /// Lower end.
    pub mpd_low: f64,
    /// Upper end; `null` when there was no takeover.
    pub mpd_high: Option<f64>,
    /// Of the takeovers those that were necessary or unclear, and the crashes; `null` until they are judged.
    pub necessary: Option<u64>,
    /// Miles per necessary takeover.
    pub necessary_mpd: Option<f64>,
    /// Lower end.
    pub necessary_mpd_low: Option<f64>,
    /// Upper end; `null` also when none was necessary.
    pub necessary_mpd_high: Option<f64>,
    /// Collisions and roads left, with the policy in authority or within 30 s after a hand-over.
    pub crashes: u64,
    /// The same in a hundred miles; `null` when nothing was driven, as the two ends.
    pub crashes_per_100_miles: Option<f64>,
    /// Lower end.
    pub crashes_per_100_miles_low: Option<f64>,
    /// Upper end.
    pub crashes_per_100_miles_high: Option<f64>,
    /// Times that a collision was less than 0.95 s away by speeds and headings held, and was avoided; as for crashes.
    pub near_misses: u64,
    /// The same in a hundred miles.
    pub near_misses_per_100_miles: Option<f64>,
    /// Lower end.
    pub near_misses_per_100_miles_low: Option<f64>,
    /// Upper end.
    pub near_misses_per_100_miles_high: Option<f64>,
    /// Times that the policy asked for help.
    pub help_requests: u64,
    /// The same in a hundred miles.
    pub help_requests_per_100_miles: Option<f64>,
    /// Lower end.
    pub help_requests_per_100_miles_low: Option<f64>,
    /// Upper end.
    pub help_requests_per_100_miles_high: Option<f64>,
    /// Trips driven.
    pub trips: u64,
    /// Trips that arrived, or got half as far as a free drive would have in the trip's time, without a crash.
    pub completed: u64,
    /// Their share.
    pub completion: f64,
    /// Lower end.
    pub completion_low: f64,
    /// Upper end.
    pub completion_high: f64,
    /// Mean speed with the policy in authority, standing included.
    pub mean_speed_mps: f64,
    /// Lower end.
    pub mean_speed_mps_low: f64,
    /// Upper end.
    pub mean_speed_mps_high: f64,
    /// That speed against a free drive of the same stretches: alone on the road, at the limit, slowing for bends.
    pub free_speed_share: f64,
    /// Lower end.
    pub free_speed_share_low: f64,
    /// Upper end.
    pub free_speed_share_high: f64,
    /// Share of the time whose accelerations, yaw and jerk passengers accept, by scenarios of 15 s.
    pub comfort: f64,
    /// Lower end.
    pub comfort_low: f64,
    /// Upper end.
    pub comfort_high: f64,
    /// The closed-loop score, 0 to 1.
    pub score: f64,
    /// Lower end.
    pub score_low: f64,
    /// Upper end.
    pub score_high: f64,
    /// What the score consists of.
    pub parts: ScoreParts,
    /// The same by operating domain.
    pub domains: Vec<DomainFigures>,
    /// Kinds of events on the way.
    pub events: Vec<String>,
    /// Seed that the trips' own seeds come from, for the purpose `report`.
    pub seed: u64,
    /// Roads that the policy was trained on, where a flywheel knows them.
    pub trained_on: Vec<String>,
    /// Roads that it was compared with its predecessor on.
    pub gated_on: Vec<String>,
}

/// Parts of the closed-loop score, each from 0 to 1, means over the time with the policy in authority. The score is the
/// product of the first four and the mean of the others with the weights 5, 5, 4 and 2.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ScoreParts {
    /// No collision of one's own fault.
    pub no_at_fault_collision: f64,
    /// On the road.
    pub drivable_area: f64,
    /// Not against the traffic.
    pub direction: f64,
    /// Getting on at all.
    pub making_progress: f64,
    /// Way made against a free drive.
    pub progress: f64,
    /// Time to a collision at least 0.95 s.
    pub time_to_collision: f64,
    /// Kept to the speed limit.
    pub speed_limit: f64,
    /// Accelerations, yaw and jerk that passengers accept.
    pub comfort: f64,
}

/// Figures of one operating domain: a weather and a band of speed limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DomainFigures {
    /// Such as `rain, limit to 50 km/h`.
    pub domain: String,
    /// Miles with the policy in authority.
    pub miles: f64,
    /// Takeovers and crashes in those miles.
    pub takeovers: u64,
    /// Miles per takeover.
    pub mpd: f64,
    /// Lower end.
    pub mpd_low: f64,
    /// Upper end; `null` when there was no takeover.
    pub mpd_high: Option<f64>,
    /// Crashes, those within 30 s after a hand-over included.
    pub crashes: u64,
    /// Near misses, those within 30 s after a hand-over included.
    pub near_misses: u64,
    /// Mean speed with the policy in authority.
    pub mean_speed_mps: f64,
}

impl Evaluation {
    /// A row of nothing driven yet.
    #[must_use]
    pub fn empty(policy: PolicyVersion, role: EvaluationRole, road: String) -> Self {
        Self {
            policy,
            role,
            road,
            turn: None,
            training_seed: None,
            miles: 0.0,
            takeovers: 0,
            mpd: 0.0,
            mpd_low: 0.0,
            mpd_high: None,
            necessary: None,
            necessary_mpd: None,
            necessary_mpd_low: None,
            necessary_mpd_high: None,
            crashes: 0,
            crashes_per_100_miles: None,
            crashes_per_100_miles_low: None,
            crashes_per_100_miles_high: None,
            near_misses: 0,
            near_misses_per_100_miles: None,
            near_misses_per_100_miles_low: None,
            near_misses_per_100_miles_high: None,
            help_requests: 0,
            help_requests_per_100_miles: None,
            help_requests_per_100_miles_low: None,
            help_requests_per_100_miles_high: None,
            trips: 0,
            completed: 0,
            completion: 0.0,
            completion_low: 0.0,
            completion_high: 1.0,
            mean_speed_mps: 0.0,
            mean_speed_mps_low: 0.0,
            mean_speed_mps_high: 0.0,
            free_speed_share: 0.0,
            free_speed_share_low: 0.0,
            free_speed_share_high: 0.0,
            comfort: 0.0,
            comfort_low: 0.0,
            comfort_high: 0.0,
            score: 0.0,
            score_low: 0.0,
            score_high: 0.0,
            parts: ScoreParts::default(),
            domains: Vec::new(),
            events: Vec::new(),
            seed: 0,
            trained_on: Vec::new(),
            gated_on: Vec::new(),
        }
    }
}
