//! The few unit conversions that people's habits force on us; everything inside is SI.

/// Metres in an international mile.
pub const METRES_PER_MILE: f64 = 1609.344;

/// Metres as miles.
#[must_use]
pub fn miles(metres: f64) -> f64 {
    metres / METRES_PER_MILE
}

/// Metres a second as kilometres an hour.
#[must_use]
pub fn kmh(mps: f64) -> f64 {
    mps * 3.6
}

/// The unit in which people are told a robot's speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeedUnit {
    /// Whole ones, as on the road.
    KilometresPerHour,
    /// With a decimal, for what goes at the pace of people.
    MetresPerSecond,
}

/// Up to this speed, m/s, whole kilometres an hour say too little: a runner's.
const PACE_OF_PEOPLE_MPS: f64 = 6.0;

impl SpeedUnit {
    /// For a robot that is never faster than this.
    #[must_use]
    pub fn for_speeds_up_to(fastest_mps: f64) -> Self {
        if fastest_mps > PACE_OF_PEOPLE_MPS { Self::KilometresPerHour } else { Self::MetresPerSecond }
    }

    /// As it is printed.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::KilometresPerHour => "km/h",
            Self::MetresPerSecond => "m/s",
        }
    }

    /// Metres a second in it.
    #[must_use]
    pub fn amount(self, mps: f64) -> f64 {
        match self {
            Self::KilometresPerHour => kmh(mps),
            Self::MetresPerSecond => mps,
        }
    }

    /// How much a speed is in it, either way, without the unit.
    #[must_use]
    pub fn print(self, mps: f64) -> String {
        let amount = self.amount(mps.abs());
        match self {
            Self::KilometresPerHour => format!("{amount:.0}"),
            Self::MetresPerSecond => format!("{amount:.1}"),
        }
    }
}

/// An angle brought into (-pi, pi].
#[must_use]
pub fn wrap_angle(rad: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    let r = rad.rem_euclid(TAU);
    if r > PI { r - TAU } else { r }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_told_in_the_unit_of_whoever_goes_so_fast() {
        let (car, robot) = (SpeedUnit::for_speeds_up_to(60.0), SpeedUnit::for_speeds_up_to(1.5));
        assert_eq!((car.print(13.9), car.label()), ("50".to_owned(), "km/h"));
        assert_eq!((robot.print(-1.24), robot.label()), ("1.2".to_owned(), "m/s"));
        assert_eq!((car.amount(10.0), robot.amount(10.0)), (36.0, 10.0));
    }
}
