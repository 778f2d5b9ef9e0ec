use super::*;
use proptest::prelude::*;

const NOW: u64 = 5_000_000;

fn car() -> Embodiment {
    Embodiment::ackermann_car()
}

/// Ten points a quarter of a second apart along the x axis, at 8 m/s.
fn straight() -> v1::Trajectory {
    let point =
        |i: u64| v1::TrajectoryPoint { at_us: NOW + i * 250_000, x_m: 2.0 * i as f64, y_m: 0.0, speed_mps: 8.0 };
    v1::Trajectory { points: (0..10).map(point).collect() }
}

fn with(change: impl FnOnce(&mut Vec<v1::TrajectoryPoint>)) -> Result<Trajectory, Reason> {
    let mut message = straight();
    change(&mut message.points);
    Trajectory::read(&message, NOW, &car())
}

fn at(x_m: f64, y_m: f64, heading_rad: f64) -> Pose2 {
    Pose2 { x_m, y_m, heading_rad }
}

#[test]
fn each_predicate_refuses_with_its_reason_and_at_its_limit() {
    assert!(with(|_| ()).is_ok());
    assert_eq!(with(Vec::clear), Err(Reason::Malformed));
    assert_eq!(with(|p| p.truncate(1)), Err(Reason::Malformed));
    assert!(with(|p| p.truncate(2)).is_ok());
    let many = |count: u64| {
        with(|p| *p = (0..count).map(|i| v1::TrajectoryPoint { at_us: NOW + 1 + i, ..Default::default() }).collect())
    };
    assert!(many(32).is_ok());
    assert_eq!(many(33), Err(Reason::Malformed));
    assert_eq!(with(|p| p[3].at_us = p[2].at_us), Err(Reason::Malformed));
    assert_eq!(with(|p| p.iter_mut().for_each(|p| p.at_us += 500_001)), Err(Reason::Malformed));
    assert!(with(|p| p.iter_mut().for_each(|p| p.at_us += 500_000)).is_ok());
    assert_eq!(with(|p| p[1].x_m = f64::NAN), Err(Reason::NotFinite));
    assert_eq!(with(|p| p[1].y_m = f64::INFINITY), Err(Reason::NotFinite));
    assert_eq!(with(|p| p[1].speed_mps = f64::NAN), Err(Reason::NotFinite));
    assert_eq!(with(|p| p.iter_mut().for_each(|p| p.at_us -= 2_250_000)), Err(Reason::Stale));
    assert!(with(|p| p.iter_mut().for_each(|p| p.at_us -= 2_249_999)).is_ok());
    assert_eq!(with(|p| p[9].at_us = NOW + 10_000_001), Err(Reason::OutOfLimits));
    assert!(with(|p| p[9].at_us = NOW + 10_000_000).is_ok());
    assert_eq!(with(|p| p[4].speed_mps = 60.1), Err(Reason::OutOfLimits));
    assert_eq!(with(|p| p[4].speed_mps = -0.1), Err(Reason::OutOfLimits));
    assert_eq!(with(|p| p[9].x_m += 13.1), Err(Reason::OutOfLimits));
    assert!(with(|p| p[9].x_m += 12.9).is_ok());
}

#[test]
fn a_vehicle_beside_the_line_steers_back_and_makes_good_its_speed() {
    let line = with(|_| ()).unwrap();
    let setpoint = line.follow(NOW, Some(&at(0.0, 0.5, 0.0)), 7.3, 4.0);
    assert!(setpoint.curvature_per_m.unwrap() < -0.05, "{setpoint:?}");
    assert!((setpoint.acceleration_mps2 - 1.0).abs() < 1e-9);
    let level = line.follow(NOW + 600_000, Some(&at(5.0, 0.0, 0.0)), 8.0, 4.0);
    assert!(level.curvature_per_m.unwrap().abs() < 1e-9 && level.acceleration_mps2.abs() < 1e-9, "{level:?}");
}

#[test]
fn the_slope_of_the_speed_is_asked_for_as_early_as_the_brakes_need() {
    let braking = with(|p| (5..10).for_each(|i| p[i].speed_mps = 8.0 - (i - 4) as f64)).unwrap();
    let before = braking.follow(NOW + 799_999, Some(&at(6.0, 0.0, 0.0)), 8.0, 4.0);
    assert!(before.acceleration_mps2.abs() < 1e-9, "{before:?}");
    let after = braking.follow(NOW + 800_000, Some(&at(6.0, 0.0, 0.0)), 8.0, 4.0);
    assert!((after.acceleration_mps2 + 4.0).abs() < 1e-9, "{after:?}");
}

#[test]
fn past_its_end_far_from_it_or_without_a_place_it_is_a_stop() {
    let line = with(|_| ()).unwrap();
    let last = line.follow(NOW + 2_249_999, Some(&at(17.0, 0.0, 0.0)), 8.0, 4.0);
    assert!(last.acceleration_mps2.abs() < 1e-9, "{last:?}");
    assert_eq!(line.follow(NOW + 2_250_000, Some(&at(17.0, 0.0, 0.0)), 8.0, 4.0).acceleration_mps2, -4.0);
    assert!(line.follow(NOW, Some(&at(2.0, 4.0, 0.0)), 8.0, 4.0).acceleration_mps2 > -4.0);
    let off = line.follow(NOW, Some(&at(2.0, 4.01, 0.0)), 8.0, 4.0);
    assert_eq!((off.acceleration_mps2, off.curvature_per_m), (-4.0, None));
    assert_eq!(line.follow(NOW, None, 8.0, 4.0).acceleration_mps2, -4.0);
}

#[test]
fn a_line_that_ends_close_ahead_is_steered_to_its_end_and_no_further() {
    let line = with(|_| ()).unwrap();
    let near = line.follow(NOW, Some(&at(16.0, 0.3, 0.0)), 8.0, 4.0);
    assert!(near.curvature_per_m.unwrap() < 0.0, "{near:?}");
    assert_eq!(line.follow(NOW, Some(&at(16.6, 0.3, 0.0)), 8.0, 4.0).curvature_per_m, None);
}

#[test]
fn before_its_first_point_the_first_counts() {
    let line = with(|p| p.iter_mut().for_each(|p| p.at_us += 400_000)).unwrap();
    assert!(line.follow(NOW, Some(&at(0.0, 0.0, 0.0)), 8.0, 4.0).acceleration_mps2.abs() < 1e-9);
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -50.0f64..50.0, 1 => prop::num::f64::ANY]
}

proptest! {
    #[test]
    fn whatever_arrives_is_refused_or_asks_for_finite_values(
        points in prop::collection::vec((any::<u32>(), any_value(), any_value(), any_value()), 0..40),
        (x_m, y_m, heading_rad, speed) in (-50.0f64..50.0, -50.0f64..50.0, -4.0f64..4.0, 0.0f64..40.0),
        after in 0u64..12_000_000,
    ) {
        let point = |(us, x_m, y_m, speed_mps): (u32, f64, f64, f64)| {
            v1::TrajectoryPoint { at_us: u64::from(us % 12_000_000), x_m, y_m, speed_mps }
        };
        let mut points: Vec<v1::TrajectoryPoint> = points.into_iter().map(point).collect();
        points.sort_by_key(|p| p.at_us);
        if let Ok(trajectory) = Trajectory::read(&v1::Trajectory { points }, 0, &car()) {
            let setpoint = trajectory.follow(after, Some(&at(x_m, y_m, heading_rad)), speed, 4.0);
            prop_assert!(setpoint.acceleration_mps2.is_finite() && setpoint.curvature_per_m.is_none_or(f64::is_finite));
        }
    }
}
