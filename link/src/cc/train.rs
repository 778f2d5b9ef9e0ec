//! What each frame's burst says about the path: packets sent closer together than they arrive have met its limit, those
//! that arrive as they were sent have not.

use super::meter::OVERHEAD_BYTES;
use std::collections::VecDeque;

/// Sent further apart than this, packets belong to different trains.
const APART_US: u64 = 12_000;
/// A train shorter than this, sent and arrived, is drowned in the grain of the times.
const LEAST_SPAN_US: u64 = 3_000;
const LEAST_PACKETS: usize = 4;
const KEPT: usize = 3;

#[derive(Debug, Clone, Copy)]
struct Open {
    first_sent_us: u64,
    last_sent_us: u64,
    first_arrived_us: u64,
    last_arrived_us: u64,
    bytes: usize,
    packets: usize,
}

/// A finished train's two rates, bits per second.
#[derive(Debug, Clone, Copy)]
struct Train {
    sent_us: u64,
    sent_bps: f64,
    arrived_bps: f64,
}

/// The last trains.
#[derive(Debug, Default)]
pub(super) struct Trains {
    open: Option<Open>,
    last: VecDeque<Train>,
    spacing_us: f64,
}

impl Trains {
    /// Takes a packet that arrived, in send order.
    pub(super) fn add(&mut self, sent_us: u64, arrived_us: u64, bytes: usize) {
        let bytes = bytes + OVERHEAD_BYTES;
        if let Some(open) = &mut self.open {
            if sent_us <= open.last_sent_us + APART_US {
                open.last_sent_us = open.last_sent_us.max(sent_us);
                open.last_arrived_us = open.last_arrived_us.max(arrived_us);
                open.bytes += bytes;
                open.packets += 1;
                return;
            }
            let (done, apart_us) = (*open, sent_us - open.first_sent_us);
            if apart_us < 500_000 {
                self.spacing_us += (apart_us as f64 - self.spacing_us) / 8.0;
            }
            self.close(done);
        }
        self.open = Some(Open {
            first_sent_us: sent_us,
            last_sent_us: sent_us,
            first_arrived_us: arrived_us,
            last_arrived_us: arrived_us,
            bytes: 0,
            packets: 1,
        });
    }

    fn close(&mut self, open: Open) {
        let sent_us = open.last_sent_us - open.first_sent_us;
        let arrived_us = open.last_arrived_us - open.first_arrived_us;
        if open.packets < LEAST_PACKETS || sent_us.max(arrived_us) < LEAST_SPAN_US {
            return;
        }
        let bps = |span_us: u64| open.bytes as f64 * 8e6 / span_us.max(500) as f64;
        self.last.push_back(Train {
            sent_us: open.first_sent_us,
            sent_bps: bps(sent_us),
            arrived_bps: bps(arrived_us),
        });
        if self.last.len() > KEPT {
            self.last.pop_front();
        }
    }

    /// The rate that the last trains, all sent after `since_us`, arrived at, and whether that was the one they were sent
    /// at, bits per second; the worst of them counts.
    pub(super) fn carried(&self, since_us: u64) -> Option<(f64, bool)> {
        if self.last.len() < KEPT || self.last.front()?.sent_us < since_us {
            return None;
        }
        let carried = self.last.iter().map(|t| t.arrived_bps.min(t.sent_bps)).fold(f64::INFINITY, f64::min);
        Some((carried, self.last.iter().all(|t| t.arrived_bps > 0.85 * t.sent_bps)))
    }

    /// How far trains are apart, microseconds.
    pub(super) fn spacing_us(&self) -> f64 {
        self.spacing_us
    }

    pub(super) fn clear(&mut self) {
        self.open = None;
        self.last.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(sent_gap_us: u64, arrived_gap_us: u64) -> Trains {
        let mut trains = Trains::default();
        for frame in 0..6u64 {
            let at = frame * 33_333;
            (0..6).for_each(|i| {
                trains.add(at + i * sent_gap_us, at + 20_000 + i * arrived_gap_us, 1_250 - OVERHEAD_BYTES);
            });
        }
        trains
    }

    #[test]
    fn a_train_that_spreads_has_met_the_paths_limit() {
        let (bps, whole) = frames(2_000, 5_000).carried(0).unwrap();
        assert!((bps - 2e6).abs() < 1e3 && !whole, "{bps}");
    }

    #[test]
    fn a_train_that_arrives_as_sent_has_not() {
        let (bps, whole) = frames(2_000, 2_000).carried(0).unwrap();
        assert!((bps - 5e6).abs() < 1e3 && whole, "{bps}");
        assert!(frames(2_000, 2_000).carried(100_000).is_none());
    }
}
