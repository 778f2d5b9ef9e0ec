//! What of a tick is recorded. Sans-IO.

use super::AuditEvent;
use protocol::v1::AuthorityState;
use protocol::v1::seat_request::Request;

/// Notices when authority changes.
#[derive(Debug, Default)]
pub struct AuthorityWatch {
    last: AuthorityState,
}

impl AuthorityWatch {
    /// A record when anything of `now` differs that says who may do what.
    pub fn note(&mut self, now: &AuthorityState) -> Option<AuditEvent> {
        let last = &mut self.last;
        let same = (last.mode, last.author, last.epoch, last.reason, last.estop_latched)
            == (now.mode, now.author, now.epoch, now.reason, now.estop_latched)
            && last.seat_id == now.seat_id;
        if same {
            return None;
        }
        (last.mode, last.author, last.epoch) = (now.mode, now.author, now.epoch);
        (last.reason, last.estop_latched) = (now.reason, now.estop_latched);
        last.seat_id.clone_from(&now.seat_id);
        Some(AuditEvent::Authority {
            mode: now.mode().label().to_owned(),
            author: now.author().label().to_owned(),
            epoch: now.epoch,
            seat: now.seat_id.clone(),
            reason: now.reason().code(),
            estop: now.estop_latched,
        })
    }
}

/// The request's name in the log; `None` for one that is not about authority.
#[must_use]
pub fn request_name(request: &Request) -> Option<&'static str> {
    Some(match request {
        Request::Takeover(_) => "takeover",
        Request::HandBack(_) => "hand_back",
        Request::Engage(_) => "engage",
        Request::Estop(_) => "estop",
        Request::EstopReset(_) => "estop_reset",
        Request::PathAnswer(_) => "path_answer",
        Request::Bookmark(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::v1::{Author, Mode, Reason};

    #[test]
    fn each_change_of_hands_is_one_record_and_time_alone_is_none() {
        let mut watch = AuthorityWatch::default();
        let mut now = AuthorityState { monotonic_us: 1, epoch: 7, seat_id: "desk".into(), ..Default::default() };
        (now.mode, now.author, now.reason) = (Mode::Drive.into(), Author::Operator.into(), Reason::Ok.into());
        let Some(AuditEvent::Authority { author, epoch, seat, .. }) = watch.note(&now) else { panic!("no record") };
        assert_eq!((author.as_str(), epoch, seat.as_str()), ("operator", 7, "desk"));
        (now.monotonic_us, now.lease_left_ms) = (2, 3);
        assert_eq!(watch.note(&now), None);
        type Change = fn(&mut AuthorityState);
        let changes: [Change; 6] = [
            |s| s.set_mode(Mode::Monitor),
            |s| s.set_author(Author::Policy),
            |s| s.epoch += 1,
            |s| s.set_reason(Reason::HandedBack),
            |s| s.estop_latched = true,
            |s| s.seat_id = "other".into(),
        ];
        for change in changes {
            change(&mut now);
            assert!(watch.note(&now).is_some());
            assert_eq!(watch.note(&now), None);
        }
    }
}
