//! Closed lanes: a taper of cones, a double-parked vehicle.

use crate::route::{Route, Station};
use crate::scene::Actor;
use crate::traffic::{Closure, Presence};
use protocol::v1::ObjectKind;
use rand::{Rng, RngExt};

/// Least room to pass, m.
pub(super) const PASSAGE_M: f64 = 3.0;
/// A side counts as free for traffic of the same direction with this much room beyond the lane, m.
const LANE_M: f64 = 2.5;
/// Distance between cones, m.
const CONE_EVERY_M: f64 = 2.5;
/// Side length of a cone's foot, m.
const CONE_M: f64 = 0.4;

/// A lane closed by things that stand on it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Blockage {
    pub closure: Closure,
    pub actors: Vec<Actor>,
    pub presences: Vec<Presence>,
}

/// Where a place can be passed: to the left (1) or right (-1), and whether only through the oncoming lane.
struct Passage {
    side: f64,
    gate: bool,
    /// From the lane's centre to the edge of the lane on the side of the passage.
    lane_m: f64,
    /// From the lane's centre to the far edge of what may be used to pass.
    limit_m: f64,
}

impl Passage {
    fn at(station: &Station) -> Self {
        let left = station.drivable_left_m - station.lane_left_m;
        let right = station.drivable_right_m - station.lane_right_m;
        if left >= LANE_M {
            Self { side: 1.0, gate: false, lane_m: station.lane_left_m, limit_m: station.drivable_left_m }
        } else if right >= LANE_M {
            Self { side: -1.0, gate: false, lane_m: station.lane_right_m, limit_m: station.drivable_right_m }
        } else {
            Self { side: 1.0, gate: true, lane_m: station.lane_left_m, limit_m: station.road_left_m }
        }
    }

    /// The tightest passage of a stretch; `None` when its kind changes on the way.
    fn along(route: &Route, from_m: f64, to_m: f64) -> Option<Self> {
        let mut tightest = Self::at(&route.at(from_m));
        let mut s_m = from_m;
        while s_m < to_m {
            s_m += 5.0;
            let here = Self::at(&route.at(s_m));
            if here.side != tightest.side || here.gate != tightest.gate {
                return None;
            }
            tightest.lane_m = tightest.lane_m.min(here.lane_m);
            tightest.limit_m = tightest.limit_m.min(here.limit_m);
        }
        Some(tightest)
    }

    fn closure(&self, start_m: f64, end_m: f64, edge_m: f64) -> Closure {
        let middle = (0.5 * (edge_m + self.limit_m)).min(edge_m + 1.8);
        Closure { start_m, end_m, gate: self.gate, pass_d_m: self.side * middle }
    }
}

/// Cones from `s_m` on that taper towards the free side; `None` where too little room would be left.
pub(super) fn cones(route: &Route, s_m: f64, rng: &mut impl Rng, next_id: &mut u32) -> Option<Blockage> {
    let length_m = rng.random_range(25.0..50.0);
    let taper_m = rng.random_range(0.4..0.6) * length_m;
    let share = rng.random_range(0.75..1.0);
    let passage = Passage::along(route, s_m - 40.0, s_m + length_m + 30.0)?;
    let station = route.at(s_m);
    let outer_m = if passage.side > 0.0 { station.lane_right_m } else { station.lane_left_m };
    // The cones' edge towards the passage, from the lane's centre.
    let edge_m = (share * (outer_m + passage.lane_m) - outer_m).min(passage.limit_m - PASSAGE_M);
    if edge_m + outer_m < 0.5 * (outer_m + passage.lane_m) {
        return None;
    }
    let (mut actors, mut along) = (Vec::new(), 0.0);
    while along <= length_m {
        let part = (along / taper_m).min(1.0);
        let d_m = passage.side * (-outer_m + 0.3 + (edge_m - 0.2 + outer_m - 0.3) * part);
        actors.push(stand(route, s_m + along, d_m, ObjectKind::Cone, (CONE_M, CONE_M), next_id));
        along += CONE_EVERY_M;
    }
    Some(blockage(route, actors, passage.closure(s_m, s_m + length_m, edge_m)))
}

/// A standing car or van with hazard lights on the right of the lane; `None` where too little room would be left.
pub(super) fn double_parked(route: &Route, s_m: f64, rng: &mut impl Rng, next_id: &mut u32) -> Option<Blockage> {
    let van = rng.random_bool(0.4);
    let (kind, length_m, width_m) = if van { (ObjectKind::Truck, 6.0, 2.1) } else { (ObjectKind::Car, 4.5, 1.85) };
    let share = rng.random_range(0.6..0.9);
    let passage = Passage::along(route, s_m - 35.0, s_m + 35.0)?;
    let station = route.at(s_m);
    if passage.side < 0.0 {
        return None;
    }
    let edge_m = share * (station.lane_left_m + station.lane_right_m) - station.lane_right_m;
    if passage.limit_m - edge_m < PASSAGE_M {
        return None;
    }
    let mut actor = stand(route, s_m, edge_m - width_m / 2.0, kind, (length_m, width_m), next_id);
    actor.hazards = true;
    let closure = passage.closure(s_m - length_m / 2.0, s_m + length_m / 2.0, edge_m);
    Some(blockage(route, vec![actor], closure))
}

fn blockage(route: &Route, actors: Vec<Actor>, closure: Closure) -> Blockage {
    let presence = |actor: &Actor| {
        let (s_m, d_m) = route.project(actor.x_m, actor.y_m, 0.5 * (closure.start_m + closure.end_m));
        Presence {
            id: actor.id,
            s_m,
            d_m,
            half_length_m: actor.length_m / 2.0,
            half_width_m: actor.width_m / 2.0,
            speed_mps: 0.0,
        }
    };
    Blockage { presences: actors.iter().map(presence).collect(), actors, closure }
}

/// A thing standing at a place of the route.
pub(super) fn stand(
    route: &Route,
    s_m: f64,
    d_m: f64,
    kind: ObjectKind,
    (length_m, width_m): (f64, f64),
    next_id: &mut u32,
) -> Actor {
    let station = route.at(s_m);
    let (sin, cos) = station.heading_rad.sin_cos();
    *next_id += 1;
    Actor {
        id: *next_id,
        kind,
        x_m: station.x_m - sin * d_m,
        y_m: station.y_m + cos * d_m,
        heading_rad: station.heading_rad,
        speed_mps: 0.0,
        length_m,
        width_m,
        braking: false,
        hazards: false,
    }
}
