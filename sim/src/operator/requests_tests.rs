use super::*;
use protocol::v1::SeatResponse;

/// A vehicle that stands so, 25 states a second, and refuses whatever it is asked.
fn asked_in_20_s(authority: impl Fn(u64) -> AuthorityState) -> Vec<(u64, Request)> {
    let config = OperatorConfig { seat_id: "scripted-1".into(), ..OperatorConfig::default() };
    let mut operator = ScriptedOperator::new(config, Embodiment::ackermann_car());
    let mut asked = Vec::new();
    for now_us in (0..20_000_000).step_by(10_000) {
        let authority = AuthorityState { monotonic_us: now_us, ..authority(now_us) };
        if now_us % 40_000 == 0 {
            let state = Some(VehicleState { monotonic_us: now_us, ..VehicleState::default() });
            let authority = Some(authority);
            operator.receive(now_us, &StateDatagram { state, authority, ..StateDatagram::default() });
        }
        for request in operator.poll(now_us).requests {
            let reason = Reason::PolicyFailed.into();
            let answer = SeatResponse { id: request.id, accepted: false, reason, ..SeatResponse::default() };
            let event = Some(vehicle_event::Event::Response(answer));
            operator.receive_event(&VehicleEvent { event, ..VehicleEvent::default() });
            asked.extend(request.request.map(|request| (now_us, request)));
        }
    }
    asked
}

fn stopped(reason: Reason, not_ready: Reason) -> AuthorityState {
    AuthorityState {
        mode: Mode::Stopped.into(),
        author: Author::Fallback.into(),
        reason: reason.into(),
        not_ready: not_ready.into(),
        ..AuthorityState::default()
    }
}

#[test]
fn a_vehicle_that_checks_itself_is_asked_once_it_is_ready_and_not_before() {
    let asked = asked_in_20_s(|now_us| {
        stopped(Reason::NotArmed, if now_us < 10_200_000 { Reason::NotArmed } else { Reason::Unspecified })
    });
    let (first_us, first) = &asked[0];
    assert!((10_200_000..10_300_000).contains(first_us), "{first_us}");
    assert!(matches!(first, Request::Engage(_)));
    // Refused for something that the vehicle does not show: less and less often.
    assert!((4..=6).contains(&asked.len()), "{asked:?}");
}

#[test]
fn a_latched_vehicle_or_one_that_another_holds_or_a_person_tends_is_not_asked() {
    assert_eq!(asked_in_20_s(|_| stopped(Reason::Estop, Reason::EstopLatched)), []);
    let held = AuthorityState { seat_id: "desk".into(), lease_left_ms: 900, ..stopped(Reason::NotArmed, Reason::Ok) };
    let held = AuthorityState { not_ready: Reason::Unspecified.into(), ..held };
    assert_eq!(asked_in_20_s(|_| held.clone()), []);
    let tended = AuthorityState { person_present: true, ..stopped(Reason::LinkLost, Reason::Unspecified) };
    assert_eq!(asked_in_20_s(|_| tended.clone()), []);
}

#[test]
fn a_vehicle_that_fell_back_is_taken_over_and_asked_less_and_less_often_when_it_refuses() {
    let asked = asked_in_20_s(|_| stopped(Reason::LinkLost, Reason::Unspecified));
    assert!(asked.iter().all(|(_, request)| matches!(request, Request::Takeover(_))));
    assert!((5..=7).contains(&asked.len()), "{asked:?}");
}
