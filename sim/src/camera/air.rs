//! What lies between a surface and the lens: light, haze, rain.

use super::tone::Tone;

/// Daylight and haze of one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Air {
    /// 0 to 1.
    pub rain: f64,
    /// Colour that everything fades into.
    pub haze: Tone,
    /// Colour straight above.
    pub zenith: Tone,
    light: f64,
    /// Extinction, 1/m.
    density: f64,
}

/// Range at which 5 % of the contrast is left (meteorological optical range), dry and in a cloudburst, m.
const RANGE_M: [f64; 2] = [1500.0, 130.0];

impl Air {
    pub fn new(rain: f64) -> Self {
        let rain = if rain.is_finite() { rain.clamp(0.0, 1.0) } else { 0.0 };
        // Koschmieder: contrast falls with exp(-density * distance), and exp(-3) is 5 %.
        let density = 3.0 / RANGE_M[0] + rain * (3.0 / RANGE_M[1] - 3.0 / RANGE_M[0]);
        // Most of the light goes with the first drops: the sky closes before the rain is heavy.
        let overcast = rain.sqrt();
        Self {
            rain,
            haze: Tone::rgb(0xCFDDE6).mix(Tone::rgb(0x868C92), overcast),
            zenith: Tone::rgb(0x5E93C9).mix(Tone::rgb(0x6A7076), overcast),
            light: 1.0 - 0.35 * overcast,
            density,
        }
    }

    /// Share of a surface's own colour that is left after `distance_m`.
    pub fn clarity(&self, distance_m: f64) -> f64 {
        (-self.density * distance_m.max(0.0)).exp()
    }

    /// A surface's colour as seen from `distance_m` away.
    pub fn seen(&self, tone: Tone, distance_m: f64) -> Tone {
        self.haze.mix(tone.lit(self.light), self.clarity(distance_m))
    }

    /// A lamp's colour as seen from `distance_m` away: it is not dimmed by bad weather, and pierces it.
    pub fn seen_lamp(&self, tone: Tone, distance_m: f64) -> Tone {
        self.haze.mix(tone, self.clarity(0.4 * distance_m))
    }
}
