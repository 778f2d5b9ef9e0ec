//! Who drives, as this seat may believe it.

use protocol::v1::{Author, AuthorityState, Mode};

/// Who moves the vehicle, seen from one seat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Holder {
    /// The vehicle has said nothing yet.
    #[default]
    Unknown,
    /// This seat drives.
    Me,
    /// Another seat drives.
    OtherSeat(String),
    /// The policy drives.
    Policy,
    /// The vehicle brings itself to a stop.
    Fallback,
    /// Stands still and waits for an explicit act.
    Stopped,
}

/// Keeps the newest statement of the vehicle: datagrams overtake each other, and an answer may overtake them all.
#[derive(Debug, Clone, Default)]
pub struct AuthorityTracker {
    latest: Option<AuthorityState>,
}

impl AuthorityTracker {
    /// Takes `state` unless a newer one is known; true when it was taken.
    pub fn take(&mut self, state: &AuthorityState) -> bool {
        let newer = self.latest.as_ref().is_none_or(|l| (state.epoch, state.monotonic_us) >= (l.epoch, l.monotonic_us));
        if newer {
            self.latest = Some(state.clone());
        }
        newer
    }

    /// The newest statement.
    #[must_use]
    pub fn latest(&self) -> Option<&AuthorityState> {
        self.latest.as_ref()
    }

    /// Fencing token to send commands with; 0 before the vehicle said any.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.latest.as_ref().map_or(0, |l| l.epoch)
    }

    /// Whether the vehicle considers commands of the seat `me`: from the grant on, before the first has arrived.
    #[must_use]
    pub fn is_granted(&self, me: &str) -> bool {
        let holds = |l: &AuthorityState| l.seat_id == me && (l.lease_left_ms > 0 || l.author() == Author::Operator);
        self.latest.as_ref().is_some_and(|l| holds(l) && !l.estop_latched)
    }

    /// Who drives, for the seat `me`.
    #[must_use]
    pub fn holder(&self, me: &str) -> Holder {
        let Some(state) = &self.latest else { return Holder::Unknown };
        match (state.mode(), state.author()) {
            (_, Author::Operator) if state.seat_id == me => Holder::Me,
            (_, Author::Operator) => Holder::OtherSeat(state.seat_id.clone()),
            (Mode::Stopped, _) => Holder::Stopped,
            (_, Author::Policy) => Holder::Policy,
            (_, Author::Fallback) => Holder::Fallback,
            (_, Author::Unspecified) => Holder::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(monotonic_us: u64, epoch: u64, mode: Mode, author: Author, seat: &str) -> AuthorityState {
        AuthorityState {
            monotonic_us,
            epoch,
            mode: mode.into(),
            author: author.into(),
            seat_id: seat.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_late_datagram_does_not_undo_a_grant() {
        let mut tracker = AuthorityTracker::default();
        assert_eq!(tracker.holder("desk"), Holder::Unknown);
        assert!(tracker.take(&state(100, 4, Mode::Monitor, Author::Policy, "")));
        assert!(tracker.take(&state(90, 5, Mode::Drive, Author::Operator, "desk")), "a new grant wins");
        assert!(!tracker.take(&state(110, 4, Mode::Monitor, Author::Policy, "")));
        assert_eq!((tracker.holder("desk"), tracker.epoch()), (Holder::Me, 5));
        assert_eq!(tracker.holder("other"), Holder::OtherSeat("desk".into()));
    }

    #[test]
    fn standing_after_a_fallback_is_stopped() {
        let mut tracker = AuthorityTracker::default();
        tracker.take(&state(1, 1, Mode::Drive, Author::Fallback, "desk"));
        assert_eq!(tracker.holder("desk"), Holder::Fallback);
        tracker.take(&state(2, 1, Mode::Stopped, Author::Fallback, "desk"));
        assert_eq!(tracker.holder("desk"), Holder::Stopped);
    }
}
