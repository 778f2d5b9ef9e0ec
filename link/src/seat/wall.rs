//! The vehicle's wall clock beside the seat's and the control plane's: for people.

use protocol::{ClockDifference, ClockEstimate, DifferenceNews, DifferenceWatch, v1};
use std::time::{SystemTime, UNIX_EPOCH};

/// How a vehicle's wall clock stands to others.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WallClocks {
    /// Vehicle's minus this seat's.
    pub seat: Option<ClockDifference>,
    /// Vehicle's minus the control plane's, as the vehicle measured it.
    pub control_plane: Option<ClockDifference>,
}

impl WallClocks {
    /// Differences that people should know, in words.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let others = [(self.control_plane, "the control plane"), (self.seat, "this seat")];
        others.into_iter().filter_map(|(difference, other)| difference?.warning(other)).collect()
    }
}

/// What the vehicle said of its wall clock last, and what was said of it here.
#[derive(Debug, Default)]
pub(super) struct WallWatch {
    told: Option<v1::WallClock>,
    watches: [DifferenceWatch; 2],
}

impl WallWatch {
    pub(super) fn hear(&mut self, told: v1::WallClock) {
        self.told = Some(told);
    }

    /// The vehicle may be another process now.
    pub(super) fn forget(&mut self) {
        self.told = None;
    }

    /// By an estimate of the vehicle's monotonic clock at `now_us`.
    pub(super) fn clocks(&self, estimate: Option<ClockEstimate>, now_us: u64) -> WallClocks {
        let Some(told) = &self.told else { return WallClocks::default() };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        WallClocks {
            seat: estimate.map(|estimate| ClockDifference::of_vehicle(told, &estimate, now_us, unix_us)),
            control_plane: told.control_plane.as_ref().and_then(ClockDifference::read),
        }
    }

    /// Writes a difference that begins, changes or ends into the log.
    pub(super) fn tell(&mut self, clocks: &WallClocks) {
        let others = [(clocks.control_plane, "the control plane"), (clocks.seat, "this seat")];
        for ((difference, other), watch) in others.into_iter().zip(&mut self.watches) {
            let Some(difference) = difference else { continue };
            let (ahead_ms, uncertainty_ms) = (difference.ahead_ms, difference.uncertainty_ms);
            match watch.look(Some(difference)) {
                Some(DifferenceNews::Begins | DifferenceNews::Changes) => {
                    tracing::warn!(ahead_ms, uncertainty_ms, "{}", difference.words("the vehicle", other));
                }
                Some(DifferenceNews::Ends) => {
                    tracing::info!(ahead_ms, uncertainty_ms, "the clocks of the vehicle and {other} agree again");
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vehicle_six_hours_ahead_is_seen_so_by_the_seat_and_told_in_words() {
        let hours_ms = 6.0 * 3.6e6;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let told = v1::WallClock {
            unix_us: since.as_micros() as u64 + 6 * 3_600_000_000,
            monotonic_us: 70_000_000,
            control_plane: Some(v1::ClockDifference { ahead_ms: -hours_ms, uncertainty_ms: 2.0 }),
        };
        let mut watch = WallWatch::default();
        let estimate = ClockEstimate { offset_us: 60e6, uncertainty_us: 1_000.0, round_trip_us: 2_000.0 };
        assert_eq!(watch.clocks(Some(estimate), 10_000_000), WallClocks::default());
        watch.hear(told);
        let clocks = watch.clocks(Some(estimate), 10_000_000);
        assert!((clocks.seat.unwrap().ahead_ms - hours_ms).abs() < 5_000.0, "{clocks:?}");
        let warnings = clocks.warnings();
        assert_eq!(warnings.len(), 2);
        assert_eq!(warnings[0], "the vehicle's clock is 6 h 0 min behind the control plane's");
        assert!(warnings[1].ends_with("ahead of this seat's"), "{warnings:?}");
        watch.forget();
        assert!(watch.clocks(Some(estimate), 10_000_000).warnings().is_empty());
    }
}
