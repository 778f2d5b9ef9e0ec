//! Steering along a line of points: pure pursuit (Coulter 1992).

use protocol::v1::Pose2;

/// The curvature, 1/m, of the arc from `pose`, in the frame of the points, to the first place of the line that lies ahead and
/// `look_ahead_m` away; `None` when the line is too short for that.
#[must_use]
pub fn curvature_per_m(line: impl Iterator<Item = (f64, f64)>, pose: &Pose2, look_ahead_m: f64) -> Option<f64> {
    let mut before = None;
    for (x, y) in line.map(|point| seen_from(pose, point)) {
        let far = x.hypot(y);
        if x > 0.0 && far >= look_ahead_m {
            return Some(towards(between(before, (x, y), look_ahead_m)));
        }
        before = Some((x, y));
    }
    None
}

/// A place of the map in the frame of a vehicle at `pose`.
#[must_use]
pub fn seen_from(pose: &Pose2, (x_m, y_m): (f64, f64)) -> (f64, f64) {
    let (sin, cos) = pose.heading_rad.sin_cos();
    let (dx, dy) = (x_m - pose.x_m, y_m - pose.y_m);
    (cos * dx + sin * dy, cos * dy - sin * dx)
}

/// A place seen from a vehicle at `pose`, in the map.
#[must_use]
pub fn into_map(pose: &Pose2, (x_m, y_m): (f64, f64)) -> (f64, f64) {
    let (sin, cos) = pose.heading_rad.sin_cos();
    (pose.x_m + cos * x_m - sin * y_m, pose.y_m + sin * x_m + cos * y_m)
}

/// The curvature, 1/m, of the arc that leads through `(x, y)`, vehicle frame.
#[must_use]
pub fn towards((x, y): (f64, f64)) -> f64 {
    2.0 * y / (x * x + y * y).max(1e-6)
}

/// The place `at_m` away between a nearer and a farther point of the line.
fn between(near: Option<(f64, f64)>, far: (f64, f64), at_m: f64) -> (f64, f64) {
    let Some(near) = near.filter(|(x, y)| x.hypot(*y) < at_m) else { return far };
    let (near_m, far_m) = (near.0.hypot(near.1), far.0.hypot(far.1));
    let share = (at_m - near_m) / (far_m - near_m);
    (near.0 + share * (far.0 - near.0), near.1 + share * (far.1 - near.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_turn_back_and_forth() {
        let pose = Pose2 { x_m: 10.0, y_m: -4.0, heading_rad: 0.7 };
        let (x, y) = seen_from(&pose, into_map(&pose, (3.0, 2.0)));
        assert!((x - 3.0).abs() < 1e-12 && (y - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_line_that_ends_before_the_look_ahead_steers_nowhere() {
        let line = [(0.0, 0.0), (5.0, 0.0)];
        let pose = Pose2::default();
        assert_eq!(curvature_per_m(line.into_iter(), &pose, 5.1), None);
        assert_eq!(curvature_per_m(line.into_iter(), &pose, 4.0), Some(0.0));
        assert!(curvature_per_m([(0.0, 1.0), (9.0, 1.0)].into_iter(), &pose, 4.0).unwrap() > 0.03);
    }
}
