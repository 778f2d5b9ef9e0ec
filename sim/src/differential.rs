//! A differential drive's motion: a unicycle whose wheels lag and have their limits.
//!
//! The body's acceleration and yaw rate follow their commands with the actuators' lags; the speeds of the two wheels that
//! this means are kept within what the wheels can do. Wheels do not slip, but braking ends at what the ground holds.

use crate::dynamics::GRAVITY_MPS2;
use protocol::{Actuator, Differential, Embodiment, Kinematics};
use std::f64::consts::PI;

/// Longest step of the integrator, s.
const SUBSTEP_S: f64 = 0.01;
/// Share of the friction that braking or driving may use.
const GRIP_SHARE: f64 = 0.9;

/// A robot with two driven wheels. Position is that of the middle of the driven axle.
#[derive(Clone, Debug, PartialEq)]
pub struct DifferentialDrive {
    drive: Differential,
    accelerator: Actuator,
    turner: Actuator,
    fastest_mps: f64,
    x_m: f64,
    y_m: f64,
    heading_rad: f64,
    /// Speeds of the rims of the left and the right wheel.
    wheels_mps: [f64; 2],
    /// What the motors give along the body's axis at the moment.
    thrust_mps2: f64,
    /// The yaw rate that the motors are at.
    turn_radps: f64,
    acceleration_mps2: f64,
    odometer_m: f64,
}

impl DifferentialDrive {
    /// A standing robot; `None` when `embodiment` has no differential drive.
    #[must_use]
    pub fn standing(embodiment: &Embodiment, x_m: f64, y_m: f64, heading_rad: f64) -> Option<Self> {
        let Kinematics::Differential(drive) = embodiment.kinematics else { return None };
        let channels = embodiment.channels();
        Some(Self {
            drive,
            accelerator: embodiment.actuators.get(channels.accelerate?)?.clone(),
            turner: embodiment.actuators.get(channels.steer?)?.clone(),
            fastest_mps: embodiment.fastest_mps(),
            x_m,
            y_m,
            heading_rad,
            wheels_mps: [0.0; 2],
            thrust_mps2: 0.0,
            turn_radps: 0.0,
            acceleration_mps2: 0.0,
            odometer_m: 0.0,
        })
    }

    /// The same robot at another place, standing; the odometer goes on.
    pub fn place(&mut self, x_m: f64, y_m: f64, heading_rad: f64) {
        (self.x_m, self.y_m, self.heading_rad) = (x_m, y_m, heading_rad);
        self.halt();
    }

    /// Stops at once, as a collision does.
    pub fn halt(&mut self) {
        self.wheels_mps = [0.0; 2];
        (self.thrust_mps2, self.turn_radps, self.acceleration_mps2) = (0.0, 0.0, 0.0);
    }

    /// Moves on by `dt_s` (at most 1 s). A command that is not a number counts as none.
    pub fn step(&mut self, dt_s: f64, acceleration_mps2: f64, yaw_rate_radps: f64, friction: f64) {
        if !(dt_s > 0.0 && dt_s.is_finite()) {
            return;
        }
        let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
        let dt_s = dt_s.min(1.0);
        let steps = (dt_s / SUBSTEP_S - 1e-9).ceil().max(1.0);
        for _ in 0..steps as usize {
            self.substep(dt_s / steps, finite(acceleration_mps2), finite(yaw_rate_radps), friction.clamp(0.05, 1.5));
        }
    }

    fn substep(&mut self, h: f64, command_mps2: f64, command_radps: f64, friction: f64) {
        self.thrust_mps2 = follow(self.thrust_mps2, command_mps2, &self.accelerator, h);
        self.turn_radps = follow(self.turn_radps, command_radps, &self.turner, h);
        let (speed, turning) = (self.speed_mps(), self.yaw_rate_radps());
        let grip = GRIP_SHARE * friction * GRAVITY_MPS2;
        let wanted = (speed + self.thrust_mps2.clamp(-grip, grip) * h).clamp(0.0, self.fastest_mps);
        self.turn_wheels(wanted, h);
        let (next, turns) = (self.speed_mps(), self.yaw_rate_radps());
        self.acceleration_mps2 = (next - speed) / h;
        let (driven, turned) = (0.5 * (speed + next) * h, 0.5 * (turning + turns) * h);
        let middle = self.heading_rad + turned / 2.0;
        self.x_m += driven * middle.cos();
        self.y_m += driven * middle.sin();
        self.heading_rad += turned;
        self.odometer_m += driven.abs();
    }

    /// Moves the wheels towards what `speed_mps` and the yaw rate mean, within what they can do. A wheel that would be too
    /// fast slows both: the robot keeps its path.
    fn turn_wheels(&mut self, speed_mps: f64, h: f64) {
        let apart = self.turn_radps * self.drive.track_m / 2.0;
        let wanted = [speed_mps - apart, speed_mps + apart];
        let excess = (wanted[0].abs().max(wanted[1].abs()) / self.drive.wheel_speed_max_mps).max(1.0);
        let most = self.drive.wheel_acceleration_max_mps2 * h;
        for (wheel, wanted) in self.wheels_mps.iter_mut().zip(wanted) {
            *wheel += (wanted / excess - *wheel).clamp(-most, most);
        }
    }

    /// East position of the middle of the driven axle, m.
    #[must_use]
    pub fn x_m(&self) -> f64 {
        self.x_m
    }

    /// North position of the middle of the driven axle, m.
    #[must_use]
    pub fn y_m(&self) -> f64 {
        self.y_m
    }

    /// Heading in (-pi, pi].
    #[must_use]
    pub fn heading_rad(&self) -> f64 {
        self.heading_rad - (self.heading_rad / (2.0 * PI)).round() * 2.0 * PI
    }

    /// Speed along the robot's x axis, m/s.
    #[must_use]
    pub fn speed_mps(&self) -> f64 {
        (self.wheels_mps[0] + self.wheels_mps[1]) / 2.0
    }

    /// Rate of the speed, m/s^2.
    #[must_use]
    pub fn acceleration_mps2(&self) -> f64 {
        self.acceleration_mps2
    }

    /// Yaw rate, rad/s.
    #[must_use]
    pub fn yaw_rate_radps(&self) -> f64 {
        (self.wheels_mps[1] - self.wheels_mps[0]) / self.drive.track_m
    }

    /// Speeds of the rims of the left and the right wheel, m/s.
    #[must_use]
    pub fn wheels_mps(&self) -> [f64; 2] {
        self.wheels_mps
    }

    /// Distance driven, m.
    #[must_use]
    pub fn odometer_m(&self) -> f64 {
        self.odometer_m
    }
}

/// Where an actuator at `value` is `h` seconds later under `command`.
fn follow(value: f64, command: f64, actuator: &Actuator, h: f64) -> f64 {
    let change = (command.clamp(actuator.min, actuator.max) - value) * (1.0 - (-h / actuator.lag_s).exp());
    let most = actuator.rate_per_s.map_or(f64::INFINITY, |rate| rate * h);
    value + change.clamp(-most, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn robot() -> DifferentialDrive {
        DifferentialDrive::standing(&Embodiment::delivery_robot(), 0.0, 0.0, 0.0).unwrap()
    }

    fn after(seconds: f64, acceleration: f64, yaw_rate: f64) -> DifferentialDrive {
        let mut robot = robot();
        for _ in 0..(seconds / 0.02) as usize {
            robot.step(0.02, acceleration, yaw_rate, 1.0);
        }
        robot
    }

    #[test]
    fn it_reaches_its_speed_and_no_more() {
        let robot = after(10.0, 1.0, 0.0);
        assert!((robot.speed_mps() - 1.5).abs() < 1e-9 && robot.y_m().abs() < 1e-12, "{robot:?}");
        assert!((robot.odometer_m() - robot.x_m()).abs() < 1e-9 && robot.x_m() > 13.0);
    }

    #[test]
    fn it_turns_on_the_spot_and_drives_circles() {
        let spot = after(2.0, 0.0, 1.0);
        assert!(spot.x_m().abs() < 1e-9 && (spot.heading_rad() - 1.9).abs() < 0.05, "{spot:?}");
        let mut circle = after(10.0, 1.0, 0.0);
        let start = (circle.x_m(), circle.y_m());
        let mut widest = 0.0_f64;
        for _ in 0..400 {
            circle.step(0.02, 0.0, 1.0, 1.0);
            widest = widest.max(circle.y_m() - start.1);
        }
        // 1.5 m/s at 1 rad/s: a circle of 3 m across.
        assert!((widest - 3.0).abs() < 0.4, "{widest}");
    }

    #[test]
    fn no_wheel_is_faster_or_changes_faster_than_it_can() {
        let (drive, mut robot) = (robot().drive, after(5.0, 1.0, 0.0));
        for step in 0..2_000 {
            let before = robot.wheels_mps();
            let turn = if step % 70 < 35 { 99.0 } else { -99.0 };
            robot.step(0.01, if step % 90 < 45 { 99.0 } else { -99.0 }, turn, 1.0);
            for (wheel, before) in robot.wheels_mps().into_iter().zip(before) {
                assert!(wheel.abs() <= drive.wheel_speed_max_mps + 1e-9, "{wheel}");
                assert!((wheel - before).abs() <= 0.01 * drive.wheel_acceleration_max_mps2 + 1e-9, "{wheel}");
            }
        }
    }

    #[test]
    fn braking_ends_at_standstill_and_takes_longer_on_ice() {
        let stop_m = |friction: f64| {
            let mut robot = after(10.0, 1.0, 0.0);
            let start = robot.x_m();
            for _ in 0..500 {
                robot.step(0.02, -3.0, 0.0, friction);
                assert!(robot.speed_mps() >= 0.0);
            }
            assert_eq!(robot.speed_mps(), 0.0);
            robot.x_m() - start
        };
        assert!((0.375..0.65).contains(&stop_m(1.0)), "{}", stop_m(1.0));
        assert!(stop_m(0.1) > 1.1);
    }

    #[test]
    fn commands_that_are_no_numbers_and_another_place_change_nothing_else() {
        let mut robot = after(3.0, 1.0, 0.2);
        robot.step(0.02, f64::NAN, f64::INFINITY, 1.0);
        robot.step(f64::NAN, 1.0, 0.0, 1.0);
        let odometer = robot.odometer_m();
        robot.place(5.0, 6.0, 0.5);
        assert_eq!((robot.speed_mps(), robot.x_m(), robot.odometer_m()), (0.0, 5.0, odometer));
        assert!(DifferentialDrive::standing(&Embodiment::ackermann_car(), 0.0, 0.0, 0.0).is_none());
    }
}
