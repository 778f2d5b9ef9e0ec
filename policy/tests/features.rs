//! What the features say in situations that a driver knows.

#![allow(clippy::unwrap_used)]

mod scene;

use policy::{FEATURE_NAMES, FEATURES, Observation, PolicyError, feature_index, features};
use proptest::prelude::*;
use protocol::Embodiment;
use protocol::v1::{CorridorPoint, ObjectKind, Surroundings, TrackedObject, VehicleState};
use scene::{object, road, state};
use std::collections::BTreeSet;

fn see(speed: f64, surroundings: &Surroundings) -> [f32; FEATURES] {
    let car = Embodiment::ackermann_car();
    features(&car, &Observation { state: &state(speed), surroundings }).unwrap()
}

/// Pure-pursuit steering at the 1 s preview, lateral offset, heading error: see `features::lane`.
const PURSUIT_1S: usize = 7;
const OFFSET: usize = 4;
const HEADING: usize = 5;
const SPEED_ERROR: usize = 31;
/// Room beside the vehicle to the left edge of what may be driven.
const ROOM_LEFT: usize = 60;
/// First band's closeness; two features a band, the third band is the lane's centre.
const BANDS: usize = 64;
/// Intelligent driver model behind the leader.
const FOLLOW: usize = 96;
/// Offset that passes a blockage on the left, in 1.5 m.
const PASS_LEFT: usize = 107;
const PEDESTRIAN: usize = 112;
const ONCOMING: usize = 118;
const BEHIND: usize = 121;

#[test]
fn a_straight_empty_road_at_the_limit_is_all_quiet() {
    let f = see(13.9, &road(0.0, 0.0, 0.0));
    assert!(f[PURSUIT_1S].abs() < 1e-5 && f[OFFSET].abs() < 1e-5 && f[HEADING].abs() < 1e-5);
    assert!(f[SPEED_ERROR].abs() < 1e-4 && f[BANDS..BANDS + 14].iter().all(|v| *v == 0.0));
}

#[test]
fn left_of_the_centre_and_turned_right_have_their_signs() {
    let f = see(10.0, &road(0.0, 0.8, -0.1));
    assert!((f[OFFSET] - 0.8).abs() < 1e-3, "{}", f[OFFSET]);
    assert!((f[HEADING] + 0.5).abs() < 1e-3, "{}", f[HEADING]);
    assert!(see(10.0, &road(0.02, 0.0, 0.0))[PURSUIT_1S] > 0.3, "a left bend asks for left");
    assert!(see(10.0, &road(0.0, 1.0, 0.0))[PURSUIT_1S] < -0.1, "too far left asks for right");
}

#[test]
fn a_parked_car_in_the_lane_asks_to_brake_or_to_pass() {
    let mut s = road(0.0, 0.0, 0.0);
    let free = see(10.0, &s);
    s.objects.push(object(ObjectKind::Car, 30.0, -0.6, (0.0, 0.0)));
    let f = see(10.0, &s);
    assert!(f[FOLLOW] < -0.7 && free[FOLLOW] > 0.2, "{} {}", f[FOLLOW], free[FOLLOW]);
    assert!(f[BANDS + 4] > 0.3 && f[BANDS + 12] == 0.0);
    // Its left edge lies at 0.35 m; 0.6 m of room and half of our width make 1.875 m.
    assert!((f[PASS_LEFT] * 1.5 - 1.875).abs() < 1e-3, "{}", f[PASS_LEFT]);
}

#[test]
fn a_narrower_robot_passes_nearer_and_sees_more_room_beside_it() {
    let mut s = road(0.0, 0.0, 0.0);
    s.objects.push(object(ObjectKind::Car, 15.0, -0.6, (0.0, 0.0)));
    let of = |robot: &Embodiment| features(robot, &Observation { state: &state(1.0), surroundings: &s }).unwrap();
    let (car, small) = (of(&Embodiment::ackermann_car()), of(&Embodiment::delivery_robot()));
    // Half of the widths, 0.925 and 0.275 m, are between them.
    assert!(((car[PASS_LEFT] - small[PASS_LEFT]) * 1.5 - 0.65).abs() < 1e-3);
    assert!((small[ROOM_LEFT] - car[ROOM_LEFT] - 0.65).abs() < 1e-3, "{} {}", small[ROOM_LEFT], car[ROOM_LEFT]);
}

#[test]
fn a_pedestrian_who_will_reach_the_lane_counts_more_than_one_who_walks_away() {
    let scene = |velocity| {
        let mut s = road(0.0, 0.0, 0.0);
        s.objects.push(object(ObjectKind::Pedestrian, 25.0, -4.0, (0.0, velocity)));
        see(10.0, &s)[PEDESTRIAN + 5]
    };
    assert!(scene(1.8) > 0.9 && scene(-1.0) < 0.1);
}

#[test]
fn oncoming_traffic_and_a_car_that_comes_up_behind_are_seen() {
    let mut s = road(0.0, 0.0, 0.0);
    s.objects.push(object(ObjectKind::Car, 40.0, 3.5, (-12.0, 0.0)));
    s.objects.push(object(ObjectKind::Car, -12.0, 3.5, (15.0, 0.0)));
    let f = see(10.0, &s);
    assert!(f[ONCOMING] > 0.8 && f[BEHIND] > 0.4 && f[BEHIND + 1] > 0.5, "{:?}", &f[ONCOMING..BEHIND + 4]);
    assert!(f[BEHIND + 2] == 0.0);
}

#[test]
fn more_objects_than_can_be_kept_leave_the_nearest() {
    let mut s = road(0.0, 0.0, 0.0);
    s.objects = (0..200).map(|i| object(ObjectKind::Car, 110.0 - 0.1 * i as f32, 8.0, (0.0, 0.0))).collect();
    s.objects.push(object(ObjectKind::Cone, 20.0, 0.0, (0.0, 0.0)));
    assert!(see(10.0, &s)[BANDS + 4] > 0.5);
}

#[test]
fn what_is_missing_or_senseless_is_named() {
    let car = Embodiment::ackermann_car();
    let good = road(0.0, 0.0, 0.0);
    let ask = |state: &VehicleState, surroundings: &Surroundings| {
        features(&car, &Observation { state, surroundings }).unwrap_err().to_string()
    };
    assert!(ask(&state(f64::NAN), &good).contains("speed_mps is NaN"));
    assert!(ask(&VehicleState::default(), &good).contains("channel speed_mps"));
    assert!(ask(&state(1.0), &Surroundings::default()).contains("0 stations"));
    let mut bad = good.clone();
    bad.objects.push(TrackedObject { velocity_y_mps: f32::INFINITY, ..Default::default() });
    assert!(ask(&state(1.0), &bad).contains("objects[0].velocity_y_mps is inf"));
    let arm = Embodiment::from_toml("arm.toml", include_str!("../../protocol/tests/arm.toml")).unwrap();
    let error = features(&arm, &Observation { state: &state(1.0), surroundings: &good }).unwrap_err();
    assert!(matches!(&error, PolicyError::Missing { what } if what.contains("speed_mps") && what.contains("arm")));
}

#[test]
fn features_are_found_by_names_that_say_what_they_are() {
    let distinct: BTreeSet<&str> = FEATURE_NAMES.into_iter().collect();
    assert_eq!(distinct.len(), FEATURES, "a name stands for one feature");
    let of = |f: &[f32; FEATURES], name: &str| f[feature_index(name).unwrap()];
    // 1.5 m left of the lane's centre at 10 m/s: pure pursuit of the point 18 m ahead, with a wheelbase of 2.8 m or so.
    let f = see(10.0, &road(0.0, 1.5, 0.0));
    let own = Embodiment::ackermann_car().kinematics.turning_length_m() as f32;
    let chord = 18.0f32.powi(2) + 1.5f32.powi(2);
    let wanted = (own * 2.0 * -1.5 / chord).atan() / 0.1;
    assert!((of(&f, "pure_pursuit_1.5s") - wanted).abs() < 0.02, "{} {wanted}", of(&f, "pure_pursuit_1.5s"));
    assert!((of(&f, "offset") - 1.5).abs() < 1e-3);
    // A car stands on the path that is driven, beside the middle of the lane.
    let mut s = road(0.0, 1.5, 0.0);
    let free = of(&see(10.0, &s), "idm_own_path");
    s.objects.push(object(ObjectKind::Car, 25.0, 1.0, (0.0, 0.0)));
    let f = see(10.0, &s);
    assert!(of(&f, "idm_own_path") < -0.5 && free > 0.2, "{} {free}", of(&f, "idm_own_path"));
    // A person who steps out is braked for; the four last names are those of their places.
    let mut s = road(0.0, 0.0, 0.0);
    s.objects.push(object(ObjectKind::Pedestrian, 20.0, -3.0, (0.0, 1.8)));
    let f = see(10.0, &s);
    assert!(of(&f, "pedestrian_braking") > 0.5 && of(&f, "pedestrian_conflict") > 0.9);
    let places = [("pure_pursuit_1.0s", PURSUIT_1S), ("idm_lane_now", FOLLOW), ("pass_left_offset", PASS_LEFT)];
    let more = [("oncoming_3s", ONCOMING), ("behind_left_near", BEHIND), ("band_-2.0m_near", BANDS)];
    assert!(places.into_iter().chain(more).all(|(name, place)| feature_index(name) == Some(place)));
    assert_eq!(feature_index("pedestrian_near"), Some(PEDESTRIAN));
    assert_eq!(feature_index("no such feature"), None);
}

fn wild() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => -200.0f32..200.0,
        1 => prop::num::f32::ANY,
        1 => prop::sample::select(vec![0.0f32, -0.0, 9.9e5, -9.9e5, 1e-30, f32::MIN_POSITIVE]),
    ]
}

proptest! {
    #[test]
    fn any_observation_gives_bounded_numbers_or_an_error(
        state in prop::collection::vec(wild().prop_map(f64::from), 0..6),
        stations in prop::collection::vec(prop::collection::vec(wild(), 12), 0..8),
        objects in prop::collection::vec((prop::collection::vec(wild(), 7), -1i32..8), 0..8),
        ends in (wild(), wild(), wild()),
    ) {
        let state = VehicleState { observation: state, ..Default::default() };
        let point = |(i, v): (usize, &Vec<f32>)| CorridorPoint {
            s_m: if v[0] > 150.0 { v[0] } else { 3.0 * i as f32 }, x_m: v[1], y_m: v[2], heading_rad: v[3],
            curvature_per_m: v[4], lane_left_m: v[5], lane_right_m: v[6], drivable_left_m: v[7],
            drivable_right_m: v[8], road_left_m: v[9], road_right_m: v[10], speed_limit_mps: v[11],
        };
        let object = |(v, kind): &(Vec<f32>, i32)| TrackedObject {
            id: 0, kind: *kind, x_m: v[0], y_m: v[1], heading_rad: v[2], velocity_x_mps: v[3],
            velocity_y_mps: v[4], length_m: v[5], width_m: v[6],
        };
        let surroundings = Surroundings {
            corridor: stations.iter().enumerate().map(point).collect(),
            objects: objects.iter().map(object).collect(),
            visibility_m: ends.0, friction: ends.1, route_left_m: ends.2, ..Default::default()
        };
        let car = Embodiment::ackermann_car();
        if let Ok(f) = features(&car, &Observation { state: &state, surroundings: &surroundings }) {
            prop_assert!(f.iter().all(|v| v.abs() <= 3.0), "{f:?}");
        }
    }
}
