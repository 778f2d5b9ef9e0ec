//! Boundaries of a group-sequential test: how far above nothing a statistic must be at each look, so that over all looks an
//! effect that is not there is found with at most the error that was spent so far.
//!
//! The statistic of accumulating data is a Brownian motion seen at the looks (Lan and DeMets 1983, alpha spending). Its density
//! below the boundaries is carried from look to look by numerical integration (Armitage, McPherson and Rowe 1969).

use statrs::distribution::{ContinuousCDF, Normal};

/// Points of the grid on which a density is held; with 400 the boundaries of the literature come out to four digits.
const POINTS: usize = 401;
/// Standard deviations below zero at which the grid begins: what is left out is nothing.
const LOWEST: f64 = 8.0;
/// No boundary is higher: beyond it the tails of a normal distribution are rounding.
const HIGHEST: f64 = 8.0;
/// Power of the share of the data at which the error is spent: between one that stops early (1) and one that keeps nearly all
/// for the end (3, about O'Brien and Fleming's), as Kim and DeMets (1987) compare them.
const SPENDING_POWER: f64 = 1.5;

/// Of the error, what is spent when this share of all data is there.
#[must_use]
pub(super) fn spent(error: f64, share: f64) -> f64 {
    error * share.clamp(0.0, 1.0).powf(SPENDING_POWER)
}

/// Boundaries in standard deviations at looks with these shares of all data, increasing up to 1, when `spent` says which part
/// of the one-sided error is spent by a share.
#[must_use]
pub(super) fn boundaries(shares: &[f64], spent: impl Fn(f64) -> f64) -> Vec<f64> {
    let Ok(normal) = Normal::new(0.0, 1.0) else { return Vec::new() };
    let mut found = Vec::with_capacity(shares.len());
    let mut density: Option<Density> = None;
    let (mut share_before, mut spent_before) = (0.0, 0.0);
    for &share in shares {
        let now = spent(share);
        let step = (share - share_before).sqrt();
        // Chance to be below all boundaries until now and above `z` at this look.
        let crosses = |z: f64| match &density {
            None => normal.sf(z),
            Some(before) => before.integral(|x| normal.sf((z * share.sqrt() - x) / step)),
        };
        let boundary = bisect(|z| crosses(z) - (now - spent_before));
        let top = boundary * share.sqrt();
        density = Some(Density::below(top, share, |y| match &density {
            None => gaussian(y, step),
            Some(before) => before.integral(|x| gaussian(y - x, step)),
        }));
        found.push(boundary);
        (share_before, spent_before) = (share, now);
    }
    found
}

/// Chance that a Brownian motion at `now` of the `share` of its time ends above `end`, when it goes on as it did.
#[must_use]
pub(super) fn prospect(z: f64, share: f64, end: f64) -> f64 {
    let Ok(normal) = Normal::new(0.0, 1.0) else { return 1.0 };
    let (now, left) = (z * share.sqrt(), 1.0 - share);
    if left <= 0.0 { f64::from(u8::from(z >= end)) } else { normal.sf((end - now - now / share * left) / left.sqrt()) }
}

fn gaussian(x: f64, deviation: f64) -> f64 {
    (-0.5 * (x / deviation).powi(2)).exp() / (deviation * std::f64::consts::TAU.sqrt())
}

/// Where `excess`, which falls, is zero.
fn bisect(excess: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (-HIGHEST, HIGHEST);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    high
}

/// A density on a grid from far below up to the last boundary.
struct Density {
    from: f64,
    step: f64,
    values: Vec<f64>,
}

impl Density {
    fn below(top: f64, share: f64, value: impl Fn(f64) -> f64) -> Self {
        let from = -LOWEST * share.sqrt();
        let step = (top - from) / (POINTS - 1) as f64;
        Self { from, step, values: (0..POINTS).map(|i| value(from + i as f64 * step)).collect() }
    }

    /// Integral of the density times `weight`, by Simpson's rule.
    fn integral(&self, weight: impl Fn(f64) -> f64) -> f64 {
        let last = self.values.len() - 1;
        let term = |(i, value): (usize, &f64)| {
            let simpson = match i {
                0 => 1.0,
                i if i == last => 1.0,
                i if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            simpson * value * weight(self.from + i as f64 * self.step)
        };
        self.values.iter().enumerate().map(term).sum::<f64>() * self.step / 3.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equally_spaced(looks: u32, spent: impl Fn(f64) -> f64) -> Vec<f64> {
        let shares: Vec<f64> = (1..=looks).map(|look| f64::from(look) / f64::from(looks)).collect();
        boundaries(&shares, spent)
    }

    #[test]
    fn boundaries_are_those_of_the_literature() {
        // Lan and DeMets with spending like O'Brien and Fleming's and like Pocock's, five looks, 0.025 one-sided (the tables
        // of Reboussin et al. 2000, and of R's ldbounds).
        let normal = Normal::new(0.0, 1.0).unwrap();
        let fleming = |t: f64| 2.0 * normal.sf(normal.inverse_cdf(1.0 - 0.0125) / t.sqrt());
        let pocock = |t: f64| 0.025 * (1.0 + (std::f64::consts::E - 1.0) * t).ln();
        let cases: [(Vec<f64>, [f64; 5]); 2] = [
            (equally_spaced(5, fleming), [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
            (equally_spaced(5, pocock), [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
        ];
        for (found, known) in cases {
            assert!(found.iter().zip(known).all(|(a, b)| (a - b).abs() < 2e-3), "{found:?}, not {known:?}");
        }
        // One look is the test that everybody knows.
        assert!((boundaries(&[1.0], |t| spent(0.05, t))[0] - 1.6449).abs() < 1e-3);
    }

    #[test]
    fn the_prospect_is_half_where_the_trend_ends_at_the_boundary() {
        assert!((prospect(1.0, 0.25, 2.0) - 0.5).abs() < 1e-9);
        assert!(prospect(0.0, 0.25, 2.0) < 0.02 && prospect(3.0, 0.25, 2.0) > 0.99);
        assert_eq!((prospect(2.1, 1.0, 2.0), prospect(1.9, 1.0, 2.0)), (1.0, 0.0));
    }
}
