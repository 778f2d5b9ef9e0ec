//! Features of the vehicle's own motion and of the lane ahead.

use super::{Own, Writer, braking_speed};
use crate::corridor::{Corridor, wrap};
use protocol::v1::{CorridorPoint, Surroundings};

/// Look-ahead times, s.
const PREVIEWS_S: [f32; 5] = [0.5, 1.0, 1.5, 2.0, 3.0];
/// Look-ahead at standstill, m.
const PREVIEW_BASE_M: f32 = 3.0;
/// Deceleration, m/s^2, at which a driver likes to come down to a lower limit.
const COMFORT_DECEL: f32 = 1.5;
/// Lateral acceleration, m/s^2, that passengers accept in a bend.
const COMFORT_LATERAL: f32 = 2.0;

/// What the object features need to know about the vehicle's place in its lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    /// The vehicle's body.
    pub own: Own,
    /// Speed along the corridor, m/s.
    pub speed: f32,
    /// Offset to the left of the lane's centre, m.
    pub offset: f32,
    /// Speed that limit, bends and sight allow, m/s.
    pub allowed: f32,
    /// Distance looked ahead for steering, m.
    pub preview: f32,
}

pub(super) fn write(out: &mut Writer, speed: f32, own: Own, corridor: Corridor, around: &Surroundings) -> Lane {
    let here = corridor.project(0.0, 0.0);
    let heading_error = wrap(-here.heading);
    out.extend(&[
        speed / 10.0 - 1.0,
        speed / 3.0 - 1.5,
        (-speed.abs()).exp(),
        speed * speed / 200.0 - 0.5,
        here.d,
        heading_error / 0.2,
    ]);
    let preview = previews(out, speed, own, corridor);
    let drift = speed * heading_error.sin();
    out.extend(&[
        (here.d / (1.0 + speed.abs())).atan() / 0.2,
        drift,
        (here.d + drift) / 1.5,
        preview[1].y_m / 2.0,
        preview[3].y_m / 4.0,
        (preview[2].speed_limit_mps - speed) / 5.0,
        (preview[4].speed_limit_mps - speed) / 5.0,
        speed * speed * corridor.first().curvature_per_m / 3.0,
    ]);
    let allowed = speeds(out, speed, own, corridor, around);
    widths(out, speed, own, corridor, here.d);
    Lane {
        own,
        speed: speed * heading_error.cos(),
        offset: here.d,
        allowed,
        preview: PREVIEW_BASE_M + 1.5 * speed.abs(),
    }
}

/// For each preview: the pure-pursuit steering (Coulter 1992), the heading of the lane and its curvature.
fn previews(out: &mut Writer, speed: f32, own: Own, corridor: Corridor) -> [CorridorPoint; 5] {
    let points: [CorridorPoint; 5] = PREVIEWS_S.map(|t| corridor.at(PREVIEW_BASE_M + t * speed.abs()));
    out.extend(&points.map(|p| own.steering_units(2.0 * p.y_m / (p.x_m * p.x_m + p.y_m * p.y_m).max(1.0))));
    out.extend(&points.map(|p| p.heading_rad / 0.4));
    out.push(own.steering_units(corridor.first().curvature_per_m));
    out.extend(&points.map(|p| own.steering_units(p.curvature_per_m)));
    points
}

/// Speeds that are allowed against the speed driven; returns the least of them.
fn speeds(out: &mut Writer, speed: f32, own: Own, corridor: Corridor, around: &Surroundings) -> f32 {
    let here = corridor.first().speed_limit_mps.max(0.0);
    let (mut limit, mut bend, mut bend_now) = (f32::INFINITY, f32::INFINITY, f32::INFINITY);
    let mut sharpest = 0.0f32;
    for p in corridor.until(f32::INFINITY) {
        let s = p.s_m.max(0.0);
        limit = limit.min(braking_speed(p.speed_limit_mps.max(0.0), COMFORT_DECEL, s));
        let through = (COMFORT_LATERAL / p.curvature_per_m.abs().max(1e-4)).sqrt();
        bend = bend.min(braking_speed(through, COMFORT_DECEL, s));
        if s <= 10.0 {
            bend_now = bend_now.min(through);
        }
        if s <= 10.0 + 3.0 * speed.abs() && p.curvature_per_m.abs() > sharpest.abs() {
            sharpest = p.curvature_per_m;
        }
    }
    let sight = braking_speed(0.0, 2.0, around.visibility_m - 5.0);
    let route = braking_speed(0.0, COMFORT_DECEL, around.route_left_m - 3.0);
    let allowed = limit.min(bend).min(sight).min(route);
    let error = |target: f32| (target - speed) / 5.0;
    out.extend(&[
        here / 10.0 - 1.0,
        error(here),
        error(limit),
        error(bend),
        error(bend_now),
        error(sight),
        error(route),
        error(allowed),
        2.0 * (allowed - speed),
        (-around.visibility_m.max(0.0) / 50.0).exp(),
        (0.8 - around.friction) * 3.0,
        (-around.route_left_m.max(0.0) / 30.0).exp(),
        (allowed - here) / 5.0,
        own.steering_units(sharpest),
        allowed / 10.0 - 1.0,
        around.friction * around.visibility_m.clamp(0.0, 150.0) / 100.0,
        (-allowed / 2.0).exp(),
        speed.min(allowed) - speed,
    ]);
    allowed
}

/// Room to both sides of the lane's centre, now and the least of it within three seconds; room beside the vehicle.
fn widths(out: &mut Writer, speed: f32, own: Own, corridor: Corridor, offset: f32) {
    let sides = |p: &CorridorPoint| {
        [p.lane_left_m, p.lane_right_m, p.drivable_left_m, p.drivable_right_m, p.road_left_m, p.road_right_m]
    };
    let now = sides(corridor.first());
    let mut least = now;
    for p in corridor.until(15.0 + 3.0 * speed.abs()) {
        for (least, side) in least.iter_mut().zip(sides(p)) {
            *least = least.min(side);
        }
    }
    let scaled = |w: f32| (w - 2.5) / 2.0;
    out.extend(&now.map(scaled));
    out.extend(&least.map(scaled));
    out.extend(&[
        now[2] - offset - own.half_width_m,
        now[3] + offset - own.half_width_m,
        now[4] - offset - own.half_width_m,
        now[5] + offset - own.half_width_m,
    ]);
}
