//! Miles per disengagement and the other figures of driving, said with what they are worth.

use crate::api::{Evaluation, MilesPerDisengagement};
use crate::units;
use statrs::distribution::{Beta, ChiSquared, ContinuousCDF};

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

/// Exact two-sided 95 % interval of a share after `successes` in `trials` (Clopper and Pearson 1934): the quantiles of the
/// beta distributions `(k, n - k + 1)` and `(k + 1, n - k)`. From 0 to 1 without a trial.
#[must_use]
pub fn binomial_interval(successes: u64, trials: u64) -> (f64, f64) {
    let (k, n) = (successes.min(trials) as f64, trials as f64);
    let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
    let low = if k > 0.0 { quantile(k, n - k + 1.0, TAIL) } else { 0.0 };
    let high = if k < n { quantile(k + 1.0, n - k, 1.0 - TAIL) } else { 1.0 };
    (low, high)
}

impl MilesPerDisengagement {
    /// Miles per disengagement of `metres` and `disengagements` with its interval. Without a disengagement the
    /// estimate is the miles themselves (a lower figure than the truth's best guess) and the upper end is open.
    #[must_use]
    pub fn new(metres: f64, disengagements: u64) -> Self {
        let miles = units::miles(metres);
        let (mpd, mpd_low, mpd_high) = miles_per_event(miles, disengagements);
        Self { miles, disengagements, mpd, mpd_low, mpd_high }
    }
}

/// Miles per event, and the ends of its exact Poisson 95 % interval; the upper one is open without an event.
fn miles_per_event(miles: f64, events: u64) -> (f64, f64, Option<f64>) {
    let (fewest, most) = poisson_interval(events);
    (miles / events.max(1) as f64, miles / most, (events > 0).then(|| miles / fewest))
}

/// Events in a hundred miles, and the ends of its exact Poisson 95 % interval; nothing where nothing was driven.
fn per_100_miles(miles: f64, events: u64) -> [Option<f64>; 3] {
    let (fewest, most) = poisson_interval(events);
    [events as f64, fewest, most].map(|count| (miles > 0.0).then(|| 100.0 * count / miles))
}

impl Evaluation {
    /// With every figure that follows from the counts of the row: what is per mile, and shares of the trips. Exact Poisson
    /// intervals ([`poisson_interval`]) for what is counted over miles, exact binomial ones ([`binomial_interval`]) for
    /// shares of trips. What comes by a bootstrap stays as it is.
    #[must_use]
    pub fn derived(mut self) -> Self {
        (self.mpd, self.mpd_low, self.mpd_high) = miles_per_event(self.miles, self.takeovers);
        let necessary = self.necessary.map(|count| miles_per_event(self.miles, count));
        self.necessary_mpd = necessary.map(|(mpd, ..)| mpd);
        self.necessary_mpd_low = necessary.map(|(_, low, _)| low);
        self.necessary_mpd_high = necessary.and_then(|(.., high)| high);
        [self.crashes_per_100_miles, self.crashes_per_100_miles_low, self.crashes_per_100_miles_high] =
            per_100_miles(self.miles, self.crashes);
        [self.near_misses_per_100_miles, self.near_misses_per_100_miles_low, self.near_misses_per_100_miles_high] =
            per_100_miles(self.miles, self.near_misses);
        [
            self.help_requests_per_100_miles,
            self.help_requests_per_100_miles_low,
            self.help_requests_per_100_miles_high,
        ] = per_100_miles(self.miles, self.help_requests);
        self.completion = self.completed as f64 / self.trips.max(1) as f64;
        (self.completion_low, self.completion_high) = binomial_interval(self.completed, self.trips);
        self
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
        let w = MilesPerDisengagement::new(1_454_137.0 * units::METRES_PER_MILE, 110);
        assert!((w.mpd_low - 10_968.0).abs() < 10.0 && (w.mpd_high.unwrap() - 16_084.0).abs() < 15.0, "{w:?}");
    }

    #[test]
    fn shares_have_their_exact_interval() {
        // By R's binom.test: 0 of 20, 1 of 10, 10 of 20, 12 of 32, 24 of 24.
        let known = [
            (0, 20, 0.0, 0.168_433),
            (1, 10, 0.002_529, 0.445_016),
            (10, 20, 0.271_957, 0.728_043),
            (12, 32, 0.211_001, 0.563_125),
            (24, 24, 0.857_526, 1.0),
            (0, 0, 0.0, 1.0),
        ];
        for (successes, trials, low, high) in known {
            let found = binomial_interval(successes, trials);
            assert!(
                (found.0 - low).abs() < 2e-4 && (found.1 - high).abs() < 2e-4,
                "{successes} of {trials}: {found:?}"
            );
        }
    }

    #[test]
    fn no_disengagement_leaves_the_upper_end_open() {
        let e = MilesPerDisengagement::new(10.0 * units::METRES_PER_MILE, 0);
        assert_eq!(e.mpd_high, None);
        assert!((e.mpd - 10.0).abs() < 1e-9 && e.mpd_low < 2.8);
    }
}
