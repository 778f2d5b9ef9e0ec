//! One scenario: what happened in up to 15 s of a policy's driving, and what that is worth.

use super::collision;
use super::frame::ScoreFrame;
use protocol::api::ScoreParts;

/// A corner may be so far beyond the edge of the road, metres: nuPlan's.
const OFF_ROAD_M: f64 = 0.3;
/// Way against the traffic within a second that leaves all, and half, of the score, metres: nuPlan's.
const AGAINST_M: (f64, f64) = (2.0, 6.0);
/// Frames of that second.
const SECOND: usize = 10;
/// Pace against the free drive below which nobody gets on: nuPlan's, against its expert.
const GETS_ON: f64 = 0.2;
/// Mean excess over the limit that leaves nothing, m/s: nuPlan's.
const EXCESS_MPS: f64 = 2.23;
/// Weights of progress, time to collision, limit and comfort: nuPlan's.
const WEIGHTS: [f64; 4] = [5.0, 5.0, 4.0, 2.0];
/// What passengers accept: nuPlan's bounds of longitudinal, lateral acceleration, yaw rate, yaw acceleration, longitudinal
/// jerk, jerk, in SI units.
const LONGITUDINAL_MPS2: (f64, f64) = (-4.05, 2.40);
const LATERAL_MPS2: f64 = 4.89;
const YAW_RADPS: f64 = 0.95;
const YAW_RADPS2: f64 = 1.93;
const LONGITUDINAL_JERK_MPS3: f64 = 4.13;
const JERK_MPS3: f64 = 8.37;
/// Quadratic smoothing over 7 frames (Savitzky and Golay 1964, table I).
const SMOOTH: [f64; 7] = [-2.0 / 21.0, 3.0 / 21.0, 6.0 / 21.0, 7.0 / 21.0, 6.0 / 21.0, 3.0 / 21.0, -2.0 / 21.0];
/// Frames to each side of the one whose slope is taken: nuPlan's window of 15.
const SLOPE_SIDE: usize = 7;

/// A scenario under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Scenario {
    seconds: f64,
    free_s: f64,
    excess_m: f64,
    edge_margin_m: Option<f64>,
    collision_near: bool,
    against_m: Vec<f64>,
    longitudinal: Vec<f64>,
    lateral: Vec<f64>,
    yaw: Vec<f64>,
}

impl Scenario {
    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Adds the time from `before` to `frame`, whose way a free drive makes in `free_s`.
    pub(super) fn add(&mut self, before: &ScoreFrame, frame: &ScoreFrame, free_s: f64) {
        let dt_s = frame.time_s - before.time_s;
        self.seconds += dt_s;
        self.free_s += free_s;
        self.excess_m += (frame.ego.speed_mps - frame.limit_mps).max(0.0) * dt_s;
        self.edge_margin_m = Some(self.edge_margin_m.map_or(frame.edge_margin_m, |m| m.min(frame.edge_margin_m)));
        self.collision_near |= collision::is_near(frame);
        let way_m = (frame.odometer_m - before.odometer_m).abs();
        self.against_m.push(if frame.against_traffic { way_m } else { 0.0 });
        // The moment of a collision has no acceleration that anybody chose.
        if frame.struck.is_none() {
            self.longitudinal.push(frame.acceleration_mps2);
            self.lateral.push(frame.ego.speed_mps * frame.yaw_rate_radps);
            self.yaw.push(frame.yaw_rate_radps);
        }
    }

    pub(super) fn parts(&self) -> ScoreParts {
        let yes = |holds: bool| f64::from(u8::from(holds));
        let pace = if self.seconds > 0.0 { (self.free_s / self.seconds).min(1.0) } else { 0.0 };
        let against_m = self.against_m.windows(SECOND.min(self.against_m.len().max(1))).map(|w| w.iter().sum::<f64>());
        let direction = match against_m.fold(0.0, f64::max) {
            m if m <= AGAINST_M.0 => 1.0,
            m if m <= AGAINST_M.1 => 0.5,
            _ => 0.0,
        };
        ScoreParts {
            no_at_fault_collision: 1.0,
            drivable_area: yes(self.edge_margin_m.is_none_or(|margin| margin >= -OFF_ROAD_M)),
            direction,
            making_progress: yes(pace >= GETS_ON),
            progress: pace,
            time_to_collision: yes(!self.collision_near),
            speed_limit: (1.0 - self.excess_m / (EXCESS_MPS * self.seconds.max(1e-9))).max(0.0),
            comfort: yes(self.is_comfortable()),
        }
    }

    fn is_comfortable(&self) -> bool {
        let magnitude: Vec<f64> = self.longitudinal.iter().zip(&self.lateral).map(|(a, b)| a.hypot(*b)).collect();
        let within = |values: &[f64], low: f64, high: f64| values.iter().all(|v| (low..=high).contains(v));
        let bounded = |values: &[f64], most: f64| within(values, -most, most);
        within(&smooth(&self.longitudinal), LONGITUDINAL_MPS2.0, LONGITUDINAL_MPS2.1)
            && bounded(&smooth(&self.lateral), LATERAL_MPS2)
            && bounded(&self.yaw, YAW_RADPS)
            && bounded(&slopes(&self.yaw), YAW_RADPS2)
            && bounded(&slopes(&self.longitudinal), LONGITUDINAL_JERK_MPS3)
            && bounded(&slopes(&magnitude), JERK_MPS3)
    }
}

/// Smoothed, without the ends.
fn smooth(values: &[f64]) -> Vec<f64> {
    values.windows(SMOOTH.len()).map(|w| w.iter().zip(&SMOOTH).map(|(v, weight)| v * weight).sum()).collect()
}

/// Slopes in a second, by least squares over the frames beside each.
fn slopes(values: &[f64]) -> Vec<f64> {
    let offset = |i: usize| i as f64 - SLOPE_SIDE as f64;
    let squares: f64 = (0..=2 * SLOPE_SIDE).map(|i| offset(i).powi(2)).sum();
    let per_s = SECOND as f64;
    let slope = |w: &[f64]| w.iter().enumerate().map(|(i, v)| offset(i) * v).sum::<f64>() / squares * per_s;
    values.windows(2 * SLOPE_SIDE + 1).map(slope).collect()
}

/// The score of these parts.
pub(super) fn score(parts: &ScoreParts) -> f64 {
    let conditions = [parts.no_at_fault_collision, parts.drivable_area, parts.direction, parts.making_progress];
    let qualities = [parts.progress, parts.time_to_collision, parts.speed_limit, parts.comfort];
    let mean = qualities.iter().zip(WEIGHTS).map(|(part, weight)| part * weight).sum::<f64>();
    conditions.iter().product::<f64>() * mean / WEIGHTS.iter().sum::<f64>()
}

/// Adds `parts` times `seconds` to `sum`.
pub(super) fn add_weighted(sum: &mut ScoreParts, parts: &ScoreParts, seconds: f64) {
    sum.no_at_fault_collision += seconds * parts.no_at_fault_collision;
    sum.drivable_area += seconds * parts.drivable_area;
    sum.direction += seconds * parts.direction;
    sum.making_progress += seconds * parts.making_progress;
    sum.progress += seconds * parts.progress;
    sum.time_to_collision += seconds * parts.time_to_collision;
    sum.speed_limit += seconds * parts.speed_limit;
    sum.comfort += seconds * parts.comfort;
}
