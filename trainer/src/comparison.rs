//! Drives candidates and their predecessor on the same trips until the gate has decided.

use crate::fleet::FleetPlan;
use crate::flywheel::Progress;
use crate::gate::{CandidateState, GateConfig, GateDecision, GateError, GateLook, SequentialGate, TripCount};
use crate::policy_seat::PolicySeat;
use closed_loop::virtual_drive::{DriveError, TripReport};
use protocol::api::MilesPerDisengagement;
use protocol::{PolicyVersion, units};
use serde::{Deserialize, Serialize};

/// Virtual seconds that a core drives in a second, by which a budget of processor time becomes one of trips: the decision must
/// not hang on the machine. Half of what one core of a 2-core server was measured to drive (`takeover evaluate --road e6mini`:
/// 1145 s in 1.2 s of processor time), so that slower ones keep the budget too.
const VIRTUAL_S_PER_CORE_S: f64 = 500.0;

/// What a gate may spend and how sure it has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateBudget {
    /// Chance at most that a candidate ships when none is better.
    pub error: f64,
    /// Processor time at most, minutes of one core; see [`GateBudget::pairs`].
    pub core_minutes: f64,
}

impl Default for GateBudget {
    fn default() -> Self {
        Self { error: 0.05, core_minutes: 20.0 }
    }
}

impl GateBudget {
    /// Pairs of trips that the budget holds when each lasts `trip_s` of virtual time and as many as `candidates` and their
    /// predecessor drive it. The same on every machine: a core is taken to drive 500 virtual seconds a second.
    #[must_use]
    pub fn pairs(&self, trip_s: f64, candidates: usize) -> usize {
        let virtual_s = self.core_minutes * 60.0 * VIRTUAL_S_PER_CORE_S;
        (virtual_s / (trip_s * (candidates + 1) as f64)) as usize
    }
}

/// Why a comparison fails.
#[derive(Debug, thiserror::Error)]
pub enum ComparisonError {
    /// The gate's settings.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A trip.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

/// One side of a comparison, on the trips that decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateSide {
    /// Which policy.
    pub policy: PolicyVersion,
    /// Seed of its training.
    pub training_seed: u64,
    /// How it stands; `null` for the predecessor.
    pub state: Option<CandidateState>,
    /// Trips that it was seen on.
    pub trips: u64,
    /// Miles with it in authority.
    pub miles: f64,
    /// Takeovers and crashes with it in authority.
    pub takeovers: u64,
    /// Miles per takeover; the miles themselves when there was none.
    pub mpd: f64,
    /// Lower end of the exact Poisson 95 % interval.
    pub mpd_low: f64,
    /// Upper end; `null` when there was no takeover.
    pub mpd_high: Option<f64>,
    /// Crashes, those within 30 s after a hand-over included.
    pub crashes: u64,
}

/// What a gate decided and by what; `takeover gate --json`, and what the flywheel keeps of each turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Ship, refuse or inconclusive. Only `ship` ships.
    pub decision: GateDecision,
    /// Which candidate ships.
    pub ships: Option<PolicyVersion>,
    /// Which one is the best by what was seen, whether it ships or not: its place among the candidates.
    pub best: usize,
    /// Chance at most that a candidate ships when none is better.
    pub error: f64,
    /// Seed that the trips' own come from, for the purpose `gate`.
    pub seed: u64,
    /// Names of the roads.
    pub roads: Vec<String>,
    /// Kinds of events on the way.
    pub events: Vec<String>,
    /// Minutes of one core that it was allowed, and the pairs of trips that these are.
    pub budget_core_minutes: f64,
    /// Pairs at most.
    pub budget_pairs: u64,
    /// Pairs driven.
    pub pairs: u64,
    /// The predecessor, over the trips that the best candidate was seen on.
    pub against: GateSide,
    /// The candidates.
    pub candidates: Vec<GateSide>,
    /// The looks.
    pub looks: Vec<GateLook>,
}

/// Compares `candidates` with `against` on the trips of `plan`, whose number of trips does not matter. The same plan, policies
/// and budget give the same report on any machine.
///
/// # Errors
/// [`ComparisonError`] when the budget decides nothing or a trip cannot be driven.
pub fn compare(
    plan: &FleetPlan,
    against: &PolicySeat,
    candidates: &[PolicySeat],
    budget: &GateBudget,
    progress: &dyn Progress,
) -> Result<GateReport, ComparisonError> {
    let pairs = budget.pairs(plan.max_time_s, candidates.len());
    let config = GateConfig { error: budget.error, pairs, candidates: candidates.len() };
    let mut gate = SequentialGate::new(config)?;
    let mut known = 0;
    while let Some(wanted) = gate.wants() {
        let drive = |seat: &PolicySeat| -> Result<Vec<TripCount>, DriveError> {
            let reports = plan.drive_some(known..wanted, seat, |_| progress.advance(""))?;
            Ok(reports.iter().map(count).collect())
        };
        let of = |(index, seat)| if gate.is_open(index) { drive(seat) } else { Ok(Vec::new()) };
        let theirs = candidates.iter().enumerate().map(of).collect::<Result<Vec<_>, _>>()?;
        gate.add(&drive(against)?, &theirs);
        known = wanted;
    }
    Ok(report(plan, against, candidates, budget, &gate))
}

/// What counts of a trip. Once takeovers are judged, the necessary ones take the place of all.
fn count(report: &TripReport) -> TripCount {
    TripCount {
        miles: units::miles(report.trip.autonomous_m),
        events: report.trip.disengagements.len() as u64,
        crashes: u64::from(report.score.crash.is_some()),
    }
}

fn report(
    plan: &FleetPlan,
    against: &PolicySeat,
    candidates: &[PolicySeat],
    budget: &GateBudget,
    gate: &SequentialGate,
) -> GateReport {
    let decision = gate.decision().unwrap_or(GateDecision::Inconclusive);
    let best = gate.best();
    let ships = candidates.get(best).filter(|_| decision == GateDecision::Ship);
    let sides = candidates.iter().zip(gate.states()).enumerate();
    GateReport {
        decision,
        ships: ships.map(|seat| seat.policy.manifest().version.clone()),
        best,
        error: budget.error,
        seed: plan.seed,
        roads: plan.roads.iter().map(|road| road.name().to_owned()).collect(),
        events: plan.event_names(),
        budget_core_minutes: budget.core_minutes,
        budget_pairs: budget.pairs(plan.max_time_s, candidates.len()) as u64,
        pairs: gate.looks().last().map_or(0, |look| look.pairs),
        against: side(against, None, gate.trips(best)[0]),
        candidates: sides.map(|(index, (seat, state))| side(seat, Some(state), gate.trips(index)[1])).collect(),
        looks: gate.looks().to_vec(),
    }
}

fn side(seat: &PolicySeat, state: Option<CandidateState>, trips: &[TripCount]) -> GateSide {
    let miles = trips.iter().fold(0.0, |sum, trip| sum + trip.miles);
    let events = trips.iter().map(|trip| trip.events).sum();
    let MilesPerDisengagement { miles, disengagements, mpd, mpd_low, mpd_high } =
        MilesPerDisengagement::new(miles * units::METRES_PER_MILE, events);
    let manifest = seat.policy.manifest();
    GateSide {
        policy: manifest.version.clone(),
        training_seed: manifest.seed,
        state,
        trips: trips.len() as u64,
        miles,
        takeovers: disengagements,
        mpd,
        mpd_low,
        mpd_high,
        crashes: trips.iter().map(|trip| trip.crashes).sum(),
    }
}
