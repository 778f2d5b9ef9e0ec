//! The queue on a path, from one-way delays of which only differences mean anything.

use super::meter::OVERHEAD_BYTES;
use std::collections::VecDeque;

/// The queue stands as long as its shortest moment within this, which holds two frames at 30 Hz: a frame's own packets
/// wait for each other and say nothing. Stretched for lower frame rates.
const STANDING_US: u64 = 70_000;
const STANDING_MOST_US: u64 = 150_000;
/// Pieces of the past whose least delay is kept, and how many: the path's own delay is looked for in their 10 s. Two
/// clocks 300 ppm apart drift by 3 ms meanwhile, less than [`BUSY_US`].
const PIECE_US: u64 = 200_000;
const PIECES: usize = 50;
/// Above the path's own delay by more than this, both of two packets waited in a queue.
const BUSY_US: f64 = 4_000.0;
/// Most that wavering is believed to be, microseconds: beyond it lies a queue of our own making.
const NOISE_MOST_US: f64 = 6_000.0;
/// A step of the delay by more than this, microseconds, is a clock that was set.
const CLOCK_STEP_US: i64 = 8_000_000;

/// One packet that arrived.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at_us: u64,
    delay_us: i64,
    bytes: usize,
    /// What came just before it is not known.
    after_gap: bool,
}

/// Keeps delays by the receiver's clock, microseconds.
#[derive(Debug, Default)]
pub(super) struct DelayTracker {
    recent: VecDeque<Arrival>,
    newest_us: u64,
    pieces: VecDeque<i64>,
    piece: Option<(u64, i64)>,
    noise_us: f64,
    /// Standing delays one window apart each, the last two.
    looks: [i64; 2],
    looked_us: u64,
    standing_window_us: u64,
}

impl DelayTracker {
    /// Takes a packet that arrived at `at_us` after `delay_us` plus an unknown constant. What arrived just before
    /// it is not known when `after_gap`.
    pub(super) fn add(&mut self, at_us: u64, delay_us: i64, bytes: usize, after_gap: bool) {
        if self.recent.back().is_some_and(|last| (last.delay_us - delay_us).abs() > CLOCK_STEP_US) {
            self.clear();
        }
        self.recent.push_back(Arrival { at_us, delay_us, bytes, after_gap });
        self.newest_us = self.newest_us.max(at_us);
        while self.recent.front().is_some_and(|a| a.at_us + 2 * STANDING_MOST_US < self.newest_us) {
            self.recent.pop_front();
        }
        if self.newest_us >= self.looked_us + self.standing_window_us.max(STANDING_US) {
            self.look();
        }
        match &mut self.piece {
            Some((since, least)) if at_us < *since + PIECE_US => *least = (*least).min(delay_us),
            piece => {
                if let Some((_, least)) = piece.replace((at_us, delay_us)) {
                    self.close_piece(least);
                }
            }
        }
    }

    /// Tells how far frames are apart, so that each look back holds a whole one.
    pub(super) fn set_frame_spacing(&mut self, spacing_us: f64) {
        self.standing_window_us = ((1.3 * spacing_us) as u64).clamp(STANDING_US, STANDING_MOST_US);
    }

    fn close_piece(&mut self, least_us: i64) {
        self.pieces.push_back(least_us);
        if self.pieces.len() > PIECES {
            self.pieces.pop_front();
        }
    }

    /// A queue that grows or drains goes one way over three looks; what goes back and forth is the path's wavering.
    fn look(&mut self) {
        let window_us = self.standing_window_us.max(STANDING_US);
        let Some(least) = self.since(window_us).map(|a| a.delay_us).min() else { return };
        let [a, b] = self.looks;
        self.looks = [b, least];
        let bend_us = (b as f64 - (a + least) as f64 / 2.0).abs().min(NOISE_MOST_US);
        self.noise_us += (bend_us - self.noise_us) / 25.0;
        self.looked_us = self.newest_us;
    }

    /// The path's own delay: the least of the last 10 s.
    pub(super) fn base_us(&self) -> Option<i64> {
        self.pieces.iter().copied().chain(self.piece.map(|(_, least)| least)).min()
    }

    fn since(&self, window_us: u64) -> impl Iterator<Item = &Arrival> {
        let from_us = self.newest_us.saturating_sub(window_us);
        self.recent.iter().filter(move |a| a.at_us >= from_us)
    }

    /// The standing queue, microseconds; `None` before the first packet.
    pub(super) fn standing_us(&self) -> Option<f64> {
        let least = self.since(self.standing_window_us.max(STANDING_US)).map(|a| a.delay_us).min()?;
        Some((least - self.base_us()?).max(0) as f64)
    }

    /// The queue that the packet arrived last has met, microseconds.
    pub(super) fn newest_queue_us(&self) -> f64 {
        let newest = self.recent.iter().rev().find(|a| a.at_us == self.newest_us);
        newest.zip(self.base_us()).map_or(0.0, |(a, base)| (a.delay_us - base).max(0) as f64)
    }

    /// How much the path wavers by itself, microseconds.
    pub(super) fn noise_us(&self) -> f64 {
        self.noise_us
    }

    /// What the path carries, bits per second: the rate of arrivals between packets that both came out of a queue,
    /// over the last `window_us`. `None` when too few did.
    pub(super) fn busy_bps(&self, window_us: u64) -> Option<f64> {
        let queued_us = BUSY_US + 2.0 * self.noise_us;
        let base = self.base_us()?;
        let mut arrivals: Vec<&Arrival> = self.since(window_us).collect();
        arrivals.sort_unstable_by_key(|a| a.at_us);
        let is_queued = |a: &Arrival| (a.delay_us - base) as f64 > queued_us;
        let (mut bytes, mut span_us, mut packets) = (0, 0, 0);
        for pair in arrivals.windows(2).filter(|p| is_queued(p[0]) && is_queued(p[1]) && !p[1].after_gap) {
            bytes += pair[1].bytes + OVERHEAD_BYTES;
            span_us += pair[1].at_us - pair[0].at_us;
            packets += 1;
        }
        (packets >= 4 && span_us >= 15_000).then(|| bytes as f64 * 8e6 / span_us as f64)
    }

    /// The delay that is there now is the path's own.
    pub(super) fn rebase(&mut self) {
        self.pieces.clear();
        self.piece = None;
    }

    /// The path may be another one now.
    pub(super) fn clear(&mut self) {
        *self = Self { standing_window_us: self.standing_window_us, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of ten packets, 1 ms apart.
    fn frame(tracker: &mut DelayTracker, at_us: u64, queue_us: i64) {
        (0..10).for_each(|i| tracker.add(at_us + i * 1_000, -7_000_000 + queue_us + i as i64 * 1_000, 1_000, false));
    }

    #[test]
    fn a_frames_own_burst_is_no_queue_but_one_that_stays_is() {
        let mut tracker = DelayTracker::default();
        (0..60).for_each(|i| frame(&mut tracker, i * 33_000, 0));
        assert!(tracker.standing_us().unwrap() < 1.0);
        (60..64).for_each(|i| frame(&mut tracker, i * 33_000, 40_000));
        assert!((tracker.standing_us().unwrap() - 40_000.0).abs() < 1_500.0);
    }

    #[test]
    fn a_clock_that_drifts_looks_like_no_queue() {
        let mut tracker = DelayTracker::default();
        (0..6_000u64).for_each(|i| tracker.add(i * 10_000, i as i64, 1_000, false));
        assert!(tracker.standing_us().unwrap() < 1_500.0);
    }

    #[test]
    fn packets_out_of_a_queue_tell_what_the_path_carries() {
        let mut tracker = DelayTracker::default();
        (0..60).for_each(|i| tracker.add(i * 10_000, 0, 1_000, false));
        (60..80).for_each(|i| tracker.add(i * 10_000, (i as i64 - 59) * 8_000, 1_250 - OVERHEAD_BYTES, false));
        let bps = tracker.busy_bps(200_000).unwrap();
        assert!((bps - 1e6).abs() < 1e4, "{bps}");
    }

    #[test]
    fn a_clock_set_by_an_hour_starts_anew() {
        let mut tracker = DelayTracker::default();
        (0..100).for_each(|i| tracker.add(i * 10_000, 5_000, 1_000, false));
        tracker.add(3_600_000_000, 3_600_000_000, 1_000, false);
        assert_eq!(tracker.standing_us(), Some(0.0));
    }
}
