//! From trips to the rows of a report.
//!
//! Intervals are exact where something is counted ([`protocol::mpd`]). What is a mean over the way driven gets the percentiles
//! of a bootstrap over trips (Efron 1979), the units that are independent of each other.

use crate::fleet::FleetPlan;
use crate::policy_seat::PolicySeat;
use closed_loop::necessity::Necessity;
use closed_loop::score::{DomainCounts, TripScore};
use closed_loop::virtual_drive::TripReport;
use protocol::api::{ALL_ROADS, DomainFigures, Evaluation, EvaluationRole, MilesPerDisengagement, ScoreParts};
use protocol::units;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Metric of a manifest: the turn of the flywheel that made the policy.
pub const TURN: &str = "turn";
/// Resamples of a bootstrap.
const RESAMPLES: usize = 1_000;
/// Seed of the resampling: it decides nothing but the last digits of an interval.
const BOOTSTRAP_SEED: u64 = 0xb007;

/// Disengagements of a trip that count as necessary: all but the takeovers that were judged precautionary, so the necessary and
/// the unclear ones, and a crash with the policy in authority.
fn necessary(report: &TripReport) -> u64 {
    let precautionary = report.judged.iter().filter(|taken| taken.verdict.necessity == Necessity::Precautionary);
    (report.trip.disengagements.len() as u64).saturating_sub(precautionary.count() as u64)
}

/// The rows of a driver's trips: one a road, in the roads' order, and one over all of them. `reports` are those of `plan` in
/// its order.
#[must_use]
pub fn rows(seat: &PolicySeat, plan: &FleetPlan, reports: &[TripReport]) -> Vec<Evaluation> {
    let count = plan.roads.len();
    let of_road = |(index, network): (usize, &std::sync::Arc<sim::road::RoadNetwork>)| {
        let trips: Vec<&TripReport> = reports.iter().skip(index).step_by(count).collect();
        row(seat, plan, network.name(), &trips)
    };
    let mut rows: Vec<Evaluation> = plan.roads.iter().enumerate().map(of_road).collect();
    rows.push(row(seat, plan, ALL_ROADS, &reports.iter().collect::<Vec<_>>()));
    rows
}

/// The row of these trips of a driver.
#[must_use]
pub fn row(seat: &PolicySeat, plan: &FleetPlan, road: &str, trips: &[&TripReport]) -> Evaluation {
    let manifest = seat.policy.manifest();
    let is_learnt = matches!(seat.role, EvaluationRole::Policy | EvaluationRole::Previous);
    let scores: Vec<&TripScore> = trips.iter().map(|report| &report.score).collect();
    let sum = |count: &dyn Fn(&TripReport) -> u64| trips.iter().map(|report| count(report)).sum::<u64>();
    // Not `sum`: that of nothing is -0.
    let metres = trips.iter().fold(0.0, |sum, report| sum + report.trip.autonomous_m);
    let mut row = Evaluation {
        turn: manifest.metrics.get(TURN).map(|turn| *turn as u64),
        training_seed: is_learnt.then_some(manifest.seed),
        miles: units::miles(metres),
        takeovers: sum(&|report| report.trip.disengagements.len() as u64),
        necessary: plan.necessity.as_ref().map(|_| sum(&necessary)),
        crashes: sum(&|report| u64::from(report.score.crash.is_some())),
        near_misses: sum(&|report| report.score.near_misses),
        help_requests: sum(&|report| report.score.help_requests),
        trips: trips.len() as u64,
        completed: sum(&|report| u64::from(report.score.completed)),
        parts: parts(&scores),
        domains: domains(&scores),
        events: plan.event_names(),
        seed: plan.seed,
        ..Evaluation::empty(manifest.version.clone(), seat.role, road.to_owned())
    };
    let mean = |top: &dyn Fn(&TripScore) -> f64| Mean::new(&scores, top, &|score| score.policy_s);
    [row.mean_speed_mps, row.mean_speed_mps_low, row.mean_speed_mps_high] = mean(&|s| s.policy_m).with_interval();
    [row.free_speed_share, row.free_speed_share_low, row.free_speed_share_high] = mean(&|s| s.free_s).with_interval();
    // A sum of the same seconds in another order may be a last digit more.
    let share = |top: &dyn Fn(&TripScore) -> f64| mean(top).with_interval().map(|value| value.min(1.0));
    [row.comfort, row.comfort_low, row.comfort_high] = share(&|s| s.parts_s.comfort);
    [row.score, row.score_low, row.score_high] = share(&|s| s.score_s);
    row.derived()
}

/// The parts of the score, means over time.
fn parts(scores: &[&TripScore]) -> ScoreParts {
    let mean = |part: fn(&ScoreParts) -> f64| Mean::new(scores, &|s| part(&s.parts_s), &|s| s.policy_s).value();
    ScoreParts {
        no_at_fault_collision: mean(|p| p.no_at_fault_collision),
        drivable_area: mean(|p| p.drivable_area),
        direction: mean(|p| p.direction),
        making_progress: mean(|p| p.making_progress),
        progress: mean(|p| p.progress),
        time_to_collision: mean(|p| p.time_to_collision),
        speed_limit: mean(|p| p.speed_limit),
        comfort: mean(|p| p.comfort),
    }
}

fn domains(scores: &[&TripScore]) -> Vec<DomainFigures> {
    let mut sums: BTreeMap<&str, DomainCounts> = BTreeMap::new();
    for (domain, counts) in scores.iter().flat_map(|score| &score.domains) {
        let sum = sums.entry(domain).or_default();
        sum.policy_m += counts.policy_m;
        sum.policy_s += counts.policy_s;
        sum.takeovers += counts.takeovers;
        sum.crashes += counts.crashes;
        sum.near_misses += counts.near_misses;
    }
    let figures = |(domain, sum): (&str, DomainCounts)| {
        let MilesPerDisengagement { miles, disengagements, mpd, mpd_low, mpd_high } =
            MilesPerDisengagement::new(sum.policy_m, sum.takeovers);
        DomainFigures {
            domain: domain.to_owned(),
            miles,
            takeovers: disengagements,
            mpd,
            mpd_low,
            mpd_high,
            crashes: sum.crashes,
            near_misses: sum.near_misses,
            mean_speed_mps: if sum.policy_s > 0.0 { sum.policy_m / sum.policy_s } else { 0.0 },
        }
    };
    sums.into_iter().map(figures).collect()
}

/// A quotient of sums over trips.
struct Mean(Vec<(f64, f64)>);

impl Mean {
    fn new(scores: &[&TripScore], top: &dyn Fn(&TripScore) -> f64, bottom: &dyn Fn(&TripScore) -> f64) -> Self {
        Self(scores.iter().map(|score| (top(score), bottom(score))).collect())
    }

    fn of(trips: impl Iterator<Item = (f64, f64)>) -> f64 {
        let (top, bottom) = trips.fold((0.0, 0.0), |sum, trip| (sum.0 + trip.0, sum.1 + trip.1));
        if bottom > 0.0 { top / bottom } else { 0.0 }
    }

    fn value(&self) -> f64 {
        Self::of(self.0.iter().copied())
    }

    /// The quotient and the 2.5 and 97.5 percentiles of its bootstrap.
    fn with_interval(&self) -> [f64; 3] {
        let value = self.value();
        let count = self.0.len();
        if count == 0 {
            return [value; 3];
        }
        let mut rng = ChaCha8Rng::seed_from_u64(BOOTSTRAP_SEED);
        let mut again = || Self::of((0..count).map(|_| self.0[rng.random_range(0..count)]));
        let mut resampled: Vec<f64> = (0..RESAMPLES).map(|_| again()).collect();
        resampled.sort_by(f64::total_cmp);
        let at = |share: f64| resampled[(share * (RESAMPLES - 1) as f64).round() as usize];
        [value, at(0.025), at(0.975)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bootstrap_covers_the_mean_as_often_as_it_says() {
        // Trips of uneven length whose pace is gamma-like around 8 m/s.
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut covered = 0;
        for _ in 0..200 {
            let trip = |rng: &mut ChaCha8Rng| {
                let seconds = rng.random_range(20.0..150.0);
                let pace: f64 = (0..4).map(|_| -2.0 * (1.0f64 - rng.random::<f64>()).ln()).sum();
                (pace * seconds, seconds)
            };
            let mean = Mean((0..40).map(|_| trip(&mut rng)).collect());
            let [value, low, high] = mean.with_interval();
            assert!(low <= value && value <= high);
            covered += u32::from(low <= 8.0 && 8.0 <= high);
        }
        assert!((180..=199).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn nothing_driven_is_nothing_and_one_trip_has_no_spread() {
        assert_eq!(Mean(Vec::new()).with_interval(), [0.0; 3]);
        assert_eq!(Mean(vec![(12.0, 4.0)]).with_interval(), [3.0; 3]);
    }
}
