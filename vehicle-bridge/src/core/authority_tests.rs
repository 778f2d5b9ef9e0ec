use super::*;
use protocol::v1::{EngageRequest, EstopRequest, EstopResetRequest, HandBackRequest, TakeoverRequest};

const READY: u64 = 20_000_000;

fn ask(request: Request) -> SeatRequest {
    SeatRequest { id: 1, seat_id: "seat-a".into(), request: Some(request) }
}

fn takeover() -> Request {
    Request::Takeover(TakeoverRequest { cause: TakeoverCause::Safety.into(), note: String::new() })
}

fn engaged() -> (Authority, Vec<Change>) {
    let mut authority = Authority::new(4, 10_000_000);
    let mut changes = Vec::new();
    assert!(authority.request(READY, &ask(Request::Engage(EngageRequest {})), 0.0, &mut changes).accepted);
    (authority, changes)
}

#[test]
fn nothing_moves_before_the_self_check_is_over() {
    let mut authority = Authority::new(4, 10_000_000);
    let mut changes = Vec::new();
    let answer = authority.request(9_999_999, &ask(Request::Engage(EngageRequest {})), 0.0, &mut changes);
    assert_eq!((answer.accepted, answer.reason()), (false, Reason::NotArmed));
    assert_eq!(authority.author(), Author::Fallback);
}

#[test]
fn the_policy_drives_until_the_operators_first_valid_command() {
    let (mut authority, mut changes) = engaged();
    assert!(authority.request(READY, &ask(takeover()), 5.0, &mut changes).accepted);
    assert_eq!((authority.author(), authority.epoch()), (Author::Policy, 5));
    authority.valid_command(READY + 30_000, &mut changes);
    assert_eq!((authority.author(), authority.mode()), (Author::Operator, Mode::Drive));
    assert!(matches!(changes[..], [Change::TakeoverBegan { disengagement: true, .. }]));
}

#[test]
fn a_silent_operator_is_replaced_by_the_manoeuvre_and_fenced_off() {
    let (mut authority, mut changes) = engaged();
    authority.request(READY, &ask(takeover()), 5.0, &mut changes);
    authority.valid_command(READY, &mut changes);
    authority.expire(READY + COMMAND_TIMEOUT_US, &mut changes);
    assert_eq!(authority.author(), Author::Operator);
    authority.expire(READY + COMMAND_TIMEOUT_US + 1, &mut changes);
    assert_eq!((authority.author(), authority.mode(), authority.epoch()), (Author::Fallback, Mode::Stopped, 6));
    assert_eq!(authority.state(READY).reason(), Reason::LinkLost);
}

#[test]
fn a_second_seat_is_refused_until_the_first_is_lost() {
    let (mut authority, mut changes) = engaged();
    authority.request(READY, &ask(takeover()), 5.0, &mut changes);
    authority.valid_command(READY, &mut changes);
    let other = SeatRequest { seat_id: "seat-b".into(), ..ask(takeover()) };
    assert_eq!(authority.request(READY, &other, 5.0, &mut changes).reason(), Reason::HeldByOther);
    authority.seat_gone("seat-a", &mut changes);
    assert!(authority.request(READY, &other, 5.0, &mut changes).accepted);
}

#[test]
fn an_estop_is_latched_and_needs_a_long_hold_at_standstill() {
    let (mut authority, mut changes) = engaged();
    assert!(authority.request(READY, &ask(Request::Estop(EstopRequest {})), 9.0, &mut changes).accepted);
    assert_eq!(authority.author(), Author::Fallback);
    let mut refused = |r, speed| authority.request(READY, &ask(r), speed, &mut changes).reason();
    assert_eq!(refused(takeover(), 0.0), Reason::EstopLatched);
    assert_eq!(refused(Request::Engage(EngageRequest {}), 0.0), Reason::EstopLatched);
    assert_eq!(refused(Request::EstopReset(EstopResetRequest { held_ms: 3_000 }), 4.0), Reason::StillMoving);
    assert_eq!(refused(Request::EstopReset(EstopResetRequest { held_ms: 100 }), 0.0), Reason::OutOfLimits);
    assert_eq!(refused(Request::EstopReset(EstopResetRequest { held_ms: 3_000 }), 0.0), Reason::Ok);
    assert_eq!(refused(Request::Engage(EngageRequest {}), 0.0), Reason::Ok);
}

#[test]
fn only_the_holder_hands_back() {
    let (mut authority, mut changes) = engaged();
    let back = Request::HandBack(HandBackRequest { mode: Mode::Monitor.into() });
    assert_eq!(authority.request(READY, &ask(back.clone()), 5.0, &mut changes).reason(), Reason::NotInControl);
    authority.request(READY, &ask(takeover()), 5.0, &mut changes);
    authority.valid_command(READY, &mut changes);
    assert!(authority.request(READY, &ask(back), 5.0, &mut changes).accepted);
    assert_eq!((authority.author(), authority.mode()), (Author::Policy, Mode::Monitor));
    assert_eq!(changes.last(), Some(&Change::TakeoverEnded));
}

#[test]
fn a_second_takeover_without_the_policy_in_between_is_no_disengagement() {
    let (mut authority, mut changes) = engaged();
    authority.request(READY, &ask(takeover()), 5.0, &mut changes);
    authority.valid_command(READY, &mut changes);
    authority.expire(READY + 300_000, &mut changes);
    authority.request(READY + 400_000, &ask(takeover()), 0.0, &mut changes);
    authority.valid_command(READY + 420_000, &mut changes);
    assert!(matches!(changes.last(), Some(Change::TakeoverBegan { disengagement: false, .. })));
}

#[test]
fn a_person_relieves_a_standby_operator_and_keeps_it_off() {
    let (mut authority, mut changes) = engaged();
    let scripted = SeatRequest { seat_id: "scripted-1".into(), ..ask(takeover()) };
    authority.request(READY, &scripted, 5.0, &mut changes);
    authority.valid_command(READY, &mut changes);
    authority.set_person_present(true);
    assert!(authority.request(READY, &ask(takeover()), 5.0, &mut changes).accepted);
    assert_eq!((authority.granted_seat(), authority.author()), (Some("seat-a"), Author::Fallback));
    authority.valid_command(READY + 1, &mut changes);
    assert_eq!(authority.author(), Author::Operator);
    assert_eq!(authority.request(READY, &scripted, 5.0, &mut changes).reason(), Reason::HeldByOther);
}

#[test]
fn relief_that_never_comes_ends_in_the_manoeuvre() {
    let (mut authority, mut changes) = engaged();
    let scripted = SeatRequest { seat_id: "scripted-1".into(), ..ask(takeover()) };
    authority.request(READY, &scripted, 5.0, &mut changes);
    authority.valid_command(READY, &mut changes);
    authority.request(READY, &ask(takeover()), 5.0, &mut changes);
    authority.expire(READY + LEASE_US + 1, &mut changes);
    assert_eq!((authority.mode(), authority.author()), (Mode::Stopped, Author::Fallback));
}
