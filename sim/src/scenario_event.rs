//! What makes a trip hard: the long tail that remote operators exist for.
//!
//! Scenario events are placed along the route from the seed, about evenly. Every one can be survived by a careful
//! driver; the crate's tests hold one against it.

mod closure;
mod cut_in;
mod pedestrian;
mod place;
mod rain;

use crate::route::Route;
use crate::scene::Actor;
use crate::traffic::{Around, Closure, Presence, Traffic};
use closure::Blockage;
use cut_in::CutIn;
use pedestrian::Pedestrian;
use rain::Rain;
use rand::Rng;
use serde::{Deserialize, Serialize};

pub(crate) use place::place;

/// A kind of scenario event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioEvent {
    /// A taper of cones closes the lane.
    ConesClosingLane,
    /// A standing vehicle with hazard lights takes most of the lane.
    DoubleParked,
    /// A car cuts in, or pulls out from the roadside, and slows down hard.
    CutInAndBrake,
    /// A person waits beside the road and steps out.
    PedestrianStepsOut,
    /// Heavy rain: less friction, less sight, lost lidar echoes.
    HeavyRain,
}

impl ScenarioEvent {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::ConesClosingLane, Self::DoubleParked, Self::CutInAndBrake, Self::PedestrianStepsOut, Self::HeavyRain];
}

/// Where a scenario event lies along the route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Its kind.
    pub kind: ScenarioEvent,
    /// Distance along the route where it begins, m.
    pub s_m: f64,
}

/// Things farther from the car than this along the route rest, m.
const RANGE_M: f64 = 260.0;

/// The car as the scenario events see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    /// Middle of the car along the route, m.
    pub middle_m: f64,
    /// Front bumper along the route, m.
    pub front_m: f64,
    pub speed_mps: f64,
}

/// All scenario events of a trip.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScenarioEvents {
    pub placed: Vec<Placed>,
    blockages: Vec<Blockage>,
    people: Vec<Pedestrian>,
    cut_ins: Vec<CutIn>,
    rains: Vec<Rain>,
}

impl ScenarioEvents {
    /// Lets scripted people and cars act.
    pub(crate) fn step(&mut self, dt_s: f64, time_s: f64, scene: &Scene, around: &Around, traffic: &mut Traffic) {
        for person in self.people.iter_mut().filter(|person| (person.s_m - scene.middle_m).abs() < RANGE_M) {
            person.step(dt_s, scene, traffic);
        }
        for cut_in in &mut self.cut_ins {
            cut_in.step(time_s, scene, around, traffic);
        }
    }

    /// Draws anew what people and cars that have not acted yet will do; where they are stays.
    pub(crate) fn redraw(&mut self, rng: &mut impl Rng) {
        self.people.iter_mut().for_each(|person| person.redraw(rng));
        self.cut_ins.iter_mut().for_each(|cut_in| cut_in.redraw(rng));
    }

    /// Closed stretches of the whole trip.
    pub(crate) fn closures(&self) -> impl Iterator<Item = Closure> + '_ {
        self.blockages.iter().map(|blockage| blockage.closure)
    }

    /// What stands or walks near `s_m`, for drivers.
    pub(crate) fn push_presences(&self, s_m: f64, out: &mut Vec<Presence>) {
        for blockage in self.near(s_m) {
            out.extend_from_slice(&blockage.presences);
        }
        out.extend(self.people.iter().filter(|p| (p.s_m - s_m).abs() < RANGE_M).map(Pedestrian::presence));
    }

    /// The same for sensors and collisions, in the order of the identities.
    pub(crate) fn push_actors(&self, s_m: f64, route: &Route, out: &mut Vec<Actor>) {
        for blockage in self.near(s_m) {
            out.extend_from_slice(&blockage.actors);
        }
        let people = self.people.iter().filter(|p| (p.s_m - s_m).abs() < RANGE_M);
        out.extend(people.map(|person| person.actor(route)));
        out.sort_by_key(|actor| actor.id);
    }

    fn near(&self, s_m: f64) -> impl Iterator<Item = &Blockage> {
        self.blockages.iter().filter(move |b| b.closure.start_m < s_m + RANGE_M && b.closure.end_m > s_m - RANGE_M)
    }

    /// Strength of the rain at `s_m`, 0 to 1.
    pub(crate) fn rain(&self, s_m: f64) -> f64 {
        self.rains.iter().map(|rain| rain.at(s_m)).fold(0.0, f64::max)
    }

    /// Removes what stands from `from_m` to `to_m`, people included.
    pub(crate) fn clear(&mut self, from_m: f64, to_m: f64) {
        let gone = |s_m: f64, half_m: f64| s_m + half_m > from_m && s_m - half_m < to_m;
        for blockage in &mut self.blockages {
            let presences = &mut blockage.presences;
            let ids: Vec<u32> = presences.iter().filter(|p| gone(p.s_m, p.half_length_m)).map(|p| p.id).collect();
            presences.retain(|p| !ids.contains(&p.id));
            blockage.actors.retain(|actor| !ids.contains(&actor.id));
        }
        self.people.retain(|person| !gone(person.s_m, 0.3));
    }
}

/// Friction between tyres and road by the rain's strength (0 to 1): 1 when dry, 0.7 at one half, 0.5 in a cloudburst.
pub(crate) fn friction(rain: f64) -> f64 {
    between(rain, 1.0, 0.7, 0.5)
}

/// How far perception can be trusted by the rain's strength: 120 m when dry, 70 m at one half, 40 m in a cloudburst.
pub(crate) fn visibility_m(rain: f64) -> f64 {
    between(rain, 120.0, 70.0, 40.0)
}

/// Straight lines through the values at no, half and full strength.
fn between(rain: f64, none: f64, half: f64, full: f64) -> f64 {
    if rain < 0.5 { none + (half - none) * rain / 0.5 } else { half + (full - half) * (rain - 0.5) / 0.5 }
}
