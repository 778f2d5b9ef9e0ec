//! Requests under way and their answers.

use crate::input::Action;
use protocol::v1;
use std::collections::BTreeMap;

/// An answer that takes longer than this is reported as missing, microseconds.
const TIMEOUT_US: u64 = 2_000_000;

/// What a request was for, in the words shown to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An action of the person.
    Action(Action),
    /// Release of the emergency stop.
    EstopReset,
    /// Answer to the vehicle's question.
    Answer,
}

impl Purpose {
    /// The words people see.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Action(action) => action.label(),
            Self::EstopReset => "release of the emergency stop",
            Self::Answer => "the answer",
        }
    }
}

/// Gives requests their ids and matches answers to them.
#[derive(Debug)]
pub struct Requests {
    seat_id: String,
    next_id: u64,
    pending: BTreeMap<u64, (Purpose, u64)>,
}

impl Requests {
    /// Ids start at `first_id`, which must be above any that this seat used before.
    #[must_use]
    pub fn new(seat_id: &str, first_id: u64) -> Self {
        Self { seat_id: seat_id.to_owned(), next_id: first_id, pending: BTreeMap::new() }
    }

    /// A new request.
    pub fn issue(&mut self, now_us: u64, purpose: Purpose, request: v1::seat_request::Request) -> v1::SeatRequest {
        let id = self.next_id;
        self.next_id += 1;
        self.pending.insert(id, (purpose, now_us));
        v1::SeatRequest { id, seat_id: self.seat_id.clone(), request: Some(request), ..v1::SeatRequest::default() }
    }

    /// A new request whose answer nobody waits for.
    pub fn aside(&mut self, request: v1::seat_request::Request) -> v1::SeatRequest {
        let id = self.next_id;
        self.next_id += 1;
        v1::SeatRequest { id, seat_id: self.seat_id.clone(), request: Some(request), ..v1::SeatRequest::default() }
    }

    /// Whether an answer to such a request is awaited.
    #[must_use]
    pub fn awaits(&self, purpose: Purpose) -> bool {
        self.pending.values().any(|(p, _)| *p == purpose)
    }

    /// What an answer answers; `None` for one that was answered before or given up.
    pub fn on_response(&mut self, response: &v1::SeatResponse) -> Option<Purpose> {
        self.pending.remove(&response.id).map(|(purpose, _)| purpose)
    }

    /// Gives up requests whose answer is overdue.
    pub fn overdue(&mut self, now_us: u64) -> Vec<Purpose> {
        let late: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, (_, at))| now_us.saturating_sub(*at) > TIMEOUT_US)
            .map(|(id, _)| *id)
            .collect();
        late.iter().filter_map(|id| self.pending.remove(id)).map(|(purpose, _)| purpose).collect()
    }

    /// Forgets everything under way, as when the link is lost: nothing is asked again behind the person's back.
    pub fn forget(&mut self) -> Vec<Purpose> {
        std::mem::take(&mut self.pending).into_values().map(|(purpose, _)| purpose).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::v1::seat_request::Request;

    const TAKE: Purpose = Purpose::Action(Action::TakeOver);

    fn take(requests: &mut Requests, now_us: u64) -> v1::SeatRequest {
        requests.issue(now_us, TAKE, Request::Takeover(v1::TakeoverRequest::default()))
    }

    #[test]
    fn an_answer_finds_its_request_once() {
        let mut requests = Requests::new("desk", 7);
        let first = take(&mut requests, 0);
        let second = take(&mut requests, 0);
        assert_eq!((first.id, second.id, first.seat_id.as_str()), (7, 8, "desk"));
        let answer = v1::SeatResponse { id: 7, accepted: true, ..Default::default() };
        assert_eq!(requests.on_response(&answer), Some(TAKE));
        assert_eq!(requests.on_response(&answer), None);
        assert!(requests.awaits(TAKE));
    }

    #[test]
    fn silence_is_reported_once() {
        let mut requests = Requests::new("desk", 1);
        take(&mut requests, 0);
        assert!(requests.overdue(2_000_000).is_empty());
        assert_eq!(requests.overdue(2_000_001), [TAKE]);
        assert!(requests.overdue(9_000_000).is_empty() && !requests.awaits(TAKE));
    }
}
