use super::*;
use protocol::v1::{BookmarkRequest, EngageRequest, EstopRequest, EstopResetRequest, HandBackRequest, TakeoverRequest};

/// Period of the control loop.
const TICK_US: u64 = 20_000;
const ROLLING: RequestContext = RequestContext {
    seat_kind: SeatKind::Human,
    speed_mps: 5.0,
    unfit: None,
    policy_ready: true,
    estop_pressed: false,
};
const STANDING: RequestContext = RequestContext { speed_mps: 0.0, ..ROLLING };

/// A vehicle with the changes that it has announced.
struct Car(Authority, Vec<Change>);

impl Car {
    fn stopped() -> Self {
        Self(Authority::new(4, 0), Vec::new())
    }

    fn engaged() -> Self {
        let mut car = Self::stopped();
        assert_eq!(car.ask("a", engage()), Reason::Ok);
        car
    }

    fn driven_by(seat: &str) -> Self {
        let mut car = Self::engaged();
        assert_eq!(car.ask(seat, takeover()), Reason::Ok);
        car.0.valid_command(0, &mut car.1);
        car
    }

    fn ask(&mut self, seat: &str, request: Request) -> Reason {
        self.ask_in(&ROLLING, seat, request)
    }

    fn ask_in(&mut self, situation: &RequestContext, seat: &str, request: Request) -> Reason {
        let request = SeatRequest { id: 9, seat_id: seat.into(), request: Some(request), ..SeatRequest::default() };
        let situation = RequestContext { seat_kind: kind_of(seat), ..*situation };
        let answer = self.0.request(0, &request, &situation, &mut self.1);
        assert_eq!((answer.id, answer.accepted), (9, answer.reason() == Reason::Ok));
        assert_eq!(answer.authority, Some(self.0.state(0)));
        answer.reason()
    }

    fn pass(&mut self, us: u64) {
        self.0.advance(us);
        self.0.expire(TICK_US, &mut self.1);
    }

    fn stands(&self) -> (Mode, Author) {
        (self.0.mode(), self.0.author())
    }

    fn reason(&self) -> Reason {
        self.0.state(0).reason()
    }
}

/// In these tests two seats are programs'; what a seat is called says nothing to the machine.
fn kind_of(seat: &str) -> SeatKind {
    if matches!(seat, "robot-1" | "robot-2") { SeatKind::Scripted } else { SeatKind::Human }
}

fn takeover() -> Request {
    Request::Takeover(TakeoverRequest { cause: TakeoverCause::Safety.into(), note: "look out".into() })
}

fn engage() -> Request {
    Request::Engage(EngageRequest {})
}

fn hand_back(mode: Mode) -> Request {
    Request::HandBack(HandBackRequest { mode: mode.into() })
}

fn estop() -> Request {
    Request::Estop(EstopRequest {})
}

fn reset(held_ms: u64) -> Request {
    Request::EstopReset(EstopResetRequest { held_ms })
}

const STOPPED: (Mode, Author) = (Mode::Stopped, Author::Fallback);
const WATCHED: (Mode, Author) = (Mode::Monitor, Author::Policy);
const DRIVEN: (Mode, Author) = (Mode::Drive, Author::Operator);

#[test]
fn nothing_moves_before_the_self_check_is_over() {
    let mut car = Car(Authority::new(4, 10_000_000), Vec::new());
    assert_eq!((car.stands(), car.reason()), (STOPPED, Reason::NotArmed));
    car.pass(9_999_999);
    assert_eq!(car.ask("a", engage()), Reason::NotArmed);
    assert_eq!(car.ask("a", takeover()), Reason::NotArmed);
    car.pass(1);
    assert_eq!(car.ask("a", engage()), Reason::Ok);
    assert_eq!(car.stands(), WATCHED);
}

#[test]
fn the_policy_drives_until_the_operators_first_valid_command() {
    let mut car = Car::engaged();
    assert_eq!(car.ask("a", takeover()), Reason::Ok);
    assert_eq!((car.stands(), car.0.epoch(), car.0.granted_seat()), (WATCHED, 5, Some("a")));
    car.0.valid_command(0, &mut car.1);
    assert_eq!((car.stands(), car.reason()), (DRIVEN, Reason::OperatorRequest));
    let began = Change::TakeoverBegan {
        cause: TakeoverCause::Safety,
        note: "look out".into(),
        seat_kind: SeatKind::Human,
        disengagement: true,
    };
    assert_eq!(car.1, [began]);
    car.0.valid_command(0, &mut car.1);
    assert_eq!(car.1.len(), 1);
}

#[test]
fn a_command_that_nobody_was_granted_changes_nothing() {
    let mut car = Car::engaged();
    car.0.valid_command(0, &mut car.1);
    car.0.deadman_released(&mut car.1);
    car.0.seat_gone("a", &mut car.1);
    assert_eq!((car.stands(), car.1.len()), (WATCHED, 0));
}

#[test]
fn the_manoeuvre_begins_no_later_than_200_ms_after_the_last_valid_command() {
    let mut car = Car::driven_by("a");
    car.pass(COMMAND_TIMEOUT_US - TICK_US);
    assert_eq!(car.stands(), DRIVEN);
    car.pass(1);
    assert_eq!((car.stands(), car.reason(), car.0.epoch()), (STOPPED, Reason::LinkLost, 6));
    assert_eq!(car.1[1..], [Change::TakeoverEnded, Change::FallbackBegan(Reason::LinkLost)]);
    assert_eq!((car.0.granted_seat(), car.0.state(0).seat_id.as_str()), (None, "a"));
}

#[test]
fn the_time_that_a_command_waited_in_the_vehicle_counts() {
    let mut car = Car::driven_by("a");
    car.0.valid_command(15_000, &mut car.1);
    car.pass(COMMAND_TIMEOUT_US - TICK_US - 15_000);
    assert_eq!(car.stands(), DRIVEN);
    car.pass(1);
    assert_eq!(car.stands(), STOPPED);
}

#[test]
fn a_grant_that_is_not_used_lapses_and_whoever_drove_goes_on() {
    let mut car = Car::engaged();
    car.ask("a", takeover());
    car.pass(FIRST_COMMAND_US - TICK_US);
    assert_eq!((car.0.granted_seat(), car.0.state(0).lease_left_ms), (Some("a"), 20));
    car.pass(1);
    assert_eq!((car.stands(), car.0.granted_seat(), car.reason()), (WATCHED, None, Reason::LinkLost));
    assert_eq!((car.0.epoch(), car.0.state(0).lease_left_ms), (6, 0));
}

#[test]
fn a_second_seat_is_refused_until_the_first_is_lost() {
    let mut car = Car::driven_by("a");
    assert_eq!(car.ask("b", takeover()), Reason::HeldByOther);
    car.0.seat_gone("b", &mut car.1);
    assert_eq!(car.stands(), DRIVEN);
    car.0.seat_gone("a", &mut car.1);
    assert_eq!(car.stands(), STOPPED);
    assert_eq!(car.ask("b", takeover()), Reason::Ok);
    assert_eq!((car.0.granted_seat(), car.0.epoch()), (Some("b"), 7));
}

#[test]
fn another_seat_need_not_wait_for_one_that_does_not_use_its_grant() {
    let mut car = Car::engaged();
    car.ask("a", takeover());
    car.pass(LEASE_US - 1);
    assert_eq!(car.ask("b", takeover()), Reason::HeldByOther);
    car.pass(1);
    assert_eq!((car.ask("a", takeover()), car.0.epoch()), (Reason::Ok, 5));
    assert_eq!((car.ask("b", takeover()), car.0.granted_seat(), car.0.epoch()), (Reason::Ok, Some("b"), 6));
    assert_eq!((car.stands(), car.0.state(0).lease_left_ms), (WATCHED, 1_000));
    // Among scripts too.
    let mut car = Car::engaged();
    car.ask("robot-1", takeover());
    assert_eq!(car.ask("robot-2", takeover()), Reason::HeldByOther);
    car.pass(LEASE_US);
    assert_eq!((car.ask("robot-2", takeover()), car.0.granted_seat()), (Reason::Ok, Some("robot-2")));
}

#[test]
fn a_request_sent_twice_is_granted_once() {
    let mut car = Car::engaged();
    car.ask("a", takeover());
    assert_eq!((car.ask("a", takeover()), car.0.epoch()), (Reason::Ok, 5));
    assert_eq!(car.ask("", takeover()), Reason::NotAuthenticated);
}

#[test]
fn an_estop_is_latched_and_needs_a_long_hold_at_standstill() {
    let mut car = Car::driven_by("a");
    assert_eq!(car.ask("watcher", estop()), Reason::Ok);
    assert_eq!((car.stands(), car.reason(), car.0.estop_latched()), (STOPPED, Reason::Estop, true));
    assert_eq!(car.ask("watcher", estop()), Reason::Ok);
    assert_eq!(car.ask("a", takeover()), Reason::EstopLatched);
    assert_eq!(car.ask("a", engage()), Reason::EstopLatched);
    assert_eq!(car.ask("a", reset(3_000)), Reason::StillMoving);
    assert_eq!(car.ask_in(&RequestContext { speed_mps: -0.2, ..STANDING }, "a", reset(3_000)), Reason::StillMoving);
    assert_eq!(car.ask_in(&STANDING, "a", reset(ESTOP_RESET_HOLD_MS - 1)), Reason::OutOfLimits);
    let pressed = RequestContext { estop_pressed: true, ..STANDING };
    assert_eq!(car.ask_in(&pressed, "a", reset(3_000)), Reason::EstopLatched);
    assert!(car.0.estop_latched() && car.0.state(0).estop_latched);
    let crawling = RequestContext { speed_mps: super::super::fallback::STANDSTILL_MPS, ..STANDING };
    assert_eq!(car.ask_in(&crawling, "a", reset(ESTOP_RESET_HOLD_MS)), Reason::Ok);
    assert_eq!((car.0.estop_latched(), car.reason(), car.stands()), (false, Reason::NotArmed, STOPPED));
    assert_eq!(car.ask("a", engage()), Reason::Ok);
}

#[test]
fn an_estop_works_in_every_mode_and_says_so_even_when_already_stopped() {
    let mut assist = Car::driven_by("a");
    assert_eq!(assist.ask("a", hand_back(Mode::Assist)), Reason::Ok);
    assert_eq!(assist.stands(), (Mode::Assist, Author::Policy));
    for mut car in [Car::stopped(), Car::engaged(), Car::driven_by("a"), assist] {
        car.0.press_estop(&mut car.1);
        assert_eq!((car.stands(), car.reason(), car.0.estop_latched()), (STOPPED, Reason::Estop, true));
    }
}

#[test]
fn a_later_fault_does_not_hide_the_first_reason() {
    let mut car = Car::driven_by("a");
    car.0.fall_back(Reason::SensorsLost, &mut car.1);
    let (epoch, announced) = (car.0.epoch(), car.1.len());
    car.0.fall_back(Reason::PolicyFailed, &mut car.1);
    assert_eq!((car.reason(), car.0.epoch(), car.1.len()), (Reason::SensorsLost, epoch, announced));
}

#[test]
fn a_fault_takes_back_a_grant_that_waits() {
    let mut car = Car::stopped();
    car.ask("a", takeover());
    car.0.fall_back(Reason::SensorsLost, &mut car.1);
    assert_eq!((car.0.granted_seat(), car.0.epoch(), car.reason()), (None, 6, Reason::SensorsLost));
    assert_eq!(car.1, [Change::FallbackBegan(Reason::SensorsLost)]);
}

#[test]
fn only_the_holder_hands_back_and_only_to_a_policy_that_is_ready() {
    let mut car = Car::engaged();
    assert_eq!(car.ask("a", hand_back(Mode::Monitor)), Reason::NotInControl);
    car.ask("a", takeover());
    assert_eq!(car.ask("a", hand_back(Mode::Monitor)), Reason::NotInControl);
    car.0.valid_command(0, &mut car.1);
    assert_eq!(car.ask("b", hand_back(Mode::Monitor)), Reason::NotInControl);
    let blind = RequestContext { policy_ready: false, ..ROLLING };
    assert_eq!(car.ask_in(&blind, "a", hand_back(Mode::Monitor)), Reason::PolicyFailed);
    assert_eq!(car.stands(), DRIVEN);
    assert_eq!(car.ask("a", hand_back(Mode::Monitor)), Reason::Ok);
    assert_eq!((car.stands(), car.reason()), (WATCHED, Reason::HandedBack));
    assert_eq!((car.1.last(), car.0.epoch()), (Some(&Change::TakeoverEnded), 6));
}

#[test]
fn while_the_policy_drives_people_switch_between_watching_and_assisting() {
    let mut car = Car::engaged();
    assert_eq!(car.ask("a", hand_back(Mode::Assist)), Reason::Ok);
    assert_eq!(car.0.mode(), Mode::Assist);
    assert_eq!(car.ask("a", hand_back(Mode::Assist)), Reason::Ok);
    assert_eq!(car.ask("b", hand_back(Mode::Drive)), Reason::Ok);
    assert_eq!((car.stands(), car.0.epoch()), (WATCHED, 4));
    car.ask("a", hand_back(Mode::Assist));
    car.ask("a", takeover());
    assert_eq!(car.ask("b", hand_back(Mode::Monitor)), Reason::NotInControl);
}

#[test]
fn an_unfit_vehicle_and_a_policy_that_is_not_ready_stay_where_they_are() {
    let mut car = Car::stopped();
    let blind = RequestContext { unfit: Some(Reason::SensorsLost), ..STANDING };
    assert_eq!(car.ask_in(&blind, "a", engage()), Reason::SensorsLost);
    assert_eq!(car.ask_in(&blind, "a", takeover()), Reason::SensorsLost);
    let thoughtless = RequestContext { policy_ready: false, ..STANDING };
    assert_eq!(car.ask_in(&thoughtless, "a", engage()), Reason::PolicyFailed);
    assert_eq!(car.stands(), STOPPED);
    assert_eq!(car.ask_in(&thoughtless, "a", takeover()), Reason::Ok);
}

#[test]
fn engaging_takes_nothing_from_an_operator() {
    let mut car = Car::stopped();
    car.ask("a", takeover());
    assert_eq!(car.ask("b", engage()), Reason::HeldByOther);
    assert_eq!(car.ask("a", engage()), Reason::Ok);
    assert_eq!(car.stands(), STOPPED);
    car.0.valid_command(0, &mut car.1);
    car.ask("b", engage());
    assert_eq!(car.stands(), DRIVEN);
}

#[test]
fn a_second_takeover_without_the_policy_in_between_is_no_disengagement() {
    let mut car = Car::driven_by("a");
    car.pass(300_000);
    car.ask("a", takeover());
    car.0.valid_command(0, &mut car.1);
    assert!(matches!(car.1.last(), Some(Change::TakeoverBegan { disengagement: false, .. })));
}

#[test]
fn a_released_deadman_stops_whoever_drives_and_nobody_else() {
    let mut car = Car::engaged();
    car.ask("a", takeover());
    car.0.deadman_released(&mut car.1);
    assert_eq!(car.stands(), WATCHED);
    car.0.valid_command(0, &mut car.1);
    car.0.deadman_released(&mut car.1);
    assert_eq!((car.stands(), car.reason()), (STOPPED, Reason::DeadmanReleased));
}

#[test]
fn a_person_relieves_a_standby_operator_and_keeps_it_off() {
    let mut car = Car::driven_by("robot-1");
    car.0.set_person_present(true);
    assert_eq!(car.ask("a", takeover()), Reason::Ok);
    assert_eq!((car.0.granted_seat(), car.stands()), (Some("a"), (Mode::Drive, Author::Fallback)));
    assert_eq!(car.reason(), Reason::OperatorRequest);
    assert_eq!(car.1.last(), Some(&Change::TakeoverEnded));
    assert!(car.0.state(0).hazards_on);
    car.0.valid_command(0, &mut car.1);
    assert_eq!(car.stands(), DRIVEN);
    assert!(!car.0.state(0).hazards_on);
    assert_eq!(car.ask("robot-1", takeover()), Reason::HeldByOther);
    assert_eq!(car.ask("robot-1", engage()), Reason::HeldByOther);
    assert_eq!(car.ask("b", takeover()), Reason::HeldByOther);
    car.0.set_person_present(false);
    car.0.seat_gone("a", &mut car.1);
    assert_eq!(car.ask("robot-1", takeover()), Reason::Ok);
    assert_eq!(car.ask("robot-2", takeover()), Reason::HeldByOther);
}

#[test]
fn a_person_at_a_seat_named_like_a_script_is_a_person() {
    let mut car = Car::driven_by("robot-1");
    assert!(matches!(car.1.last(), Some(Change::TakeoverBegan { seat_kind: SeatKind::Scripted, .. })));
    car.0.set_person_present(true);
    assert_eq!(car.ask("scripted-9", takeover()), Reason::Ok);
    car.0.valid_command(0, &mut car.1);
    assert!(matches!(car.1.last(), Some(Change::TakeoverBegan { seat_kind: SeatKind::Human, .. })));
}

#[test]
fn relief_from_an_operator_that_does_not_drive_yet_leaves_the_policy_driving() {
    let mut car = Car::engaged();
    car.ask("robot-1", takeover());
    assert_eq!((car.ask("a", takeover()), car.stands()), (Reason::Ok, WATCHED));
}

#[test]
fn relief_that_never_comes_ends_in_the_manoeuvre() {
    let mut car = Car::driven_by("robot-1");
    car.ask("a", takeover());
    car.pass(FIRST_COMMAND_US);
    assert_eq!((car.stands(), car.reason()), (STOPPED, Reason::LinkLost));
}

/// The request for help that people see: number, reason, urgency, text.
fn help(car: &Car) -> Option<(u64, Reason, u32, String)> {
    car.0.state(0).help.map(|h| (h.id, h.reason(), h.urgency, h.text))
}

#[test]
fn the_policy_asks_once_and_more_urgently_if_need_be() {
    let mut car = Car::stopped();
    car.0.ask_for_help(Reason::PolicyAsked, 2, "unsure");
    assert!(!car.0.needs_help());
    let mut car = Car::engaged();
    car.0.ask_for_help(Reason::PolicyAsked, 2, "unsure");
    car.0.ask_for_help(Reason::PolicyAsked, 2, "still unsure");
    assert_eq!(help(&car), Some((1, Reason::PolicyAsked, 2, "unsure".into())));
    car.0.ask_for_help(Reason::PolicyAsked, 3, "stuck");
    assert_eq!(help(&car), Some((2, Reason::PolicyAsked, 3, "stuck".into())));
    car.0.withdraw_help_for(Reason::PolicyAsked);
    assert!(!car.0.needs_help() && help(&car).is_none());
    car.0.ask_for_help(Reason::PolicyAsked, 0, "again");
    assert!(car.0.needs_help());
    car.ask("a", takeover());
    car.0.valid_command(0, &mut car.1);
    assert!(!car.0.needs_help());
}

#[test]
fn requests_for_help_wait_in_order_of_urgency_then_of_time() {
    let mut car = Car::engaged();
    car.0.ask_for_help(Reason::PathBlocked, 1, "which way?");
    car.0.ask_for_help(Reason::RouteDone, 1, "where to?");
    assert_eq!(help(&car), Some((1, Reason::PathBlocked, 1, "which way?".into())));
    car.0.ask_for_help(Reason::PolicyAsked, 2, "unsure");
    assert_eq!(help(&car), Some((3, Reason::PolicyAsked, 2, "unsure".into())));
    // A fourth finds no place, unless it is more urgent than the last in the queue.
    car.0.ask_for_help(Reason::Geofence, 1, "edge");
    car.0.withdraw_help_for(Reason::PolicyAsked);
    assert_eq!(help(&car), Some((1, Reason::PathBlocked, 1, "which way?".into())));
    car.0.ask_for_help(Reason::PolicyAsked, 2, "unsure");
    car.0.ask_for_help(Reason::Geofence, 3, "edge");
    assert_eq!(help(&car), Some((5, Reason::Geofence, 3, "edge".into())));
    car.0.withdraw_help_for(Reason::Geofence);
    car.0.withdraw_help_for(Reason::PolicyAsked);
    assert_eq!(help(&car), Some((1, Reason::PathBlocked, 1, "which way?".into())));
    car.0.withdraw_help_for(Reason::PathBlocked);
    assert!(!car.0.needs_help());
}

#[test]
fn what_is_shown_follows_the_machine_in_the_same_memory() {
    let mut car = Car::engaged();
    let mut shown = car.0.state(0);
    car.0.ask_for_help(Reason::PolicyAsked, 2, "unsure");
    car.ask("a", takeover());
    car.pass(100_000);
    car.0.show(77, &mut shown);
    assert_eq!((shown.monotonic_us, shown.epoch, shown.seat_id.as_str(), shown.lease_left_ms), (77, 5, "a", 900));
    assert_eq!((shown.mode(), shown.author(), shown.help.is_some()), (Mode::Monitor, Author::Policy, true));
    car.0.fall_back(Reason::SensorsLost, &mut car.1);
    car.0.show(78, &mut shown);
    assert_eq!((shown.help, shown.hazards_on, shown.lease_left_ms), (None, true, 0));
}

#[test]
fn bookmarks_pass_and_requests_for_nothing_do_not() {
    let mut car = Car::stopped();
    assert_eq!(car.ask("a", Request::Bookmark(BookmarkRequest::default())), Reason::Ok);
    assert_eq!(car.ask("a", Request::PathAnswer(Default::default())), Reason::NoSuchQuestion);
    let nothing = SeatRequest { id: 1, seat_id: "a".into(), request: None, ..SeatRequest::default() };
    assert_eq!(car.0.request(0, &nothing, &ROLLING, &mut car.1).reason(), Reason::Malformed);
}

#[test]
fn the_next_life_begins_beyond_every_epoch_that_may_have_been_lost() {
    assert_eq!((next_life(0), next_life(41), next_life(u64::MAX)), (EPOCH_RESERVE, 41 + EPOCH_RESERVE, u64::MAX));
}

#[test]
fn a_stopped_vehicle_that_is_taken_over_says_why_and_counts_no_disengagement() {
    let mut car = Car::stopped();
    assert_eq!(car.reason(), Reason::NotArmed);
    assert_eq!(car.ask("a", takeover()), Reason::Ok);
    car.0.valid_command(0, &mut car.1);
    assert_eq!((car.stands(), car.reason()), (DRIVEN, Reason::OperatorRequest));
    assert!(matches!(car.1[..], [Change::TakeoverBegan { disengagement: false, .. }]));
}

#[test]
fn a_reset_without_an_estop_is_refused_and_changes_nothing() {
    let mut car = Car::driven_by("a");
    for held_ms in [0, 3_000, u64::MAX] {
        assert_eq!(car.ask("b", reset(held_ms)), Reason::NothingToReset);
        assert_eq!((car.stands(), car.reason()), (DRIVEN, Reason::OperatorRequest));
    }
}

#[test]
fn nobody_starts_the_policy_while_another_seat_holds_the_grant() {
    let mut car = Car::stopped();
    car.ask("a", takeover());
    assert_eq!((car.ask("b", engage()), car.stands()), (Reason::HeldByOther, STOPPED));
    car.0.valid_command(0, &mut car.1);
    assert_eq!((car.ask("b", engage()), car.stands()), (Reason::HeldByOther, DRIVEN));
    // Of a policy that drives already it may be asked again.
    let mut car = Car::engaged();
    assert_eq!((car.ask("b", engage()), car.stands()), (Reason::Ok, WATCHED));
}

#[test]
fn what_keeps_the_vehicle_from_being_set_going_is_shown() {
    let mut car = Car(Authority::new(4, 10_000), Vec::new());
    assert_eq!(car.0.state(0).not_ready(), Reason::NotArmed);
    car.pass(10_000);
    assert_eq!(car.0.state(0).not_ready(), Reason::Unspecified);
    assert_eq!(car.0.not_ready(Some(Reason::SensorsLost)), Some(Reason::SensorsLost));
    car.ask("a", estop());
    assert_eq!(car.0.state(0).not_ready(), Reason::EstopLatched);
    assert!(!car.0.state(0).person_present);
    car.0.set_person_present(true);
    assert!(car.0.state(0).person_present);
}

#[test]
fn the_lease_of_a_seat_that_drives_is_shown_from_its_last_command() {
    let mut car = Car::driven_by("a");
    car.pass(100_000);
    assert_eq!(car.0.state(0).lease_left_ms, 400);
}
