//! How far apart two actions are, and how near a collision.

/// How far two actions are apart: the largest difference of a channel as a share of its range (`limits` are lowest and
/// highest), 0 to 1. Channels that either lacks, or that are no numbers, count as as far apart as can be.
#[must_use]
pub fn disagreement(a: &[f64], b: &[f64], limits: &[(f64, f64)]) -> f64 {
    let far = |(i, &(low, high)): (usize, &(f64, f64))| match (a.get(i), b.get(i)) {
        (Some(a), Some(b)) if a.is_finite() && b.is_finite() && high > low => {
            ((a - b).abs() / (high - low)).clamp(0.0, 1.0)
        }
        _ => 1.0,
    };
    limits.iter().enumerate().map(far).fold(0.0, f64::max)
}

/// Time until a vehicle of half length `reach_m` and half width `half_width_m` at the origin, driving straight ahead at
/// `speed_mps`, meets an object at (`x_m`, `y_m`) ahead and left, of half size `object_m`, that moves with velocity
/// (`vx_mps`, `vy_mps`), all in the vehicle's frame; infinite when they do not meet. Constant velocities, boxes along
/// the axes (Hayward 1972: the time to collision if both went on as they do).
#[must_use]
pub fn time_to_collision_s(own: (f64, f64, f64), object: (f64, f64, f64, f64), half_size_m: f64) -> f64 {
    let (speed_mps, reach_m, half_width_m) = own;
    let (x_m, y_m, vx_mps, vy_mps) = object;
    let along = overlap(x_m, vx_mps - speed_mps, reach_m + half_size_m);
    let across = overlap(y_m, vy_mps, half_width_m + half_size_m);
    let (from, to) = (along.0.max(across.0).max(0.0), along.1.min(across.1));
    if from <= to { from } else { f64::INFINITY }
}

/// When something at `at`, moving at `v`, is within `half` of the origin: from, to.
fn overlap(at: f64, v: f64, half: f64) -> (f64, f64) {
    if v.abs() < 1e-9 {
        return if at.abs() <= half { (0.0, f64::INFINITY) } else { (f64::INFINITY, f64::NEG_INFINITY) };
    }
    let (a, b) = ((-half - at) / v, (half - at) / v);
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_disagree_by_their_worst_channel() {
        let limits = [(-8.0, 3.0), (-0.6, 0.6)];
        assert_eq!(disagreement(&[1.0, 0.1], &[1.0, 0.1], &limits), 0.0);
        assert!((disagreement(&[1.0, 0.0], &[-1.2, 0.1], &limits) - 0.2).abs() < 1e-9);
        assert_eq!(disagreement(&[1.0], &[1.0, 0.0], &limits), 1.0);
        assert_eq!(disagreement(&[f64::NAN, 0.0], &[1.0, 0.0], &limits), 1.0);
    }

    #[test]
    fn a_car_ahead_is_met_when_the_gap_is_used_up_and_one_beside_never() {
        let own = (10.0, 2.0, 1.0);
        let ahead = time_to_collision_s(own, (24.0, 0.0, 0.0, 0.0), 2.0);
        assert!((ahead - 2.0).abs() < 1e-9, "{ahead}");
        assert_eq!(time_to_collision_s(own, (24.0, 4.0, 0.0, 0.0), 2.0), f64::INFINITY);
        assert_eq!(time_to_collision_s(own, (24.0, 0.0, 12.0, 0.0), 2.0), f64::INFINITY);
        assert_eq!(time_to_collision_s(own, (-24.0, 0.0, 0.0, 0.0), 2.0), f64::INFINITY);
        let crossing = time_to_collision_s(own, (24.0, 6.0, 0.0, -1.5), 2.0);
        assert!((crossing - 2.0).abs() < 1e-9, "{crossing}");
    }
}
