//! Vehicle and seats over real sockets on loopback, with a real encoder and decoder.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Relay, SPEC, Vehicle, connected, receive, seat, wait};
use link::{FromSeatBody, FromVehicle};
use protocol::v1;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const ANY_PORT: &str = "127.0.0.1:0";

fn request(id: u64, request: v1::seat_request::Request) -> v1::SeatRequest {
    v1::SeatRequest { id, seat_id: "somebody else".into(), request: Some(request), ..v1::SeatRequest::default() }
}

fn input(sequence: u64) -> v1::CommandDatagram {
    let input = v1::OperatorInput { sequence, deadman: true, action: vec![0.1, -0.2], ..Default::default() };
    v1::CommandDatagram { inputs: vec![input], ..Default::default() }
}

fn response(message: FromVehicle, id: u64) -> Option<v1::SeatResponse> {
    match message {
        FromVehicle::Event(v1::VehicleEvent { event: Some(v1::vehicle_event::Event::Response(r)), .. })
            if r.id == id =>
        {
            Some(r)
        }
        _ => None,
    }
}

#[test]
fn pictures_states_commands_and_requests_flow_both_ways() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, ANY_PORT);
    let vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    let seat = seat(&runtime, &relay.url(), "desk", false);
    connected(&seat);
    let hello = receive(&seat, "hello", |m| match m {
        FromVehicle::Event(v1::VehicleEvent { event: Some(v1::vehicle_event::Event::Hello(h)), .. }) => Some(h),
        _ => None,
    });
    assert_eq!((hello.vehicle_id.as_str(), hello.width, hello.height), ("car", 320, 180));

    let mut last = None;
    for _ in 0..60 {
        let picture = receive(&seat, "picture", |m| if let FromVehicle::Picture(p) = m { Some(p) } else { None });
        assert_eq!((picture.width, picture.height), (320, 180));
        assert!(picture.capture_us > 0, "timecode not readable");
        assert!(last.is_none_or(|l| picture.sequence > l), "{} after {last:?}", picture.sequence);
        last = Some(picture.sequence);
    }
    receive(&seat, "state", |m| {
        if let FromVehicle::State(s) = m { Some(s) } else { None }.filter(|s| {
            s.surroundings.as_ref().is_some_and(|s| s.corridor.len() == 41)
                && s.state.as_ref().is_some_and(|s| s.sequence > 10)
        })
    });

    for sequence in 1..=50 {
        seat.send_command(input(sequence));
        std::thread::sleep(Duration::from_millis(10));
    }
    let command = vehicle.wait_for("command", |m| matches!(&m.body, FromSeatBody::Command(c) if !c.inputs.is_empty()));
    assert_eq!((command.seat_id.as_str(), command.watch_only), ("desk", false));
    let FromSeatBody::Command(command) = command.body else { unreachable!() };
    assert_eq!((command.seat_id.as_str(), &command.inputs[0].action), ("desk", &vec![0.1, -0.2]));

    assert!(seat.send_request(request(7, v1::seat_request::Request::Takeover(v1::TakeoverRequest::default()))));
    assert!(receive(&seat, "answer", |m| response(m, 7)).accepted);
    let asked = vehicle.wait_for("request", |m| matches!(&m.body, FromSeatBody::Request(_)));
    let FromSeatBody::Request(asked) = asked.body else { unreachable!() };
    assert_eq!(asked.seat_id, "desk", "a seat's claim to be another must be overwritten");

    let clock = wait("clock estimate", || seat.clock());
    let truth = vehicle.link.now_us() as f64 - seat.now_us() as f64;
    let slack = 2000.0;
    assert!((clock.offset_us - truth).abs() <= clock.uncertainty_us + slack, "{clock:?} against {truth}");
    wait("the seat's report", || (vehicle.link.stats().picture_age_ms > 0.0).then_some(()));
    let stats = vehicle.link.stats();
    assert!(
        stats.frames_sent > 0 && stats.keyframes > 0 && stats.bitrate_bps > 0.0 && stats.target_bitrate_bps > 0.0,
        "{stats:?}"
    );
    assert_eq!(seat.stats().malformed, 0);
}

#[test]
fn a_seat_that_leaves_is_noticed_and_can_come_back() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, ANY_PORT);
    let vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    let first = seat(&runtime, &relay.url(), "desk", false);
    connected(&first);
    drop(first);
    vehicle.wait_for("disconnected", |m| matches!(m.body, FromSeatBody::Disconnected { .. }));
    let second = seat(&runtime, &relay.url(), "desk", false);
    connected(&second);
    receive(&second, "picture", |m| matches!(m, FromVehicle::Picture(_)).then_some(()));
}

#[test]
fn a_seat_whose_machine_dies_without_a_word_is_given_up() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, ANY_PORT);
    let vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    let dying = Runtime::new().unwrap();
    let lost = seat(&dying, &relay.url(), "desk", false);
    connected(&lost);
    let start = Instant::now();
    // All its tasks and sockets are gone at once; nothing can be said any more.
    dying.shutdown_background();
    let end = vehicle.wait_for("disconnected", |m| matches!(m.body, FromSeatBody::Disconnected { .. }));
    println!("noticed after {:?}: {:?}", start.elapsed(), end.body);
}

#[test]
fn sessions_survive_the_control_plane_and_new_calls_work_when_it_is_back() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, ANY_PORT);
    let (url, address) = (relay.url(), relay.address.to_string());
    let vehicle = Vehicle::start(&runtime, &url, SPEC);
    let early = seat(&runtime, &url, "early", false);
    connected(&early);
    relay.stop();
    let late = seat(&runtime, &url, "late", false);
    std::thread::sleep(Duration::from_millis(500));
    while early.try_recv().is_some() {}
    for _ in 0..20 {
        let message = receive(&early, "picture", |m| match m {
            FromVehicle::Picture(_) | FromVehicle::Lost { .. } => Some(m),
            _ => None,
        });
        assert!(matches!(message, FromVehicle::Picture(_)), "{message:?}");
    }
    let relay = Relay::start(&runtime, &address);
    connected(&late);
    receive(&late, "picture", |m| matches!(m, FromVehicle::Picture(_)).then_some(()));
    assert!(
        !vehicle.heard().iter().any(|m| m.seat_id == "early" && matches!(m.body, FromSeatBody::Disconnected { .. }))
    );
    drop(relay);
}

#[test]
fn a_vehicle_that_restarts_is_called_again() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, ANY_PORT);
    let vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    let seat = seat(&runtime, &relay.url(), "desk", false);
    connected(&seat);
    drop(vehicle);
    let reason = receive(&seat, "lost", |m| if let FromVehicle::Lost { reason } = m { Some(reason) } else { None });
    assert!(!reason.is_empty());
    let _vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    connected(&seat);
    receive(&seat, "picture", |m| matches!(m, FromVehicle::Picture(_)).then_some(()));
    assert_eq!(seat.stats().sessions, 2);
}

#[test]
fn a_watcher_sees_everything_and_may_only_stop_the_vehicle() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, ANY_PORT);
    let vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    let driver = seat(&runtime, &relay.url(), "driver", false);
    let watcher = seat(&runtime, &relay.url(), "watcher", true);
    for seat in [&driver, &watcher] {
        connected(seat);
        receive(seat, "picture", |m| matches!(m, FromVehicle::Picture(_)).then_some(()));
        receive(seat, "state", |m| matches!(m, FromVehicle::State(_)).then_some(()));
    }
    for sequence in 0..20 {
        watcher.send_command(input(sequence));
        driver.send_command(input(sequence));
        std::thread::sleep(Duration::from_millis(10));
    }
    // An e-stop comes over either channel, and many datagrams of one press are one.
    for _ in 0..20 {
        watcher.send_command(v1::CommandDatagram { estop: true, ..v1::CommandDatagram::default() });
        std::thread::sleep(Duration::from_millis(5));
    }
    let is_estop = |m: &FromSeatBody| matches!(m, FromSeatBody::Request(r) if r.id == 0 && r.seat_id == "watcher");
    vehicle.wait_for("an e-stop by datagram", |m| is_estop(&m.body));
    assert!(vehicle.heard().iter().filter(|m| is_estop(&m.body)).count() <= 2);
    watcher.send_request(request(1, v1::seat_request::Request::Takeover(v1::TakeoverRequest::default())));
    assert!(!receive(&watcher, "refusal", |m| response(m, 1)).accepted);
    watcher.send_request(request(2, v1::seat_request::Request::Estop(v1::EstopRequest {})));
    assert!(receive(&watcher, "stop", |m| response(m, 2)).accepted);
    vehicle.wait_for("the driver's command", |m| {
        m.seat_id == "driver" && matches!(&m.body, FromSeatBody::Command(c) if !c.inputs.is_empty())
    });
    assert!(vehicle.link.refused_from_watchers() > 1);
    for message in vehicle.heard().iter().filter(|m| m.seat_id == "watcher") {
        assert!(message.watch_only);
        match &message.body {
            FromSeatBody::Command(command) => {
                assert!(command.inputs.is_empty());
            }
            FromSeatBody::Request(request) => {
                assert!(matches!(request.request, Some(v1::seat_request::Request::Estop(_))));
            }
            _ => {}
        }
    }
}
