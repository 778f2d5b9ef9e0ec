//! A car that comes into the gap ahead and slows down hard: from the lane beside, or from the roadside.

use super::Scene;
use super::pedestrian::{CAREFUL_MPS2, REACTION_S};
use crate::traffic::{Around, Car, Order, Traffic};
use rand::{Rng, RngExt};

/// Time for the change into the ego's lane, s.
const CHANGE_S: f64 = 2.2;
/// After this time without a chance to cut in the car gives up, s.
const GIVE_UP_S: f64 = 20.0;
/// Share of the friction that the braking car and a careful driver use on a wet road.
const WET_SHARE: f64 = 0.7 * 9.81;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Waiting,
    /// Beside or behind the ego, going for a place ahead of it; since when, s.
    Approaching(f64),
    Changing,
    Braking,
    /// At low speed until then, s.
    Slow(f64),
    /// Parked at the roadside.
    Parked,
    Done,
}

/// See the [module](self).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CutIn {
    pub s_m: f64,
    car: u32,
    phase: Phase,
    brake_mps2: f64,
    low_mps: f64,
    slow_s: f64,
    factor: f64,
    /// Where the car is parked, left of the route; `None` when it comes from the lane beside.
    roadside_d_m: Option<f64>,
}

impl CutIn {
    pub(super) fn new(s_m: f64, roadside_d_m: Option<f64>, rng: &mut impl Rng) -> Self {
        let mut cut_in = Self {
            s_m,
            car: 0,
            phase: Phase::Waiting,
            brake_mps2: 0.0,
            low_mps: 0.0,
            slow_s: 0.0,
            factor: 0.0,
            roadside_d_m,
        };
        cut_in.redraw(rng);
        cut_in
    }

    /// Draws how a car that has not begun to brake will do it.
    pub(super) fn redraw(&mut self, rng: &mut impl Rng) {
        if !matches!(self.phase, Phase::Braking | Phase::Slow(_) | Phase::Done) {
            self.brake_mps2 = rng.random_range(4.0..6.0);
            self.low_mps = rng.random_range(1.5..4.0);
            self.slow_s = rng.random_range(2.0..4.0);
            self.factor = rng.random_range(1.0..1.3);
        }
    }

    pub(super) fn step(&mut self, time_s: f64, scene: &Scene, around: &Around, traffic: &mut Traffic) {
        if self.phase == Phase::Done {
            return;
        }
        if self.phase == Phase::Waiting {
            match self.roadside_d_m {
                Some(d_m) => self.park(d_m, scene, around, traffic),
                None => self.pick(time_s, scene, around, traffic),
            }
            return;
        }
        let Some(car) = traffic.car(self.car).cloned() else {
            self.phase = Phase::Done;
            return;
        };
        match self.phase {
            Phase::Approaching(since) => self.approach(time_s - since, &car, scene, traffic),
            Phase::Changing => self.changed(&car, scene, around.friction, traffic),
            Phase::Braking if car.speed_mps <= self.low_mps + 0.3 => self.phase = Phase::Slow(time_s + self.slow_s),
            Phase::Slow(until) if time_s >= until => self.finish(traffic),
            Phase::Parked => self.pull_out(&car, scene, traffic),
            _ => {}
        }
    }

    fn order(&self, traffic: &mut Traffic, speed_mps: f64, brake_mps2: f64) {
        if let Some(car) = traffic.car_mut(self.car) {
            car.order = Some(Order { speed_mps, brake_mps2 });
        }
    }

    fn finish(&mut self, traffic: &mut Traffic) {
        if let Some(car) = traffic.car_mut(self.car) {
            car.order = None;
        }
        self.phase = Phase::Done;
    }

    /// Takes a car a little ahead in a lane beside, or lets one come up from behind.
    fn pick(&mut self, time_s: f64, scene: &Scene, around: &Around, traffic: &mut Traffic) {
        let ego = scene.middle_m;
        if ego < self.s_m || scene.speed_mps < 5.0 {
            return;
        }
        let own = traffic.own_track();
        let sides: Vec<usize> = traffic.beside(own, ego).collect();
        for side in sides {
            let track = &traffic.tracks()[side];
            if !(track.covers(ego - 60.0) && track.covers(ego + 150.0)) {
                continue;
            }
            let near = |car: &&Car| {
                let lead = car.s_m - ego;
                car.track == side && car.order.is_none() && car.change.is_none() && (4.0..30.0).contains(&lead)
            };
            let found = traffic.cars().iter().find(near).map(|car| car.id);
            let order = Order { speed_mps: scene.speed_mps + 6.0, brake_mps2: 3.0 };
            let place = ego - 48.0;
            self.car = match found {
                Some(id) => id,
                None if traffic.is_free(side, place - 25.0, place + 20.0) => {
                    traffic.add(around, side, (place, 0.0), scene.speed_mps + 4.0, order)
                }
                None => continue,
            };
            self.order(traffic, order.speed_mps, order.brake_mps2);
            self.phase = Phase::Approaching(time_s);
            return;
        }
    }

    fn approach(&mut self, for_s: f64, car: &Car, scene: &Scene, traffic: &mut Traffic) {
        let gap = car.s_m - car.length_m / 2.0 - scene.front_m;
        let wanted = 8.0 + 0.4 * scene.speed_mps;
        self.order(traffic, scene.speed_mps + if gap < wanted { 6.0 } else { 1.0 }, 3.0);
        if for_s > GIVE_UP_S || gap > 60.0 || scene.speed_mps < 2.0 {
            self.finish(traffic);
            return;
        }
        let own = traffic.own_track();
        let free = traffic.is_free(own, scene.front_m, car.s_m + car.length_m / 2.0 + 12.0);
        if gap >= wanted && car.speed_mps >= scene.speed_mps - 0.5 && free {
            let track = traffic.tracks()[own].clone();
            if let Some(car) = traffic.car_mut(self.car) {
                car.change_to(own, &track, CHANGE_S);
            }
            self.order(traffic, scene.speed_mps + 3.0, 3.0);
            self.phase = Phase::Changing;
        }
    }

    /// Brakes when it is in the lane and far enough ahead for a driver who reacts within a second.
    fn changed(&mut self, car: &Car, scene: &Scene, friction: f64, traffic: &mut Traffic) {
        if self.roadside_d_m.is_some() {
            if car.change.is_none() {
                self.phase = Phase::Braking;
            }
            return;
        }
        let gap = car.s_m - car.length_m / 2.0 - scene.front_m;
        let brake = self.brake_mps2.min(WET_SHARE * friction);
        let careful = 4.5_f64.min(WET_SHARE * friction);
        let own_way = scene.speed_mps * (REACTION_S + 0.3) + scene.speed_mps.powi(2) / (2.0 * careful);
        let needed = own_way - car.speed_mps.powi(2) / (2.0 * brake) + 4.0;
        if car.change.is_none() && gap >= needed.max(8.0) {
            self.order(traffic, self.low_mps, brake);
            self.phase = Phase::Braking;
        } else if gap > 70.0 || car.speed_mps < scene.speed_mps - 4.0 {
            self.finish(traffic);
        }
    }

    fn park(&mut self, d_m: f64, scene: &Scene, around: &Around, traffic: &mut Traffic) {
        let distance = self.s_m - scene.front_m;
        if !(20.0..200.0).contains(&distance) {
            return;
        }
        self.car = traffic.add(around, traffic.own_track(), (self.s_m, d_m), 0.0, Order::STAND);
        self.phase = Phase::Parked;
    }

    fn pull_out(&mut self, car: &Car, scene: &Scene, traffic: &mut Traffic) {
        let distance = car.s_m - car.length_m / 2.0 - scene.front_m;
        let speed = scene.speed_mps;
        let careful = speed * (REACTION_S + 0.3) + speed * speed / (2.0 * CAREFUL_MPS2) + 8.0;
        let clear = traffic.cars().iter().all(|other| {
            let gap = car.s_m - other.s_m;
            other.id == car.id || other.track != car.track || !(-15.0..20.0 + 2.5 * other.speed_mps).contains(&gap)
        });
        if distance >= careful && distance <= careful * self.factor + 6.0 && speed > 3.0 && clear {
            let track = traffic.tracks()[car.track].clone();
            let index = car.track;
            if let Some(car) = traffic.car_mut(self.car) {
                car.change_to(index, &track, CHANGE_S);
            }
            self.order(traffic, self.low_mps.max(2.5), 4.0);
            self.phase = Phase::Changing;
        }
    }
}
