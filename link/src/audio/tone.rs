//! A test tone and the ear that recognises it.

use super::{FRAME_SAMPLES, Pcm, SAMPLE_RATE};
use std::f64::consts::TAU;

/// Amplitude of a tone, of 32,767.
const AMPLITUDE: f64 = 8_000.0;

/// The `index`-th frame of a tone of `hertz`: louder and softer three times a second, as a codec for voices takes an even
/// tone for noise in the end.
#[must_use]
pub fn frame(hertz: f64, index: u64) -> Pcm {
    std::array::from_fn(|i| {
        let seconds = (index * FRAME_SAMPLES as u64 + i as u64) as f64 / f64::from(SAMPLE_RATE);
        let swell = 0.7 + 0.3 * (TAU * 3.0 * seconds).sin();
        (AMPLITUDE * swell * (TAU * hertz * seconds).sin()) as i16
    })
}

/// Share of the samples' energy that lies at `hertz`, 0 to 1 (Goertzel's algorithm).
#[must_use]
pub fn share(samples: &[i16], hertz: f64) -> f64 {
    let step = 2.0 * (TAU * hertz / f64::from(SAMPLE_RATE)).cos();
    let (mut before, mut last, mut energy) = (0.0, 0.0, 0.0);
    for sample in samples.iter().map(|s| f64::from(*s)) {
        energy += sample * sample;
        (before, last) = (last, sample + step * last - before);
    }
    let power = before * before + last * last - step * before * last;
    if energy > 0.0 { (2.0 * power / (energy * samples.len() as f64)).min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_told_from_another_and_from_silence() {
        let tone: Vec<i16> = (0..10).flat_map(|i| frame(440.0, i)).collect();
        assert!(share(&tone, 440.0) > 0.8, "{}", share(&tone, 440.0));
        assert!(share(&tone, 1_000.0) < 0.01);
        assert!(share(&[0; 960], 440.0) < 1e-9);
    }
}
