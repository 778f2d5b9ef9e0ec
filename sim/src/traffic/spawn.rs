//! Cars come into the window around the ego and leave it.

use super::car::Car;
use super::decide::EMERGENCY_MPS2;
use super::idm::Idm;
use super::{AHEAD_M, Around, BEHIND_M, Closure, DECISION_S, Order, Traffic};
use protocol::v1::ObjectKind;
use rand::RngExt;

/// Cars beyond the window by this much are gone, m.
const MARGIN_M: f64 = 15.0;
/// No car appears nearer than this to the ego where its track starts inside the window, m.
const SIGHT_M: f64 = 70.0;
/// Nor nearer than this behind it, m.
const REAR_SIGHT_M: f64 = 45.0;
/// A car that has stood this long is taken out, so that no knot of cars lasts for ever, s.
const GRIDLOCK_S: f64 = 30.0;
/// Slower than this is what stands, m/s.
const STANDS_MPS: f64 = 0.3;
/// Room that is left before what stands, m.
const REST_M: f64 = 1.0;
/// Room left free ahead of and behind the ego at the start, m.
const START_ROOM_M: (f64, f64) = (46.0, 31.0);

impl Traffic {
    /// The first cars.
    pub(crate) fn populate(&mut self, around: &Around) {
        if self.per_km <= 0.0 {
            return;
        }
        self.look(around, false);
        let ego = around.ego.s_m;
        for index in 0..self.tracks.len() {
            let (from, to) = self.window(index, ego);
            let mut s_m = from + self.draw_gap() * 0.5;
            while s_m < to {
                let flow = self.tracks[index].flow_mps(s_m);
                let mut car = self.draw_car(index, s_m, flow);
                let room = if index == self.own_track() { START_ROOM_M } else { (12.0, 12.0) };
                let free = s_m > ego + room.0 || s_m < ego - room.1 || !self.tracks[index].forward;
                let closed = around
                    .others
                    .iter()
                    .any(|p| (p.s_m - s_m).abs() < 25.0 && (p.d_m - self.tracks[index].d_m(s_m)).abs() < 3.0);
                let closed = closed || self.is_narrow(index, s_m, around);
                s_m += self.draw_gap();
                car.pose(&self.tracks[index], around.route, 0.0);
                if free && !closed && self.can_stop(&car, around.friction) {
                    self.cars.push(car);
                }
            }
            self.gaps_m[index] = self.draw_gap();
        }
    }

    /// Removes cars that left the window or their track, and lets new ones in at its ends.
    pub(super) fn come_and_go(&mut self, around: &Around) {
        let (ego, tracks) = (around.ego.s_m, &self.tracks);
        self.cars.retain(|car| {
            let track = &tracks[car.track];
            let inside = car.s_m > ego - BEHIND_M - MARGIN_M && car.s_m < ego + AHEAD_M + MARGIN_M;
            let gone = if track.forward { car.s_m >= track.end_m() - 0.5 } else { car.s_m <= track.start_m() + 0.5 };
            let gridlocked = car.stood_s > GRIDLOCK_S && car.order.is_none();
            inside && (track.dead_end || !gone) && !gridlocked
        });
        if self.per_km <= 0.0 {
            return;
        }
        for index in 0..self.tracks.len() {
            self.let_in(index, around);
        }
    }

    /// Whether the place is where both directions share a lane past a closure: nobody appears there.
    fn is_narrow(&self, index: usize, s_m: f64, around: &Around) -> bool {
        let shared = index == self.own_track() || !self.tracks[index].forward;
        let near = |c: &Closure| s_m > c.start_m - 60.0 && s_m < c.end_m + 60.0;
        shared && around.closures.iter().any(|c| c.gate && near(c))
    }

    /// The part of a track that is inside the window.
    fn window(&self, index: usize, ego_s_m: f64) -> (f64, f64) {
        let track = &self.tracks[index];
        (track.start_m().max(ego_s_m - BEHIND_M), track.end_m().min(ego_s_m + AHEAD_M))
    }

    fn let_in(&mut self, index: usize, around: &Around) {
        let (from, to) = self.window(index, around.ego.s_m);
        if to - from < 30.0 {
            return;
        }
        let on_track = self.cars.iter().filter(|car| car.track == index).map(|car| car.s_m);
        let (first, last) = on_track.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), s| (a.min(s), b.max(s)));
        let ego = around.ego;
        let track = &self.tracks[index];
        let flow_ahead = track.flow_mps(to);
        let flow_behind = track.flow_mps(from);
        // Faster than the flow, the ego meets cars ahead; slower, it is met from behind. Oncoming cars come from ahead.
        let ahead = !track.forward || ego.speed_mps > 0.85 * flow_ahead;
        let gap_m = self.gaps_m[index];
        let (s_m, room, flow) = if ahead { (to, to - last, flow_ahead) } else { (from, first - from, flow_behind) };
        let far = s_m > ego.s_m + SIGHT_M || s_m < ego.s_m - REAR_SIGHT_M;
        let leaves = track.forward && ahead && s_m >= track.end_m() - 1.0;
        let own_rear = index == self.own_track() && !ahead && ego.s_m - from < 60.0;
        if room < gap_m || !far || leaves || own_rear || self.is_narrow(index, s_m, around) {
            return;
        }
        let blocked = self
            .presences
            .iter()
            .chain(around.others)
            .any(|p| (p.s_m - s_m).abs() < 20.0 && (p.d_m - track.d_m(s_m)).abs() < p.half_width_m + 1.3);
        if blocked {
            return;
        }
        self.gaps_m[index] = self.draw_gap();
        let speed = if ahead { flow } else { flow.min((2.0 * 2.0 * (room - 10.0).max(0.0)).sqrt().max(3.0)) };
        let mut car = self.draw_car(index, s_m, speed);
        car.pose(&self.tracks[index], around.route, 0.0);
        if self.can_stop(&car, around.friction) {
            self.cars.push(car);
        }
    }

    /// Whether `car` overlaps nothing that stands and can stop before all of it: nobody comes into being who is bound to
    /// hit something.
    pub(super) fn can_stop(&self, car: &Car, friction: f64) -> bool {
        let track = &self.tracks[car.track];
        let own = car.presence(track);
        let brake_mps2 = EMERGENCY_MPS2 * friction.min(1.0);
        let needed_m = car.speed_mps * DECISION_S + car.speed_mps * car.speed_mps / (2.0 * brake_mps2) + REST_M;
        let stands = self.presences.iter().filter(|p| p.speed_mps.abs() < STANDS_MPS && p.id != car.id);
        stands.into_iter().all(|p| {
            let along = (p.s_m - own.s_m).abs() < p.half_length_m + own.half_length_m + REST_M;
            let across = (p.d_m - own.d_m).abs() < p.half_width_m + own.half_width_m;
            !(along && across) && car.gap_to(p, track).is_none_or(|gap_m| gap_m > needed_m)
        })
    }

    /// Distance from one car's middle to the next one's: exponential beyond a least distance, of the right mean.
    fn draw_gap(&mut self) -> f64 {
        let mean = 1_000.0 / self.per_km.max(0.1);
        let least = 25.0_f64.min(0.8 * mean).max(12.0);
        least - (mean - least).max(1.0) * (1.0 - self.rng.random::<f64>()).ln()
    }

    fn draw_car(&mut self, track: usize, s_m: f64, flow_mps: f64) -> Car {
        let truck = self.rng.random_bool(0.12);
        let eagerness = self.draw_eagerness(truck);
        let id = self.next_id;
        self.next_id += 1;
        Car {
            id,
            kind: if truck { ObjectKind::Truck } else { ObjectKind::Car },
            length_m: if truck { self.rng.random_range(7.0..12.0) } else { self.rng.random_range(3.9..5.0) },
            width_m: if truck { self.rng.random_range(2.2..2.5) } else { self.rng.random_range(1.7..1.95) },
            idm: self.draw_idm(truck, eagerness),
            track,
            s_m,
            d_m: 0.0,
            speed_mps: eagerness * flow_mps,
            acceleration_mps2: 0.0,
            lateral_m: 0.0,
            change: None,
            order: None,
            hazards: false,
            stood_s: 0.0,
            x_m: 0.0,
            y_m: 0.0,
            heading_rad: 0.0,
        }
    }

    pub(super) fn draw_eagerness(&mut self, truck: bool) -> f64 {
        if truck { self.rng.random_range(0.75..0.9) } else { self.rng.random_range(0.85..1.1) }
    }

    pub(super) fn draw_idm(&mut self, truck: bool, eagerness: f64) -> Idm {
        Idm {
            eagerness,
            headway_s: self.rng.random_range(1.2..1.9),
            standstill_m: self.rng.random_range(1.8..3.0),
            accelerate_mps2: if truck { 0.9 } else { self.rng.random_range(1.2..2.0) },
            brake_mps2: self.rng.random_range(1.8..2.6),
        }
    }

    /// Adds an ordinary car under orders and returns its identity.
    pub(crate) fn add(
        &mut self,
        around: &Around,
        track: usize,
        place: (f64, f64),
        speed_mps: f64,
        order: Order,
    ) -> u32 {
        let mut car = self.draw_car(track, place.0, speed_mps);
        car.kind = ObjectKind::Car;
        car.length_m = car.length_m.min(4.8);
        car.width_m = car.width_m.min(1.9);
        car.idm.accelerate_mps2 = car.idm.accelerate_mps2.max(1.5);
        car.speed_mps = speed_mps;
        car.lateral_m = place.1;
        car.order = Some(order);
        car.pose(&self.tracks[track], around.route, 0.0);
        let id = car.id;
        self.cars.push(car);
        id
    }
}
