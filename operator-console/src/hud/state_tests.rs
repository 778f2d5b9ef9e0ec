use super::*;
use crate::seat::{Check, Holder, Notice};
use protocol::{ClockEstimate, v1};

fn driving() -> SeatView {
    SeatView {
        vehicle_id: "car-1".into(),
        connection: Connection::Connected,
        holder: Holder::Policy,
        speed_mps: Some(13.9),
        has_picture: true,
        picture_age_us: Some(62_000),
        picture_latency_ms: Some((55.4, 71.0)),
        state_age_us: Some(20_000),
        clock: Some(ClockEstimate { offset_us: 0.0, uncertainty_us: 400.0, round_trip_us: 12_300.0 }),
        vehicle: v1::StateDatagram {
            surroundings: Some(v1::Surroundings {
                corridor: vec![v1::CorridorPoint { speed_limit_mps: 13.888_889, ..Default::default() }],
                ..Default::default()
            }),
            link: Some(v1::LinkStats {
                bitrate_bps: 2_500_000.0,
                loss: 0.034,
                command_age_ms: 14.0,
                ..Default::default()
            }),
            policy: Some(v1::PolicyStatus { policy_version: "v7".into(), healthy: true, ..Default::default() }),
            proposal: Some(v1::PolicyProposal { confidence: 0.93, ..Default::default() }),
            ..Default::default()
        },
        ..SeatView::empty("desk")
    }
}

fn value<'a>(state: &'a HudState, label: &str) -> (&'a str, Tone) {
    let line = state.lines.iter().find(|l| l.label == label).unwrap();
    (&line.value, line.tone)
}

#[test]
fn figures_stand_with_their_units() {
    let state = HudState::from_view(&driving(), Duration::ZERO);
    assert_eq!((state.speed.as_str(), state.limit.as_deref(), state.too_fast), ("50", Some("50"), false));
    assert_eq!(value(&state, "picture age"), ("62 ms", Tone::Normal));
    assert_eq!(value(&state, "capture to screen"), ("55 ms, p95 71", Tone::Normal));
    assert_eq!(value(&state, "round trip"), ("12 ms", Tone::Normal));
    assert_eq!(value(&state, "bitrate"), ("2.5 Mbit/s", Tone::Normal));
    assert_eq!(value(&state, "loss"), ("3.4 %", Tone::Attention));
    assert_eq!(value(&state, "policy"), ("v7", Tone::Normal));
    assert_eq!(value(&state, "confidence"), ("93 %", Tone::Normal));
    assert_eq!(state.identity, "car-1 | seat desk | connected");
    assert!(state.stale.is_none() && state.no_picture.is_none() && state.seat_stopped.is_none());
}

#[test]
fn a_robots_own_channels_name_what_is_asked_of_it() {
    let robot = protocol::Embodiment::delivery_robot();
    let view = SeatView { speed_mps: Some(1.24), robot: Some(robot.into()), asked: vec![0.5, -0.8], ..driving() };
    let state = HudState::from_view(&view, Duration::ZERO);
    assert_eq!((state.speed.as_str(), state.speed_unit, state.limit.as_deref()), ("1.2", "m/s", Some("13.9")));
    assert_eq!(
        (state.turning.as_str(), state.asked.as_str()),
        ("yaw rate", "acceleration 0.50 m/s²\nyaw rate -0.80 rad/s")
    );
    let unknown = HudState::from_view(&driving(), Duration::ZERO);
    assert_eq!((unknown.speed_unit, unknown.turning.as_str(), unknown.asked.as_str()), ("km/h", "steering", ""));
}

#[test]
fn what_is_unknown_is_a_dash_and_never_a_zero() {
    let state = HudState::from_view(&SeatView::empty("desk"), Duration::ZERO);
    assert_eq!(state.speed, "-");
    assert!(state.lines.iter().all(|l| l.value == "-" && l.tone == Tone::Normal), "{:?}", state.lines);
    assert_eq!(state.no_picture.as_deref(), Some("waiting for a vehicle"));
}

#[test]
fn an_old_picture_is_never_shown_as_live() {
    let stale = |view: &SeatView, age| HudState::from_view(view, Duration::from_millis(age)).stale;
    let mut view = driving();
    view.stale_us = Some(812_345);
    assert_eq!(stale(&view, 0).as_deref(), Some("STALE 812 ms"));
    view.stale_us = None;
    assert_eq!(stale(&view, 700).as_deref(), Some("STALE 700 ms"), "the seat's thread stands still");
    view.connection = Connection::Lost("gone".into());
    assert_eq!(stale(&view, 0).as_deref(), Some("STALE: no link"));
}

#[test]
fn a_stuck_seat_thread_is_said_aloud() {
    let state = HudState::from_view(&driving(), Duration::from_millis(501));
    assert!(state.seat_stopped.unwrap().contains("501 ms"));
}

#[test]
fn the_emergency_stop_is_told_in_its_steps() {
    let estop = |phase, reset_progress| {
        HudState::from_view(&SeatView { estop: phase, reset_progress, ..driving() }, Duration::ZERO).estop
    };
    assert_eq!(estop(EstopPhase::Clear, 0.0), None);
    assert!(estop(EstopPhase::Sent { since_us: 0, sends: 0 }, 0.0).unwrap().contains("no link"));
    assert!(estop(EstopPhase::Sent { since_us: 0, sends: 3 }, 0.0).unwrap().contains("SENT 3 times, not yet"));
    assert!(estop(EstopPhase::Latched, 0.0).unwrap().contains("ACKNOWLEDGED"));
    assert!(estop(EstopPhase::Latched, 0.4).unwrap().contains("Keep holding"));
}

#[test]
fn questions_checks_and_messages_reach_the_screen() {
    let view = SeatView {
        help: Some(v1::HelpRequest { urgency: 2, text: "lane blocked".into(), ..Default::default() }),
        checklist: vec![Check { name: "deadman held", passed: false, detail: "hold Shift".into() }],
        notices: vec![Notice { level: Level::Alarm, text: "link lost".into(), at_us: 0 }],
        ..driving()
    };
    let state = HudState::from_view(&view, Duration::ZERO);
    assert_eq!(state.help.as_deref(), Some("The vehicle asks (now): lane blocked"));
    assert_eq!(state.checklist, [CheckLine { text: "deadman held: hold Shift".into(), passed: false }]);
    assert_eq!(state.notices, [("link lost".to_owned(), Tone::Alarm)]);
    let mine = HudState::from_view(&SeatView { holder: Holder::Me, ..view }, Duration::ZERO);
    assert!(mine.checklist.is_empty(), "who drives needs no checklist");
}

#[test]
fn limits_faults_and_a_sick_policy_stand_out() {
    let mut view = driving();
    view.speed_mps = Some(15.0);
    view.vehicle.policy.as_mut().unwrap().healthy = false;
    view.vehicle.state = Some(v1::VehicleState { faults: vec!["camera".into()], ..Default::default() });
    let state = HudState::from_view(&view, Duration::ZERO);
    assert!(state.too_fast);
    assert_eq!(value(&state, "policy").1, Tone::Alarm);
    assert_eq!(value(&state, "faults"), ("camera", Tone::Alarm));
}

#[test]
fn a_vehicle_whose_clock_is_off_says_so_and_nothing_else_does() {
    let label = |state: &HudState| state.lines.iter().filter(|l| l.label == "clocks").count();
    assert_eq!(label(&HudState::from_view(&driving(), Duration::ZERO)), 0);
    let words = "the vehicle's clock is 6 h 0 min ahead of the control plane's".to_owned();
    let view = SeatView { wall_clock: vec![words.clone()], ..driving() };
    assert_eq!(value(&HudState::from_view(&view, Duration::ZERO), "clocks"), (words.as_str(), Tone::Attention));
}
