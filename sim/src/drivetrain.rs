//! What carries a robot over the ground: its dynamics by the kinematics of its embodiment.

use crate::differential::DifferentialDrive;
use crate::dynamics::{Gear, Vehicle, VehicleParams};
use protocol::Embodiment;

/// A robot in motion, whatever it drives on.
#[derive(Clone, Debug, PartialEq)]
pub enum Drivetrain {
    /// Front wheels that steer.
    Car(Vehicle),
    /// Two driven wheels.
    Differential(DifferentialDrive),
}

impl Drivetrain {
    /// Standing with its origin at the given place; `None` for a robot that does not drive.
    #[must_use]
    pub fn standing(embodiment: &Embodiment, x_m: f64, y_m: f64, heading_rad: f64) -> Option<Self> {
        let car = || VehicleParams::of(embodiment).map(|p| Self::Car(Vehicle::standing(p, x_m, y_m, heading_rad)));
        let robot = || DifferentialDrive::standing(embodiment, x_m, y_m, heading_rad).map(Self::Differential);
        car().or_else(robot)
    }

    /// The same robot at another place, standing; the odometer goes on.
    pub fn place(&mut self, x_m: f64, y_m: f64, heading_rad: f64) {
        match self {
            Self::Car(car) => car.place(x_m, y_m, heading_rad),
            Self::Differential(drive) => drive.place(x_m, y_m, heading_rad),
        }
    }

    /// Stops at once, as a collision does.
    pub fn halt(&mut self) {
        match self {
            Self::Car(car) => car.halt(),
            Self::Differential(drive) => drive.halt(),
        }
    }

    /// Changes gear; `false`, and no change, while it rolls or when it has none.
    pub fn select_gear(&mut self, gear: Gear) -> bool {
        match self {
            Self::Car(car) => car.select_gear(gear),
            Self::Differential(_) => false,
        }
    }

    /// Moves on by `dt_s` under this acceleration and value of the steering channel, on ground of this friction.
    pub fn step(&mut self, dt_s: f64, acceleration_mps2: f64, steering: f64, friction: f64) {
        match self {
            Self::Car(car) => car.step(dt_s, acceleration_mps2, steering, friction),
            Self::Differential(drive) => drive.step(dt_s, acceleration_mps2, steering, friction),
        }
    }
}
