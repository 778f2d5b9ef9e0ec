//! Whether a candidate is better than its predecessor: a sequential test on trips that both drove. Pure statistics; who
//! drives is [`crate::comparison`].
//!
//! - The same trips for both (same road, same seed) are pairs: what a trip has of its own cancels. The statistic is the
//!   difference of events a mile, linearised by pairs (a ratio estimator; Cochran 1977, chapter 6), over its standard error
//!   from the spread of the pairs, whatever their distribution; of few pairs it counts as Student's.
//! - Looks at 16 pairs and then at each half more, up to a budget that is fixed beforehand. A candidate ships when it is above
//!   the boundary of a group-sequential test ([`boundaries`]): over all looks one that is no better does with at most the
//!   stated error.
//! - Of several candidates (one a training seed) each has its share of the error (Bonferroni), and the best that is above its
//!   boundary ships: the choice among them is paid for, whatever they have in common.
//! - A candidate below the mirrored boundary is worse; one whose trend will not reach the boundary is given up, which costs
//!   nothing of the error. Nothing but above the boundary ships.

mod boundaries;

use boundaries::{boundaries, prospect, spent};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Pairs at the first look.
const FIRST_LOOK: usize = 16;
/// Each look has so many times the pairs of the look before.
const LOOK_GROWTH: f64 = 1.5;
/// A candidate is given up when, with at least this share of the budget spent, it reaches the last boundary with at most this
/// chance on its trend: usual figures of stochastic curtailment (Lan, Simon and Halperin 1982).
const GIVE_UP: (f64, f64) = (0.25, 0.05);
/// Added to the miles of every trip, so that one who never drove has a rate: 1.6 m.
const LEAST_MILES: f64 = 1e-3;
/// Smallest probability that is told apart from zero.
const LEAST_P: f64 = 1e-15;

/// Settings of a gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateConfig {
    /// Chance at most that a candidate ships when none is better.
    pub error: f64,
    /// Pairs of trips at most.
    pub pairs: usize,
    /// Candidates.
    pub candidates: usize,
}

/// Why there is no gate.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum GateError {
    /// The error is no error.
    #[error("an error of {0} decides nothing: use one above 0 and below 0.5")]
    Error(f64),
    /// Too few trips.
    #[error("a budget of {0} pairs of trips is too small to see a spread: allow at least 2")]
    Pairs(usize),
    /// Nothing to decide.
    #[error("there is no candidate")]
    NoCandidate,
}

/// What counts of one trip.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TripCount {
    /// Miles with the driver in authority.
    pub miles: f64,
    /// Takeovers and crashes in them: the necessary ones where they are judged.
    pub events: u64,
    /// Crashes, those soon after a hand-over included; they are shown, not tested.
    pub crashes: u64,
}

/// How the gate decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateDecision {
    /// A candidate is better.
    Ship,
    /// Every candidate is worse.
    Refuse,
    /// Neither; the predecessor stays.
    Inconclusive,
}

/// How a candidate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateState {
    /// Neither better nor worse yet.
    Open,
    /// Above its boundary.
    Better,
    /// Below the mirrored one.
    Worse,
    /// Will hardly get above.
    GivenUp,
}

/// One look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateLook {
    /// Pairs known.
    pub pairs: u64,
    /// What a candidate has to be above, standard deviations.
    pub boundary: f64,
    /// Where each is; `null` for who is out already.
    pub z: Vec<Option<f64>>,
}

struct Candidate {
    trips: Vec<TripCount>,
    state: CandidateState,
}

/// A test in progress: [`Self::wants`] says up to how many pairs it has to know, [`Self::add`] takes them in and looks.
pub struct SequentialGate {
    config: GateConfig,
    /// Pairs and boundary of each look.
    plan: Vec<(usize, f64)>,
    against: Vec<TripCount>,
    candidates: Vec<Candidate>,
    looks: Vec<GateLook>,
    decision: Option<GateDecision>,
}

impl SequentialGate {
    /// A test with nothing known.
    ///
    /// # Errors
    /// [`GateError`] when the settings decide nothing.
    pub fn new(config: GateConfig) -> Result<Self, GateError> {
        if !(config.error > 0.0 && config.error < 0.5) {
            return Err(GateError::Error(config.error));
        }
        if config.pairs < 2 {
            return Err(GateError::Pairs(config.pairs));
        }
        if config.candidates == 0 {
            return Err(GateError::NoCandidate);
        }
        let pairs = looks(config.pairs);
        let shares: Vec<f64> = pairs.iter().map(|n| *n as f64 / config.pairs as f64).collect();
        let error = config.error / config.candidates as f64;
        let boundaries = boundaries(&shares, |share| spent(error, share));
        let open = || Candidate { trips: Vec::new(), state: CandidateState::Open };
        Ok(Self {
            config,
            plan: pairs.into_iter().zip(boundaries).collect(),
            against: Vec::new(),
            candidates: (0..config.candidates).map(|_| open()).collect(),
            looks: Vec::new(),
            decision: None,
        })
    }

    /// Up to how many pairs the next look has to know; `None` when it is decided.
    #[must_use]
    pub fn wants(&self) -> Option<usize> {
        if self.decision.is_some() { None } else { self.plan.get(self.looks.len()).map(|(pairs, _)| *pairs) }
    }

    /// Whether candidate `index` has still to drive.
    #[must_use]
    pub fn is_open(&self, index: usize) -> bool {
        self.candidates.get(index).is_some_and(|candidate| candidate.state == CandidateState::Open)
    }

    /// Takes in trips, the predecessor's and each open candidate's, the same ones in the same order, and looks where a look
    /// is due. Trips beyond it wait for the next.
    pub fn add(&mut self, against: &[TripCount], candidates: &[Vec<TripCount>]) {
        self.against.extend_from_slice(against);
        for (known, new) in self.candidates.iter_mut().zip(candidates) {
            if known.state == CandidateState::Open {
                known.trips.extend_from_slice(new);
            }
        }
        while let Some(pairs) = self.wants().filter(|pairs| self.knows(*pairs)) {
            self.look(pairs);
        }
    }

    fn knows(&self, pairs: usize) -> bool {
        let open = self.candidates.iter().filter(|c| c.state == CandidateState::Open);
        self.against.len() >= pairs && open.into_iter().all(|candidate| candidate.trips.len() >= pairs)
    }

    fn look(&mut self, pairs: usize) {
        let (_, boundary) = self.plan[self.looks.len()];
        let last = self.plan.last().map_or(boundary, |(_, boundary)| *boundary);
        let share = pairs as f64 / self.config.pairs as f64;
        let mut look = GateLook { pairs: pairs as u64, boundary, z: Vec::new() };
        for candidate in &mut self.candidates {
            if candidate.state != CandidateState::Open {
                look.z.push(None);
                continue;
            }
            let z = improvement(&candidate.trips[..pairs], &self.against[..pairs]);
            look.z.push(Some(z));
            candidate.state = match z {
                z if z >= boundary => CandidateState::Better,
                z if z <= -boundary => CandidateState::Worse,
                z if share >= GIVE_UP.0 && share < 1.0 && prospect(z, share, last) <= GIVE_UP.1 => {
                    CandidateState::GivenUp
                }
                _ => CandidateState::Open,
            };
        }
        self.looks.push(look);
        let states: Vec<CandidateState> = self.states().collect();
        let is_last = self.looks.len() == self.plan.len();
        self.decision = if states.contains(&CandidateState::Better) {
            Some(GateDecision::Ship)
        } else if states.iter().all(|state| *state == CandidateState::Worse) {
            Some(GateDecision::Refuse)
        } else if is_last || !states.contains(&CandidateState::Open) {
            Some(GateDecision::Inconclusive)
        } else {
            None
        };
    }

    /// The decision, once there is one.
    #[must_use]
    pub fn decision(&self) -> Option<GateDecision> {
        self.decision
    }

    /// How each candidate stands.
    pub fn states(&self) -> impl Iterator<Item = CandidateState> {
        self.candidates.iter().map(|candidate| candidate.state)
    }

    /// The looks so far.
    #[must_use]
    pub fn looks(&self) -> &[GateLook] {
        &self.looks
    }

    /// The candidate that is farthest above the predecessor in its last look: among the better ones, else among all.
    #[must_use]
    pub fn best(&self) -> usize {
        let last_z = |index: usize| self.looks.iter().rev().find_map(|look| look.z[index]).unwrap_or(f64::NEG_INFINITY);
        let rank = |index: usize| (self.candidates[index].state == CandidateState::Better, last_z(index));
        // The first of equals, so that the order of the candidates settles it.
        (1..self.candidates.len()).fold(0, |best, index| if rank(index) > rank(best) { index } else { best })
    }

    /// The predecessor's trips, and candidate `index`'s, as far as looks have seen them.
    #[must_use]
    pub fn trips(&self, index: usize) -> [&[TripCount]; 2] {
        let seen = self.looks.iter().rev().find(|look| look.z[index].is_some()).map_or(0, |look| look.pairs as usize);
        [&self.against[..seen], &self.candidates[index].trips[..seen]]
    }
}

/// Pairs at each look.
fn looks(budget: usize) -> Vec<usize> {
    let mut looks = Vec::new();
    let mut next = FIRST_LOOK as f64;
    // A look just before the last would see almost nothing else.
    while next * LOOK_GROWTH.sqrt() < budget as f64 {
        looks.push(next.round() as usize);
        next *= LOOK_GROWTH;
    }
    looks.push(budget);
    looks
}

/// By how many standard deviations the candidate has fewer events a mile; with few pairs the deviate of a normal distribution
/// that is as improbable as Student's.
fn improvement(candidate: &[TripCount], against: &[TripCount]) -> f64 {
    let sums = |trips: &[TripCount]| {
        trips.iter().fold((0.0, 0.0), |(events, miles), trip| (events + trip.events as f64, miles + exposure(trip)))
    };
    let ((events_c, miles_c), (events_p, miles_p)) = (sums(candidate), sums(against));
    let (rate_c, rate_p) = (events_c / miles_c, events_p / miles_p);
    let influence = |(c, p): (&TripCount, &TripCount)| {
        (p.events as f64 - rate_p * exposure(p)) / miles_p - (c.events as f64 - rate_c * exposure(c)) / miles_c
    };
    let pairs = candidate.len() as f64;
    let squares: f64 = candidate.iter().zip(against).map(|pair| influence(pair).powi(2)).sum();
    let deviation = (squares * pairs / (pairs - 1.0)).sqrt();
    if deviation <= 0.0 || !deviation.is_finite() {
        return 0.0;
    }
    as_normal((rate_p - rate_c) / deviation, pairs - 1.0)
}

fn exposure(trip: &TripCount) -> f64 {
    trip.miles + LEAST_MILES
}

fn as_normal(t: f64, freedom: f64) -> f64 {
    let (Ok(student), Ok(normal)) = (StudentsT::new(0.0, 1.0, freedom), Normal::new(0.0, 1.0)) else { return 0.0 };
    let p = student.sf(t.abs()).max(LEAST_P);
    normal.inverse_cdf(1.0 - p).copysign(t)
}

#[cfg(test)]
mod tests;
