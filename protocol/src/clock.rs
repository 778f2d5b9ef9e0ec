//! Offset between two monotonic clocks from NTP-style exchanges.

use std::collections::VecDeque;

/// How another clock stands to ours: `remote = local + offset`, true within `uncertainty`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockEstimate {
    /// Remote minus local, microseconds.
    pub offset_us: f64,
    /// Half of the least round trip seen plus the drift since: the truth lies inside, whatever the path's asymmetry.
    pub uncertainty_us: f64,
    /// Least round trip in the window, microseconds.
    pub round_trip_us: f64,
}

impl ClockEstimate {
    /// A remote clock's reading as local time, microseconds; never below zero.
    #[must_use]
    pub fn local_from_remote(&self, remote_us: u64) -> u64 {
        (remote_us as f64 - self.offset_us).max(0.0) as u64
    }

    /// A local reading as the remote clock's, microseconds; never below zero.
    #[must_use]
    pub fn remote_from_local(&self, local_us: u64) -> u64 {
        (local_us as f64 + self.offset_us).max(0.0) as u64
    }
}

#[derive(Debug, Clone, Copy)]
struct Exchange {
    at_us: u64,
    offset_us: f64,
    round_trip_us: f64,
}

/// Keeps the exchanges of the last ten seconds and trusts the quickest: queues only ever lengthen a path, so the least
/// round trip has the least asymmetry (the minimum filter of RFC 5905).
#[derive(Debug, Default)]
pub struct ClockEstimator {
    window: VecDeque<Exchange>,
    /// Mean and mean deviation of the round trip, microseconds.
    smoothed_us: Option<(f64, f64)>,
}

const WINDOW_US: u64 = 10_000_000;
/// Tolerance, parts per million, of either clock: a crystal off by 200, and some of what NTP may bend it by. Together they
/// part by at most 500, which is the most that RFC 5905 lets one clock be corrected by.
const DRIFT_PPM: f64 = 250.0;
/// Stamps are whole microseconds, and offsets to a wall clock have no more digits, microseconds.
const ROUNDING_US: f64 = 10.0;

impl Exchange {
    /// How far the truth may lie from its offset at `now_us`.
    fn spread_us(&self, now_us: u64) -> f64 {
        let drifting_us = now_us.saturating_sub(self.at_us) as f64 + self.round_trip_us;
        self.round_trip_us / 2.0 + drifting_us * 2.0 * DRIFT_PPM * 1e-6
    }
}

impl ClockEstimator {
    /// An estimator that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one exchange: `t1` and `t4` by the local clock at send and receive, `t2` and `t3` by the remote one.
    /// An exchange that is impossible (negative round trip) is dropped. One that cannot be true together with those before
    /// says that one of the clocks was set: those before are forgotten.
    pub fn add(&mut self, t1_us: u64, t2_us: u64, t3_us: u64, t4_us: u64) {
        let (t1, t2, t3, t4) = (t1_us as f64, t2_us as f64, t3_us as f64, t4_us as f64);
        let round_trip_us = (t4 - t1) - (t3 - t2);
        if round_trip_us < 0.0 || t3 < t2 || t4 < t1 {
            return;
        }
        let offset_us = ((t2 - t1) + (t3 - t4)) / 2.0;
        // RFC 6298, section 2.
        self.smoothed_us = Some(match self.smoothed_us {
            None => (round_trip_us, round_trip_us / 2.0),
            Some((mean, deviation)) => {
                (mean + (round_trip_us - mean) / 8.0, deviation + ((round_trip_us - mean).abs() - deviation) / 4.0)
            }
        });
        let exchange = Exchange { at_us: t4_us, offset_us, round_trip_us };
        let apart = |e: &ClockEstimate| (e.offset_us - offset_us).abs() - e.uncertainty_us - exchange.spread_us(t4_us);
        if self.estimate(t4_us).is_some_and(|before| apart(&before) > ROUNDING_US) {
            self.window.clear();
        }
        self.window.push_back(exchange);
        while self.window.front().is_some_and(|e| e.at_us + WINDOW_US < t4_us) || self.window.len() > 512 {
            self.window.pop_front();
        }
    }

    /// Smoothed round trip and its mean deviation, microseconds (RFC 6298); `None` before the first exchange.
    #[must_use]
    pub fn smoothed_round_trip_us(&self) -> Option<(f64, f64)> {
        self.smoothed_us
    }

    /// The best estimate at local time `now_us`; `None` before the first exchange.
    #[must_use]
    pub fn estimate(&self, now_us: u64) -> Option<ClockEstimate> {
        let best = self.window.iter().min_by(|a, b| a.spread_us(now_us).total_cmp(&b.spread_us(now_us)))?;
        Some(ClockEstimate {
            offset_us: best.offset_us,
            uncertainty_us: best.spread_us(now_us),
            round_trip_us: best.round_trip_us,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_truth_lies_within_the_stated_uncertainty(
            offset in -1_000_000_000i64..1_000_000_000,
            delays in prop::collection::vec((0u64..200_000, 0u64..200_000), 1..60),
        ) {
            let mut clock = ClockEstimator::new();
            let mut now = 2_000_000_000u64;
            for (out, back) in delays {
                let remote = |local: u64| (local as i64 + offset) as u64;
                clock.add(now, remote(now + out), remote(now + out + 50), now + out + 50 + back);
                now += out + back + 50_000;
            }
            let e = clock.estimate(now).unwrap();
            prop_assert!((e.offset_us - offset as f64).abs() <= e.uncertainty_us + 1.0);
        }
    }

    proptest! {
        /// For minutes, at every exchange, and with a clock that is set meanwhile: the offset is large for `f64`'s digits,
        /// as it is to a wall clock.
        #[test]
        fn a_clock_that_drifts_and_is_set_is_followed(
            ppm in -300.0f64..300.0,
            pause_us in 20_000u64..1_000_000,
            delays in prop::collection::vec((100u64..200_000, 100u64..200_000), 100..300),
            set_at in 1usize..90,
            set_by_us in prop_oneof![-3_600_000_000i64..-1_000_000, 1_000_000i64..3_600_000_000],
        ) {
            let mut clock = ClockEstimator::new();
            let mut now = 5_000_000u64;
            let mut offset_us = 1_800_000_000_000_000i64;
            for (number, (out, back)) in delays.into_iter().enumerate() {
                if number == set_at {
                    offset_us += set_by_us;
                }
                let remote = |local: u64| local as f64 * (1.0 + ppm * 1e-6) + offset_us as f64;
                clock.add(now, remote(now + out) as u64, remote(now + out + 50) as u64, now + out + 50 + back);
                now += out + 50 + back;
                let e = clock.estimate(now).unwrap();
                let truth_us = remote(now) - now as f64;
                prop_assert!(
                    (e.offset_us - truth_us).abs() <= e.uncertainty_us + ROUNDING_US,
                    "exchange {number}: {e:?}, truly {truth_us}"
                );
                prop_assert!(e.uncertainty_us <= e.round_trip_us + 10_000.0, "{e:?}");
                now += pause_us;
            }
        }
    }

    #[test]
    fn impossible_exchanges_are_dropped() {
        let mut clock = ClockEstimator::new();
        clock.add(100, 10, 500, 110);
        clock.add(100, 10, 5, 110);
        assert!(clock.estimate(200).is_none());
    }
}
