use super::super::view::{Own, Point};
use super::*;
use protocol::v1::ObjectKind;

pub(in crate::operator) fn road(speed: f64, objects: Vec<Object>) -> View {
    let route = (0..41)
        .map(|i| Point {
            s: f64::from(i) * 3.0,
            x: f64::from(i) * 3.0,
            y: 0.0,
            heading: 0.0,
            curvature: 0.0,
            lane_left: 1.75,
            lane_right: 1.75,
            drivable_left: 1.75,
            drivable_right: 1.75,
            road_left: 5.25,
            speed_limit: 14.0,
        })
        .collect();
    View {
        own: Own::of(&protocol::Embodiment::built_in()[0]),
        speed,
        acceleration: 0.0,
        steering: 0.0,
        d: 0.0,
        heading: 0.0,
        route,
        objects,
        visibility: 120.0,
        friction: 1.0,
        route_left: 500.0,
    }
}

fn car(s: f64, d: f64, speed_s: f64) -> Object {
    Object { kind: ObjectKind::Car, s, d, speed_s, speed_d: 0.0, half_length: 2.3, half_width: 0.95 }
}

#[test]
fn a_double_parked_car_is_passed_when_the_other_lane_is_free_and_waited_for_otherwise() {
    let parked = car(30.0, -0.4, 0.0);
    let mut planner = Planner::default();
    let plan = planner.plan(&road(8.0, vec![parked]));
    assert!(plan.offset_m > 1.8, "{plan:?}");
    let plan = Planner::default().plan(&road(8.0, vec![parked, car(70.0, 3.5, -12.0)]));
    assert!(plan.offset_m.abs() < 0.3 && plan.acceleration_mps2 < 0.0, "{plan:?}");
}

#[test]
fn a_person_stepping_out_is_yielded_to() {
    let person = Object {
        kind: ObjectKind::Pedestrian,
        s: 30.0,
        d: -3.0,
        speed_s: 0.0,
        speed_d: 1.4,
        half_length: 0.3,
        half_width: 0.3,
    };
    assert!(Planner::default().plan(&road(12.0, vec![person])).acceleration_mps2 < -2.0);
    let gone = Object { d: 4.5, ..person };
    assert!(Planner::default().plan(&road(8.0, vec![gone])).acceleration_mps2 > -1.0);
}

#[test]
fn a_slower_car_is_followed_not_passed() {
    let plan = Planner::default().plan(&road(13.0, vec![car(25.0, 0.0, 6.0)]));
    assert!(plan.offset_m == 0.0 && plan.acceleration_mps2 < -1.5, "{plan:?}");
}

#[test]
fn a_free_road_is_driven_at_its_limit() {
    assert!(Planner::default().plan(&road(5.0, vec![])).acceleration_mps2 > 1.0);
    assert!(Planner::default().plan(&road(14.0, vec![])).acceleration_mps2.abs() < 0.1);
}
