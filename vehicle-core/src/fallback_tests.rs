use super::*;
use protocol::v1::CorridorPoint;

fn corridor(points: impl Iterator<Item = (f64, f64)>) -> Surroundings {
    let point = |(x, y): (f64, f64)| CorridorPoint { x_m: x as f32, y_m: y as f32, ..Default::default() };
    Surroundings { corridor: points.map(point).collect(), ..Default::default() }
}

fn bend(radius_m: f64) -> Surroundings {
    corridor((0..41).map(|i| {
        let angle = f64::from(i) * 3.0 / radius_m;
        (radius_m * angle.sin(), radius_m * (1.0 - angle.cos()))
    }))
}

#[test]
fn stopping_without_any_new_data_stays_in_a_bend_either_way() {
    for radius_m in [60.0, -60.0, 120.0] {
        let mut path = StoppingPath::default();
        let mut pose = Pose2 { x_m: 100.0, y_m: -50.0, heading_rad: 0.7 };
        path.refresh(&pose, &bend(radius_m));
        let start = pose;
        let mut speed: f64 = 14.0;
        while speed > 0.0 {
            let curvature = path.curvature_per_m(&pose, speed).unwrap();
            pose.heading_rad += speed * curvature * 0.02;
            pose.x_m += speed * pose.heading_rad.cos() * 0.02;
            pose.y_m += speed * pose.heading_rad.sin() * 0.02;
            speed -= 4.0 * 0.02;
        }
        let centre = (start.x_m - radius_m * start.heading_rad.sin(), start.y_m + radius_m * start.heading_rad.cos());
        let off = (pose.x_m - centre.0).hypot(pose.y_m - centre.1) - radius_m.abs();
        assert!(off.abs() < 0.25, "{off} m from the lane's centre");
    }
}

#[test]
fn no_path_gives_no_steering() {
    let pose = Pose2::default();
    assert_eq!(StoppingPath::default().curvature_per_m(&pose, 10.0), None);
    let mut behind = StoppingPath::default();
    behind.refresh(&pose, &corridor([(-20.0, 0.0), (-10.0, 0.0)].into_iter()));
    assert_eq!(behind.curvature_per_m(&pose, 10.0), None);
    assert_eq!(behind.trajectory(None, 10.0, 4.0).curvature_per_m, None);
}

#[test]
fn the_goal_lies_on_the_line_at_the_look_ahead_distance() {
    let mut path = StoppingPath::default();
    let pose = Pose2::default();
    // 1 m to the left: at 10 m/s the goal is 6 m away, at (sqrt(35), 1).
    path.refresh(&pose, &corridor((0..20).map(|i| (f64::from(i) * 3.0 - 6.0, 1.0))));
    let near = |speed: f64, away: f64| {
        let wanted = 2.0 / (away * away);
        let got = path.curvature_per_m(&pose, speed).unwrap();
        assert!((got - wanted).abs() < 0.01 * wanted, "{speed}: {got} {wanted}");
    };
    near(10.0, 6.0);
    near(1.0, 4.0);
    near(20.0, 12.0);
    near(40.0, 15.0);
}

#[test]
fn a_point_just_ahead_is_taken_whole_when_none_is_nearer() {
    let mut path = StoppingPath::default();
    let pose = Pose2 { x_m: 5.0, y_m: 0.0, heading_rad: 0.0 };
    path.refresh(&pose, &corridor([(8.0, 2.0), (20.0, 2.0)].into_iter()));
    let whole = 2.0 * 2.0 / 68.0;
    assert!((path.curvature_per_m(&pose, 1.0).unwrap() - whole).abs() < 1e-9);
    // A nearer point that is already farther than the look-ahead but behind does not count either.
    path.refresh(&pose, &corridor([(-9.0, 0.0), (8.0, 2.0)].into_iter()));
    assert!((path.curvature_per_m(&pose, 1.0).unwrap() - whole).abs() < 1e-9);
}

#[test]
fn the_trajectory_brakes_harder_than_promised_and_steers_only_while_it_moves() {
    let mut path = StoppingPath::default();
    let pose = Pose2::default();
    path.refresh(&pose, &bend(60.0));
    let fast = path.trajectory(Some(&pose), 10.0, 4.0);
    assert_eq!((fast.acceleration_mps2, fast.distance_m), (-6.0, 14.5));
    assert!(fast.curvature_per_m.unwrap() > 0.0);
    assert_eq!(path.trajectory(Some(&pose), 7.49, 4.0).acceleration_mps2, -8.0);
    assert_eq!(path.trajectory(Some(&pose), 7.5, 4.0).acceleration_mps2, -6.0);
    let standing = path.trajectory(Some(&pose), STANDSTILL_MPS, 4.0);
    assert_eq!((standing.curvature_per_m, standing.acceleration_mps2), (None, -8.0));
    assert_eq!(path.trajectory(Some(&pose), -1.0, 4.0).distance_m, 0.0);
}

#[test]
fn a_long_corridor_is_cut_and_takes_no_more_room() {
    let mut path = StoppingPath::default();
    let room = path.points.capacity();
    path.refresh(&Pose2::default(), &corridor((0..500).map(|i| (f64::from(i), 0.0))));
    assert_eq!((path.points.len(), path.points.capacity()), (MAX_POINTS, room));
}

#[test]
fn a_stale_command_degrades_before_it_expires() {
    let stale = StalenessDegradation { coast_us: 80, brake_us: 120 };
    assert_eq!(
        (stale.apply(2.0, 79), stale.apply(2.0, 80), stale.apply(2.0, 119), stale.apply(2.0, 120)),
        (2.0, 0.0, 0.0, -2.0)
    );
    assert_eq!((stale.apply(-3.0, 80), stale.apply(-3.0, 500)), (-3.0, -3.0));
}

#[test]
fn a_corridor_of_no_use_leaves_the_line_as_it_was() {
    let mut path = StoppingPath::default();
    let pose = Pose2::default();
    path.refresh(&pose, &bend(60.0));
    let before = path.curvature_per_m(&pose, 10.0);
    path.refresh(&pose, &corridor([(10.0, 0.0)].into_iter()));
    path.refresh(&pose, &corridor([(0.0, 0.0), (f64::NAN, 0.0)].into_iter()));
    path.refresh(&pose, &corridor([(0.0, 0.0), (10.0, f64::INFINITY)].into_iter()));
    assert_eq!(path.curvature_per_m(&pose, 10.0), before);
    path.refresh(&pose, &corridor([(0.0, 0.0), (10.0, 0.0)].into_iter()));
    assert_eq!(path.curvature_per_m(&pose, 10.0), Some(0.0));
}

#[test]
fn a_line_that_comes_nearer_is_followed_between_its_points() {
    let mut path = StoppingPath::default();
    let pose = Pose2::default();
    // Points at distances 2 and 14; the look-ahead of 6 m lies a third of the way between them.
    let (near, far) = ((1.2_f64, 1.6_f64), (8.4_f64, 11.2_f64));
    path.refresh(&pose, &corridor([near, far].into_iter()));
    let goal = (near.0 + (far.0 - near.0) / 3.0, near.1 + (far.1 - near.1) / 3.0);
    let wanted = 2.0 * goal.1 / (goal.0 * goal.0 + goal.1 * goal.1);
    let got = path.curvature_per_m(&pose, 10.0).unwrap();
    assert!((got - wanted).abs() < 1e-6, "{got} {wanted}");
}

#[test]
fn what_lies_exactly_beside_is_no_goal() {
    let mut path = StoppingPath::default();
    let pose = Pose2::default();
    path.refresh(&pose, &corridor([(0.0, 10.0), (-5.0, 10.0)].into_iter()));
    assert_eq!(path.curvature_per_m(&pose, 10.0), None);
}

#[test]
fn a_point_exactly_at_the_look_ahead_is_the_goal() {
    let mut path = StoppingPath::default();
    let pose = Pose2::default();
    path.refresh(&pose, &corridor([(6.0, 0.0), (7.0, 7.0)].into_iter()));
    assert_eq!(path.curvature_per_m(&pose, 10.0), Some(0.0));
    // One beside the robot at that very distance is nothing to go on from.
    path.refresh(&pose, &corridor([(0.0, 6.0), (8.0, 0.0)].into_iter()));
    assert_eq!(path.curvature_per_m(&pose, 10.0), Some(0.0));
}
