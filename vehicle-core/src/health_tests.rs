use super::*;
use protocol::v1::{Pose2, Surroundings, VehicleState};

const TIMEOUT_US: u64 = 200_000;

fn scan(ranges: Vec<f64>) -> LaserScan {
    LaserScan { ranges, start_angle: -3.0, end_angle: 3.0, ..LaserScan::default() }
}

fn sensors(at_us: u64) -> Sensors {
    Sensors {
        state: VehicleState {
            monotonic_us: at_us,
            world_from_vehicle: Some(Pose2 { x_m: 1.0, y_m: 2.0, heading_rad: 0.5 }),
            observation: vec![5.0, 0.0, 0.0, 0.0],
            ..VehicleState::default()
        },
        surroundings: Some(Arc::new(Surroundings { monotonic_us: at_us, ..Surroundings::default() })),
        scan: Some(Arc::new(scan(vec![80.0, 5.0, f64::INFINITY]))),
        estop_pressed: false,
    }
}

#[test]
fn sensors_that_speak_are_healthy_and_each_that_falls_silent_is_noticed() {
    let mut watch = SensorWatch::default();
    let first = sensors(1_000_000);
    assert!(watch.is_healthy(1_000_000, &first, TIMEOUT_US));
    let later = 1_000_000 + TIMEOUT_US;
    assert!(watch.is_healthy(later, &first, TIMEOUT_US));
    let now = later + 1;
    assert!(!watch.is_healthy(now, &Sensors { scan: first.scan.clone(), ..sensors(now) }, TIMEOUT_US), "lidar");
    assert!(!watch.is_healthy(now, &Sensors { scan: None, ..sensors(now) }, TIMEOUT_US), "lidar unplugged");
    assert!(watch.is_healthy(now, &sensors(now), TIMEOUT_US));
    let seen = first.surroundings;
    assert!(!watch.is_healthy(now, &Sensors { surroundings: seen, ..sensors(now) }, TIMEOUT_US), "surroundings");
    assert!(!watch.is_healthy(now, &Sensors { surroundings: None, ..sensors(now) }, TIMEOUT_US));
    assert!(!watch.is_healthy(now, &Sensors { state: first.state, ..sensors(now) }, TIMEOUT_US), "own state");
}

#[test]
fn stamps_from_the_future_and_nonsense_are_no_sensors() {
    let mut watch = SensorWatch::default();
    assert!(!watch.is_healthy(1_000_000, &sensors(1_000_001), TIMEOUT_US));
    let place = |x_m, y_m, heading_rad| Sensors {
        state: VehicleState { world_from_vehicle: Some(Pose2 { x_m, y_m, heading_rad }), ..sensors(5).state },
        ..sensors(5)
    };
    assert!(watch.is_healthy(5, &place(0.0, 0.0, 0.0), TIMEOUT_US));
    for nonsense in [place(f64::NAN, 0.0, 0.0), place(0.0, f64::INFINITY, 0.0), place(0.0, 0.0, f64::NAN)] {
        assert!(!watch.is_healthy(5, &nonsense, TIMEOUT_US));
    }
    let mut lost = sensors(5);
    lost.state.world_from_vehicle = None;
    assert!(!watch.is_healthy(5, &lost, TIMEOUT_US));
    let mut mad = sensors(5);
    mad.state.observation[0] = f64::NAN;
    assert!(!watch.is_healthy(5, &mad, TIMEOUT_US));
    assert!(!SensorWatch::default().is_healthy(5, &Sensors { scan: None, ..sensors(5) }, TIMEOUT_US));
}

#[test]
fn a_lidar_that_speaks_but_sees_nothing_is_lost() {
    let healthy = |scan: LaserScan| {
        let sensors = Sensors { scan: Some(Arc::new(scan)), ..sensors(5) };
        SensorWatch::default().is_healthy(5, &sensors, TIMEOUT_US)
    };
    assert!(healthy(scan(vec![f64::NAN, 5.0, 80.0])) && healthy(scan(vec![0.1, 0.3, 80.0])));
    assert!(!healthy(scan(vec![])) && !healthy(scan(vec![f64::NAN, 5.0])));
    assert!(!healthy(scan(vec![0.0, 0.29, 80.0])) && !healthy(scan(vec![f64::NAN, 0.0, 80.0])));
    assert!(!healthy(LaserScan { start_angle: f64::NAN, ..scan(vec![5.0]) }));
    assert!(!healthy(LaserScan { end_angle: f64::INFINITY, ..scan(vec![5.0]) }));
    // It counts again as soon as it sees again.
    let mut watch = SensorWatch::default();
    let blind = Sensors { scan: Some(Arc::new(scan(vec![f64::NAN]))), ..sensors(5) };
    assert!(!watch.is_healthy(5, &blind, TIMEOUT_US) && watch.is_healthy(6, &sensors(6), TIMEOUT_US));
}

fn action(acceleration: f64, steering: f64) -> Action {
    Action::new(&[acceleration, steering]).unwrap()
}

/// Ticks of 20 ms until the feedback no longer follows, at most 100.
fn ticks_until_fault(commanded: Action, feedback: impl FnMut(usize) -> ActuatorFeedback) -> Option<usize> {
    ticks_until_fault_of(&Embodiment::built_in()[0], commanded, feedback)
}

fn ticks_until_fault_of(
    robot: &Embodiment,
    commanded: Action,
    mut feedback: impl FnMut(usize) -> ActuatorFeedback,
) -> Option<usize> {
    let mut watch = ActuatorMonitor::default();
    (0..100).find(|tick| !watch.is_tracking(&commanded, robot, &feedback(*tick), 0.02))
}

fn steady(steering: f64, acceleration_mps2: f64, speed_mps: f64) -> impl FnMut(usize) -> ActuatorFeedback {
    move |_| ActuatorFeedback { steering: Some(steering), acceleration_mps2, speed_mps }
}

#[test]
fn wheels_that_do_not_turn_are_a_failure_after_the_debounce_time() {
    let fault = ticks_until_fault(action(0.0, 0.3), steady(0.0, 0.0, 10.0)).unwrap();
    assert!((19..26).contains(&fault), "{fault}");
    assert!(ticks_until_fault(action(0.0, -0.3), steady(0.0, 0.0, 10.0)).is_some());
    // 1.2 m/s^2 to the side, at most 0.06 rad and at least 0.01.
    assert_eq!(ticks_until_fault(action(0.0, 0.059), steady(0.0, 0.0, 7.0)), None);
    assert!(ticks_until_fault(action(0.0, 0.061), steady(0.0, 0.0, 7.0)).is_some());
    assert_eq!(ticks_until_fault(action(0.0, 0.059), steady(0.0, 0.0, 0.0)), None);
    assert_eq!(ticks_until_fault(action(0.0, 0.0305), steady(0.0, 0.0, 10.0)), None);
    assert!(ticks_until_fault(action(0.0, 0.0315), steady(0.0, 0.0, 10.0)).is_some());
    assert_eq!(ticks_until_fault(action(0.0, 0.0099), steady(0.0, 0.0, 30.0)), None);
    assert!(ticks_until_fault(action(0.0, 0.0101), steady(0.0, 0.0, 30.0)).is_some());
    let lagging = |tick: usize| ActuatorFeedback {
        steering: Some(0.3 * (1.0 - (-0.02 * (tick + 1) as f64 / 0.08).exp())),
        acceleration_mps2: 0.0,
        speed_mps: 10.0,
    };
    assert_eq!(ticks_until_fault(action(0.0, 0.3), lagging), None);
}

#[test]
fn brakes_that_do_not_bite_and_an_engine_that_runs_away_are_failures() {
    let fault = ticks_until_fault(action(-6.0, 0.0), steady(0.0, 0.0, 10.0)).unwrap();
    assert!((20..40).contains(&fault), "{fault}");
    assert_eq!(ticks_until_fault(action(-6.0, 0.0), steady(0.0, -1.1, 10.0)), None, "a wet road downhill");
    assert!(ticks_until_fault(action(-6.0, 0.0), steady(0.0, -1.0, 10.0)).is_some());
    assert!(ticks_until_fault(action(-3.0, 0.0), steady(0.0, 0.0, 10.0)).is_some());
    assert_eq!(ticks_until_fault(action(-2.8, 0.0), steady(0.0, 0.0, 10.0)), None);
    assert_eq!(ticks_until_fault(action(-0.75, 0.0), steady(0.0, 0.98, 10.0)), None);
    assert!(ticks_until_fault(action(-0.75, 0.0), steady(0.0, 1.0, 10.0)).is_some());
    assert!(ticks_until_fault(action(0.0, 0.0), steady(0.0, 1.6, 10.0)).is_some());
    assert_eq!(ticks_until_fault(action(0.0, 0.0), steady(0.0, 1.5, 10.0)), None);
    assert_eq!(ticks_until_fault(action(2.0, 0.0), steady(0.0, 1.0, 10.0)), None);
    assert_eq!(ticks_until_fault(action(2.0, 0.0), steady(0.0, 2.0, 10.0)), None);
}

#[test]
fn a_standing_car_and_a_short_deviation_are_no_failure() {
    assert_eq!(ticks_until_fault(action(-6.0, 0.0), steady(0.0, 0.0, 1.0)), None);
    let now_and_then = |every: usize, share: usize| {
        move |tick: usize| ActuatorFeedback {
            steering: Some(if tick % every < share { 0.2 } else { 0.0 }),
            acceleration_mps2: 0.0,
            speed_mps: 10.0,
        }
    };
    assert_eq!(ticks_until_fault(action(0.0, 0.0), now_and_then(38, 19)), None);
    assert!(ticks_until_fault(action(0.0, 0.0), now_and_then(20, 13)).is_some(), "more often than not");
}

#[test]
fn a_slow_robot_is_held_to_its_own_bands() {
    let robot = Embodiment::delivery_robot();
    let fault = |commanded, feedback| ticks_until_fault_of(&robot, commanded, feedback);
    assert!(fault(action(0.0, 0.0), steady(0.0, 0.65, 0.5)).is_some(), "a drive that runs away");
    assert_eq!(fault(action(0.0, 0.0), steady(0.0, 0.55, 0.5)), None);
    assert_eq!(fault(action(0.0, 0.0), steady(0.0, 0.65, 0.25)), None, "as good as standing");
    assert!(fault(action(-1.5, 0.0), steady(0.0, 0.0, 0.5)).is_some(), "brakes that do not bite");
    assert_eq!(fault(action(-1.5, 0.0), steady(0.0, -0.6, 0.5)), None);
    for speed_mps in [0.0, 0.5, 1.5] {
        assert!(fault(action(0.0, 0.17), steady(0.0, 0.0, speed_mps)).is_some(), "it does not turn at {speed_mps} m/s");
        assert_eq!(fault(action(0.0, 0.15), steady(0.0, 0.0, speed_mps)), None);
    }
}

#[test]
fn a_robot_without_wheels_is_judged_by_its_motion() {
    let mut watch = ActuatorMonitor::default();
    let feedback = ActuatorFeedback { steering: None, acceleration_mps2: 3.0, speed_mps: 5.0 };
    let one = Action::new(&[0.0]).unwrap();
    assert!((0..100).any(|_| !watch.is_tracking(&one, &Embodiment::built_in()[0], &feedback, 0.02)));
}

#[test]
fn a_slow_robots_drive_is_judged_by_what_it_can_do() {
    let robot = Embodiment::delivery_robot();
    let fault = |asked: f64, measured: f64, speed_mps: f64| {
        let mut watch = ActuatorMonitor::default();
        let feedback = ActuatorFeedback { steering: Some(0.0), acceleration_mps2: measured, speed_mps };
        (0..100).any(|_| !watch.is_tracking(&action(asked, 0.0), &robot, &feedback, 0.02))
    };
    assert!(fault(0.0, 1.0, 0.9), "a motor that gives all it has");
    assert!(fault(-2.5, 0.0, 0.9), "brakes that do not bite");
    assert!(!fault(0.0, 0.56, 0.9) && fault(0.0, 0.57, 0.9));
    assert!(!fault(-2.5, 0.0, 0.375) && fault(-2.5, 0.0, 0.38), "what nearly stands tells nothing");
    assert!(!fault(1.0, 1.0, 0.9) && !fault(-2.5, -0.51, 0.9));
}

#[test]
fn the_feedback_is_read_from_the_embodiments_channels() {
    let feedback = ActuatorFeedback::of(&[12.0, -3.0, 0.2, 0.0], &Embodiment::ackermann_car());
    assert_eq!(feedback, ActuatorFeedback { steering: Some(0.2), acceleration_mps2: -3.0, speed_mps: 12.0 });
    let none = ActuatorFeedback::of(&[], &Embodiment::ackermann_car());
    assert_eq!(none, ActuatorFeedback { steering: None, acceleration_mps2: 0.0, speed_mps: 0.0 });
}

#[test]
fn what_a_robot_does_not_have_cannot_fall_silent_and_what_it_has_still_can() {
    let bare = || Sensors { surroundings: None, scan: None, ..sensors(5) };
    let expects = |surroundings, scan| SensorWatch::new(ExpectedSensors { surroundings, scan });
    assert!(expects(false, false).is_healthy(5, &bare(), TIMEOUT_US));
    assert!(!expects(true, false).is_healthy(5, &bare(), TIMEOUT_US), "surroundings");
    assert!(!expects(false, true).is_healthy(5, &bare(), TIMEOUT_US), "lidar");
    assert!(!expects(false, false).is_healthy(5 + TIMEOUT_US + 1, &bare(), TIMEOUT_US), "own state");
    let blind = Sensors { scan: Some(Arc::new(scan(vec![f64::NAN; 3]))), ..bare() };
    assert!(!expects(false, true).is_healthy(5, &blind, TIMEOUT_US), "covered lidar");
    assert!(expects(true, false).is_healthy(5, &Sensors { scan: None, ..sensors(5) }, TIMEOUT_US));
}
