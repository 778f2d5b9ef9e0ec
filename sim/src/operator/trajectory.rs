//! A plan as a trajectory in the map's plane, for a vehicle that follows it by itself: what the operator would do at the
//! wheel, predicted with the single-track model.

use super::control::{Place, steer};
use super::planner::Plan;
use super::view::{Believed, View, project};
use protocol::v1::{Trajectory, TrajectoryPoint};

/// Time between two points, and between two steps of the prediction, microseconds.
const STEP_US: u64 = 250_000;
const LOOK_US: u64 = 50_000;
/// Time that the trajectory reaches ahead, microseconds.
const REACH_US: u64 = 3_000_000;
/// The first point lies this far behind, so that a car that is not yet so far is on the line too.
const BEHIND_US: u64 = 1_000_000;
const BEHIND_M: f64 = 2.0;
/// The line reaches at least this far, so that a car that stands has where to steer, metres.
const LEAST_M: f64 = 9.0;

/// Speed of that prediction, m/s.
const WALK_MPS: f64 = 3.0;

/// What `plan` means for a car that is at `believed` at `begins_us` of the vehicle's clock, seen in `view`: its place and
/// speed over three seconds, at most `limit_mps` fast.
#[must_use]
pub fn trajectory(view: &View, believed: &Believed, plan: &Plan, begins_us: u64, limit_mps: Option<f64>) -> Trajectory {
    let most = plan.cruise_mps.min(limit_mps.unwrap_or(f64::INFINITY)).max(believed.speed);
    let mut car = Place::here(view);
    let behind = Place { x: -BEHIND_M.max(0.5 * believed.speed), ..car };
    let mut wheels = believed.steering;
    let mut points = vec![point(believed, &behind, begins_us.saturating_sub(BEHIND_US))];
    let mut at_us = 0;
    while at_us <= REACH_US {
        if at_us.is_multiple_of(STEP_US) {
            points.push(point(believed, &car, begins_us + at_us));
        }
        advance(view, plan, most, &mut wheels, &mut car);
        at_us += LOOK_US;
    }
    if car.s < LEAST_M {
        // A car that stands or nearly so: where it would go if it went.
        let speed = car.speed;
        while car.s < LEAST_M {
            car.speed = WALK_MPS;
            advance(view, &Plan { acceleration_mps2: 0.0, ..*plan }, WALK_MPS, &mut wheels, &mut car);
        }
        car.speed = speed;
        points.push(point(believed, &car, begins_us + 3 * REACH_US));
    }
    Trajectory { points }
}

fn advance(view: &View, plan: &Plan, most_mps: f64, wheels: &mut f64, car: &mut Place) {
    let dt_s = LOOK_US as f64 * 1e-6;
    let wanted = steer(view, car, plan.offset_m);
    *wheels += (wanted - *wheels) * (1.0 - (-dt_s / view.own.steering_lag_s).exp());
    let speed = (car.speed + plan.acceleration_mps2 * dt_s).clamp(0.0, most_mps);
    let driven = dt_s * (car.speed + speed) / 2.0;
    let turn = driven * view.own.kinematics.curvature_per_m(*wheels, (car.speed + speed) / 2.0);
    let heading = car.heading + turn / 2.0;
    car.x += driven * heading.cos();
    car.y += driven * heading.sin();
    car.heading += turn;
    car.speed = speed;
    (car.s, car.d) = project(&view.route, car.x, car.y);
    car.turned = car.heading - view.at(car.s, |p| p.heading);
}

/// A place of the view's frame in the map's plane.
fn point(believed: &Believed, place: &Place, at_us: u64) -> TrajectoryPoint {
    let (sin, cos) = believed.pose.heading_rad.sin_cos();
    TrajectoryPoint {
        at_us,
        x_m: believed.pose.x_m + cos * place.x - sin * place.y,
        y_m: believed.pose.y_m + sin * place.x + cos * place.y,
        speed_mps: place.speed,
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
        assert!((along(&line.points[0]) + 4.0).abs() < 1e-9 && line.points[0].at_us == 6_000_000);
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
