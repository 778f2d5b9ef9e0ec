use super::*;
use protocol::geofence::PermittedArea;
use std::f64::consts::PI;

const DT_S: f64 = 0.02;

fn action(acceleration: f64, steering: f64) -> Action {
    Action::new(&[acceleration, steering]).unwrap()
}

fn fence(corners: &[(f64, f64)]) -> Geofence {
    Geofence::of([PermittedArea::new(corners.to_vec()).unwrap()]).unwrap()
}

fn scene(embodiment: &Embodiment) -> Scene<'_> {
    Scene {
        embodiment,
        accelerate: 0,
        steer: Some(1),
        speed_mps: 10.0,
        steering: 0.0,
        pose: None,
        scan: None,
        limit_mps: None,
        geofence: None,
        dt_s: DT_S,
        share: 1.0,
        stop: action(-6.0, 0.01),
    }
}

/// A second of wanting `wanted`: what is actuated in the end, by whom, and what the gate says of it.
fn after_a_second(author: Author, wanted: Action, scene: &Scene) -> (f64, f64, Author, Reason) {
    let mut motion = Motion::at(action(0.0, 0.0));
    let mut last = None;
    for _ in 0..50 {
        last = Some(validate(Untrusted(Command { action: wanted, author }), scene, &mut motion));
    }
    let (validated, reason) = last.unwrap();
    let values = validated.get().action;
    assert_eq!(motion.action(), &values);
    (values.as_slice()[0], values.as_slice()[1], validated.get().author, reason)
}

fn echo_ahead(free_m: f64) -> LaserScan {
    LaserScan {
        start_angle: 0.0,
        end_angle: 1.0,
        ranges: vec![free_m + Embodiment::built_in()[0].lidar_to_front_m(), f64::NAN],
        ..LaserScan::default()
    }
}

#[test]
fn an_ordinary_setpoint_passes_at_its_rates() {
    let car = Embodiment::ackermann_car();
    let passed = after_a_second(Author::Policy, action(1.5, 0.05), &scene(&car));
    assert_eq!(passed, (1.5, 0.05, Author::Policy, Reason::Ok));
    let mut motion = Motion::at(action(0.0, 0.0));
    let setpoint = Command { action: action(3.0, 0.05), author: Author::Operator };
    let first = validate(Untrusted(setpoint), &scene(&car), &mut motion).0;
    assert!((first.get().action.as_slice()[0] - 0.32).abs() < 1e-9);
}

#[test]
fn what_is_no_command_becomes_the_stop() {
    let car = Embodiment::ackermann_car();
    let stopped = |setpoint| after_a_second(Author::Policy, setpoint, &scene(&car));
    assert_eq!(stopped(action(f64::NAN, 0.0)), (-6.0, 0.01, Author::Fallback, Reason::NotFinite));
    assert_eq!(stopped(action(0.0, f64::INFINITY)), (-6.0, 0.01, Author::Fallback, Reason::NotFinite));
    let short = Action::new(&[1.0]).unwrap();
    assert_eq!(stopped(short), (-6.0, 0.01, Author::Fallback, Reason::Malformed));
}

#[test]
fn the_governor_slows_operators_and_nobody_else() {
    let car = Embodiment::ackermann_car();
    let limited = Scene { limit_mps: Some(8.0), ..scene(&car) };
    let (a, _, _, reason) = after_a_second(Author::Operator, action(2.0, 0.0), &limited);
    assert!((a + 2.2).abs() < 1e-9 && reason == Reason::Latency, "{a}");
    assert_eq!(after_a_second(Author::Policy, action(2.0, 0.0), &limited).0, 2.0);
    // Whoever wants just what is allowed is not told that anything was changed.
    let allowed = governor::limit_acceleration(10.0, 8.0, car.stop_decel_mps2);
    assert_eq!(after_a_second(Author::Operator, action(allowed, 0.0), &limited).3, Reason::Ok);
    assert_eq!(after_a_second(Author::Operator, action(-5.0, 0.0), &limited).0, -5.0);
}

#[test]
fn an_obstacle_brakes_whoever_drives_at_once() {
    let car = Embodiment::ackermann_car();
    // 10 m/s need 2.5 m of build-up, 8.33 m of braking and the gap of 1 m.
    let (near, far) = (echo_ahead(11.8), echo_ahead(11.9));
    let mut motion = Motion::at(action(2.0, 0.0));
    let setpoint = Command { action: action(3.0, 0.0), author: Author::Operator };
    let (braked, reason) = validate(Untrusted(setpoint), &Scene { scan: Some(&near), ..scene(&car) }, &mut motion);
    assert_eq!((braked.get().action.as_slice()[0], reason), (-7.5, Reason::CollisionAhead));
    let free = after_a_second(Author::Operator, action(2.0, 0.0), &Scene { scan: Some(&far), ..scene(&car) });
    assert_eq!((free.0, free.3), (2.0, Reason::Ok));
}

#[test]
fn an_evasion_may_begin_and_go_on() {
    let car = Embodiment::ackermann_car();
    let ahead = echo_ahead(8.0);
    let blocked = Scene { scan: Some(&ahead), ..scene(&car) };
    assert_eq!(after_a_second(Author::Operator, action(0.0, 0.3), &blocked).3, Reason::Ok);
    let turning = Scene { steering: 0.3, ..blocked };
    assert_eq!(after_a_second(Author::Operator, action(0.0, 0.0), &turning).3, Reason::Ok);
    assert_eq!(after_a_second(Author::Operator, action(0.0, 0.0), &blocked).3, Reason::CollisionAhead);
}

#[test]
fn a_standing_vehicle_does_not_start_into_an_obstacle() {
    let car = Embodiment::ackermann_car();
    let (touching, clear) = (echo_ahead(0.3), echo_ahead(0.5));
    let standing = Scene { speed_mps: 0.0, ..scene(&car) };
    let held = after_a_second(Author::Operator, action(1.0, 0.0), &Scene { scan: Some(&touching), ..standing });
    assert_eq!((held.0, held.3), (-7.5, Reason::CollisionAhead));
    assert_eq!(after_a_second(Author::Operator, action(1.0, 0.0), &Scene { scan: Some(&clear), ..standing }).0, 1.0);
}

#[test]
fn the_edge_of_the_area_stops_everybody_and_a_person_creeps_back() {
    let car = Embodiment::ackermann_car();
    let fence = fence(&[(-100.0, -100.0), (100.0, -100.0), (100.0, 100.0), (-100.0, 100.0)]);
    let at = |x_m, heading_rad| Pose2 { x_m, y_m: 0.0, heading_rad };
    let fenced = |pose, speed_mps, author| {
        let scene = Scene { geofence: Some(&fence), pose, speed_mps, ..scene(&car) };
        let (a, _, _, reason) = after_a_second(author, action(1.0, 0.0), &scene);
        (a, reason)
    };
    // From 10 m/s: 2.5 m of build-up, 12.5 m of braking, 2 m of margin.
    let (inside, edge, outside) = (at(82.9, 0.0), at(83.1, 0.0), at(101.0, PI));
    let (near, reversing) = (at(99.0, 0.0), at(97.9, 0.0));
    assert_eq!(fenced(Some(&inside), 10.0, Author::Policy), (1.0, Reason::Ok));
    assert_eq!(fenced(Some(&edge), 10.0, Author::Policy), (-4.0, Reason::Geofence));
    assert_eq!(fenced(Some(&edge), 10.0, Author::Operator), (-4.0, Reason::Geofence));
    assert_eq!(fenced(None, 10.0, Author::Operator), (-4.0, Reason::Geofence));
    assert_eq!(fenced(Some(&outside), 1.4, Author::Operator), (1.0, Reason::Ok));
    assert_eq!(fenced(Some(&outside), 1.4, Author::Policy), (-4.0, Reason::Geofence));
    assert_eq!(fenced(Some(&outside), CREEP_MPS, Author::Operator), (-4.0, Reason::Geofence));
    // Creeping is for coming back: a vehicle inside does not creep out.
    assert_eq!(fenced(Some(&near), 1.0, Author::Operator), (-4.0, Reason::Geofence));
    // Reversing has no way to stop ahead; the margin remains.
    assert_eq!(fenced(Some(&reversing), -1.0, Author::Operator), (1.0, Reason::Ok));
    // The way follows the wheels.
    let scene = Scene { geofence: Some(&fence), pose: Some(&edge), steering: 0.5, ..scene(&car) };
    assert_eq!(after_a_second(Author::Policy, action(1.0, 0.0), &scene).3, Reason::Ok);
}

#[test]
fn braking_at_the_edge_and_by_the_manoeuvre_is_sudden_and_other_braking_is_not() {
    let car = Embodiment::ackermann_car();
    let first = |author, scene: &Scene| {
        let mut motion = Motion::at(action(1.0, 0.0));
        let setpoint = Command { action: action(-6.0, 0.0), author };
        validate(Untrusted(setpoint), scene, &mut motion).0.get().action.as_slice()[0]
    };
    assert_eq!(first(Author::Fallback, &scene(&car)), -6.0);
    assert!(first(Author::Operator, &scene(&car)) > 0.5);
    let fence = fence(&[(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]);
    let mut motion = Motion::at(action(1.0, 0.0));
    let setpoint = Command { action: action(1.0, 0.0), author: Author::Policy };
    let edge = Scene { geofence: Some(&fence), ..scene(&car) };
    assert_eq!(validate(Untrusted(setpoint), &edge, &mut motion).0.get().action.as_slice()[0], -4.0);
}

#[test]
fn steering_stays_below_the_lateral_limit_of_the_speed() {
    let car = Embodiment::ackermann_car();
    let fast = Scene { speed_mps: 20.0, ..scene(&car) };
    let (_, angle, _, reason) = after_a_second(Author::Operator, action(0.0, 0.5), &fast);
    assert!(
        (400.0 * car.kinematics.curvature_per_m(angle, 20.0) - 6.0).abs() < 1e-6 && reason == Reason::Ok,
        "{angle}"
    );
}

#[test]
fn a_robot_that_does_not_steer_is_braked_for_what_is_straight_ahead() {
    let mut robot = Embodiment::ackermann_car();
    robot.action.truncate(1);
    let near = echo_ahead(5.0);
    let stop = Action::new(&[-6.0]).unwrap();
    let scene = Scene { steer: None, stop, scan: Some(&near), ..scene(&robot) };
    let mut motion = Motion::at(Action::new(&[0.0]).unwrap());
    let setpoint = Command { action: Action::new(&[1.0]).unwrap(), author: Author::Policy };
    let (braked, reason) = validate(Untrusted(setpoint), &scene, &mut motion);
    assert_eq!((braked.get().action.as_slice(), reason), (&[-7.5][..], Reason::CollisionAhead));
}
