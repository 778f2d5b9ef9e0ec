use super::*;
use protocol::v1::{CorridorPoint, TrackedObject};

fn straight() -> Surroundings {
    let corridor = (0..41)
        .map(|i| CorridorPoint { s_m: i as f32 * 3.0, x_m: i as f32 * 3.0, y_m: -0.5, ..Default::default() })
        .collect();
    let objects = vec![TrackedObject {
        x_m: 30.0,
        y_m: 2.5,
        velocity_x_mps: 5.0,
        length_m: 4.0,
        width_m: 2.0,
        ..Default::default()
    }];
    Surroundings { corridor, objects, visibility_m: 100.0, friction: 1.0, ..Default::default() }
}

fn state(us: u64, x: f64, y: f64, heading: f64, speed: f64) -> VehicleState {
    VehicleState {
        monotonic_us: us,
        world_from_vehicle: Some(Pose2 { x_m: x, y_m: y, heading_rad: heading }),
        observation: vec![speed, 0.0, 0.0, 0.0],
        ..Default::default()
    }
}

#[test]
fn a_delayed_picture_is_moved_to_the_present() {
    let car = Embodiment::ackermann_car();
    let seen = state(0, 100.0, 50.0, 0.3, 10.0);
    let view = View::new(&car, &straight(), &seen, &seen, 500_000).unwrap();
    // 0.5 m left of the route; half a second on, the car at 5 m/s is 2.5 m further away than 30 m less 5 m driven.
    assert!((view.d - 0.5).abs() < 1e-6 && view.heading.abs() < 1e-9);
    let object = view.objects[0];
    assert!((object.s - 27.5).abs() < 1e-6 && (object.d - 3.0).abs() < 1e-6, "{object:?}");
    assert!((object.speed_s - 5.0).abs() < 1e-6);
}

#[test]
fn a_turned_car_sees_the_route_turned_back() {
    let car = Embodiment::ackermann_car();
    let seen = state(0, 0.0, 0.0, 0.0, 0.0);
    let now = state(100_000, 1.0, 0.5, 0.1, 0.0);
    let view = View::new(&car, &straight(), &seen, &now, 0).unwrap();
    assert!((view.heading - 0.1).abs() < 1e-6 && (view.d - 1.0).abs() < 1e-6, "{view:?}");
}

#[test]
fn no_pose_or_no_route_gives_no_view() {
    let car = Embodiment::ackermann_car();
    let seen = state(0, 0.0, 0.0, 0.0, 0.0);
    assert!(View::new(&car, &Surroundings::default(), &seen, &seen, 0).is_none());
    assert!(View::new(&car, &straight(), &VehicleState::default(), &seen, 0).is_none());
}
