//! Observations of a car on a simple road.

#![allow(dead_code)] // each test file uses its part

use protocol::v1::{CorridorPoint, ObjectKind, Surroundings, TrackedObject, VehicleState};

/// State of a car at `speed_mps` that goes straight.
pub fn state(speed_mps: f64) -> VehicleState {
    VehicleState { observation: vec![speed_mps, 0.0, 0.0, 0.0], ..Default::default() }
}

/// A two-way road of 3.5 m lanes with constant curvature; the car is `offset_m` left of its lane's centre and turned
/// left of it by `turned_rad`.
pub fn road(curvature: f32, offset_m: f32, turned_rad: f32) -> Surroundings {
    let station = |i: usize| {
        let s_m = 3.0 * i as f32;
        let angle = curvature * s_m;
        let (x, y) =
            if curvature == 0.0 { (s_m, 0.0) } else { (angle.sin() / curvature, (1.0 - angle.cos()) / curvature) };
        let (sin, cos) = (-turned_rad).sin_cos();
        let y = y - offset_m;
        CorridorPoint {
            s_m,
            x_m: x * cos - y * sin,
            y_m: x * sin + y * cos,
            heading_rad: angle - turned_rad,
            curvature_per_m: curvature,
            lane_left_m: 1.75,
            lane_right_m: 1.75,
            drivable_left_m: 1.75,
            drivable_right_m: 1.75,
            road_left_m: 5.25,
            road_right_m: 2.25,
            speed_limit_mps: 13.9,
        }
    };
    Surroundings {
        corridor: (0..41).map(station).collect(),
        visibility_m: 120.0,
        friction: 0.9,
        route_left_m: 2000.0,
        ..Default::default()
    }
}

/// An object of `kind` at a place, moving with `(forward, left)` m/s.
pub fn object(kind: ObjectKind, x_m: f32, y_m: f32, velocity: (f32, f32)) -> TrackedObject {
    let (length_m, width_m) = match kind {
        ObjectKind::Pedestrian => (0.6, 0.6),
        ObjectKind::Cone => (0.4, 0.4),
        _ => (4.6, 1.9),
    };
    TrackedObject {
        id: 1,
        kind: kind.into(),
        x_m,
        y_m,
        velocity_x_mps: velocity.0,
        velocity_y_mps: velocity.1,
        length_m,
        width_m,
        ..Default::default()
    }
}
