//! How many bits a second the video may take: additive increase, multiplicative decrease on loss and on growing delay.

/// Loss above which the rate falls.
const HIGH_LOSS: f64 = 0.08;
/// Loss below which it may rise.
const LOW_LOSS: f64 = 0.02;
/// Round trip above the least one seen that means a growing queue, milliseconds.
const QUEUE_MS: f64 = 80.0;
const DECREASE: f64 = 0.8;
/// Share of the maximum won back each second without trouble.
const INCREASE_PER_S: f64 = 0.08;
/// A decrease needs about a round trip and a report to show; another one before that would punish twice.
const HOLD_US: u64 = 700_000;
const MIN_BPS: f64 = 150_000.0;

/// One receiver's rate. Handed each report; says the target.
#[derive(Debug, Clone)]
pub(crate) struct RateEstimator {
    max_bps: f64,
    target_bps: f64,
    least_round_trip_ms: Option<f64>,
    last_report_us: Option<u64>,
    decreased_us: Option<u64>,
}

impl RateEstimator {
    /// Starts at `max_bps`, the most the picture needs.
    pub(crate) fn new(max_bps: u32) -> Self {
        let max_bps = f64::from(max_bps).max(MIN_BPS);
        Self { max_bps, target_bps: max_bps, least_round_trip_ms: None, last_report_us: None, decreased_us: None }
    }

    /// Bits per second.
    pub(crate) fn target_bps(&self) -> f64 {
        self.target_bps
    }

    /// Takes a report: `loss` 0 to 1 since the one before, and the newest round trip where known.
    pub(crate) fn on_report(&mut self, now_us: u64, loss: f64, round_trip_ms: Option<f64>) {
        let passed_s = self.last_report_us.map_or(0.0, |last| now_us.saturating_sub(last) as f64 / 1e6).min(2.0);
        self.last_report_us = Some(now_us);
        let queueing = round_trip_ms.filter(|ms| ms.is_finite() && *ms > 0.0).is_some_and(|ms| {
            // The floor creeps up, so that a path that became longer for good is not taken for a queue forever.
            let least = self.least_round_trip_ms.map_or(ms, |least| (least * (1.0 + 0.02 * passed_s)).min(ms));
            self.least_round_trip_ms = Some(least);
            ms > least + QUEUE_MS
        });
        if loss > HIGH_LOSS || queueing {
            if self.decreased_us.is_none_or(|at| now_us.saturating_sub(at) >= HOLD_US) {
                self.target_bps = (self.target_bps * DECREASE).max(MIN_BPS);
                self.decreased_us = Some(now_us);
            }
        } else if loss < LOW_LOSS {
            self.target_bps = (self.target_bps + self.max_bps * INCREASE_PER_S * passed_s).min(self.max_bps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rate: &mut RateEstimator, from_s: u64, seconds: u64, loss: f64, round_trip_ms: f64) {
        for i in 0..seconds * 5 {
            rate.on_report(from_s * 1_000_000 + i * 200_000, loss, Some(round_trip_ms));
        }
    }

    #[test]
    fn heavy_loss_lowers_the_rate_and_a_clean_path_restores_it() {
        let mut rate = RateEstimator::new(3_000_000);
        run(&mut rate, 0, 5, 0.15, 40.0);
        assert!(rate.target_bps() < 1_200_000.0, "{}", rate.target_bps());
        run(&mut rate, 5, 20, 0.0, 40.0);
        assert_eq!(rate.target_bps(), 3_000_000.0);
    }

    #[test]
    fn a_growing_queue_lowers_the_rate_before_anything_is_lost() {
        let mut rate = RateEstimator::new(3_000_000);
        run(&mut rate, 0, 3, 0.0, 40.0);
        run(&mut rate, 3, 3, 0.0, 400.0);
        assert!(rate.target_bps() < 2_000_000.0);
    }

    #[test]
    fn a_lossy_path_without_queue_keeps_its_rate() {
        let mut rate = RateEstimator::new(3_000_000);
        run(&mut rate, 0, 20, 0.04, 60.0);
        assert_eq!(rate.target_bps(), 3_000_000.0);
    }

    #[test]
    fn it_never_falls_below_its_floor() {
        let mut rate = RateEstimator::new(3_000_000);
        run(&mut rate, 0, 120, 1.0, f64::NAN);
        assert_eq!(rate.target_bps(), MIN_BPS);
    }
}
