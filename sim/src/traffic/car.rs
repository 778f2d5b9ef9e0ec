//! One car of the traffic: its state and how it moves along its track.

use super::idm::Idm;
use super::track::{Track, smoothstep};
use super::{Around, Presence};
use crate::route::Route;
use crate::scene::Actor;
use protocol::v1::ObjectKind;

/// How far ahead in time a driver follows the speeds that come down to a lower limit, s: as long as it takes to get rid
/// of what is too much, so that the two cancel out.
const FORESIGHT_S: f64 = 1.0;

/// What a scenario event tells a car to do instead of driving as it likes; it still brakes for what is ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Order {
    /// Speed to reach, m/s.
    pub speed_mps: f64,
    /// Deceleration to get down to it, m/s^2.
    pub brake_mps2: f64,
}

impl Order {
    pub(crate) const STAND: Self = Self { speed_mps: 0.0, brake_mps2: 8.0 };
}

/// A lane change under way: the distance to the new lane's centre shrinks to zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LaneChange {
    from_m: f64,
    done: f64,
    duration_s: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Car {
    pub id: u32,
    pub kind: ObjectKind,
    pub length_m: f64,
    pub width_m: f64,
    pub idm: Idm,
    pub track: usize,
    /// Along the route, m.
    pub s_m: f64,
    /// To the left of the route, m.
    pub d_m: f64,
    /// Along its own heading, m/s.
    pub speed_mps: f64,
    pub acceleration_mps2: f64,
    /// To the left of the track (seen along the route), m.
    pub lateral_m: f64,
    pub change: Option<LaneChange>,
    pub order: Option<Order>,
    pub hazards: bool,
    /// How long it has been standing, s.
    pub stood_s: f64,
    pub x_m: f64,
    pub y_m: f64,
    pub heading_rad: f64,
}

impl Car {
    /// Moves on by `dt_s` with the acceleration decided last.
    pub(crate) fn advance(&mut self, dt_s: f64, track: &Track, route: &Route) {
        let next = (self.speed_mps + self.acceleration_mps2 * dt_s).max(0.0);
        let way_m = 0.5 * (self.speed_mps + next) * dt_s;
        self.speed_mps = next;
        self.stood_s = if next < 0.3 { self.stood_s + dt_s } else { 0.0 };
        let station = route.at(self.s_m);
        let stretch = (1.0 - station.curvature_per_m * self.d_m).max(0.2);
        self.s_m += track.sign() * way_m / stretch;
        let drift = self.drift(dt_s);
        self.pose(track, route, drift);
    }

    /// Goes on with the lane change; a slow car changes slowly. Returns the lateral speed, m/s.
    fn drift(&mut self, dt_s: f64) -> f64 {
        let Some(change) = &mut self.change else { return 0.0 };
        change.done += dt_s / change.duration_s * (self.speed_mps / 3.0).min(1.0);
        let before = self.lateral_m;
        self.lateral_m = change.from_m * (1.0 - smoothstep(change.done));
        if change.done >= 1.0 {
            self.change = None;
        }
        (self.lateral_m - before) / dt_s
    }

    /// Works out the pose in the world.
    pub(crate) fn pose(&mut self, track: &Track, route: &Route, drift_mps: f64) {
        let station = route.at(self.s_m);
        self.d_m = track.d_m(self.s_m) + self.lateral_m;
        let (sin, cos) = station.heading_rad.sin_cos();
        self.x_m = station.x_m - sin * self.d_m;
        self.y_m = station.y_m + cos * self.d_m;
        let along = track.sign() * self.speed_mps.max(0.5);
        let across = track.slope(self.s_m) * along + drift_mps;
        self.heading_rad = station.heading_rad + across.atan2(along);
    }

    /// Starts to change to `track` (its place in the list and itself).
    pub(crate) fn change_to(&mut self, index: usize, track: &Track, duration_s: f64) {
        self.track = index;
        self.lateral_m = self.d_m - track.d_m(self.s_m);
        self.change = Some(LaneChange { from_m: self.lateral_m, done: 0.0, duration_s });
    }

    pub(crate) fn presence(&self, track: &Track) -> Presence {
        Presence {
            id: self.id,
            s_m: self.s_m,
            d_m: self.d_m,
            half_length_m: self.length_m / 2.0,
            half_width_m: self.width_m / 2.0,
            speed_mps: track.sign() * self.speed_mps,
        }
    }

    /// Distance between the bumpers to what lies ahead on this car's way, `None` when it is not in the way.
    pub(crate) fn gap_to(&self, other: &Presence, track: &Track) -> Option<f64> {
        let ahead_m = track.sign() * (other.s_m - self.s_m);
        if ahead_m <= 0.0 || ahead_m > 140.0 || other.id == self.id {
            return None;
        }
        let side = other.d_m - track.d_m(other.s_m);
        let room = other.half_width_m + self.width_m / 2.0 + 0.25;
        let (low, high) = self.sweep(other, ahead_m);
        (side > low - room && side < high + room).then(|| ahead_m - other.half_length_m - self.length_m / 2.0)
    }

    /// The lateral places at which the car may meet `other`: what stands is met where the lane change has got to by
    /// then, what moves anywhere between the two lanes.
    fn sweep(&self, other: &Presence, ahead_m: f64) -> (f64, f64) {
        match &self.change {
            Some(change) if other.speed_mps.abs() < 0.3 => {
                let way_m = self.speed_mps.max(3.0) * change.duration_s * (1.0 - change.done) + 0.1;
                let room_m = ahead_m - other.half_length_m - self.length_m / 2.0;
                let there = self.lateral_m * (1.0 - room_m / way_m).clamp(0.0, 1.0);
                (there, there)
            }
            _ => (self.lateral_m.min(0.0), self.lateral_m.max(0.0)),
        }
    }

    /// The speed this driver wants here.
    pub(crate) fn desired_mps(&self, track: &Track, around: &Around) -> f64 {
        if let Some(order) = self.order {
            return order.speed_mps;
        }
        let usual = track.flow_mps(self.s_m) * self.idm.eagerness * (1.0 - 0.3 * around.rain);
        let works = around.closures.iter().any(|c| self.s_m > c.start_m - 100.0 && self.s_m < c.end_m + 10.0);
        if works && track.forward { usual.min((0.6 * usual).max(8.0)) } else { usual }
    }

    /// The deceleration that keeps the driver to the limits ahead, `None` where they ask for none. The model's own way
    /// to a lower speed lags behind it by a fifth: fair before a bend, but not where a limit begins.
    pub(crate) fn slows_for_limit(&self, track: &Track) -> Option<f64> {
        let ahead_m = track.sign() * self.speed_mps * FORESIGHT_S;
        let legal = track.legal_mps(self.s_m).min(track.legal_mps(self.s_m + ahead_m));
        let excess = self.speed_mps - self.idm.eagerness * legal;
        (self.order.is_none() && excess > 0.0).then_some(-excess / FORESIGHT_S)
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor {
            id: self.id,
            kind: self.kind,
            x_m: self.x_m,
            y_m: self.y_m,
            heading_rad: self.heading_rad,
            speed_mps: self.speed_mps,
            length_m: self.length_m,
            width_m: self.width_m,
            braking: self.acceleration_mps2 < -0.6 || self.speed_mps < 0.1,
            hazards: self.hazards,
        }
    }
}
