//! How long packets have to wait so that late ones still count.

use super::FRAME_US;
use std::collections::VecDeque;

/// Packets that are remembered: five seconds.
const WINDOW: usize = 256;
/// Of those, the newest, which are enough to say that the path has become worse.
const RECENT: usize = 32;
/// Share of the packets that should be in time.
const IN_TIME: f64 = 0.97;
/// Least and most that packets wait, microseconds.
const WAIT_US: (u64, u64) = (20_000, 120_000);
/// For the grain of timers at both ends, microseconds.
const MARGIN_US: u64 = 5_000;
/// Of the packets, the share lost from which on it pays to wait for the copy in the next packet.
const LOSS_MATTERS: f64 = 0.01;

/// Times that packets took, as far as they are known: both ends' clocks differ by an unknown constant.
#[derive(Debug, Default)]
pub(super) struct Jitter {
    /// Arrival less timestamp, microseconds.
    transits_us: VecDeque<i64>,
    /// Whether the packet before each was missing when it came.
    gaps: VecDeque<bool>,
    base_us: i64,
    wait_us: u64,
}

impl Jitter {
    /// Notes a packet; `gap` says that its predecessor was not there.
    pub(super) fn note(&mut self, transit_us: i64, gap: bool) {
        if self.transits_us.len() >= WINDOW {
            self.transits_us.pop_front();
            self.gaps.pop_front();
        }
        self.transits_us.push_back(transit_us);
        self.gaps.push_back(gap);
        self.base_us = self.transits_us.iter().copied().min().unwrap_or(0);
        self.wait_us = self.judge();
    }

    fn judge(&self) -> u64 {
        let late = |count: usize, share: f64| {
            let newest = self.transits_us.iter().rev().take(count);
            let mut delays: Vec<i64> = newest.map(|transit| transit - self.base_us).collect();
            delays.sort_unstable();
            let at = (delays.len() as f64 * share).ceil() as usize;
            delays.get(at.saturating_sub(1)).copied().unwrap_or(0).max(0) as u64
        };
        let spread_us = late(WINDOW, IN_TIME).max(late(RECENT, 1.0 - 1.5 / RECENT as f64));
        let lost = self.gaps.iter().filter(|gap| **gap).count() as f64;
        let copies = lost > LOSS_MATTERS * self.gaps.len() as f64 && lost >= 2.0;
        let wait_us = spread_us + MARGIN_US + if copies { FRAME_US } else { 0 };
        wait_us.clamp(WAIT_US.0, WAIT_US.1)
    }

    /// The quickest packet's arrival less timestamp, microseconds.
    pub(super) fn base_us(&self) -> i64 {
        self.base_us
    }

    /// How much longer than the quickest packet each should take until it is heard, microseconds.
    pub(super) fn wait_us(&self) -> u64 {
        if self.transits_us.is_empty() { WAIT_US.0 } else { self.wait_us }
    }

    /// The most that [`Self::wait_us`] can be.
    pub(super) const fn longest_us() -> u64 {
        WAIT_US.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_path_waits_least_and_a_rough_one_no_more_than_the_most() {
        let mut jitter = Jitter::default();
        (0..300).for_each(|_| jitter.note(-7_000_000, false));
        assert_eq!(jitter.wait_us(), 20_000);
        (0..300).for_each(|i| jitter.note(-7_000_000 + i % 7 * 10_000, false));
        assert_eq!(jitter.wait_us(), 65_000);
        (0..300).for_each(|i| jitter.note(-7_000_000 + i % 7 * 100_000, false));
        assert_eq!(jitter.wait_us(), 120_000);
    }

    #[test]
    fn two_late_packets_are_enough_to_wait_longer_and_one_is_not() {
        let mut jitter = Jitter::default();
        (0..250).for_each(|_| jitter.note(0, false));
        jitter.note(80_000, false);
        assert_eq!(jitter.wait_us(), 20_000);
        jitter.note(70_000, false);
        assert_eq!(jitter.wait_us(), 75_000);
    }

    #[test]
    fn losses_make_it_worth_while_to_wait_for_the_next_packet() {
        let mut jitter = Jitter::default();
        (0..250).for_each(|i| jitter.note(i64::from(i % 2) * 10_000, i % 10 == 0));
        assert_eq!(jitter.wait_us(), 35_000);
    }

    #[test]
    fn a_path_that_has_become_longer_is_the_new_measure_after_five_seconds() {
        let mut jitter = Jitter::default();
        (0..250).for_each(|_| jitter.note(0, false));
        (0..100).for_each(|_| jitter.note(50_000, false));
        assert_eq!((jitter.base_us(), jitter.wait_us()), (0, 55_000));
        (0..256).for_each(|_| jitter.note(50_000, false));
        assert_eq!((jitter.base_us(), jitter.wait_us()), (50_000, 20_000));
    }
}
