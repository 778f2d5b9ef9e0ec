//! Harm: what a sample of a drive must not end in.

use protocol::v1::ObjectKind;
use serde::{Deserialize, Serialize};
use sim::route::Station;
use sim::scene::Actor;
use sim::world::{EgoState, Footprint, World};

/// Who is slower stands, m/s: the bound for a stopped agent in the collision metric of Caesar et al. 2021 (nuPlan, arXiv
/// 2106.11810).
const STANDS_MPS: f64 = 5e-2;
/// Cosine of the angle to the heading beyond which somebody is behind (150 degrees): the same metric's.
const BEHIND: f64 = -0.866_025_403_784_438_6;
/// Way against the traffic that is harm, metres: the bound beyond which nuPlan's driving direction metric gives nothing. It
/// allows it within a second; here it is without a break, as slow vehicles do harm there too.
const AGAINST_M: f64 = 6.0;
/// Half of the depth of the line that a front end is, metres.
const THIN_M: f64 = 0.01;
/// What stands in the own lane so far behind and ahead is a reason to be beside it, metres.
const PASSING_M: (f64, f64) = (15.0, 45.0);
/// Slower others stand and are passed, m/s.
const PASSED_MPS: f64 = 0.5;
/// Ticks between two looks at the direction: 10 a second.
const DIRECTION_EVERY: u64 = 5;

/// What harm was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// A collision at fault by nuPlan's rule (Caesar et al. 2021): not at fault is who stands, who is struck from behind, and
    /// who is struck from the side within one lane.
    AtFaultCollision,
    /// The middle of the body is more than half a metre beyond the edge of the road.
    RoadLeft,
    /// More than 6 m without a break against the traffic: facing backwards, or with the middle of the body in the lanes of
    /// the other direction and nothing to pass in its own.
    WrongWay,
}

impl Harm {
    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::AtFaultCollision => "collision at fault",
            Self::RoadLeft => "road left",
            Self::WrongWay => "wrong way",
        }
    }
}

/// What a look has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    Harm(Harm),
    /// Others struck the vehicle, not by its fault.
    Struck,
}

/// Watches a world for harm, tick by tick.
#[derive(Debug, Clone)]
pub(super) struct HarmObserver {
    ticks: u64,
    /// Before the last tick: a collision stops a vehicle.
    speed_mps: f64,
    /// When it was last looked where the vehicle drives.
    odometer_m: f64,
    against_m: f64,
}

impl HarmObserver {
    pub(super) fn new(world: &World) -> Self {
        let ego = world.ego();
        Self { ticks: 0, speed_mps: ego.speed_mps, odometer_m: ego.odometer_m, against_m: 0.0 }
    }

    /// Looks at the world after one more tick.
    pub(super) fn look(&mut self, world: &World) -> Seen {
        self.ticks += 1;
        let status = world.status();
        if status.collided_with.is_some() {
            let body = world.ego().footprint();
            // Others have the speed that they were struck at for this one look.
            let struck = world.actors().iter().find(|actor| body.overlaps(&Footprint::of(actor)));
            let is_not_at_fault =
                struck.is_some_and(|struck| !is_at_fault(world.ego(), self.speed_mps, struck, || reaches_out(world)));
            return if is_not_at_fault { Seen::Struck } else { Seen::Harm(Harm::AtFaultCollision) };
        }
        if status.off_road {
            return Seen::Harm(Harm::RoadLeft);
        }
        self.speed_mps = world.ego().speed_mps;
        if self.ticks.is_multiple_of(DIRECTION_EVERY) && self.has_gone_wrong_way(world) {
            return Seen::Harm(Harm::WrongWay);
        }
        Seen::Nothing
    }

    fn has_gone_wrong_way(&mut self, world: &World) -> bool {
        let ego = world.ego();
        let way_m = (ego.odometer_m - self.odometer_m).abs();
        self.odometer_m = ego.odometer_m;
        self.against_m = if is_against_traffic(world) { self.against_m + way_m } else { 0.0 };
        self.against_m > AGAINST_M
    }
}

/// Whether a vehicle that drove at `speed_mps` is at fault for having struck `struck`.
fn is_at_fault(ego: &EgoState, speed_mps: f64, struck: &Actor, reaches_out: impl FnOnce() -> bool) -> bool {
    if speed_mps.abs() <= STANDS_MPS {
        return false;
    }
    if struck.speed_mps.abs() <= STANDS_MPS {
        return true;
    }
    let body = ego.footprint();
    let (dx, dy) = (struck.x_m - ego.x_m, struck.y_m - ego.y_m);
    let bearing = (dx * body.cos + dy * body.sin) / dx.hypot(dy).max(1e-9);
    if bearing < BEHIND {
        return false;
    }
    let ahead_m = body.half_length_m - THIN_M;
    let (x_m, y_m) = (body.x_m + ahead_m * body.cos, body.y_m + ahead_m * body.sin);
    let front = Footprint { x_m, y_m, half_length_m: THIN_M, ..body };
    front.overlaps(&Footprint::of(struck)) || reaches_out()
}

/// The route beside the middle of the body, and how far left of it that is.
fn beside(world: &World) -> (Station, f64) {
    let body = world.ego().footprint();
    let (s_m, d_m) = world.route().project(body.x_m, body.y_m, world.progress_m());
    (world.route().at(s_m), d_m)
}

/// Whether the body reaches out of its lane.
fn reaches_out(world: &World) -> bool {
    let (station, d_m) = beside(world);
    let half_m = world.ego().outline.half_width_m;
    d_m + half_m > station.lane_left_m || d_m - half_m < -station.lane_right_m
}

fn is_against_traffic(world: &World) -> bool {
    let ego = world.ego();
    let (station, d_m) = beside(world);
    if (ego.heading_rad - station.heading_rad).cos() < 0.0 {
        return true;
    }
    let is_beyond = d_m > station.drivable_left_m || -d_m > station.drivable_right_m;
    let is_on_road = d_m < station.road_left_m && -d_m < station.road_right_m;
    is_beyond && is_on_road && !world.actors().iter().any(|actor| is_passed(world, &station, actor))
}

/// Whether `actor` stands in the own lane near `station`, so that it can only be passed beside the lane.
fn is_passed(world: &World, station: &Station, actor: &Actor) -> bool {
    if actor.kind == ObjectKind::Pedestrian || actor.speed_mps.abs() > PASSED_MPS {
        return false;
    }
    let (at_m, across_m) = world.route().project(actor.x_m, actor.y_m, station.s_m);
    let there = world.route().at(at_m);
    let half_m = actor.width_m / 2.0;
    (station.s_m - PASSING_M.0..station.s_m + PASSING_M.1).contains(&at_m)
        && across_m - half_m < there.lane_left_m
        && across_m + half_m > -there.lane_right_m
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::world::Outline;

    /// A car of 4.6 m with its rear axle at the origin, heading east.
    fn ego() -> EgoState {
        EgoState {
            x_m: 0.0,
            y_m: 0.0,
            heading_rad: 0.0,
            speed_mps: 0.0,
            acceleration_mps2: 0.0,
            steering_rad: 0.0,
            yaw_rate_radps: 0.0,
            odometer_m: 0.0,
            outline: Outline { centre_ahead_m: 1.3, half_length_m: 2.3, half_width_m: 0.9 },
        }
    }

    fn car(x_m: f64, y_m: f64, speed_mps: f64) -> Actor {
        Actor {
            id: 1,
            kind: ObjectKind::Car,
            x_m,
            y_m,
            heading_rad: 0.0,
            speed_mps,
            length_m: 4.5,
            width_m: 1.8,
            braking: false,
            hazards: false,
        }
    }

    #[test]
    fn who_is_at_fault_for_a_collision() {
        let at_fault = |speed_mps: f64, struck: Actor, out: bool| is_at_fault(&ego(), speed_mps, &struck, || out);
        assert!(at_fault(10.0, car(5.8, 0.0, 5.0), false), "into the back of a slower car");
        assert!(!at_fault(0.0, car(5.8, 0.0, -5.0), true), "who stands");
        assert!(!at_fault(5.0, car(-3.2, 0.0, 15.0), true), "who is struck from behind");
        assert!(!at_fault(10.0, car(0.0, 1.7, 10.0), false), "who is struck from the side within the own lane");
        assert!(at_fault(10.0, car(0.0, 1.7, 10.0), true), "the same out of it");
        assert!(at_fault(10.0, car(0.0, 1.7, 0.0), false), "along the side of what stands");
    }
}
