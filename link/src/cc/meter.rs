//! The rate at which bytes leave or arrive.

use std::collections::VecDeque;

/// Long enough for ten frames, so that a keyframe does not look like a wide path.
const WINDOW_US: u64 = 350_000;
/// Headers below RTP: IP, UDP, SRTP's tag.
pub(super) const OVERHEAD_BYTES: usize = 38;

/// Bytes and times of the last packets, on one clock.
#[derive(Debug, Default)]
pub(super) struct RateMeter {
    packets: VecDeque<(u64, usize)>,
    bytes: usize,
    newest_us: u64,
}

impl RateMeter {
    /// Takes a packet of `bytes` with its RTP header.
    pub(super) fn add(&mut self, at_us: u64, bytes: usize) {
        let bytes = bytes + OVERHEAD_BYTES;
        self.packets.push_back((at_us, bytes));
        self.bytes += bytes;
        self.newest_us = self.newest_us.max(at_us);
        while let Some((at, old)) = self.packets.front().copied()
            && at + WINDOW_US < self.newest_us
        {
            self.bytes -= old;
            self.packets.pop_front();
        }
    }

    /// Bits per second; `None` while too little is known.
    pub(super) fn bps(&self) -> Option<f64> {
        let span_us = self.newest_us.saturating_sub(self.packets.front()?.0);
        if self.packets.len() < 6 || span_us < WINDOW_US / 3 {
            return None;
        }
        // What the last packets of the window stand for reaches beyond them by half a frame.
        Some(self.bytes as f64 * 8e6 / (span_us + 15_000).min(WINDOW_US) as f64)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_steady_stream_give_its_rate() {
        let mut meter = RateMeter::default();
        for frame in 0..60u64 {
            (0..4).for_each(|i| meter.add(frame * 33_333 + i * 2_000, 1_000 - OVERHEAD_BYTES));
        }
        let bps = meter.bps().unwrap();
        assert!((bps - 960_000.0).abs() < 80_000.0, "{bps}");
    }

    #[test]
    fn a_single_frame_gives_no_rate() {
        let mut meter = RateMeter::default();
        (0..30).for_each(|i| meter.add(i * 500, 1_000));
        assert_eq!(meter.bps(), None);
    }
}
