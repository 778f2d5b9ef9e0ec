//! From trials to a table.

use super::Mode;
use super::trip_run::{Ending, Trial};
use serde::Serialize;

/// A share with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// Successes by trials.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Quantile of the normal distribution for 95 % on both sides.
const Z: f64 = 1.959_963_985;

impl Share {
    /// The share with its score interval (Wilson 1927).
    #[must_use]
    pub fn wilson(successes: usize, trials: usize) -> Self {
        if trials == 0 {
            return Self { value: 0.0, low: 0.0, high: 1.0 };
        }
        let (n, p) = (trials as f64, successes as f64 / trials as f64);
        let z2 = Z * Z;
        let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        Self { value: p, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
    }
}

/// One way to drive under one delay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// How the operator copes with the delay.
    pub mode: Mode,
    /// Delay, one way.
    pub one_way_ms: f64,
    /// Trips.
    pub trips: usize,
    /// Share that got to the end of the route.
    pub completed: Share,
    /// Trips that ended in a collision.
    pub collisions: usize,
    /// Trips that ended off the road.
    pub off_road: usize,
    /// Trips that did not get on.
    pub time_up: usize,
    /// Root mean square of the lane error over all trips, metres.
    pub lane_rms_m: f64,
    /// The greatest lane error of the median trip.
    pub lane_max_median_m: f64,
    /// The greatest of all.
    pub lane_max_m: f64,
    /// Distance by time over all trips, m/s.
    pub speed_mps: f64,
    /// Minimal risk manoeuvres.
    pub manoeuvres: u32,
    /// Share of the time in which emergency braking held the car back.
    pub braked: f64,
    /// Share of completed trips that the goal asks for, if there is one.
    pub goal: Option<f64>,
    /// Whether it is reached.
    pub met: Option<bool>,
}

/// Shares of completed trips to be reached by those who compensate for the delay: one-way delay in milliseconds, share.
const GOALS: [(f64, f64); 2] = [(225.0, 0.95), (300.0, 0.9)];

fn goal(mode: Mode, one_way_ms: f64) -> Option<f64> {
    let compensates = matches!(mode, Mode::Predictive | Mode::Trajectory);
    GOALS.iter().find(|(delay, _)| compensates && *delay == one_way_ms).map(|(_, share)| *share)
}

/// One row for each mode and delay, in the trials' order.
#[must_use]
pub fn summarise(trials: &[Trial]) -> Vec<Row> {
    let mut cells: Vec<(Mode, f64)> = Vec::new();
    for trial in trials {
        if !cells.contains(&(trial.mode, trial.one_way_ms)) {
            cells.push((trial.mode, trial.one_way_ms));
        }
    }
    let of = |(mode, one_way_ms): (Mode, f64)| -> Vec<&Trial> {
        trials.iter().filter(|t| t.mode == mode && t.one_way_ms == one_way_ms).collect()
    };
    cells.into_iter().map(|cell| row(cell, &of(cell))).collect()
}

fn row((mode, one_way_ms): (Mode, f64), trials: &[&Trial]) -> Row {
    let count = |ending| trials.iter().filter(|t| t.ending == ending).count();
    let sum = |value: fn(&Trial) -> f64| trials.iter().map(|t| value(t)).sum::<f64>();
    let time_s = sum(|t| t.time_s).max(1e-9);
    let completed = Share::wilson(count(Ending::Completed), trials.len());
    let goal = goal(mode, one_way_ms);
    let mut greatest: Vec<f64> = trials.iter().map(|t| t.lane_max_m).collect();
    greatest.sort_by(f64::total_cmp);
    Row {
        mode,
        one_way_ms,
        trips: trials.len(),
        completed,
        collisions: count(Ending::Collision),
        off_road: count(Ending::OffRoad),
        time_up: count(Ending::TimeUp),
        lane_rms_m: (sum(|t| t.lane_rms_m * t.lane_rms_m * t.lane_ticks as f64)
            / sum(|t| t.lane_ticks as f64).max(1.0))
        .sqrt(),
        lane_max_median_m: greatest.get(greatest.len() / 2).copied().unwrap_or(0.0),
        lane_max_m: greatest.last().copied().unwrap_or(0.0),
        speed_mps: sum(|t| t.distance_m) / time_s,
        manoeuvres: trials.iter().map(|t| t.manoeuvres).sum(),
        braked: sum(|t| t.braked * t.time_s) / time_s,
        goal,
        met: goal.map(|goal| completed.value >= goal),
    }
}
