//! Heavy rain along a stretch of the route or a whole trip.

use crate::traffic::smoothstep;
use rand::{Rng, RngExt};

/// Way over which the rain begins and ends, m: enough to slow down from any built-in road's speed limit.
const RAMP_M: f64 = 100.0;
/// Share of trips that are wet from start to end.
const WHOLE_TRIP: f64 = 0.2;

/// A stretch of rain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rain {
    pub start_m: f64,
    pub end_m: f64,
    strength: f64,
    whole_trip: bool,
}

impl Rain {
    pub(super) fn new(s_m: f64, rng: &mut impl Rng) -> Self {
        let strength = rng.random_range(0.5..1.0);
        let length_m = rng.random_range(200.0..400.0);
        let whole_trip = rng.random_bool(WHOLE_TRIP);
        Self { start_m: s_m, end_m: s_m + length_m, strength, whole_trip }
    }

    /// Strength at `s_m`, 0 to 1.
    pub(super) fn at(&self, s_m: f64) -> f64 {
        if self.whole_trip {
            return self.strength;
        }
        let rise = smoothstep((s_m - self.start_m + RAMP_M / 2.0) / RAMP_M);
        let fall = smoothstep((s_m - self.end_m + RAMP_M / 2.0) / RAMP_M);
        self.strength * (rise - fall)
    }
}
