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

/// An angle brought into (-pi, pi].
#[must_use]
pub fn wrap_angle(rad: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    let r = rad.rem_euclid(TAU);
    if r > PI { r - TAU } else { r }
}
