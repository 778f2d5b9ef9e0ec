use super::*;

fn at_speed(speed_mps: f64) -> Vehicle {
    let mut car = Vehicle::standing(VehicleParams::of(&Embodiment::ackermann_car()).unwrap(), 0.0, 0.0, 0.0);
    car.speed_mps = speed_mps;
    car
}

#[test]
fn derivatives_equal_those_of_the_commonroad_single_track_model() {
    // State and derivatives of the vehicle models' own test for vehicle 2: slip, yaw rate, their rates.
    let mut car = at_speed(15.721_623_633_429_012);
    car.steering_rad = 0.019_754_524_855_961_7;
    car.acceleration_mps2 = 5.353_677_327_641_393;
    let (d_slip, d_yaw) = car.tyres(0.003_301_217_061_029_8, 0.052_900_105_665_403_8, car.speed_mps, 1.048_9);
    assert!((d_yaw - 0.643_558_939_774_861).abs() < 1e-5, "{d_yaw}");
    assert!((d_slip - 0.031_329_797_164_129).abs() < 1e-6, "{d_slip}");
}

#[test]
fn braking_to_standstill_never_rolls_backwards() {
    let mut car = at_speed(20.0);
    for _ in 0..400 {
        car.step(0.02, -8.0, 0.0, 1.0);
        assert!(car.speed_mps() >= 0.0);
    }
    assert_eq!(car.speed_mps(), 0.0);
    let ideal = 20.0_f64.powi(2) / 16.0;
    assert!(car.rear_x_m() > ideal && car.rear_x_m() < ideal + 20.0 * 0.3, "{}", car.rear_x_m());
}

#[test]
fn a_wet_road_lengthens_braking_to_what_friction_allows() {
    let stop = |friction: f64| {
        let mut car = at_speed(25.0);
        for _ in 0..1000 {
            car.step(0.02, -9.0, 0.0, friction);
        }
        car.rear_x_m()
    };
    let least = 25.0_f64.powi(2) / (2.0 * 0.5 * GRAVITY_MPS2);
    assert!(stop(0.5) > least, "{}", stop(0.5));
    assert!(stop(0.5) > 1.7 * stop(1.0));
}

#[test]
fn steering_hard_at_any_speed_stays_finite_and_within_friction() {
    for speed in 0..=40 {
        for friction in [0.5, 1.0] {
            let mut car = at_speed(f64::from(speed));
            for i in 0..500 {
                let wheel = if (i / 40) % 2 == 0 { 0.55 } else { -0.55 };
                car.step(0.02, 0.5, wheel, friction);
                let lateral = car.yaw_rate_radps() * car.speed_mps();
                assert!(lateral.is_finite() && car.rear_x_m().is_finite());
                assert!(car.yaw_rate_radps().abs() < 4.0, "{speed} {friction} {}", car.yaw_rate_radps());
            }
        }
    }
}

#[test]
fn a_slow_circle_closes_on_the_kinematic_radius_of_the_rear_axle() {
    let mut car = at_speed(2.0);
    car.steering_rad = 0.3;
    let radius = car.params.wheelbase_m() / 0.3_f64.tan();
    let mut widest: f64 = 0.0;
    for _ in 0..((2.0 * PI * radius / 2.0 / 0.02) as usize) {
        car.step(0.02, 0.0, 0.3, 1.0);
        widest = widest.max(car.rear_y_m());
    }
    assert!((widest - 2.0 * radius).abs() < 0.2, "{widest} {radius}");
}

#[test]
fn steady_cornering_at_speed_understeers_or_oversteers_only_slightly() {
    let mut car = at_speed(20.0);
    for _ in 0..300 {
        car.step(0.02, 0.0, 0.02, 1.0);
    }
    let kinematic = 20.0 * 0.02_f64.tan() / car.params.wheelbase_m();
    let ratio = car.yaw_rate_radps() / kinematic;
    assert!((0.7..1.3).contains(&ratio), "{ratio}");
}

#[test]
fn the_wheels_turn_no_faster_than_their_rate() {
    let mut car = at_speed(1.0);
    let mut last = 0.0;
    for _ in 0..50 {
        car.step(0.02, 0.0, 0.55, 1.0);
        assert!(car.steering_rad() - last <= 0.7 * 0.02 + 1e-12);
        last = car.steering_rad();
    }
    assert!((last - 0.55).abs() < 0.01);
}

#[test]
fn reverse_needs_its_gear_and_a_standing_car() {
    let mut car = at_speed(5.0);
    assert!(!car.select_gear(Gear::Reverse));
    for _ in 0..200 {
        car.step(0.02, -4.0, 0.0, 1.0);
    }
    assert!(car.select_gear(Gear::Reverse));
    for _ in 0..200 {
        car.step(0.02, -1.0, 0.0, 1.0);
    }
    assert!(car.speed_mps() < -2.9 && car.speed_mps() >= -3.0);
}

#[test]
fn commands_that_are_no_numbers_do_no_harm() {
    let mut car = at_speed(10.0);
    car.step(0.02, f64::NAN, f64::INFINITY, 1.0);
    car.step(f64::NAN, 1.0, 0.0, 1.0);
    assert!((car.speed_mps() - 10.0).abs() < 1e-9 && car.steering_rad() == 0.0);
}
