//! How fast a channel may move: rate and change of rate, a tick at a time.

use crate::action::{Action, MAX_CHANNELS};
use protocol::Embodiment;

/// Below this speed the lateral limit is that of this speed, m/s.
const SLOWEST_MPS: f64 = 0.03;

/// What was actuated last and how fast each channel moved.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Motion {
    action: Action,
    rate_per_s: [f64; MAX_CHANNELS],
}

impl Motion {
    /// Everything at rest at `action`.
    #[must_use]
    pub fn at(action: Action) -> Self {
        Self { action, rate_per_s: [0.0; MAX_CHANNELS] }
    }

    /// What was actuated last.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Moves towards `wanted` for `dt_s` with `share` (0 to 1) of each channel's rate, into the position limits. `free`
    /// names a channel that may fall at once: braking for safety waits for no ramp.
    pub fn towards(
        &mut self,
        wanted: &Action,
        embodiment: &Embodiment,
        dt_s: f64,
        share: f64,
        free: Option<usize>,
    ) -> Action {
        let channels = wanted.as_slice().iter().zip(&embodiment.action).zip(&embodiment.actuators).enumerate();
        for (index, ((wanted, channel), actuator)) in channels {
            let wanted = wanted.clamp(channel.min, channel.max);
            let last = self.action.as_slice()[index];
            if free == Some(index) && wanted < last {
                self.action.as_mut_slice()[index] = wanted;
                self.rate_per_s[index] = 0.0;
                continue;
            }
            let most = (share * channel.rate_per_s, share * actuator.rate_change_per_s2);
            let rate = next_rate(wanted - last, self.rate_per_s[index], most, dt_s);
            self.rate_per_s[index] = rate;
            self.action.as_mut_slice()[index] = (last + rate * dt_s).clamp(channel.min, channel.max);
        }
        self.action
    }
}

/// The rate for the next `dt_s` with which a channel that is `distance` short of its goal gets there soonest, without
/// passing it. `most` are its greatest rate and change of rate. Speeding up is bounded by the latter; slowing down is not,
/// so that a channel stops at its goal and never passes it.
fn next_rate(distance: f64, rate_per_s: f64, (most_per_s, most_per_s2): (f64, f64), dt_s: f64) -> f64 {
    let along = rate_per_s * distance.signum();
    let faster = along.max(0.0) + most_per_s2 * dt_s;
    let wanted = (distance.abs() / dt_s).min(most_per_s).min(faster);
    wanted.copysign(distance)
}

/// The value of the steering channel nearest to `steering` whose arc at `speed_mps` stays below the robot's lateral limit.
#[must_use]
pub fn limit_lateral(steering: f64, speed_mps: f64, embodiment: &Embodiment) -> f64 {
    // What hardly moves turns as it likes.
    let speed_mps = speed_mps.abs().max(SLOWEST_MPS);
    let most_per_m = embodiment.lateral_max_mps2 / (speed_mps * speed_mps);
    let most = embodiment.kinematics.steering(most_per_m, speed_mps);
    steering.clamp(-most, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DT_S: f64 = 0.02;

    fn car() -> Embodiment {
        Embodiment::ackermann_car()
    }

    fn action(acceleration: f64, steering: f64) -> Action {
        Action::new(&[acceleration, steering]).unwrap()
    }

    #[test]
    fn steering_is_free_when_slow_and_bounded_when_fast() {
        assert_eq!(limit_lateral(0.5, 2.0, &car()), 0.5);
        let fast = limit_lateral(-0.5, 20.0, &car());
        assert!((400.0 * car().kinematics.curvature_per_m(fast, 20.0) + 6.0).abs() < 1e-9, "{fast}");
        let robot = Embodiment::delivery_robot();
        assert_eq!(limit_lateral(1.5, 0.0, &robot), 1.5, "turning on the spot");
        assert!((limit_lateral(1.5, 1.5, &robot) * 1.5 - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_channel_ramps_up_to_its_rate_and_stops_at_the_goal() {
        let mut motion = Motion::at(action(0.0, 0.0));
        let steps: Vec<f64> = (0..8)
            .map(|_| {
                let before = motion.action().as_slice()[1];
                motion.towards(&action(0.0, 0.06), &car(), DT_S, 1.0, None).as_slice()[1] - before
            })
            .collect();
        let wanted = [0.0056, 0.0112, 0.014, 0.014, 0.014, 0.0012, 0.0, 0.0];
        assert!(steps.iter().zip(wanted).all(|(s, w)| (s - w).abs() < 1e-9), "{steps:?}");
    }

    #[test]
    fn a_turn_of_direction_starts_from_rest() {
        let mut motion = Motion::at(action(0.0, 0.0));
        for _ in 0..5 {
            motion.towards(&action(0.0, 0.5), &car(), DT_S, 1.0, None);
        }
        let before = motion.action().as_slice()[1];
        let after = motion.towards(&action(0.0, -0.5), &car(), DT_S, 1.0, None).as_slice()[1];
        assert!((before - after - 0.0056).abs() < 1e-9, "{before} {after}");
    }

    #[test]
    fn a_handover_with_a_share_of_the_rate_moves_that_much_slower() {
        let mut motion = Motion::at(action(0.0, 0.0));
        for _ in 0..10 {
            motion.towards(&action(0.0, 0.5), &car(), DT_S, 0.5, None);
        }
        let at = motion.action().as_slice()[1];
        let next = motion.towards(&action(0.0, 0.5), &car(), DT_S, 0.5, None).as_slice()[1];
        assert!((next - at - 0.007).abs() < 1e-9, "{at} {next}");
    }

    #[test]
    fn braking_for_safety_is_sudden_and_letting_go_of_the_brake_is_not() {
        let mut motion = Motion::at(action(3.0, 0.0));
        assert_eq!(motion.towards(&action(-6.0, 0.0), &car(), DT_S, 1.0, Some(0)).as_slice()[0], -6.0);
        let released = motion.towards(&action(3.0, 0.0), &car(), DT_S, 1.0, Some(0)).as_slice()[0];
        assert!((released + 6.0 - 0.32).abs() < 1e-9, "{released}");
        let free_steering = motion.towards(&action(0.0, -0.5), &car(), DT_S, 1.0, Some(0)).as_slice()[1];
        assert!((free_steering + 0.0056).abs() < 1e-9, "{free_steering}");
    }

    #[test]
    fn after_sudden_braking_a_channel_rises_from_rest() {
        let mut motion = Motion::at(action(-6.0, 0.0));
        for _ in 0..5 {
            motion.towards(&action(3.0, 0.0), &car(), DT_S, 1.0, Some(0));
        }
        motion.towards(&action(-8.0, 0.0), &car(), DT_S, 1.0, Some(0));
        let released = motion.towards(&action(3.0, 0.0), &car(), DT_S, 1.0, Some(0)).as_slice()[0];
        assert!((released + 8.0 - 0.32).abs() < 1e-9, "{released}");
    }

    #[test]
    fn goals_outside_the_position_limits_end_at_the_limit() {
        let mut motion = Motion::at(action(0.0, 0.0));
        for _ in 0..200 {
            motion.towards(&action(99.0, -99.0), &car(), DT_S, 1.0, None);
        }
        assert_eq!(motion.action().as_slice(), [3.0, -0.55]);
        assert_eq!(motion.towards(&action(-99.0, 0.0), &car(), DT_S, 1.0, Some(0)).as_slice()[0], -8.0);
    }

    proptest! {
        #[test]
        fn whatever_is_wanted_rates_and_their_changes_stay_bounded(
            goals in prop::collection::vec((-20.0f64..20.0, -1.0f64..1.0, 0.1f64..=1.0), 1..200),
        ) {
            let (car, mut motion) = (car(), Motion::at(action(0.0, 0.0)));
            for (a, s, share) in goals {
                let before = motion;
                motion.towards(&action(a, s), &car, DT_S, share, None);
                for (index, (channel, actuator)) in car.action.iter().zip(&car.actuators).enumerate() {
                    let step = motion.action().as_slice()[index] - before.action().as_slice()[index];
                    prop_assert!(step.abs() <= share * channel.rate_per_s * DT_S + 1e-9);
                    let ramp = (step.abs() / DT_S - before.rate_per_s[index].abs()) / DT_S;
                    prop_assert!(ramp <= share * actuator.rate_change_per_s2 + 1e-6);
                    prop_assert!((channel.min..=channel.max).contains(&motion.action().as_slice()[index]));
                }
            }
        }
    }
}
