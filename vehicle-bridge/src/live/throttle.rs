//! How often a session may ask for something: what a person does by hand passes, a flood does not.

/// Requests at once.
const BURST: f64 = 40.0;
/// Requests a second in the long run: a hold of the reset asks five times a second.
const PER_SECOND: f64 = 20.0;

/// What one session has left.
#[derive(Debug, Clone)]
pub(super) struct Throttle {
    left: f64,
    at_us: u64,
}

impl Throttle {
    /// A session that has asked for nothing yet.
    pub(super) fn new(now_us: u64) -> Self {
        Self { left: BURST, at_us: now_us }
    }

    /// Whether one more request passes at `now_us`.
    pub(super) fn passes(&mut self, now_us: u64) -> bool {
        let since_s = now_us.saturating_sub(self.at_us) as f64 * 1e-6;
        self.at_us = now_us;
        self.left = (self.left + PER_SECOND * since_s).min(BURST);
        let passes = self.left >= 1.0;
        self.left -= if passes { 1.0 } else { 0.0 };
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_is_thinned_out() {
        let mut throttle = Throttle::new(0);
        assert_eq!((0..100).filter(|_| throttle.passes(0)).count(), 40);
        // 1,000 a second for ten seconds.
        let passed = (1..=10_000u64).filter(|n| throttle.passes(n * 1_000)).count();
        assert!((199..=201).contains(&passed), "{passed}");
        // Whoever pauses has the whole burst again, and no more.
        assert_eq!((0..100).filter(|_| throttle.passes(99_000_000)).count(), 40);
    }
}
