use super::*;
use protocol::geofence::PermittedArea;
use protocol::v1::{CorridorPoint, ObjectKind};

const SECOND: u64 = 1_000_000;

/// A straight road: own lane of 3.5 m, one of the other direction to the left.
fn road(objects: Vec<TrackedObject>) -> Surroundings {
    let point = |i: u8| CorridorPoint {
        s_m: 3.0 * f32::from(i),
        x_m: 3.0 * f32::from(i),
        lane_left_m: 1.75,
        lane_right_m: 1.75,
        drivable_left_m: 1.75,
        drivable_right_m: 1.75,
        road_left_m: 5.25,
        road_right_m: 1.75,
        speed_limit_mps: 13.9,
        ..Default::default()
    };
    Surroundings { corridor: (0..41).map(point).collect(), objects, visibility_m: 120.0, ..Default::default() }
}

fn thing(kind: ObjectKind, x_m: f32, y_m: f32, velocity_x_mps: f32) -> TrackedObject {
    let (length_m, width_m) = if kind == ObjectKind::Cone { (0.4, 0.4) } else { (4.5, 1.85) };
    TrackedObject { kind: kind.into(), x_m, y_m, velocity_x_mps, length_m, width_m, ..Default::default() }
}

fn parked() -> TrackedObject {
    thing(ObjectKind::Car, 30.0, -0.6, 0.0)
}

struct Car {
    assistant: Assistant,
    now_us: u64,
    pose: Pose2,
    speed_mps: f64,
}

impl Car {
    fn new() -> Self {
        let pose = Pose2 { x_m: 100.0, y_m: 50.0, heading_rad: 0.0 };
        Self { assistant: Assistant::default(), now_us: 10 * SECOND, pose, speed_mps: 0.0 }
    }

    fn look(&mut self, surroundings: &Surroundings) -> News {
        self.now_us += SECOND / 10;
        let look = Look {
            now_us: self.now_us,
            pose: &self.pose,
            speed_mps: self.speed_mps,
            surroundings,
            geofence: None,
            embodiment: &Embodiment::built_in()[0],
        };
        self.assistant.look(&look)
    }

    /// Looks until something is said.
    fn news(&mut self, surroundings: &Surroundings) -> News {
        (0..20).map(|_| self.look(surroundings)).find(|news| *news != News::None).unwrap_or(News::None)
    }

    fn asked() -> Self {
        let mut car = Self::new();
        assert_eq!(car.news(&road(vec![parked()])), News::Asked);
        car
    }

    fn shown(&self) -> AuthorityState {
        let mut state = AuthorityState::default();
        self.assistant.show(&mut state);
        state
    }

    fn question(&self) -> PathQuestion {
        *self.shown().question.unwrap()
    }

    fn answer(&mut self, answer: &PathAnswer) -> Result<(), Reason> {
        self.assistant.answer(self.now_us, &self.pose, answer, &Embodiment::built_in()[0], None)
    }

    fn waypoints(&mut self, points: &[(f32, f32)]) -> Result<(), Reason> {
        let waypoints = points.iter().map(|(x_m, y_m)| Waypoint { x_m: *x_m, y_m: *y_m }).collect();
        self.answer(&PathAnswer { question_id: 1, waypoints, ..Default::default() })
    }
}

fn pick(question_id: u64, path_id: u32) -> PathAnswer {
    PathAnswer { question_id, path_id, ..Default::default() }
}

#[test]
fn a_car_standing_in_the_lane_is_asked_about_with_ways_that_fit() {
    let car = Car::asked();
    let question = car.question();
    assert_eq!((question.id, question.reason()), (1, Reason::PathBlocked));
    assert_eq!(question.expires_us, question.asked_us + OPEN_US);
    assert!(question.text.starts_with("a car stands in the lane 24 m ahead"), "{}", question.text);
    let labels: Vec<&str> = question.paths.iter().map(|p| p.label.as_str()).collect();
    let left = "pass on the left, through the oncoming lane";
    assert_eq!(labels, [left, "pass on the left, with more room, through the oncoming lane"]);
    // Beside the car of 1.85 m at -0.6 m, with 0.5 m between.
    let aside = question.paths[0].points.iter().map(|p| p.y_m).fold(0.0, f32::max);
    assert!((aside - 1.755).abs() < 0.05, "{aside}");
}

#[test]
fn what_moves_stands_beside_the_lane_or_walks_is_not_asked_about() {
    for harmless in [
        thing(ObjectKind::Car, 30.0, 0.0, 0.6),
        thing(ObjectKind::Car, 30.0, -2.2, 0.0),
        thing(ObjectKind::Pedestrian, 30.0, 0.0, 0.0),
        thing(ObjectKind::Car, 70.0, 0.0, 0.0),
        thing(ObjectKind::Car, -10.0, 0.0, 0.0),
    ] {
        assert_eq!(Car::new().news(&road(vec![harmless])), News::None, "{harmless:?}");
    }
}

#[test]
fn the_vehicle_waits_with_room_to_swerve() {
    let mut car = Car::new();
    assert_eq!(car.assistant.setpoint(Some(&car.pose), 5.0), AssistSetpoint::Free);
    car.look(&road(vec![parked()]));
    // The car's rear is 27.75 m ahead: 24.15 m of it free, 15.5 m to be kept.
    let AssistSetpoint::AtMost(limit) = car.assistant.setpoint(Some(&car.pose), 5.0) else { panic!("not held back") };
    assert!((limit * limit - 2.0 * 1.5 * 8.65).abs() < 0.01, "{limit}");
    car.look(&road(vec![thing(ObjectKind::Car, 20.0, -0.6, 0.0)]));
    assert_eq!(car.assistant.setpoint(Some(&car.pose), 5.0), AssistSetpoint::AtMost(0.0));
    assert!(hold_back(5.0, 0.0) < -2.9 && hold_back(5.0, 5.5) > 1.0);
    car.look(&road(vec![]));
    assert_eq!(car.assistant.setpoint(Some(&car.pose), 5.0), AssistSetpoint::Free);
}

#[test]
fn a_row_of_cones_is_one_question() {
    let cones = (0..12).map(|i: u8| thing(ObjectKind::Cone, 30.0 + 2.5 * f32::from(i), -1.5 + 0.2 * f32::from(i), 0.0));
    let mut car = Car::new();
    assert_eq!(car.news(&road(cones.collect())), News::Asked);
    let end = car.question().paths[0].points.last().unwrap().x_m;
    assert!(end > 30.0 + 27.5 + 14.0, "{end}");
}

#[test]
fn a_road_with_no_way_round_is_said_once() {
    let wall = vec![parked(), thing(ObjectKind::Truck, 30.0, 3.5, 0.0)];
    let mut car = Car::new();
    assert_eq!(car.news(&road(wall.clone())), News::NoWay);
    assert_eq!(car.news(&road(wall)), News::None);
    assert_eq!(car.shown().question, None);
    assert_eq!(car.news(&road(vec![])), News::Settled);
}

#[test]
fn the_chosen_path_is_driven_and_ends() {
    let mut car = Car::asked();
    let end = car.question().paths[0].points.last().copied().unwrap();
    assert_eq!(car.answer(&pick(1, 1)), Ok(()));
    let chosen = car.shown().chosen_path.unwrap();
    assert!(car.shown().question.is_none() && chosen.path_id == 1 && chosen.left_m > 50.0, "{chosen:?}");
    // Before it has looked, it does not start.
    assert_eq!(car.assistant.setpoint(Some(&car.pose), 0.0), AssistSetpoint::Path(0.0, None));
    car.look(&road(vec![parked()]));
    let AssistSetpoint::Path(acceleration, Some(_)) = car.assistant.setpoint(Some(&car.pose), 0.0) else {
        panic!("no path")
    };
    assert!(acceleration > 1.0);
    car.pose.x_m += f64::from(end.x_m) - 0.5;
    car.look(&road(vec![]));
    assert_eq!((car.shown().chosen_path, car.assistant.setpoint(None, 4.0)), (None, AssistSetpoint::Free));
}

#[test]
fn answers_to_other_questions_other_paths_and_after_the_time_are_refused() {
    let mut car = Car::asked();
    assert_eq!(car.answer(&pick(2, 1)), Err(Reason::NoSuchQuestion));
    assert_eq!(car.answer(&pick(1, 9)), Err(Reason::NoSuchQuestion));
    assert_eq!(car.answer(&pick(1, 0)), Err(Reason::NoSuchQuestion));
    let expires_us = car.question().expires_us;
    car.now_us = expires_us;
    assert_eq!(car.answer(&pick(1, 1)), Err(Reason::NoSuchQuestion));
    car.now_us = expires_us - 1;
    assert_eq!(car.answer(&pick(1, 1)), Ok(()));
    assert_eq!(car.answer(&pick(1, 1)), Err(Reason::NoSuchQuestion));
}

#[test]
fn an_expired_question_is_asked_anew_and_a_settled_one_withdrawn() {
    let mut car = Car::asked();
    car.now_us += OPEN_US;
    assert_eq!((car.look(&road(vec![parked()])), car.question().id), (News::Asked, 2));
    assert_eq!((car.look(&road(vec![])), car.shown().question), (News::Settled, None));
}

#[test]
fn a_declined_question_is_not_repeated_for_a_while() {
    let mut car = Car::asked();
    assert_eq!(car.answer(&PathAnswer { question_id: 1, declined: true, ..Default::default() }), Ok(()));
    assert_eq!((car.look(&road(vec![parked()])), car.shown().question), (News::None, None));
    assert!(matches!(car.assistant.setpoint(Some(&car.pose), 0.0), AssistSetpoint::AtMost(_)));
    car.now_us += QUIET_US;
    assert_eq!((car.look(&road(vec![parked()])), car.question().id), (News::Asked, 2));
}

#[test]
fn waypoints_of_a_person_pass_the_same_predicates() {
    let good = [(0.0, 0.0), (6.0, 0.0), (14.0, 1.0), (20.0, 2.0), (28.0, 2.2), (36.0, 2.2), (44.0, 1.5), (52.0, 0.5)];
    let with = |index: usize, point: (f32, f32)| {
        let mut points = good;
        points[index] = point;
        Car::asked().waypoints(&points)
    };
    assert_eq!(Car::asked().waypoints(&good), Ok(()));
    assert_eq!(with(2, (f32::NAN, 1.0)), Err(Reason::NotFinite));
    assert_eq!(Car::asked().waypoints(&good[..1]), Err(Reason::OutOfLimits));
    assert_eq!(with(1, (0.1, 0.0)), Err(Reason::OutOfLimits), "a heap");
    assert_eq!(Car::asked().waypoints(&[(0.0, 0.0), (10.1, 0.0)]), Err(Reason::OutOfLimits), "a gap");
    assert_eq!(Car::asked().waypoints(&[(118.0, 0.0), (120.5, 0.0)]), Err(Reason::OutOfLimits), "far away");
    let many: Vec<(f32, f32)> = (0..65).map(|i: u8| (0.3 * f32::from(i), 0.0)).collect();
    assert_eq!(Car::asked().waypoints(&many), Err(Reason::OutOfLimits));
    assert_eq!(Car::asked().waypoints(&many[..64]), Ok(()));
    assert_eq!(with(4, (28.0, 0.5)), Err(Reason::PathBlocked), "into the parked car");
    assert_eq!(with(4, (28.0, 4.8)), Err(Reason::PathBlocked), "off the road");
    assert_eq!(Car::asked().waypoints(&[(0.0, 0.0), (2.0, 0.0), (2.0, 2.0)]), Err(Reason::PathBlocked), "too tight");
    let mut away = Car::asked();
    away.pose.y_m += 3.5;
    assert_eq!(away.waypoints(&good), Err(Reason::PathBlocked), "not where the vehicle is");
}

#[test]
fn a_path_out_of_the_permitted_area_is_refused() {
    let mut car = Car::asked();
    let area = |y: f64| {
        let area = PermittedArea::new(vec![(90.0, 40.0), (200.0, 40.0), (200.0, y), (90.0, y)]).unwrap();
        Geofence::of([area]).unwrap()
    };
    let points = [(0.0, 0.0), (9.0, 0.0), (18.0, 2.0)].map(|(x_m, y_m)| Waypoint { x_m, y_m });
    let answer = PathAnswer { question_id: 1, waypoints: points.to_vec(), ..Default::default() };
    let (now_us, pose) = (car.now_us, car.pose);
    let narrow = car.assistant.answer(now_us, &pose, &answer, &Embodiment::built_in()[0], Some(&area(51.5)));
    assert_eq!(narrow, Err(Reason::PathBlocked));
    assert_eq!(car.assistant.answer(now_us, &pose, &answer, &Embodiment::built_in()[0], Some(&area(53.0))), Ok(()));
}

#[test]
fn oncoming_traffic_is_let_pass_first_and_who_follows_is_not_waited_for() {
    let mut car = Car::asked();
    car.answer(&pick(1, 1)).unwrap();
    car.look(&road(vec![parked(), thing(ObjectKind::Car, 90.0, 3.5, -10.0)]));
    assert_eq!(car.assistant.setpoint(Some(&car.pose), 0.0), AssistSetpoint::Path(0.0, None));
    car.look(&road(vec![parked(), thing(ObjectKind::Car, -8.0, 0.0, 6.0)]));
    let AssistSetpoint::Path(acceleration, _) = car.assistant.setpoint(Some(&car.pose), 0.0) else { panic!("no path") };
    assert!(acceleration > 1.0);
}

#[test]
fn a_vehicle_that_stands_on_its_path_for_a_minute_asks_anew() {
    let mut car = Car::asked();
    car.answer(&pick(1, 1)).unwrap();
    let blocked = road(vec![parked(), thing(ObjectKind::Pedestrian, 12.0, 0.0, 0.0)]);
    car.look(&blocked);
    car.now_us += 60 * SECOND;
    car.look(&blocked);
    assert_eq!(car.shown().chosen_path, None);
}

#[test]
fn outside_assist_nothing_is_remembered_but_the_count() {
    let mut car = Car::asked();
    car.assistant.rest();
    assert_eq!((car.shown().question, car.answer(&pick(1, 1))), (None, Err(Reason::NoSuchQuestion)));
    assert_eq!((car.news(&road(vec![parked()])), car.question().id), (News::Asked, 2));
}
