//! How old an input is, without trusting the seat's clock.
//!
//! The vehicle cannot know the offset between its clock and the seat's, but it sees every difference between arrival
//! and stamp. No delivery takes less than no time, so the least difference of a session is the clocks' offset plus the
//! quickest delivery: what arrives later than that was delayed by at least so much more. A seat whose clock jumps back
//! looks old at once; one whose clock jumps forward sets a new, stricter least. One stamp from the far future does not:
//! it would make everything honest old for good. It is believed when the clock stays there.

/// Two clocks drift apart by at most this, parts per million (as in `protocol`'s clock estimate: crystals off by 200, and
/// what NTP bends them by): the least difference is let rise with it.
const DRIFT_PPM: i128 = 500;

/// No path becomes quicker by this much: a stamp that says so tells of another clock, microseconds.
const JUMP_US: i128 = 1_000_000;
/// A clock that jumped ahead is believed after it has stayed there for this long, microseconds: well below the silence
/// that ends a grant.
const SETTLE_US: u64 = 50_000;

/// The least difference of one seat's session.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Freshness {
    /// When it was seen and what it was, microseconds.
    quickest: Option<(u64, i128)>,
    /// The same of a clock that seems to have jumped ahead, while nothing since has contradicted it.
    jumped: Option<(u64, i128)>,
}

impl Freshness {
    /// Delay of an input beyond the quickest delivery so far, microseconds.
    pub fn queued_us(&mut self, received_us: u64, seat_us: u64) -> u64 {
        let difference = i128::from(received_us) - i128::from(seat_us);
        let least = match self.quickest {
            Some((at_us, least)) => least + i128::from(received_us.saturating_sub(at_us)) * DRIFT_PPM / 1_000_000,
            None => difference,
        };
        if difference < least - JUMP_US && !self.has_jumped(received_us, difference) {
            return u64::MAX;
        }
        self.jumped = None;
        if difference <= least {
            self.quickest = Some((received_us, difference));
        }
        (difference - least).clamp(0, i128::from(u64::MAX)) as u64
    }

    /// Whether the seat's clock has been this far ahead for a while, and not a single stamp.
    fn has_jumped(&mut self, received_us: u64, difference: i128) -> bool {
        let since = self.jumped.filter(|(_, before)| (difference - before).abs() <= JUMP_US);
        let (since_us, _) = *self.jumped.insert(since.unwrap_or((received_us, difference)));
        received_us.saturating_sub(since_us) >= SETTLE_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: u64 = 5_000_000_000;

    #[test]
    fn queued_inputs_are_old_whatever_the_clocks_offset() {
        let mut fresh = Freshness::default();
        assert_eq!(fresh.queued_us(1_000_000, 1_000_000 + OFFSET), 0);
        assert_eq!(fresh.queued_us(1_500_000, 1_010_000 + OFFSET), 490_000 - 250);
        assert_eq!(fresh.queued_us(1_520_000, 1_520_000 + OFFSET), 0);
    }

    #[test]
    fn absurd_stamps_are_old_and_overflow_nothing() {
        let mut fresh = Freshness::default();
        assert_eq!(fresh.queued_us(0, u64::MAX), 0);
        assert_eq!(fresh.queued_us(u64::MAX - 1, 0), u64::MAX);
    }

    #[test]
    fn a_queue_that_lasts_for_a_minute_never_becomes_the_measure() {
        let mut fresh = Freshness::default();
        fresh.queued_us(0, OFFSET);
        for second in 1..60 {
            let at = second * 1_000_000;
            assert!(fresh.queued_us(at + 300_000, at + OFFSET) > 270_000);
        }
    }

    #[test]
    fn a_seat_clock_that_jumps_back_looks_old_and_one_that_jumps_ahead_tightens_the_measure() {
        let mut fresh = Freshness::default();
        fresh.queued_us(1_000_000, 9_000_000);
        assert!(fresh.queued_us(1_020_000, 8_020_000) > 990_000);
        assert_eq!(fresh.queued_us(1_040_000, 9_540_000), 0);
        assert!(fresh.queued_us(1_060_000, 9_060_000) > 490_000);
    }

    #[test]
    fn a_single_stamp_from_the_far_future_makes_nothing_honest_old() {
        let mut fresh = Freshness::default();
        fresh.queued_us(1_000_000, 9_000_000);
        assert_eq!(fresh.queued_us(1_010_000, 99_000_000), u64::MAX);
        assert_eq!(fresh.queued_us(1_020_000, 9_020_000), 0);
        // Nor do two that an honest one contradicts in between, or that say different things.
        assert_eq!(fresh.queued_us(1_100_000, 99_000_000), u64::MAX);
        assert_eq!(fresh.queued_us(1_120_000, 55_000_000), u64::MAX);
        assert_eq!(fresh.queued_us(1_180_000, 99_000_000), u64::MAX);
        assert_eq!(fresh.queued_us(1_200_000, 9_200_000), 0);
    }

    #[test]
    fn a_clock_that_jumped_far_ahead_and_stays_there_is_believed() {
        let mut fresh = Freshness::default();
        fresh.queued_us(1_000_000, 9_000_000);
        assert_eq!(fresh.queued_us(1_020_000, 14_020_000), u64::MAX);
        assert_eq!(fresh.queued_us(1_060_000, 14_060_000), u64::MAX);
        assert_eq!(fresh.queued_us(1_080_000, 14_080_000), 0);
        assert!(fresh.queued_us(1_100_000, 9_100_000) > 4_900_000);
    }

    #[test]
    fn clocks_that_drift_within_their_tolerance_stay_fresh() {
        let mut fresh = Freshness::default();
        fresh.queued_us(0, OFFSET);
        // An hour at 450 ppm, without a word and then with many.
        assert_eq!(fresh.queued_us(3_600_000_000, 3_600_000_000 - 1_620_000 + OFFSET), 0);
        assert!(fresh.queued_us(3_601_000_000, 3_601_000_000 - 1_920_000 + OFFSET) > 250_000);
        let mut fresh = Freshness::default();
        for second in 0..7_200u64 {
            let at_us = second * 1_000_000;
            assert_eq!(fresh.queued_us(at_us, at_us - at_us * 450 / 1_000_000 + OFFSET), 0, "{second} s");
        }
    }
}
