//! A plan as a trajectory in the map's plane, for a vehicle that follows it by itself.

use super::planner::{Plan, path_at};
use super::view::{Believed, View};
use protocol::v1::{Trajectory, TrajectoryPoint};

/// Time between two points, microseconds.
const STEP_US: u64 = 250_000;
/// Points from the moment at which it begins.
const POINTS: u64 = 13;
/// The line reaches at least this far, so that a car that stands has where to steer, metres.
const LEAST_M: f64 = 9.0;

/// What `plan` means for a car that is at `believed` at `begins_us` of the vehicle's clock, seen in `view`: its place and
/// speed over three seconds, at most `limit_mps` fast, then a short way on, standing. Its first point lies behind, so
/// that a car that is not yet so far is on it too.
#[must_use]
pub fn trajectory(
    view: &View,
    believed: &Believed,
    plan: &Plan,
    begins_us: u64,
    limit_mps: Option<f64>,
) -> Trajectory {
    let step_s = STEP_US as f64 * 1e-6;
    let most = plan.cruise_mps.min(limit_mps.unwrap_or(f64::INFINITY)).max(0.0);
    let next = |speed: f64| {
        let wanted = speed + plan.acceleration_mps2 * step_s;
        if plan.acceleration_mps2 > 0.0 { wanted.min(most.max(speed)) } else { wanted }.max(0.0)
    };
    let (mut s, mut speed) = (0.0, believed.speed.max(0.0));
    let behind = (believed.speed * step_s).max(1.0);
    let mut points = vec![place(view, believed, plan, -behind, begins_us.saturating_sub(4 * STEP_US), speed)];
    for index in 0..POINTS {
        points.push(place(view, believed, plan, s, begins_us + index * STEP_US, speed));
        let after = next(speed);
        s += step_s * (speed + after) / 2.0;
        speed = after;
    }
    if s < LEAST_M {
        points.push(place(view, believed, plan, LEAST_M, begins_us + (POINTS + 8) * STEP_US, speed));
    }
    Trajectory { points }
}

/// The place at `s` along the route from the car, on the way to the plan's offset.
fn place(view: &View, believed: &Believed, plan: &Plan, s: f64, at_us: u64, speed_mps: f64) -> TrajectoryPoint {
    let heading = view.at(s, |p| p.heading);
    let beside = if s < 0.0 { view.d } else { path_at(view, plan.offset_m, s) };
    // Before the first station the route goes straight back.
    let (x0, y0) = (view.at(s.max(0.0), |p| p.x), view.at(s.max(0.0), |p| p.y));
    let back = s.min(0.0);
    let x = x0 + back * heading.cos() - beside * heading.sin();
    let y = y0 + back * heading.sin() + beside * heading.cos();
    let (sin, cos) = believed.pose.heading_rad.sin_cos();
    TrajectoryPoint {
        at_us,
        x_m: believed.pose.x_m + cos * x - sin * y,
        y_m: believed.pose.y_m + sin * x + cos * y,
        speed_mps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::planner::tests::road as road_with;
    use protocol::v1::Pose2;

    fn road(speed: f64) -> View {
        road_with(speed, Vec::new())
    }

    fn believed(speed: f64) -> Believed {
        Believed { pose: Pose2 { x_m: 100.0, y_m: 50.0, heading_rad: 0.5 }, speed, acceleration: 0.0, steering: 0.0 }
    }

    fn plan(acceleration_mps2: f64) -> Plan {
        Plan { offset_m: 0.0, acceleration_mps2, cruise_mps: 14.0, blocked_at_m: f64::INFINITY }
    }

    #[test]
    fn it_runs_along_the_lane_in_the_map_and_begins_behind_the_car() {
        let line = trajectory(&road(8.0), &believed(8.0), &plan(0.0), 7_000_000, None);
        let along = |p: &TrajectoryPoint| (p.x_m - 100.0) * 0.5f64.cos() + (p.y_m - 50.0) * 0.5f64.sin();
        let beside = |p: &TrajectoryPoint| (p.y_m - 50.0) * 0.5f64.cos() - (p.x_m - 100.0) * 0.5f64.sin();
        assert!(line.points.iter().all(|p| beside(p).abs() < 1e-9 && p.speed_mps == 8.0));
        assert!((along(&line.points[0]) + 2.0).abs() < 1e-9 && line.points[0].at_us == 6_000_000);
        assert!((along(&line.points[13]) - 24.0).abs() < 1e-9 && line.points[13].at_us == 10_000_000);
        assert!(line.points.windows(2).all(|p| p[0].at_us < p[1].at_us));
    }

    #[test]
    fn it_brakes_to_a_stop_and_keeps_below_the_governor() {
        let stop = trajectory(&road(4.0), &believed(4.0), &plan(-4.0), 7_000_000, None);
        assert!(stop.points.last().is_some_and(|p| p.speed_mps == 0.0));
        let slow = trajectory(&road(3.0), &believed(3.0), &plan(2.0), 7_000_000, Some(4.6));
        assert!(slow.points.iter().all(|p| p.speed_mps <= 4.6));
        assert!(slow.points.iter().any(|p| p.speed_mps == 4.6));
    }

    #[test]
    fn a_car_that_stands_and_shall_stand_still_gets_a_line_to_steer_by() {
        let stand = trajectory(&road(0.0), &believed(0.0), &plan(-1.0), 7_000_000, None);
        let far = stand.points.iter().map(|p| (p.x_m - 100.0).hypot(p.y_m - 50.0)).fold(0.0, f64::max);
        assert!(far > 8.0 && stand.points.iter().all(|p| p.speed_mps == 0.0), "{stand:?}");
    }
}
