//! A person who waits beside the road and steps out before the car, far enough away for a careful driver.

use super::Scene;
use crate::route::Route;
use crate::scene::Actor;
use crate::traffic::{Presence, Traffic};
use protocol::v1::ObjectKind;
use rand::{Rng, RngExt};

/// A driver's reaction time that must suffice, s.
pub(super) const REACTION_S: f64 = 1.0;
/// The deceleration that must suffice, m/s^2.
pub(super) const CAREFUL_MPS2: f64 = 4.0;
/// Distance that must be left between the stopped car and the person, m.
const LEFT_M: f64 = 6.0;
/// Half the width of the strip the car needs, m.
const STRIP_M: f64 = 2.5;
/// Before a car that stands this long the person crosses, s.
const YIELD_TIMEOUT_S: f64 = 3.0;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Waiting,
    Crossing,
    Hesitating,
    Gone,
}

/// See the [module](self).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pedestrian {
    id: u32,
    pub s_m: f64,
    d_m: f64,
    goal_m: f64,
    pace_mps: f64,
    /// Times the careful driver's stopping distance at which the person steps out.
    factor: f64,
    /// Where the person hesitates, if so, and for how long.
    hesitates: Option<(f64, f64)>,
    ego_stands_s: f64,
    phase: Phase,
}

impl Pedestrian {
    pub(super) fn new(route: &Route, s_m: f64, rng: &mut impl Rng, next_id: &mut u32) -> Self {
        let station = route.at(s_m);
        *next_id += 1;
        let (right, left) = (station.road_right_m + 0.7, station.road_left_m + 0.7);
        // On wide roads the person comes from the nearer side.
        let from_right = right <= left || (left < 9.0 && rng.random_bool(0.7));
        let (d_m, goal_m) = if from_right { (-right, left) } else { (left, -right) };
        let mut person = Self {
            id: *next_id,
            s_m,
            d_m,
            goal_m,
            pace_mps: 0.0,
            factor: 0.0,
            hesitates: None,
            ego_stands_s: 0.0,
            phase: Phase::Waiting,
        };
        person.redraw(rng);
        person
    }

    /// Draws when and how a person who still waits will cross.
    pub(super) fn redraw(&mut self, rng: &mut impl Rng) {
        if self.phase == Phase::Waiting {
            self.hesitates = rng.random_bool(0.3).then(|| (rng.random_range(-1.0..1.0), rng.random_range(0.8..1.6)));
            self.pace_mps = rng.random_range(1.2..1.8);
            self.factor = rng.random_range(1.0..1.35);
        }
    }

    pub(super) fn step(&mut self, dt_s: f64, scene: &Scene, traffic: &Traffic) {
        match self.phase {
            Phase::Waiting => self.wait(dt_s, scene, traffic),
            Phase::Crossing => self.walk(dt_s),
            Phase::Hesitating => {
                if let Some((_, left_s)) = &mut self.hesitates {
                    *left_s -= dt_s;
                    if *left_s <= 0.0 {
                        self.hesitates = None;
                        self.phase = Phase::Crossing;
                    }
                }
            }
            Phase::Gone => {}
        }
    }

    fn wait(&mut self, dt_s: f64, scene: &Scene, traffic: &Traffic) {
        let distance = self.s_m - scene.front_m;
        if !(0.0..250.0).contains(&distance) {
            return;
        }
        let speed = scene.speed_mps;
        self.ego_stands_s = if speed < 0.5 && distance < 60.0 { self.ego_stands_s + dt_s } else { 0.0 };
        let careful = speed * REACTION_S + speed * speed / (2.0 * CAREFUL_MPS2) + LEFT_M;
        // The walk up to the strip that the car needs takes time, in which the car comes nearer.
        let approach = (self.d_m.abs() - STRIP_M).max(0.0) / self.pace_mps * speed;
        let due = distance <= careful * self.factor + approach && distance >= careful + approach * 0.8 && speed > 1.0;
        let has_yielded = self.ego_stands_s > YIELD_TIMEOUT_S && distance > 1.0;
        if (due || has_yielded) && self.others_can_stop(traffic) {
            self.phase = Phase::Crossing;
        }
    }

    /// Whether every other car near can stop, or is past.
    fn others_can_stop(&self, traffic: &Traffic) -> bool {
        traffic.cars().iter().all(|car| {
            let sign = traffic.tracks()[car.track].sign();
            let gap = sign * (self.s_m - car.s_m) - car.length_m / 2.0;
            let needed = car.speed_mps * 0.5 + car.speed_mps.powi(2) / 7.0 + 4.0;
            gap < -car.length_m - 1.0 || gap > needed || car.d_m.abs() > 14.0
        })
    }

    fn walk(&mut self, dt_s: f64) {
        let way = (self.goal_m - self.d_m).signum();
        self.d_m += way * self.pace_mps * dt_s;
        if self.hesitates.is_some_and(|(place, _)| way * (self.d_m - place) >= 0.0) {
            self.phase = Phase::Hesitating;
        }
        if way * (self.goal_m - self.d_m) <= 0.0 {
            self.phase = Phase::Gone;
        }
    }

    /// What other drivers keep clear of: the person and where the next two seconds lead.
    pub(super) fn presence(&self) -> Presence {
        let moving = self.phase == Phase::Crossing || self.phase == Phase::Hesitating;
        let reach = if moving { (self.goal_m - self.d_m).signum() * self.pace_mps * 2.5 } else { 0.0 };
        Presence {
            id: self.id,
            s_m: self.s_m,
            d_m: self.d_m + reach / 2.0,
            half_length_m: 1.0,
            half_width_m: 0.3 + reach.abs() / 2.0,
            speed_mps: 0.0,
        }
    }

    pub(super) fn actor(&self, route: &Route) -> Actor {
        let station = route.at(self.s_m);
        let (sin, cos) = station.heading_rad.sin_cos();
        let left = self.goal_m > self.d_m;
        let turn = if left { std::f64::consts::FRAC_PI_2 } else { -std::f64::consts::FRAC_PI_2 };
        Actor {
            id: self.id,
            kind: ObjectKind::Pedestrian,
            x_m: station.x_m - sin * self.d_m,
            y_m: station.y_m + cos * self.d_m,
            heading_rad: station.heading_rad + turn,
            speed_mps: if self.phase == Phase::Crossing { self.pace_mps } else { 0.0 },
            length_m: 0.6,
            width_m: 0.6,
            braking: false,
            hazards: false,
        }
    }
}
