//! What the car perceives, as the messages have it.

use super::{EgoState, Footprint, World};
use crate::route::Station;
use crate::scene::Actor;
use protocol::units::wrap_angle;
use protocol::v1::{CorridorPoint, ObjectKind, Surroundings, TrackedObject};

/// Stations of the corridor.
const STATIONS: usize = 41;
/// Distance between them, m.
const SPACING_M: f64 = 3.0;
/// Objects farther than this are not reported even in clear air, m.
const SIGHT_M: f64 = 120.0;
/// Objects farther behind than this are not reported, m.
const BEHIND_M: f64 = 40.0;

pub(super) fn surroundings(world: &World) -> Surroundings {
    let visibility_m = crate::scenario_event::visibility_m(world.rain());
    Surroundings {
        monotonic_us: 0,
        sequence: 0,
        corridor: corridor(world),
        objects: objects(world, visibility_m),
        visibility_m: visibility_m as f32,
        friction: world.friction() as f32,
        route_left_m: (world.route.length_m() - world.progress_m).max(0.0) as f32,
    }
}

/// A world frame position in the vehicle frame.
fn into_vehicle(ego: &EgoState, (sin, cos): (f64, f64), x_m: f64, y_m: f64) -> (f64, f64) {
    let (dx, dy) = (x_m - ego.x_m, y_m - ego.y_m);
    (dx * cos + dy * sin, dy * cos - dx * sin)
}

fn corridor(world: &World) -> Vec<CorridorPoint> {
    let turn = world.ego.heading_rad.sin_cos();
    let point = |index: usize| {
        let ahead_m = index as f64 * SPACING_M;
        let station = beyond_the_end(world.station(world.progress_m + ahead_m), world.progress_m + ahead_m);
        let (x_m, y_m) = into_vehicle(&world.ego, turn, station.x_m, station.y_m);
        CorridorPoint {
            s_m: ahead_m as f32,
            x_m: x_m as f32,
            y_m: y_m as f32,
            heading_rad: wrap_angle(station.heading_rad - world.ego.heading_rad) as f32,
            curvature_per_m: station.curvature_per_m as f32,
            lane_left_m: station.lane_left_m as f32,
            lane_right_m: station.lane_right_m as f32,
            drivable_left_m: station.drivable_left_m as f32,
            drivable_right_m: station.drivable_right_m as f32,
            road_left_m: station.road_left_m as f32,
            road_right_m: station.road_right_m as f32,
            speed_limit_mps: station.speed_limit_mps as f32,
        }
    };
    (0..STATIONS).map(point).collect()
}

/// Past the route's end the corridor goes straight on, so that stations stay evenly spaced.
fn beyond_the_end(station: Station, s_m: f64) -> Station {
    let extra = s_m - station.s_m;
    if extra <= 0.0 {
        return station;
    }
    let (sin, cos) = station.heading_rad.sin_cos();
    Station { x_m: station.x_m + extra * cos, y_m: station.y_m + extra * sin, curvature_per_m: 0.0, ..station }
}

fn objects(world: &World, visibility_m: f64) -> Vec<TrackedObject> {
    let turn = world.ego.heading_rad.sin_cos();
    let sight_m = visibility_m.min(SIGHT_M);
    let near = world.actors.iter().filter_map(|actor| {
        let (x_m, y_m) = into_vehicle(&world.ego, turn, actor.x_m, actor.y_m);
        (x_m > -BEHIND_M && x_m * x_m + y_m * y_m < sight_m * sight_m).then_some((actor, x_m, y_m))
    });
    let near: Vec<_> = near.collect();
    let blockers: Vec<_> = near
        .iter()
        .filter(|(actor, ..)| matches!(actor.kind, ObjectKind::Car | ObjectKind::Truck))
        .map(|(actor, ..)| (actor.id, Footprint::of(actor)))
        .collect();
    near.iter()
        .filter(|(actor, ..)| in_sight(&world.ego, actor, &blockers))
        .map(|(actor, x_m, y_m)| {
            let heading_rad = wrap_angle(actor.heading_rad - world.ego.heading_rad);
            TrackedObject {
                id: actor.id,
                kind: actor.kind.into(),
                x_m: *x_m as f32,
                y_m: *y_m as f32,
                heading_rad: heading_rad as f32,
                velocity_x_mps: (actor.speed_mps * heading_rad.cos()) as f32,
                velocity_y_mps: (actor.speed_mps * heading_rad.sin()) as f32,
                length_m: actor.length_m as f32,
                width_m: actor.width_m as f32,
            }
        })
        .collect()
}

/// Whether no car or truck stands before all three of the object's middle and two sides, seen from the roof of the car.
fn in_sight(ego: &EgoState, actor: &Actor, blockers: &[(u32, Footprint)]) -> bool {
    let eye = ego.footprint();
    let (dx, dy) = (actor.x_m - eye.x_m, actor.y_m - eye.y_m);
    let distance = dx.hypot(dy).max(0.1);
    let (ux, uy) = (dx / distance, dy / distance);
    let half = 0.45 * actor.width_m;
    [0.0, half, -half].iter().any(|side| {
        let (px, py) = (dx - side * uy, dy + side * ux);
        let range = px.hypot(py).max(0.1);
        !blockers.iter().any(|(id, body)| {
            *id != actor.id
                && near_ray(body, eye.x_m, eye.y_m, px / range, py / range)
                && body.ray_m(eye.x_m, eye.y_m, px / range, py / range).is_some_and(|m| m < range - 0.5)
        })
    })
}

/// A cheap first look: whether the ray passes the box's surrounding circle.
fn near_ray(body: &Footprint, x_m: f64, y_m: f64, ux: f64, uy: f64) -> bool {
    let (dx, dy) = (body.x_m - x_m, body.y_m - y_m);
    (dx * uy - dy * ux).abs() < body.half_length_m + body.half_width_m && dx * ux + dy * uy > -body.half_length_m
}
