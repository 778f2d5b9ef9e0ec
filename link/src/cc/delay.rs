//! The standing queue on a path, from one-way delays of which only differences mean anything.

use std::collections::VecDeque;

/// The queue stands as long as its shortest moment within this, which holds two frames: a frame's own packets wait for
/// each other and say nothing.
const STANDING_US: u64 = 75_000;
/// Pieces of the past whose least delay is kept.
const PIECE_US: u64 = 200_000;
/// How far back the path's own delay is looked for. Longer than any queue that this controller leaves standing.
const PIECES: usize = 60;

/// Keeps delays by the receiver's clock, microseconds.
#[derive(Debug, Default)]
pub(super) struct DelayTracker {
    recent: VecDeque<(u64, i64)>,
    pieces: VecDeque<i64>,
    piece: Option<(u64, i64)>,
    /// Mean deviation of the pieces' standing delays: how much the path itself wavers.
    wavering_us: f64,
}

impl DelayTracker {
    /// Takes a packet that arrived at `arrival_us` after a delay of `delay_us` plus an unknown constant.
    pub(super) fn add(&mut self, arrival_us: u64, delay_us: i64) {
        self.recent.push_back((arrival_us, delay_us));
        while self.recent.front().is_some_and(|(at, _)| at + STANDING_US < arrival_us) {
            self.recent.pop_front();
        }
        match &mut self.piece {
            Some((since, least)) if arrival_us < *since + PIECE_US => *least = (*least).min(delay_us),
            piece => {
                if let Some((_, least)) = piece.replace((arrival_us, delay_us)) {
                    self.close_piece(least);
                }
            }
        }
    }

    fn close_piece(&mut self, least_us: i64) {
        if let Some(base) = self.base_us() {
            let above = (least_us - base).abs() as f64;
            // A queue of our own making is no wavering of the path.
            self.wavering_us += (above.min(20_000.0) - self.wavering_us) / 20.0;
        }
        self.pieces.push_back(least_us);
        if self.pieces.len() > PIECES {
            self.pieces.pop_front();
        }
    }

    /// The path's own delay: not the very least ever seen, which on a path that wavers is an accident, but the lower
    /// tenth of what it was at its best in each piece.
    fn base_us(&self) -> Option<i64> {
        let current = self.piece.map(|(_, least)| least);
        if self.pieces.len() < 5 {
            return self.pieces.iter().copied().chain(current).min();
        }
        let mut pieces: Vec<i64> = self.pieces.iter().copied().collect();
        let tenth = pieces.len() / 10;
        Some(*pieces.select_nth_unstable(tenth).1)
    }

    /// The standing queue, microseconds; `None` before the first packet.
    pub(super) fn standing_us(&self) -> Option<f64> {
        let least = self.recent.iter().map(|(_, delay)| *delay).min()?;
        Some((least - self.base_us()?).max(0) as f64)
    }

    /// How much the path wavers by itself, microseconds.
    pub(super) fn wavering_us(&self) -> f64 {
        self.wavering_us
    }

    /// The path may be another one now.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frames_own_burst_is_no_queue_but_one_that_stays_is() {
        let mut tracker = DelayTracker::default();
        let frame = |tracker: &mut DelayTracker, at: u64, queue: i64| {
            (0..10).for_each(|i| tracker.add(at + i * 1_000, -7_000_000 + queue + i as i64 * 1_000));
        };
        (0..60).for_each(|i| frame(&mut tracker, i * 33_000, 0));
        assert!(tracker.standing_us().unwrap() < 1.0);
        (60..64).for_each(|i| frame(&mut tracker, i * 33_000, 40_000));
        assert!((tracker.standing_us().unwrap() - 40_000.0).abs() < 1_500.0);
    }

    #[test]
    fn a_clock_that_drifts_looks_like_no_queue() {
        let mut tracker = DelayTracker::default();
        for i in 0..6_000u64 {
            let at = i * 10_000;
            tracker.add(at, (at / 10_000) as i64);
        }
        assert!(tracker.standing_us().unwrap() < 1_500.0);
    }
}
