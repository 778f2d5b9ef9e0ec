//! Driving the path that somebody chose: slowly, and giving way.

use super::Look;
use super::road::{ROOM_M, Shape, Thing};
use crate::pursuit;
use protocol::v1::Pose2;

/// Speed on a chosen path of a robot that is fast enough, m/s.
pub const SPEED_MPS: f64 = 4.0;
/// A path is done this far before its end, metres.
const DONE_M: f64 = 1.0;
/// A path that does not begin within this of the vehicle is not begun, metres.
const BEGIN_M: f64 = 3.0;
/// A vehicle that has stood on its path for this long gives it up and asks again, microseconds.
const STUCK_US: u64 = 60_000_000;
/// How far ahead in time others are foreseen, seconds, and in which steps.
const FORESIGHT_S: f64 = 16.0;
const STEP_S: f64 = 0.5;
/// Room kept to what moves, and to people, metres.
const MOVING_ROOM_M: f64 = 0.6;
const PERSON_ROOM_M: f64 = 1.2;
/// It stops this far before a place where it would meet somebody, metres.
const STOP_SHORT_M: f64 = 3.0;
/// Deceleration that is planned with, m/s^2.
const COMFORT_MPS2: f64 = 1.5;
/// Limits of the acceleration, m/s^2, and the time in which an error of speed is made good, seconds.
const MOST_MPS2: (f64, f64) = (-3.5, 1.2);
const SETTLE_S: f64 = 0.6;
/// Pure pursuit looks this far ahead, seconds of driving, within bounds in metres.
const LOOK_AHEAD_S: f64 = 1.0;
const LOOK_AHEAD_M: (f64, f64) = (3.0, 6.0);
/// Until the vehicle is this far on its way it waits for a gap that is long enough for the whole of it, metres.
const COMMITTED_M: f64 = 6.0;

/// A path on which the vehicle is.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The question that it answers.
    pub question_id: u64,
    /// Which of its paths; 0 for waypoints of a person.
    pub path_id: u32,
    /// The map's plane.
    line: Vec<(f64, f64)>,
    /// Distance along the line, of the vehicle.
    at_m: f64,
    whole_m: f64,
    target_mps: f64,
    standing_since_us: Option<u64>,
}

impl Chosen {
    /// The path along `line`.
    #[must_use]
    pub fn new(question_id: u64, path_id: u32, line: Vec<(f64, f64)>) -> Self {
        let whole_m = line.windows(2).map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1)).sum();
        Self { question_id, path_id, line, at_m: 0.0, whole_m, target_mps: 0.0, standing_since_us: None }
    }

    /// Whether the vehicle is on the line or just before it.
    #[must_use]
    pub fn begins_near(&self, pose: &Pose2) -> bool {
        self.project(pose).1 <= BEGIN_M
    }

    /// Distance left to the end, metres.
    #[must_use]
    pub fn left_m(&self) -> f64 {
        (self.whole_m - self.at_m).max(0.0)
    }

    /// Looks around; false when the path is done or given up.
    pub fn look(&mut self, look: &Look, things: &[Thing]) -> bool {
        // Never back: where a path comes near itself, the vehicle is on the later part only after the earlier.
        self.at_m = self.project(look.pose).0.max(self.at_m);
        self.target_mps = self.safe_speed(look, things);
        let stands = look.speed_mps < 0.2;
        let since = if stands { Some(self.standing_since_us.unwrap_or(look.now_us)) } else { None };
        self.standing_since_us = since;
        let stuck = since.is_some_and(|since| look.now_us.saturating_sub(since) > STUCK_US);
        self.left_m() > DONE_M && !stuck
    }

    fn safe_speed(&self, look: &Look, things: &[Thing]) -> f64 {
        let own = look.shape();
        let Some(meets_m) = self.meets_m(look, &own, things) else { return own.speed_mps };
        if self.at_m < COMMITTED_M && look.speed_mps < 1.0 {
            return 0.0;
        }
        (2.0 * COMFORT_MPS2 * (meets_m - STOP_SHORT_M).max(0.0)).sqrt().min(own.speed_mps)
    }

    /// How far along the path the vehicle would first meet somebody, metres from here.
    fn meets_m(&self, look: &Look, own: &Shape, things: &[Thing]) -> Option<f64> {
        let steps = (FORESIGHT_S / STEP_S) as usize;
        (0..=steps).find_map(|step| {
            let seconds = step as f64 * STEP_S;
            let ahead_m = own.speed_mps * seconds;
            let (place, heading) = self.place(self.at_m + ahead_m)?;
            let seen = pursuit::seen_from(look.pose, place);
            let turned = heading - look.pose.heading_rad;
            things.iter().any(|thing| meets(own, thing, seen, turned, seconds)).then_some(ahead_m)
        })
    }

    /// The place `s` along the line and the direction there; `None` past its end.
    fn place(&self, s: f64) -> Option<((f64, f64), f64)> {
        let mut before = 0.0;
        for pair in self.line.windows(2) {
            let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            let length = dx.hypot(dy);
            if s <= before + length {
                let part = (s - before) / length.max(1e-9);
                return Some(((pair[0].0 + part * dx, pair[0].1 + part * dy), dy.atan2(dx)));
            }
            before += length;
        }
        None
    }

    /// Distance along the line and beside it.
    fn project(&self, pose: &Pose2) -> (f64, f64) {
        let (mut before, mut best) = (0.0, (0.0, f64::INFINITY));
        for pair in self.line.windows(2) {
            let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            let length = dx.hypot(dy).max(1e-9);
            let (px, py) = (pose.x_m - pair[0].0, pose.y_m - pair[0].1);
            let part = ((dx * px + dy * py) / (length * length)).clamp(0.0, 1.0);
            let away = (px - part * dx).hypot(py - part * dy);
            if away < best.1 {
                best = (before + part * length, away);
            }
            before += length;
        }
        best
    }

    /// Acceleration and curvature at a tick.
    #[must_use]
    pub fn setpoint(&self, pose: Option<&Pose2>, speed_mps: f64) -> (f64, Option<f64>) {
        let acceleration = ((self.target_mps - speed_mps) / SETTLE_S).clamp(MOST_MPS2.0, MOST_MPS2.1);
        let look_ahead_m = (LOOK_AHEAD_S * speed_mps).clamp(LOOK_AHEAD_M.0, LOOK_AHEAD_M.1);
        // A standing car's wheels stay: what is behind a blockage is not turned into.
        let moves = speed_mps > 0.1 || self.target_mps > 0.0;
        let curvature = pose.filter(|_| moves).and_then(|pose| {
            let line = || self.line.iter().copied();
            pursuit::curvature_per_m(line(), pose, look_ahead_m)
                .or_else(|| line().next_back().map(|end| pursuit::towards(pursuit::seen_from(pose, end))))
        });
        (acceleration, curvature)
    }
}

/// Whether `thing` is met by the vehicle at a place and time. Who follows in the same lane is not waited for.
fn meets(own: &Shape, thing: &Thing, place: (f64, f64), heading_rad: f64, seconds: f64) -> bool {
    let follows = thing.at_m.0 < 0.0 && thing.at_m.1.abs() < 2.0 * own.half_width_m && !thing.is_still();
    if follows {
        return false;
    }
    let room = match (thing.is_person(), thing.is_still()) {
        (true, _) => PERSON_ROOM_M,
        (false, true) => 0.5 * ROOM_M,
        (false, false) => MOVING_ROOM_M,
    };
    thing.is_met(own, place, heading_rad, room, seconds)
}
