//! How old the picture is that the person looks at.

use protocol::ClockEstimate;
use std::collections::VecDeque;

/// A picture that has not changed for this long is stale, microseconds.
pub const STALE_US: u64 = 300_000;
/// A picture older than this is not live however often it changes, microseconds.
pub const OLD_US: u64 = 600_000;
/// A picture shown later than this after its capture counts as late, microseconds.
const LATE_US: u64 = 150_000;
/// Pictures in the running statistics: four seconds at 30 Hz.
const WINDOW: usize = 120;

/// Times of the pictures shown.
#[derive(Debug, Clone, Default)]
pub struct PictureTimes {
    shown_capture_us: u64,
    shown_local_us: Option<u64>,
    shown_at_us: Option<u64>,
    ages_us: VecDeque<u64>,
    shown: u64,
    late: u64,
    decode_us: f64,
}

impl PictureTimes {
    /// A picture is on its way to the screen at `at_us` (local); `capture_us` is the vehicle's clock, 0 when the
    /// picture carries no timecode.
    pub fn on_shown(&mut self, at_us: u64, capture_us: u64, clock: Option<&ClockEstimate>) {
        self.shown += 1;
        self.shown_at_us = Some(at_us);
        self.shown_capture_us = capture_us;
        self.shown_local_us = clock.filter(|_| capture_us > 0).map(|c| c.local_from_remote(capture_us));
        if let Some(local) = self.shown_local_us {
            let age = at_us.saturating_sub(local);
            self.late += u64::from(age > LATE_US);
            self.ages_us.push_back(age);
            if self.ages_us.len() > WINDOW {
                self.ages_us.pop_front();
            }
        }
    }

    /// Time from decoded to handed to the screen of one picture, microseconds.
    pub fn on_wait(&mut self, wait_us: u64) {
        self.decode_us += 0.1 * (wait_us as f64 - self.decode_us);
    }

    /// Mean wait between decoding and the screen, milliseconds.
    #[must_use]
    pub fn wait_ms(&self) -> f64 {
        self.decode_us / 1e3
    }

    /// Capture time of the picture on screen, on the vehicle's clock; 0 for none.
    #[must_use]
    pub fn shown_capture_us(&self) -> u64 {
        self.shown_capture_us
    }

    /// Pictures shown, and how many of them late.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.shown, self.late)
    }

    /// Age now of what the person sees, microseconds; `None` without a picture or a synchronised clock.
    #[must_use]
    pub fn age_us(&self, now_us: u64) -> Option<u64> {
        Some(now_us.saturating_sub(self.shown_local_us?))
    }

    /// Time since the picture last changed, microseconds.
    #[must_use]
    pub fn unchanged_us(&self, now_us: u64) -> Option<u64> {
        Some(now_us.saturating_sub(self.shown_at_us?))
    }

    /// For how long the picture has not been live, microseconds; `None` when it is live or there is none.
    #[must_use]
    pub fn stale_us(&self, now_us: u64) -> Option<u64> {
        let unchanged = self.unchanged_us(now_us)?;
        let age = self.age_us(now_us).unwrap_or(unchanged);
        (unchanged > STALE_US || age > OLD_US).then_some(age.max(unchanged))
    }

    /// Mean and 95th percentile of the age at showing, milliseconds; `None` before the first.
    #[must_use]
    pub fn latency_ms(&self) -> Option<(f64, f64)> {
        if self.ages_us.is_empty() {
            return None;
        }
        let mut sorted: Vec<u64> = self.ages_us.iter().copied().collect();
        sorted.sort_unstable();
        let mean = sorted.iter().sum::<u64>() as f64 / sorted.len() as f64;
        let p95 = sorted[(sorted.len() * 95).div_ceil(100) - 1];
        Some((mean / 1e3, p95 as f64 / 1e3))
    }

    /// The link is gone: what stands on the screen stays and grows old, the statistics are reset.
    pub fn on_lost(&mut self) {
        self.ages_us.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> ClockEstimate {
        ClockEstimate { offset_us: 1_000_000.0, uncertainty_us: 500.0, round_trip_us: 1000.0 }
    }

    #[test]
    fn age_is_measured_across_the_two_clocks() {
        let mut times = PictureTimes::default();
        times.on_shown(5_080_000, 6_000_000, Some(&clock()));
        assert_eq!(times.age_us(5_100_000), Some(100_000));
        assert_eq!(times.latency_ms(), Some((80.0, 80.0)));
        assert_eq!(times.counts(), (1, 0));
    }

    #[test]
    fn a_frozen_picture_is_stale_and_says_for_how_long() {
        let mut times = PictureTimes::default();
        assert_eq!(times.stale_us(9_000_000), None, "there is no picture to be stale");
        times.on_shown(1_000_000, 0, Some(&clock()));
        assert_eq!((times.age_us(1_100_000), times.stale_us(1_300_000)), (None, None));
        assert_eq!(times.stale_us(1_300_001), Some(300_001));
    }

    #[test]
    fn a_fluent_but_old_picture_is_not_live() {
        let mut times = PictureTimes::default();
        for i in 0..30 {
            let now = 5_000_000 + i * 33_000;
            times.on_shown(now, now + 1_000_000 - 700_000, Some(&clock()));
        }
        let now = 5_000_000 + 29 * 33_000;
        assert_eq!(times.stale_us(now), Some(700_000));
        assert_eq!(times.counts(), (30, 30));
    }

    #[test]
    fn the_95th_percentile_names_the_slow_ones() {
        let mut times = PictureTimes::default();
        for i in 1..=100u64 {
            let age = if i > 94 { 140_000 } else { 40_000 };
            times.on_shown(i * 1_000_000, i * 1_000_000 + 1_000_000 - age, Some(&clock()));
        }
        let (mean, p95) = times.latency_ms().unwrap();
        assert!((mean - 46.0).abs() < 1e-9 && (p95 - 140.0).abs() < 1e-9, "{mean} {p95}");
    }
}
