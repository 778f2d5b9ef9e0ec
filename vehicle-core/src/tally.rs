//! What became of everything that seats sent: each input and each request either passed the gate, by kind, or was refused,
//! by reason. Nothing is left out, so that whoever knows what honest seats sent can say that nothing else passed.

use protocol::v1::seat_request::Request;
use protocol::v1::{OperatorInput, Reason};

/// Reasons are counted in a table of this size.
const REASONS: usize = 64;

/// What passes the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// An input that the vehicle may drive by.
    Input,
    /// The holder let go of the deadman.
    Release,
    /// An input that wants nothing, from a seat that only watches.
    Watching,
    /// A request for authority.
    Takeover,
    /// One to give it to the policy.
    HandBack,
    /// One to start the policy.
    Engage,
    /// One to stop.
    Estop,
    /// One to take that back.
    EstopReset,
    /// One in the middle of such a hold, which counts towards it.
    EstopHold,
    /// A bookmark.
    Bookmark,
    /// An answer to the vehicle's question.
    PathAnswer,
}

impl Passed {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::Input,
        Self::Release,
        Self::Watching,
        Self::Takeover,
        Self::HandBack,
        Self::Engage,
        Self::Estop,
        Self::EstopReset,
        Self::EstopHold,
        Self::Bookmark,
        Self::PathAnswer,
    ];

    /// Its name for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Release => "release",
            Self::Watching => "watching",
            Self::Takeover => "takeover",
            Self::HandBack => "hand_back",
            Self::Engage => "engage",
            Self::Estop => "estop",
            Self::EstopReset => "estop_reset",
            Self::EstopHold => "estop_hold",
            Self::Bookmark => "bookmark",
            Self::PathAnswer => "path_answer",
        }
    }

    /// Of a request that was accepted.
    fn of(request: &Request) -> Self {
        match request {
            Request::Takeover(_) => Self::Takeover,
            Request::HandBack(_) => Self::HandBack,
            Request::Engage(_) => Self::Engage,
            Request::Estop(_) => Self::Estop,
            Request::EstopReset(_) => Self::EstopReset,
            Request::Bookmark(_) => Self::Bookmark,
            Request::PathAnswer(_) => Self::PathAnswer,
        }
    }
}

/// Whether an input asks for nothing at all and holds nothing: a seat that watches says that it is there.
#[must_use]
pub fn wants_nothing(input: &OperatorInput) -> bool {
    input.action.is_empty() && input.trajectory.is_none() && !input.deadman
}

/// The counts of one vehicle since it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    passed: [u64; Passed::ALL.len()],
    refused: [u64; REASONS],
    refused_requests: [u64; REASONS],
}

impl Default for Tally {
    fn default() -> Self {
        Self { passed: Default::default(), refused: [0; REASONS], refused_requests: [0; REASONS] }
    }
}

impl Tally {
    pub(super) fn pass(&mut self, what: Passed) {
        self.passed[what as usize] += 1;
    }

    /// An input that is not acted on.
    pub(super) fn refuse(&mut self, reason: Reason) {
        if let Some(count) = self.refused.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// A request that was answered so.
    pub(super) fn answer(&mut self, request: Option<&Request>, answer: Reason) {
        match (request, answer) {
            (Some(request), Reason::Ok) => self.pass(Passed::of(request)),
            // Whoever holds the reset says so again and again until it has been long enough.
            (Some(Request::EstopReset(_)), Reason::OutOfLimits) => self.pass(Passed::EstopHold),
            _ => {
                if let Some(count) = self.refused_requests.get_mut(answer as usize) {
                    *count += 1;
                }
            }
        }
    }

    /// How many such messages passed.
    #[must_use]
    pub fn passed(&self, what: Passed) -> u64 {
        self.passed[what as usize]
    }

    /// How many inputs were refused for `reason`.
    #[must_use]
    pub fn refused(&self, reason: Reason) -> u64 {
        self.refused.get(reason as usize).copied().unwrap_or(0)
    }

    /// Inputs refused, by reason.
    pub fn all_refused(&self) -> impl Iterator<Item = (Reason, u64)> {
        by_reason(&self.refused)
    }

    /// Requests refused, by reason.
    pub fn refused_requests(&self) -> impl Iterator<Item = (Reason, u64)> {
        by_reason(&self.refused_requests)
    }
}

fn by_reason(table: &[u64; REASONS]) -> impl Iterator<Item = (Reason, u64)> {
    let named = |(code, count): (usize, &u64)| Some((Reason::try_from(i32::try_from(code).ok()?).ok()?, *count));
    table.iter().enumerate().filter_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place_and_every_kind_its_own() {
        let mut tally = Tally::default();
        let reasons: Vec<Reason> = (0..1_000).filter_map(|code| Reason::try_from(code).ok()).collect();
        reasons.iter().for_each(|reason| tally.refuse(*reason));
        assert!(reasons.iter().all(|reason| tally.refused(*reason) == 1));
        assert_eq!(tally.all_refused().filter(|(_, count)| *count == 1).count(), reasons.len());
        for (place, kind) in Passed::ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, tally.passed(kind)), (place, 0));
            tally.pass(kind);
            assert_eq!(tally.passed(kind), 1);
        }
    }

    #[test]
    fn a_hold_of_the_reset_is_no_refusal_and_other_requests_are_counted_by_their_answers() {
        use protocol::v1::{BookmarkRequest, EstopResetRequest, PathAnswer};
        let reset = Request::EstopReset(EstopResetRequest::default());
        let mut tally = Tally::default();
        tally.answer(Some(&reset), Reason::OutOfLimits);
        tally.answer(Some(&reset), Reason::Ok);
        tally.answer(Some(&reset), Reason::StillMoving);
        tally.answer(Some(&Request::PathAnswer(PathAnswer::default())), Reason::OutOfLimits);
        tally.answer(Some(&Request::Bookmark(BookmarkRequest::default())), Reason::Ok);
        tally.answer(None, Reason::Malformed);
        let passed = [Passed::EstopHold, Passed::EstopReset, Passed::Bookmark].map(|kind| tally.passed(kind));
        assert_eq!(passed, [1, 1, 1]);
        let refused: Vec<_> = tally.refused_requests().filter(|(_, count)| *count > 0).collect();
        assert_eq!(refused, [(Reason::OutOfLimits, 1), (Reason::StillMoving, 1), (Reason::Malformed, 1)]);
    }

    #[test]
    fn a_trajectory_without_a_deadman_wants_something() {
        assert!(wants_nothing(&OperatorInput::default()));
        assert!(!wants_nothing(&OperatorInput { trajectory: Some(Default::default()), ..Default::default() }));
        assert!(!wants_nothing(&OperatorInput { deadman: true, ..Default::default() }));
        assert!(!wants_nothing(&OperatorInput { action: vec![0.0], ..Default::default() }));
    }
}
