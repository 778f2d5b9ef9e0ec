//! The other cars: they drive along lanes near the route by the intelligent driver model and see one another, the car
//! and what stands or walks on the road.
//!
//! Cars live in route coordinates (distance along the route, distance to the left of it) on [`Track`]s, one for each
//! lane near the route, within a window around the car; at its ends, and at the tracks' ends, they come and go.

mod car;
mod decide;
mod idm;
mod returns;
mod spawn;
mod track;

pub(crate) use car::{Car, Order};
pub(crate) use returns::Returns;
pub(crate) use track::{Track, smoothstep, tracks};

use crate::route::Route;
use crate::scene::Actor;
use protocol::v1::ObjectKind;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Where the window ends behind the car, m.
pub(crate) const BEHIND_M: f64 = 80.0;
/// Where the window ends ahead of the car, m.
pub(crate) const AHEAD_M: f64 = 220.0;
/// Time between two decisions of a driver, s; motion is integrated at every step.
const DECISION_S: f64 = 0.1;
/// First identity of a car; those below belong to the scenario events.
const FIRST_ID: u32 = 100_000;

/// Something that takes room on the road, in route coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Presence {
    pub id: u32,
    /// Centre along the route, m.
    pub s_m: f64,
    /// Centre to the left of the route, m.
    pub d_m: f64,
    /// Half of the room taken along the route, m.
    pub half_length_m: f64,
    /// Half of the room taken across the route, m.
    pub half_width_m: f64,
    /// Speed along the route, negative against it, m/s.
    pub speed_mps: f64,
}

/// A stretch where the route's lane is closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Closure {
    pub start_m: f64,
    pub end_m: f64,
    /// The way past it leads through the lane of oncoming traffic, which is held back meanwhile.
    pub gate: bool,
    /// Where the middle of a passing car should be, left of the route, m.
    pub pass_d_m: f64,
}

/// What drivers look at besides one another.
pub(crate) struct Around<'a> {
    pub route: &'a Route,
    pub ego: Presence,
    /// Standing things and people.
    pub others: &'a [Presence],
    pub closures: &'a [Closure],
    pub friction: f64,
    pub rain: f64,
}

/// All other cars.
#[derive(Clone)]
pub(crate) struct Traffic {
    tracks: Arc<Vec<Track>>,
    returns: Arc<Returns>,
    cars: Vec<Car>,
    rng: ChaCha8Rng,
    next_id: u32,
    until_decision_s: f64,
    per_km: f64,
    presences: Vec<Presence>,
    accelerations: Vec<f64>,
    /// Distance to leave before the next car, one a track.
    gaps_m: Vec<f64>,
}

/// Traffic's own stream of random numbers.
fn generator(seed: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    rng
}

impl Traffic {
    pub(crate) fn new(tracks: Arc<Vec<Track>>, returns: Arc<Returns>, per_km: f64, seed: u64) -> Self {
        let rng = generator(seed);
        let gaps_m = vec![0.0; tracks.len()];
        Self {
            tracks,
            returns,
            cars: Vec::new(),
            rng,
            next_id: FIRST_ID,
            until_decision_s: 0.0,
            per_km,
            presences: Vec::new(),
            accelerations: Vec::new(),
            gaps_m,
        }
    }

    /// What is random from now on comes from `seed`; the temperament of those who drive already is drawn again.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.rng = generator(seed);
        for index in 0..self.cars.len() {
            let truck = self.cars[index].kind == ObjectKind::Truck;
            let eagerness = self.draw_eagerness(truck);
            self.cars[index].idm = self.draw_idm(truck, eagerness);
        }
    }

    /// Moves all cars on by `dt_s`.
    pub(crate) fn step(&mut self, dt_s: f64, around: &Around) {
        self.until_decision_s -= dt_s;
        if self.until_decision_s <= 1e-9 {
            self.until_decision_s += DECISION_S.max(dt_s);
            self.come_and_go(around);
            self.decide(around);
        }
        let tracks = &self.tracks;
        for car in &mut self.cars {
            car.advance(dt_s, &tracks[car.track], around.route);
        }
    }

    pub(crate) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    pub(crate) fn cars(&self) -> &[Car] {
        &self.cars
    }

    pub(crate) fn car_mut(&mut self, id: u32) -> Option<&mut Car> {
        self.cars.iter_mut().find(|car| car.id == id)
    }

    pub(crate) fn car(&self, id: u32) -> Option<&Car> {
        self.cars.iter().find(|car| car.id == id)
    }

    /// The track of the route itself.
    pub(crate) fn own_track(&self) -> usize {
        0
    }

    /// Tracks of the same direction directly beside track `track` at `s_m`.
    pub(crate) fn beside(&self, track: usize, s_m: f64) -> impl Iterator<Item = usize> + '_ {
        let here = self.tracks[track].d_m(s_m);
        self.tracks.iter().enumerate().filter_map(move |(index, other)| {
            let side = (other.d_m(s_m) - here).abs();
            (index != track && other.forward && other.covers(s_m) && (2.2..5.0).contains(&side)).then_some(index)
        })
    }

    /// Whether track `track` is free of cars from `from_m` to `to_m`.
    pub(crate) fn is_free(&self, track: usize, from_m: f64, to_m: f64) -> bool {
        let lane = &self.tracks[track];
        !self.cars.iter().any(|car| {
            let half = car.length_m / 2.0;
            car.s_m + half > from_m
                && car.s_m - half < to_m
                && (car.d_m - lane.d_m(car.s_m)).abs() < car.width_m / 2.0 + 1.2
        })
    }

    /// Removes the cars within `radius_m` of the ego and those that cannot stop before it.
    pub(crate) fn make_room(&mut self, radius_m: f64, around: &Around) {
        self.look(around, false);
        let near = |car: &Car, p: &Presence| (car.s_m - p.s_m).abs() <= radius_m + car.length_m / 2.0;
        let ego = self.presences.iter().filter(|p| p.id == around.ego.id).copied().collect::<Vec<_>>();
        let mut cars = std::mem::take(&mut self.cars);
        cars.retain(|car| !ego.iter().any(|p| near(car, p)) && self.can_stop(car, around.friction));
        self.cars = cars;
    }

    /// Notes who is where: the ego, what stands on the road and, `with_cars`, the cars, each wherever the route passes it.
    fn look(&mut self, around: &Around, with_cars: bool) {
        let mut found = std::mem::take(&mut self.presences);
        found.clear();
        found.push(around.ego);
        found.extend_from_slice(around.others);
        if with_cars {
            found.extend(self.cars.iter().map(|car| car.presence(&self.tracks[car.track])));
        }
        for index in 0..found.len() {
            let presence = found[index];
            self.returns.push_images(around.route, &presence, &mut found);
        }
        self.presences = found;
    }

    /// The car has been hit: it stands from now on.
    pub(crate) fn wreck(&mut self, id: u32) {
        if let Some(car) = self.car_mut(id) {
            car.speed_mps = 0.0;
            car.hazards = true;
            car.order = Some(Order::STAND);
        }
    }

    pub(crate) fn push_actors(&self, out: &mut Vec<Actor>) {
        out.extend(self.cars.iter().map(Car::actor));
    }
}
