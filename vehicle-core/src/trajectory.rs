//! Driving by trajectory: the operator says where the vehicle should be and how fast in the next seconds, the vehicle
//! follows by its own eyes. The link's delay is then in no control loop; it only ages the intent.
//!
//! A trajectory is an operator's input like any other: what lets it in is [`super::gate::admission`], what it wants
//! passes [`super::gate::actuation`] and the latency governor at each tick, and the operator's silence ends it 200 ms
//! later however far it reaches. Past its own end it is a stop.

use super::pursuit;
use protocol::Embodiment;
use protocol::v1::{self, Pose2, Reason};

/// Most points of a trajectory.
pub const MAX_POINTS: usize = 32;
/// Longest time from the first point to the last, microseconds.
pub const MAX_SPAN_US: u64 = 10_000_000;
/// The first point may lie this far ahead in time, microseconds: what is sent is meant for when it arrives.
pub const MAX_AHEAD_US: u64 = 500_000;
/// A vehicle farther from the line than this does not follow it, metres.
pub const MAX_OFF_M: f64 = 4.0;
/// Pure pursuit looks this far ahead, seconds of driving, within bounds in metres.
const LOOK_AHEAD_S: f64 = 0.55;
const LOOK_AHEAD_M: (f64, f64) = (3.5, 12.0);
/// The nearest place that may be steered to when the line ends before the look-ahead, metres.
const NEAREST_M: f64 = 1.5;
/// Time in which an error of speed is made good, seconds.
const SETTLE_S: f64 = 0.7;
/// Lag of engine and brakes that is allowed for, microseconds.
const LAG_US: u64 = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Point {
    at_us: u64,
    x_m: f64,
    y_m: f64,
    speed_mps: f64,
}

/// A trajectory whose numbers are finite, in order of time and within what the robot can do. It does not prove that the
/// vehicle is near it or that the way is free.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trajectory {
    points: [Point; MAX_POINTS],
    count: usize,
}

/// What the trajectory asks for at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrajectorySetpoint {
    /// Acceleration, m/s^2.
    pub acceleration_mps2: f64,
    /// Curvature of the path, 1/m; `None`: as it is.
    pub curvature_per_m: Option<f64>,
}

fn is_countable(points: &[v1::TrajectoryPoint]) -> bool {
    (2..=MAX_POINTS).contains(&points.len())
}

fn is_finite(points: &[v1::TrajectoryPoint]) -> bool {
    points.iter().all(|p| p.x_m.is_finite() && p.y_m.is_finite() && p.speed_mps.is_finite())
}

fn is_in_order(points: &[v1::TrajectoryPoint]) -> bool {
    points.windows(2).all(|pair| pair[0].at_us < pair[1].at_us)
}

fn is_over(points: &[v1::TrajectoryPoint], received_us: u64) -> bool {
    points.last().is_none_or(|p| p.at_us <= received_us)
}

fn begins_soon(points: &[v1::TrajectoryPoint], received_us: u64) -> bool {
    points.first().is_some_and(|p| p.at_us <= received_us.saturating_add(MAX_AHEAD_US))
}

fn is_short(points: &[v1::TrajectoryPoint]) -> bool {
    let ends = points.first().zip(points.last());
    ends.is_some_and(|(first, last)| last.at_us.saturating_sub(first.at_us) <= MAX_SPAN_US)
}

/// Neither the speeds said nor those that the places imply exceed the robot's.
fn is_drivable(points: &[v1::TrajectoryPoint], fastest_mps: f64) -> bool {
    let implied = |pair: &[v1::TrajectoryPoint]| {
        let seconds = pair[1].at_us.saturating_sub(pair[0].at_us) as f64 * 1e-6;
        (pair[1].x_m - pair[0].x_m).hypot(pair[1].y_m - pair[0].y_m) <= fastest_mps * seconds
    };
    points.iter().all(|p| (0.0..=fastest_mps).contains(&p.speed_mps)) && points.windows(2).all(implied)
}

impl Trajectory {
    /// Reads what arrived at `received_us`, or says which predicate fails first.
    ///
    /// # Errors
    /// [`Reason::Malformed`], [`Reason::NotFinite`], [`Reason::Stale`] or [`Reason::OutOfLimits`].
    pub fn read(message: &v1::Trajectory, received_us: u64, embodiment: &Embodiment) -> Result<Self, Reason> {
        let points = message.points.as_slice();
        let fastest_mps = embodiment.fastest_mps();
        if !is_countable(points) || !is_in_order(points) || !begins_soon(points, received_us) {
            return Err(Reason::Malformed);
        }
        if !is_finite(points) {
            return Err(Reason::NotFinite);
        }
        if is_over(points, received_us) {
            return Err(Reason::Stale);
        }
        if !is_short(points) || !is_drivable(points, fastest_mps) {
            return Err(Reason::OutOfLimits);
        }
        let mut own = Self { points: [Point::default(); MAX_POINTS], count: points.len() };
        for (own, p) in own.points.iter_mut().zip(points) {
            *own = Point { at_us: p.at_us, x_m: p.x_m, y_m: p.y_m, speed_mps: p.speed_mps };
        }
        Ok(own)
    }

    fn points(&self) -> &[Point] {
        &self.points[..self.count]
    }

    /// What to do at `now_us` at `pose` with `speed_mps`; `stop_mps2` is the deceleration of a stop.
    #[must_use]
    pub fn follow(&self, now_us: u64, pose: Option<&Pose2>, speed_mps: f64, stop_mps2: f64) -> TrajectorySetpoint {
        let near = pose.filter(|pose| self.distance_m(pose) <= MAX_OFF_M);
        let curvature_per_m = near.and_then(|pose| self.curvature_per_m(pose, speed_mps));
        let acceleration_mps2 = match (near, self.speed(now_us)) {
            (Some(_), Some((wanted_mps, slope_mps2))) => slope_mps2 + (wanted_mps - speed_mps) / SETTLE_S,
            _ => -stop_mps2,
        };
        TrajectorySetpoint { acceleration_mps2, curvature_per_m }
    }

    fn curvature_per_m(&self, pose: &Pose2, speed_mps: f64) -> Option<f64> {
        let look_ahead_m = (LOOK_AHEAD_S * speed_mps).clamp(LOOK_AHEAD_M.0, LOOK_AHEAD_M.1);
        let line = || self.points().iter().map(|p| (p.x_m, p.y_m));
        let to_end = || {
            let end = pursuit::seen_from(pose, line().next_back()?);
            (end.0 > NEAREST_M).then(|| pursuit::towards(end))
        };
        pursuit::curvature_per_m(line(), pose, look_ahead_m).or_else(to_end)
    }

    /// Wanted speed now and its slope a little later, when engine and brakes will have answered; `None` past the end.
    fn speed(&self, now_us: u64) -> Option<(f64, f64)> {
        let first = self.points().first()?;
        let at = |time_us: u64| {
            self.points().windows(2).find(|pair| time_us < pair[1].at_us).map(|pair| {
                let seconds = (pair[1].at_us - pair[0].at_us) as f64 * 1e-6;
                let slope = (pair[1].speed_mps - pair[0].speed_mps) / seconds;
                (pair[0].speed_mps + slope * time_us.saturating_sub(pair[0].at_us) as f64 * 1e-6, slope)
            })
        };
        let now_us = now_us.max(first.at_us);
        let (wanted_mps, slope) = at(now_us)?;
        Some((wanted_mps, at(now_us + LAG_US).map_or(slope, |(_, later)| later)))
    }

    /// Distance of `pose` to the line, metres.
    #[must_use]
    pub fn distance_m(&self, pose: &Pose2) -> f64 {
        let to = |pair: &[Point]| {
            let (ux, uy) = (pair[1].x_m - pair[0].x_m, pair[1].y_m - pair[0].y_m);
            let (px, py) = (pose.x_m - pair[0].x_m, pose.y_m - pair[0].y_m);
            let part = ((ux * px + uy * py) / (ux * ux + uy * uy).max(1e-9)).clamp(0.0, 1.0);
            (px - part * ux).hypot(py - part * uy)
        };
        self.points().windows(2).map(to).fold(f64::INFINITY, f64::min)
    }
}

#[cfg(test)]
#[path = "trajectory_tests.rs"]
mod tests;
