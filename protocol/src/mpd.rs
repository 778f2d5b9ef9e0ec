//! Miles per disengagement, said with what it is worth.

use crate::api::Evaluation;
use crate::{PolicyVersion, units};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The two tails of a 95 % interval.
const TAIL: f64 = 0.025;

/// Exact two-sided 95 % interval of a Poisson mean after `count` events (Garwood 1936): the chi-squared quantiles
/// `q(0.025, 2n) / 2` and `q(0.975, 2n + 2) / 2`.
#[must_use]
pub fn poisson_interval(count: u64) -> (f64, f64) {
    let quantile = |degrees: f64, p: f64| ChiSquared::new(degrees).map_or(f64::NAN, |chi| chi.inverse_cdf(p) / 2.0);
    let n = count as f64;
    let low = if count == 0 { 0.0 } else { quantile(2.0 * n, TAIL) };
    (low, quantile(2.0 * n + 2.0, 1.0 - TAIL))
}

impl Evaluation {
    /// Miles per disengagement of `metres` and `disengagements` with its interval. Without a disengagement the
    /// estimate is the miles themselves (a lower figure than the truth's best guess) and the upper end is open.
    #[must_use]
    pub fn new(policy: PolicyVersion, metres: f64, disengagements: u64) -> Self {
        let miles = units::miles(metres);
        let (fewest, most) = poisson_interval(disengagements);
        Self {
            policy,
            miles,
            disengagements,
            mpd: miles / disengagements.max(1) as f64,
            mpd_low: miles / most,
            mpd_high: (disengagements > 0).then(|| miles / fewest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_match_published_figures() {
        // Garwood's table: 0 -> 3.689, 1 -> (0.0253, 5.572), 10 -> (4.795, 18.39), 100 -> (81.36, 121.63).
        let near = |a: f64, b: f64| (a - b).abs() < 5e-3 * b.max(1.0);
        assert!(near(poisson_interval(0).1, 3.689));
        let (low, high) = poisson_interval(10);
        assert!(near(low, 4.795) && near(high, 18.39));
        let (low, high) = poisson_interval(100);
        assert!(near(low, 81.36) && near(high, 121.63));
        // California 2019, Waymo: 110 disengagements in 1.454 million miles, 13,219 (10,968 to 16,084).
        let w = Evaluation::new(PolicyVersion::new("w").unwrap(), 1_454_137.0 * units::METRES_PER_MILE, 110);
        assert!((w.mpd_low - 10_968.0).abs() < 10.0 && (w.mpd_high.unwrap() - 16_084.0).abs() < 15.0, "{w:?}");
    }

    #[test]
    fn no_disengagement_leaves_the_upper_end_open() {
        let e = Evaluation::new(PolicyVersion::new("v").unwrap(), 10.0 * units::METRES_PER_MILE, 0);
        assert_eq!(e.mpd_high, None);
        assert!((e.mpd - 10.0).abs() < 1e-9 && e.mpd_low < 2.8);
    }
}
