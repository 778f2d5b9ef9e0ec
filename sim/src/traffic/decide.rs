//! What drivers decide ten times a second: acceleration and lane changes.

use super::idm::SLOWING_MPS2;
use super::{Around, Car, Closure, Presence, Traffic};

/// Hardest deceleration on a dry road, m/s^2.
pub(super) const EMERGENCY_MPS2: f64 = 8.5;
/// Length of a lane change in time, s.
const CHANGE_S: f64 = 3.0;
/// Where cars wait before a closure for a gap beside them, m.
const WAIT_TO_LEAVE_M: f64 = 15.0;
/// How far before a closed lane or a lane's end drivers look for a way out, m.
const LOOK_M: f64 = 130.0;
/// Where oncoming traffic waits beyond a closure, m.
const WAIT_BEYOND_M: f64 = 40.0;
/// Where cars wait before a closure while someone comes through, m.
const WAIT_BEFORE_M: f64 = 30.0;

impl Traffic {
    pub(super) fn decide(&mut self, around: &Around) {
        self.look(around, true);
        self.accelerations.clear();
        for index in 0..self.cars.len() {
            let acceleration = self.acceleration(&self.cars[index], around);
            self.accelerations.push(acceleration);
        }
        for (car, acceleration) in self.cars.iter_mut().zip(&self.accelerations) {
            car.acceleration_mps2 = *acceleration;
        }
        for index in 0..self.cars.len() {
            self.leave_closed_lane(index, around);
        }
    }

    fn acceleration(&self, car: &Car, around: &Around) -> f64 {
        let track = &self.tracks[car.track];
        let desired = car.desired_mps(track, around);
        let mut free = car.idm.free(car.speed_mps, desired);
        if let Some(slower) = car.slows_for_limit(track) {
            free = free.min(slower.max(-SLOWING_MPS2));
        }
        if let Some(order) = car.order {
            // An order is followed at once: an overtaker speeds up faster than it would, a braking car brakes harder.
            let gain = (order.speed_mps - car.speed_mps) * 2.0;
            free = gain.clamp(-order.brake_mps2, 2.5);
        }
        let mut pressure: f64 = 0.0;
        for other in &self.presences {
            let Some(gap) = car.gap_to(other, track) else { continue };
            let leader = track.sign() * other.speed_mps;
            // Who shares the road with someone coming towards it stops: closing speeds are no leader's.
            pressure = pressure.max(car.idm.interaction(car.speed_mps, gap, leader.max(-5.0)));
        }
        for line in self.stop_lines(car, around) {
            pressure = pressure.max(car.idm.interaction(car.speed_mps, line, 0.0));
        }
        if let Some(gap) = self.courtesy(car, around) {
            pressure = pressure.max(car.idm.interaction(car.speed_mps, gap, around.ego.speed_mps));
        }
        (free - pressure).max(-EMERGENCY_MPS2 * around.friction.min(1.0))
    }

    /// Distances to lines at which the car must stop.
    fn stop_lines(&self, car: &Car, around: &Around) -> impl Iterator<Item = f64> {
        let track = &self.tracks[car.track];
        let half = car.length_m / 2.0;
        let dead_end = (track.dead_end).then(|| track.end_m() - car.s_m - half).filter(|gap| *gap < LOOK_M);
        let mut gate = None;
        for closure in around.closures {
            let line = if !closure.gate {
                // Room to steer out of a closed lane from standstill.
                let line = closure.start_m - WAIT_TO_LEAVE_M - car.s_m - half;
                (car.track == self.own_track() && car.change.is_none()).then_some(line)
            } else if track.forward {
                let line = closure.start_m - WAIT_BEFORE_M - car.s_m - half;
                (car.track == self.own_track() && self.someone_comes(closure)).then_some(line)
            } else {
                let line = car.s_m - (closure.end_m + WAIT_BEYOND_M) - half;
                self.is_claimed(closure, around).then_some(line)
            };
            let stoppable = car.speed_mps * car.speed_mps / 6.0 - 1.0;
            gate = gate.or(line.filter(|gap| *gap > 0.0 && *gap > stoppable && *gap < LOOK_M));
        }
        dead_end.into_iter().chain(gate)
    }

    /// Whether the ego or a car before it is about to pass the closure through the oncoming lane.
    fn is_claimed(&self, closure: &Closure, around: &Around) -> bool {
        let ego = around.ego.s_m;
        (ego > closure.start_m - 220.0 && ego < closure.end_m + 8.0)
            || self.cars.iter().any(|car| {
                car.track == self.own_track()
                    && car.s_m > closure.start_m - WAIT_BEFORE_M + 2.0
                    && car.s_m < closure.end_m + 8.0
                    && car.order.is_none()
            })
    }

    /// Whether oncoming cars are between the two waiting lines.
    fn someone_comes(&self, closure: &Closure) -> bool {
        self.cars.iter().any(|car| {
            !self.tracks[car.track].forward
                && car.s_m > closure.start_m - WAIT_BEFORE_M
                && car.s_m < closure.end_m + WAIT_BEYOND_M - 2.0
        })
    }

    /// Cars in the lane beside let a slow ego in before a closure when that needs no hard braking.
    fn courtesy(&self, car: &Car, around: &Around) -> Option<f64> {
        let (track, ego) = (&self.tracks[car.track], &around.ego);
        if !track.forward || car.track == self.own_track() || ego.speed_mps > 6.0 || car.order.is_some() {
            return None;
        }
        let own = self.own_track();
        let first = |c: &Closure| {
            !self.cars.iter().any(|other| other.track == own && other.s_m > ego.s_m && other.s_m < c.end_m)
        };
        let near = |c: &Closure| !c.gate && ego.s_m > c.start_m - 45.0 && ego.s_m < c.end_m;
        let waits = around.closures.iter().any(|c| near(c) && first(c));
        let beside = (track.d_m(ego.s_m) - ego.d_m).abs() < 5.0;
        let gap = ego.s_m - car.s_m - ego.half_length_m - car.length_m / 2.0 - 2.0;
        let needed = (car.speed_mps.powi(2) - ego.speed_mps.powi(2)).max(0.0) / (2.0 * gap.max(0.1));
        (waits && beside && gap > 0.5 && needed < 2.5).then_some(gap)
    }

    /// Changes lanes where the car's own lane is closed ahead or ends.
    fn leave_closed_lane(&mut self, index: usize, around: &Around) {
        let car = &self.cars[index];
        let track = &self.tracks[car.track];
        if !track.forward || car.change.is_some() || car.order.is_some() {
            return;
        }
        let closed = car.track == self.own_track()
            && around.closures.iter().any(|c| !c.gate && car.s_m < c.start_m && car.s_m > c.start_m - LOOK_M);
        let ends = track.dead_end && track.end_m() - car.s_m < LOOK_M;
        if !(closed || ends) {
            return;
        }
        let Some(target) = self.beside(car.track, car.s_m).find(|target| self.fits(car, *target)) else { return };
        let tracks = &self.tracks;
        self.cars[index].change_to(target, &tracks[target], CHANGE_S);
    }

    /// Whether the car finds a gap on track `target` that makes nobody brake hard.
    fn fits(&self, car: &Car, target: usize) -> bool {
        let lane = &self.tracks[target];
        lane.end_m() > car.s_m + 60.0
            && self.presences.iter().filter(|other| other.id != car.id).all(|other| {
                let side = (other.d_m - lane.d_m(other.s_m)).abs();
                side > other.half_width_m + car.width_m / 2.0 + 0.3 || has_room(car, other)
            })
    }
}

/// Whether `other`, on the lane the car wants, is far enough ahead or behind.
fn has_room(car: &Car, other: &Presence) -> bool {
    let between = (other.s_m - car.s_m).abs() - other.half_length_m - car.length_m / 2.0;
    let (front, rear) =
        if other.s_m > car.s_m { (other.speed_mps, car.speed_mps) } else { (car.speed_mps, other.speed_mps) };
    let closing = (rear - front).max(0.0);
    between > 3.0 + 0.5 * rear && closing * closing / (2.0 * between) < 2.0
}
