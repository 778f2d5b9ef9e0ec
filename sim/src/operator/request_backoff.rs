//! When a program may ask the vehicle for something: not while the vehicle says that it would refuse, not again before the
//! vehicle's own word on what it has just granted is here, and less and less often after it refused.

use protocol::v1::{AuthorityState, Reason, SeatResponse};

/// Pause after a first refusal, and the longest after many, microseconds.
const PAUSE_US: (u64, u64) = (500_000, 8_000_000);
/// A vehicle whose clock is farther back than this has restarted, microseconds.
const ANEW_US: u64 = 2_000_000;

/// What a refusal may have been for: when any of it changes, another answer may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Circumstances {
    mode: i32,
    author: i32,
    epoch: u64,
    not_ready: i32,
    person_present: bool,
    question: Option<u64>,
    help: Option<u64>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestBackoff {
    seen: Option<Circumstances>,
    refusals: u32,
    not_before_us: u64,
    /// When the vehicle granted something last, on its clock.
    granted_us: u64,
}

impl RequestBackoff {
    /// The vehicle said how it stands.
    pub(super) fn look(&mut self, authority: &AuthorityState) {
        let now = Circumstances {
            mode: authority.mode,
            author: authority.author,
            epoch: authority.epoch,
            not_ready: authority.not_ready,
            person_present: authority.person_present,
            question: authority.question.as_ref().map(|question| question.id),
            help: authority.help.as_ref().map(|help| help.id),
        };
        if self.seen.replace(now) != Some(now) {
            (self.refusals, self.not_before_us) = (0, 0);
        }
    }

    /// The vehicle answered at seat time `now_us`.
    pub(super) fn answered(&mut self, now_us: u64, answer: &SeatResponse) {
        if answer.accepted {
            (self.refusals, self.not_before_us) = (0, 0);
            self.granted_us = answer.authority.as_ref().map_or(0, |authority| authority.monotonic_us);
            return;
        }
        self.not_before_us = now_us + (PAUSE_US.0 << self.refusals.min(8)).min(PAUSE_US.1);
        self.refusals += 1;
    }

    /// Whether to ask a vehicle that stands so for anything now.
    pub(super) fn may_ask(&self, now_us: u64, authority: &AuthorityState) -> bool {
        let at_us = authority.monotonic_us;
        let outdated = at_us < self.granted_us && self.granted_us < at_us + ANEW_US;
        now_us >= self.not_before_us && !outdated
    }
}

/// Whether the vehicle would let a program at `seat` set it going, take it over or answer its questions.
pub(super) fn is_free_for(seat: &str, authority: &AuthorityState) -> bool {
    let held = authority.seat_id != seat && authority.lease_left_ms > 0;
    authority.not_ready() == Reason::Unspecified && !held && !authority.person_present
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> SeatResponse {
        SeatResponse { reason: Reason::PolicyFailed.into(), ..SeatResponse::default() }
    }

    #[test]
    fn after_each_refusal_the_pause_doubles_up_to_eight_seconds() {
        let (mut request_backoff, state) = (RequestBackoff::default(), AuthorityState::default());
        request_backoff.look(&state);
        let mut now_us = 0;
        for pause_us in [500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000, 8_000_000] {
            assert!(request_backoff.may_ask(now_us, &state));
            request_backoff.answered(now_us, &refused());
            request_backoff.look(&state);
            assert!(!request_backoff.may_ask(now_us + pause_us - 1, &state));
            now_us += pause_us;
        }
    }

    #[test]
    fn whatever_changes_at_the_vehicle_is_reason_to_ask_at_once() {
        let (mut request_backoff, state) = (RequestBackoff::default(), AuthorityState::default());
        request_backoff.look(&state);
        request_backoff.answered(0, &refused());
        let state = AuthorityState { epoch: 5, ..state };
        request_backoff.look(&state);
        assert!(request_backoff.may_ask(1, &state));
    }

    #[test]
    fn what_was_granted_is_not_asked_for_again_before_the_vehicle_shows_it() {
        let mut request_backoff = RequestBackoff::default();
        let at = |monotonic_us| AuthorityState { monotonic_us, ..AuthorityState::default() };
        let granted = SeatResponse { accepted: true, authority: Some(at(7_000_000)), ..SeatResponse::default() };
        request_backoff.answered(0, &granted);
        assert!(!request_backoff.may_ask(1, &at(6_999_999)) && request_backoff.may_ask(1, &at(7_000_000)));
        // Another life of the vehicle.
        assert!(request_backoff.may_ask(1, &at(40_000)));
    }

    #[test]
    fn a_vehicle_that_is_not_ready_held_by_another_or_tended_by_a_person_is_not_asked() {
        let state = AuthorityState::default();
        assert!(is_free_for("scripted-1", &state));
        let not_ready = AuthorityState { not_ready: Reason::NotArmed.into(), ..state.clone() };
        let tended = AuthorityState { person_present: true, ..state.clone() };
        let held = AuthorityState { seat_id: "desk".into(), lease_left_ms: 400, ..state.clone() };
        let lapsed = AuthorityState { lease_left_ms: 0, ..held.clone() };
        let free = |seat, state: &AuthorityState| is_free_for(seat, state);
        assert!(!free("scripted-1", &not_ready) && !free("scripted-1", &tended) && !free("scripted-1", &held));
        assert!(free("scripted-1", &lapsed) && free("desk", &held) && !free("another", &tended));
    }
}
