//! From a person's [`Drive`] to a robot's action channels.

use super::Drive;
use protocol::{Embodiment, v1};

/// Where longitudinal and lateral control sit among the channels of one robot.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    acceleration: usize,
    steering: usize,
    limits: Vec<(f64, f64)>,
    /// Speed at which a full turn of the stick means half of the steering's range.
    half_steering_mps: f64,
}

impl Mapping {
    /// The mapping for the robot that says `hello`, within the narrower of its own limits and the embodiment's. `None`
    /// when the embodiment is unknown here or has no acceleration and steering to map pedals and a wheel to.
    #[must_use]
    pub fn new(hello: &v1::Hello) -> Option<Self> {
        let embodiment = Embodiment::told(&hello.embodiment, &hello.embodiment_file)?;
        let told = |values: &[f64], index: usize, otherwise: f64| {
            values.get(index).copied().filter(|v| v.is_finite()).unwrap_or(otherwise)
        };
        let limits = embodiment.action.iter().enumerate().map(|(i, c)| {
            (
                told(&hello.action_min, i, c.min).max(c.min).min(0.0),
                told(&hello.action_max, i, c.max).min(c.max).max(0.0),
            )
        });
        Some(Self {
            acceleration: embodiment.channels().accelerate?,
            steering: embodiment.channels().steer?,
            limits: limits.collect(),
            half_steering_mps: embodiment.half_steering_mps(),
        })
    }

    /// Share of the steering's range that a full turn of the stick asks for at `speed_mps`.
    fn steering_share(&self, speed_mps: f64) -> f64 {
        let ratio = if speed_mps.is_finite() { speed_mps / self.half_steering_mps } else { 0.0 };
        1.0 / (1.0 + ratio * ratio)
    }

    /// The action channels for `drive` at `speed_mps`.
    #[must_use]
    pub fn action(&self, drive: &Drive, speed_mps: f64) -> Vec<f64> {
        let mut action = vec![0.0; self.limits.len()];
        let (hardest, strongest) = self.limits[self.acceleration];
        action[self.acceleration] = drive.accelerate * strongest + drive.brake * hardest;
        let (right, left) = self.limits[self.steering];
        let share = drive.steer * self.steering_share(speed_mps);
        action[self.steering] = if share >= 0.0 { share * left } else { -share * right };
        action
    }

    /// The stick's travel that would ask for `action`'s steering at `speed_mps`, -1 to 1.
    #[must_use]
    pub fn steer_of(&self, action: &[f64], speed_mps: f64) -> f64 {
        let Some(&angle) = action.get(self.steering).filter(|a| a.is_finite()) else { return 0.0 };
        let (right, left) = self.limits[self.steering];
        let limit = if angle >= 0.0 { left } else { -right };
        if limit <= 0.0 { 0.0 } else { (angle / limit / self.steering_share(speed_mps)).clamp(-1.0, 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn car() -> v1::Hello {
        v1::Hello { embodiment: "ackermann_car".into(), ..Default::default() }
    }

    #[test]
    fn full_pedals_and_stick_reach_the_robots_limits_and_no_further() {
        let mapping = Mapping::new(&car()).unwrap();
        let full = mapping.action(&Drive { accelerate: 1.0, brake: 0.0, steer: 1.0 }, 0.0);
        assert_eq!(full, [3.0, 0.55]);
        let brake = mapping.action(&Drive { accelerate: 0.0, brake: 1.0, steer: -1.0 }, 0.0);
        assert_eq!(brake, [-8.0, -0.55]);
        assert_eq!(mapping.action(&Drive::default(), 9.0), [0.0, 0.0]);
    }

    #[test]
    fn a_robot_may_tell_narrower_limits_but_not_wider_ones() {
        let hello = v1::Hello { action_min: vec![-4.0, -9.0], action_max: vec![1.5, f64::NAN], ..car() };
        let mapping = Mapping::new(&hello).unwrap();
        let full = Drive { accelerate: 1.0, brake: 0.0, steer: -1.0 };
        assert_eq!(mapping.action(&full, 0.0), [1.5, -0.55]);
    }

    #[test]
    fn full_lock_stays_below_half_a_g_of_lateral_acceleration() {
        let mapping = Mapping::new(&car()).unwrap();
        for speed in 1..40 {
            let speed = f64::from(speed);
            let angle = mapping.action(&Drive { steer: 1.0, ..Drive::default() }, speed)[1];
            let curvature = Embodiment::ackermann_car().kinematics.curvature_per_m(angle, speed);
            assert!(speed * speed * curvature < 5.2, "at {speed} m/s");
        }
    }

    #[test]
    fn the_cars_own_steering_turns_back_into_stick_travel() {
        let mapping = Mapping::new(&car()).unwrap();
        let drive = Drive { steer: -0.3, ..Drive::default() };
        let back = mapping.steer_of(&mapping.action(&drive, 8.0), 8.0);
        assert!((back + 0.3).abs() < 1e-12);
        assert_eq!(mapping.steer_of(&[], 8.0), 0.0);
        assert_eq!(mapping.steer_of(&[0.0, 0.55], 30.0), 1.0);
    }

    #[test]
    fn a_differential_drive_is_driven_by_the_same_stick() {
        let hello = v1::Hello { embodiment: "delivery_robot".into(), ..Default::default() };
        let mapping = Mapping::new(&hello).unwrap();
        let full = Drive { accelerate: 1.0, brake: 0.0, steer: 1.0 };
        assert_eq!(mapping.action(&full, 0.0), [1.0, 1.5]);
        assert!((mapping.action(&full, 1.5)[1] * 1.5) < 2.0, "below its lateral limit");
    }

    #[test]
    fn a_robot_that_is_not_built_in_is_driven_by_the_file_that_it_tells() {
        let text = Embodiment::ackermann_car().source().replacen("max = 3.0", "max = 2.0", 1);
        let hello = v1::Hello { embodiment_file: text, ..car() };
        let full = Drive { accelerate: 1.0, brake: 0.0, steer: 0.0 };
        assert_eq!(Mapping::new(&hello).unwrap().action(&full, 0.0), [2.0, 0.0]);
    }

    #[test]
    fn a_robot_without_a_wheel_has_no_mapping() {
        assert_eq!(Mapping::new(&v1::Hello { embodiment: "six_joint_arm".into(), ..Default::default() }), None);
    }
}
