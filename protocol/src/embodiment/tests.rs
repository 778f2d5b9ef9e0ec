use super::*;
use proptest::prelude::*;

fn car_with(from: &str, to: &str) -> String {
    let text = Embodiment::ackermann_car().source().to_owned();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn error_of(from: &str, to: &str) -> String {
    Embodiment::from_toml("car.toml", &car_with(from, to)).unwrap_err().to_string()
}

fn line_with(text: &str, what: &str) -> usize {
    text.lines().position(|line| line.contains(what)).unwrap() + 1
}

#[test]
fn the_built_in_embodiments_are_valid_and_found_by_their_names() {
    let names: Vec<&str> = Embodiment::built_in().iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["ackermann_car", "delivery_robot"]);
    for embodiment in Embodiment::built_in() {
        assert_eq!(Embodiment::by_name(&embodiment.name).as_ref(), Some(embodiment));
        assert!(!embodiment.description.is_empty() && embodiment.actuators.len() == embodiment.action.len());
        let channels = embodiment.channels();
        assert!(channels.speed.is_some() && channels.steering.is_some() && channels.accelerate.is_some());
    }
    assert_eq!(Embodiment::by_name("hovercraft"), None);
}

#[test]
fn the_cars_body_is_that_of_its_file() {
    let car = Embodiment::ackermann_car();
    assert!((car.front_m() - 3.6).abs() < 1e-12 && (car.length_m() - 4.6).abs() < 1e-12);
    assert!((car.centre_ahead_m() - 1.3).abs() < 1e-12 && (car.lidar_to_front_m() - 2.3).abs() < 1e-12);
    assert_eq!((car.half_width_m(), car.rear_m(), car.fastest_mps()), (0.925, 1.0, 60.0));
    assert_eq!((car.lag_s(car.channels().accelerate), car.lag_s(car.channels().steer)), (0.2, 0.08));
}

#[test]
fn channels_are_found_by_their_meaning_wherever_they_stand() {
    let car = Embodiment::ackermann_car();
    let robot = Embodiment::delivery_robot();
    assert_eq!(car.channels().steering, Some(2));
    assert_eq!((robot.channels().steering, robot.channels().yaw_rate), (Some(2), Some(2)));
    assert_eq!(robot.speed_mps(&[1.2, 0.0, 0.3]), Some(1.2));
    assert_eq!(robot.speed_mps(&[]), None);
    // Actuators written in another order than the channels are sorted to them.
    let text = car_with("channel = \"steering_rad\"", "channel = \"steering_rad\" ");
    let (head, tail) = text.split_once("# Engine and brakes.").unwrap();
    let (engine, rest) = tail.split_once("# Power steering").unwrap();
    let (steering, rest) = rest.split_once("# The first camera").unwrap();
    let turned = format!("{head}# Power steering{steering}# Engine and brakes.{engine}# The first camera{rest}");
    let turned = Embodiment::from_toml("turned.toml", &turned).unwrap();
    assert_eq!(turned.actuators, car.actuators);
}

#[test]
fn a_mistake_in_form_is_named_with_its_line() {
    let text = car_with("width_m = 1.85", "widht_m = 1.85");
    let error = Embodiment::from_toml("car.toml", &text).unwrap_err().to_string();
    let line = line_with(&text, "widht_m");
    assert!(error.starts_with(&format!("car.toml, line {line}: ")), "{error}");
    assert!(error.contains("widht_m") && error.contains("width_m"), "{error}");
    assert!(error_of("mass_kg = 1093.2952", "mass_kg = \"heavy\"").contains("mass_kg = \\\"heavy\\\""));
    assert!(error_of("[kinematics.ackermann]", "[kinematics.tricycle]").contains("`ackermann`, `differential`"));
    assert!(error_of("name = \"ackermann_car\"", "name = ").contains("line 5"));
}

#[test]
fn a_value_that_does_not_fit_is_named_with_its_line() {
    for (from, to, says) in [
        ("width_m = 1.85", "width_m = 0", "body.width_m is 0: use 0.05 to 10"),
        ("width_m = 1.85", "width_m = nan", "body.width_m is NaN"),
        ("wheelbase_m = 2.5789129", "wheelbase_m = -1.0", "kinematics.ackermann.wheelbase_m is -1"),
        ("stop_decel_mps2 = 4.0", "stop_decel_mps2 = 7.0", "limits.stop_decel_mps2 is 7: use 0.01 to 6"),
        ("emergency_decel_mps2 = 6.0", "emergency_decel_mps2 = 9", "emergency_decel_mps2 is 9: use 0.01 to 8"),
        ("max = 60.0", "max = -4.0", "observation.0.max is -4: above min, which is -3"),
        ("unit = \"m/s\"", "unit = \"km/h\"", "observation.0.unit is km/h: a name that ends with _mps has \"m/s\""),
        ("max = 3.0\nrate_per_s = 40.0", "max = -1.0\nrate_per_s = 40.0", "action.0.max is -1: use 0 to"),
        ("min = -9.0", "min = -7.0", "actuator.0.min is -7"),
        ("lag_s = 0.08", "lag_s = 0", "actuator.1.lag_s is 0: use 0.001 to 5"),
        ("channel = \"steering_rad\"", "channel = \"acceleration_mps2\"", "stands above already"),
        ("channel = \"steering_rad\"", "channel = \"wings_rad\"", "actuator.1.channel is wings_rad"),
        ("name = \"left\"", "name = \"front\"", "camera.1.name is \"front\""),
        ("width = 1280", "width = 1281", "camera.0.width is 1281: use an even number"),
        ("height_m = 1.6 }", "height_m = -1 }", "lidar.mount.height_m is -1"),
        ("left_m = 0.9", "left_m = 90.0", "camera.1.mount.left_m is 90: use -50 to 50"),
        (
            "height_m = 1.6 }",
            "height_m = 1.6, left_m = 0.2 }",
            "lidar.mount.left_m is 0.2: a lidar sits on the middle line",
        ),
        ("brake_share = 0.35", "brake_share = 1.5", "tracking.brake_share is 1.5: use 0.05 to 1"),
        ("braking_mps2 = 1.0", "braking_mps2 = 2", "tracking.braking_mps2 is 2: use 0.01 to 1.5"),
        ("steering_max = 0.06", "steering_max = 0.6", "tracking.steering_max is 0.6: use 0.0001 to 0.55"),
        ("steering_min = 0.01", "steering_min = nan", "tracking.steering_min is NaN"),
        ("name = \"ackermann_car\"", "name = \"My Car\"", "name is \"My Car\""),
    ] {
        let text = car_with(from, to);
        let error = Embodiment::from_toml("car.toml", &text).unwrap_err().to_string();
        let first = from.split('\n').next_back().unwrap_or(from);
        assert!(error.contains(says), "{to}: {error}");
        let places = text.lines().enumerate().filter(|(_, line)| to.split('\n').any(|part| line.contains(part)));
        let lines: Vec<String> = places.map(|(i, _)| format!("line {}:", i + 1)).collect();
        let near = |line: &String| error.contains(line.as_str());
        let above = text.lines().position(|line| line.contains(first)).map(|i| format!("line {i}:"));
        assert!(lines.iter().any(near) || above.iter().any(near), "{to}: {error}: {lines:?}");
    }
}

#[test]
fn what_a_kind_of_robot_needs_is_said() {
    let without = |name: &str| {
        let text = Embodiment::ackermann_car().source().to_owned();
        let block =
            text.split("\n\n").find(|b| b.starts_with("[[observation]]") && b.contains(name)).unwrap().to_owned();
        Embodiment::from_toml("car.toml", &text.replacen(&block, "", 1)).unwrap_err().to_string()
    };
    assert!(without("yaw_rate_radps").contains("needs the observation channel \"yaw_rate_radps\""));
    assert!(without("speed_mps").contains("needs the observation channel \"speed_mps\""));
    assert!(error_of("[lidar]\nmount = { forward_m = 1.3, height_m = 1.6 }", "").contains("needs the [lidar]"));
}

#[test]
fn a_robot_that_is_not_built_in_is_known_by_what_it_tells() {
    let car = Embodiment::ackermann_car();
    assert_eq!(car.to_tell(), "");
    let wide = Embodiment::from_toml("wide.toml", &car_with("width_m = 1.85", "width_m = 2.05")).unwrap();
    assert_eq!(Embodiment::told("ackermann_car", wide.to_tell()), Some(wide.clone()));
    assert_eq!(Embodiment::told("ackermann_car", ""), Some(car));
    assert_eq!(Embodiment::told("another", wide.to_tell()), None, "a name that is not the file's");
    assert_eq!(Embodiment::told("ackermann_car", "nonsense"), None);
    let endless = format!("{}#{}", wide.source(), "x".repeat(1 << 18));
    assert_eq!(Embodiment::told("ackermann_car", &endless), None, "longer than any file that is read");
}

#[test]
fn wheels_stay_where_they_are_and_a_turn_ends_with_the_motion() {
    let (car, robot) = (Embodiment::ackermann_car().kinematics, Embodiment::delivery_robot().kinematics);
    assert_eq!((car.held(0.3, 0.0), car.held(0.3, 9.0)), (0.3, 0.3));
    assert_eq!((robot.held(0.8, 0.0), robot.held(0.8, 0.05), robot.held(0.8, 1.0)), (0.0, 0.4, 0.8));
}

#[test]
fn a_file_that_says_nothing_of_tracking_gets_what_serves_the_car_in_proportion() {
    let without = |robot: &Embodiment| {
        let (head, tail) = robot.source().split_once("[tracking]").unwrap();
        let (_, rest) = tail.split_once("\n\n").unwrap();
        Embodiment::from_toml("robot.toml", &format!("{head}{rest}")).unwrap().tracking
    };
    let (car, usual) = (Embodiment::ackermann_car(), without(&Embodiment::ackermann_car()));
    let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
    assert!(close(usual.acceleration_mps2, 1.5) && close(usual.braking_mps2, 1.0) && close(usual.slowest_mps, 1.0));
    assert!(close(usual.steering_min, 0.01) && close(usual.steering_max, 0.06) && close(usual.lateral_mps2, 1.2));
    assert_eq!(usual.brake_share, car.tracking.brake_share);
    let slow = without(&Embodiment::delivery_robot());
    assert!(slow.acceleration_mps2 < 0.7 && slow.slowest_mps < 0.4 && slow.steering_max < 0.2, "{slow:?}");
}

#[test]
fn a_seat_is_told_how_to_drive_a_robot_in_the_robots_own_words() {
    let robot = Embodiment::delivery_robot().summary();
    let names = |channels: &[crate::v1::ChannelSummary]| -> Vec<String> {
        channels.iter().map(|c| format!("{} [{}] {} to {}", c.label, c.unit, c.min, c.max)).collect()
    };
    assert_eq!(names(&robot.action), ["acceleration [m/s²] -3 to 1", "yaw rate [rad/s] -1.5 to 1.5"]);
    assert_eq!(robot.observation[0].name, "speed_mps");
    assert_eq!((&robot.speed[..], &robot.accelerate[..]), ("speed_mps", "acceleration_mps2"));
    assert_eq!((&robot.steer[..], &robot.speed_unit[..]), ("yaw_rate_radps", "m/s"));
    assert_eq!((robot.front_m, robot.half_width_m), (0.35, 0.275));
    let car = Embodiment::ackermann_car().summary();
    assert_eq!((&car.action[1].label[..], &car.action[1].unit[..], &car.speed_unit[..]), ("steering", "rad", "km/h"));
    let channel = |name: &str, unit: &str| Channel { name: name.into(), unit: unit.into(), ..car_channel() };
    assert_eq!(channel("battery_share", "1").printed_unit(), "");
    assert_eq!(
        (channel("_mps", "m/s").label(), channel("motor_c", "degC").printed_unit()),
        (" mps".into(), "°C".into())
    );
}

fn car_channel() -> Channel {
    Embodiment::ackermann_car().action[0].clone()
}

#[test]
fn only_a_robot_of_its_own_brings_its_file() {
    assert_eq!(Embodiment::ackermann_car().attachment(), None);
    let text = car_with("width_m = 1.85", "width_m = 1.95");
    let wide = Embodiment::from_toml("wide.toml", &text).unwrap();
    let file = wide.attachment().unwrap();
    assert_eq!((&file.name[..], &file.data[..]), (EMBODIMENT_ATTACHMENT, text.as_bytes()));
}

#[test]
fn names_and_files_are_told_apart() {
    let error = Embodiment::named_or_from_file("hovercraft").unwrap_err().to_string();
    assert!(error.contains("hovercraft") && error.contains("ackermann_car, delivery_robot"), "{error}");
    assert_eq!(Embodiment::named_or_from_file("delivery_robot").unwrap(), Embodiment::delivery_robot());
}

#[test]
fn full_turns_of_the_stick_stay_below_the_gates_lateral_limit() {
    for robot in Embodiment::built_in() {
        let (half, steer) = (robot.half_steering_mps(), robot.channels().steer.unwrap());
        for step in 1..400 {
            let speed = robot.fastest_mps() * f64::from(step) / 400.0;
            let angle = robot.action[steer].max / (1.0 + (speed / half).powi(2));
            let lateral = speed * speed * robot.kinematics.curvature_per_m(angle, speed);
            assert!(lateral < robot.lateral_max_mps2, "{} at {speed} m/s: {lateral}", robot.name);
        }
    }
}

proptest! {
    #[test]
    fn steering_and_curvature_are_each_others_inverse(curvature in -0.2f64..0.2, speed in 0.2f64..40.0) {
        for robot in Embodiment::built_in() {
            let back = robot.kinematics.curvature_per_m(robot.kinematics.steering(curvature, speed), speed);
            prop_assert!((back - curvature).abs() < 1e-9);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", at in 0usize..3_000, cut in 0usize..400) {
        prop_assert!(Embodiment::from_toml("any", &text).is_err());
        let whole = Embodiment::ackermann_car().source().to_owned();
        let damaged: String = whole.chars().take(at).chain(whole.chars().skip(at + cut)).collect();
        let _ = Embodiment::from_toml("damaged", &damaged);
    }
}
