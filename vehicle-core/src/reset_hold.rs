//! How long the e-stop's reset has been held, by the vehicle's own clock.
//!
//! A seat asks for the reset again and again while a person holds it, and says how long that has been. The vehicle counts
//! from the first of an unbroken series, and believes the lesser: one message that claims a long hold proves nothing.

/// A series with a longer pause than this was let go in between, microseconds.
pub const PAUSE_US: u64 = 600_000;

/// The hold of one seat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResetHold {
    seat: String,
    since_us: u64,
    last_us: Option<u64>,
    released_us: Option<u64>,
}

impl ResetHold {
    /// Whatever was held counts no more: somebody has pressed the e-stop since.
    pub fn let_go(&mut self) {
        self.last_us = None;
    }

    /// The e-stop was reset by the hold: it is over.
    pub fn release(&mut self, now_us: u64) {
        self.last_us = None;
        self.released_us = Some(now_us);
    }

    /// Whether `seat` has just reset the e-stop, so that what it still says of its hold was under way meanwhile.
    #[must_use]
    pub fn has_released(&self, now_us: u64, seat: &str) -> bool {
        self.seat == seat && self.released_us.is_some_and(|at| now_us.saturating_sub(at) <= PAUSE_US)
    }

    /// The hold in milliseconds after `seat` has asked at `now_us` and claimed `claimed_ms`.
    pub fn measure(&mut self, now_us: u64, seat: &str, claimed_ms: u64) -> u64 {
        let goes_on = self.seat == seat && self.last_us.is_some_and(|last| now_us.saturating_sub(last) <= PAUSE_US);
        if !goes_on {
            seat.clone_into(&mut self.seat);
            self.since_us = now_us;
        }
        self.last_us = Some(now_us);
        claimed_ms.min((now_us - self.since_us) / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_that_claims_a_long_hold_proves_nothing() {
        assert_eq!(ResetHold::default().measure(9_000_000, "a", 60_000), 0);
    }

    #[test]
    fn an_unbroken_series_counts_from_its_first_message_and_never_more_than_the_seat_claims() {
        let mut hold = ResetHold::default();
        for step in 0..=10 {
            assert_eq!(hold.measure(1_000_000 + step * 200_000, "a", step * 200), step * 200);
        }
        assert_eq!(hold.measure(3_200_000, "a", 100), 100);
        assert_eq!(hold.measure(3_200_000 + PAUSE_US, "a", 9_000), 2_800);
    }

    #[test]
    fn an_estop_in_between_begins_the_hold_anew() {
        let mut hold = ResetHold::default();
        hold.measure(1_000_000, "a", 0);
        hold.let_go();
        assert_eq!(hold.measure(1_200_000, "a", 9_000), 0);
        assert_eq!(hold.measure(1_400_000, "a", 9_000), 200);
    }

    #[test]
    fn what_the_seat_that_reset_it_said_meanwhile_is_known_for_a_while_and_proves_nothing_later() {
        let mut hold = ResetHold::default();
        hold.measure(1_000_000, "a", 0);
        assert!(!hold.has_released(1_000_000, "a"));
        hold.release(3_000_000);
        assert!(hold.has_released(3_000_000 + PAUSE_US, "a") && !hold.has_released(3_000_001 + PAUSE_US, "a"));
        assert!(!hold.has_released(3_000_000, "b"));
        assert_eq!(hold.measure(3_200_000, "a", 9_000), 0);
    }

    #[test]
    fn letting_go_or_another_seat_begins_anew() {
        let mut hold = ResetHold::default();
        hold.measure(1_000_000, "a", 0);
        assert_eq!(hold.measure(1_000_001 + PAUSE_US, "a", 9_000), 0);
        assert_eq!(hold.measure(2_000_000, "b", 9_000), 0);
        assert_eq!(hold.measure(2_100_000, "a", 9_000), 0);
        assert_eq!(hold.measure(2_300_000, "a", 9_000), 200);
    }
}
