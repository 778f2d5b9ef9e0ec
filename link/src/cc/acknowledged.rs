//! The rate at which bytes arrive.

use std::collections::VecDeque;

/// Long enough for ten frames, so that a keyframe does not look like a wide path.
const WINDOW_US: u64 = 350_000;
/// Headers below RTP: IP, UDP, SRTP's tag.
const OVERHEAD_BYTES: usize = 38;

/// Bytes and times of the last packets, on one clock.
#[derive(Debug, Default)]
pub(super) struct RateMeter {
    packets: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl RateMeter {
    pub(super) fn add(&mut self, at_us: u64, bytes: usize) {
        let bytes = bytes + OVERHEAD_BYTES;
        self.packets.push_back((at_us, bytes));
        self.bytes += bytes;
        let newest = self.packets.back().map_or(0, |p| p.0).max(at_us);
        while let Some((at, old)) = self.packets.front().copied()
            && at + WINDOW_US < newest
        {
            self.bytes -= old;
            self.packets.pop_front();
        }
    }

    /// Bits per second; `None` while too little is known.
    pub(super) fn bps(&self) -> Option<f64> {
        let (first, last) = (self.packets.front()?.0, self.packets.back()?.0);
        let span_us = last.saturating_sub(first);
        (self.packets.len() >= 8 && span_us >= WINDOW_US / 2)
            .then(|| self.bytes as f64 * 8e6 / WINDOW_US.min(span_us + 15_000) as f64)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
