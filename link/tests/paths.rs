//! A session over two local addresses at once, over real sockets.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Relay, SPEC, Vehicle, receive, wait};
use link::{FromSeatBody, FromVehicle, Paths, SeatLink, SeatOptions};
use protocol::{SeatId, SeatKind, VehicleId, v1};
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

fn both() -> Paths {
    Paths::new(&["127.0.0.1".into(), "127.0.0.2".into()]).unwrap()
}

fn seat(runtime: &Runtime, control_plane: &str, paths: Paths) -> SeatLink {
    let options = SeatOptions { kind: SeatKind::Human, watch_only: false, decode: true };
    let (seat, vehicle) = (SeatId::new("desk").unwrap(), VehicleId::new("car").unwrap());
    let control_plane = control_plane.parse().unwrap();
    SeatLink::connect_over(runtime.handle(), &control_plane, seat, vehicle, options, None, paths).unwrap()
}

#[test]
fn what_comes_over_two_paths_counts_once() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let vehicle = Vehicle::start_over(&runtime, &relay.url(), SPEC, both());
    let seat = seat(&runtime, &relay.url(), both());
    wait("both paths", || (seat.stats().paths == 2).then_some(()));

    let takeover = v1::seat_request::Request::Takeover(v1::TakeoverRequest::default());
    for id in 1..=20 {
        let request = v1::SeatRequest { id, request: Some(takeover.clone()), ..Default::default() };
        assert!(seat.send_request(request));
        let input = v1::OperatorInput { sequence: id, ..Default::default() };
        seat.send_command(v1::CommandDatagram { inputs: vec![input], ..Default::default() });
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let (mut answers, mut states, mut pictures) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    receive(&seat, "all answers and two seconds of pictures", |message| {
        match message {
            FromVehicle::Event(event) => {
                if let Some(v1::vehicle_event::Event::Response(response)) = event.event {
                    *answers.entry(response.id).or_insert(0) += 1;
                }
            }
            FromVehicle::State(state) => *states.entry(state.state.unwrap().sequence).or_insert(0) += 1,
            FromVehicle::Picture(picture) => pictures.push(picture.sequence),
            _ => {}
        }
        (answers.len() == 20 && pictures.len() >= 60 && states.len() >= 50).then_some(())
    });
    assert!(answers.values().chain(states.values()).all(|count| *count == 1), "{answers:?} {states:?}");
    assert!(pictures.is_sorted_by(|a, b| a < b), "{pictures:?}");
    let (mut requests, mut inputs) = (BTreeMap::new(), BTreeMap::new());
    for heard in vehicle.heard() {
        match heard.body {
            FromSeatBody::Request(request) => *requests.entry(request.id).or_insert(0) += 1,
            FromSeatBody::Command(command) => {
                command.inputs.iter().for_each(|input| *inputs.entry(input.sequence).or_insert(0) += 1);
            }
            _ => {}
        }
    }
    assert_eq!(requests, (1..=20).map(|id| (id, 1)).collect());
    assert!(inputs.values().all(|count| *count == 1), "{inputs:?}");
    assert_eq!(seat.stats().sessions, 1);
}

#[test]
fn a_vehicle_with_two_paths_serves_a_seat_that_has_one() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let vehicle = Vehicle::start_over(&runtime, &relay.url(), SPEC, both());
    let seat = seat(&runtime, &relay.url(), Paths::default());
    wait("both paths", || (seat.stats().paths == 2).then_some(()));
    receive(&seat, "picture", |m| matches!(m, FromVehicle::Picture(_)).then_some(()));
    drop(seat);
    vehicle.wait_for("the seat's leave", |m| matches!(m.body, FromSeatBody::Disconnected { .. }));
}

#[test]
fn a_path_whose_interface_is_missing_leaves_the_session_on_the_other() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let paths = Paths::new(&["127.0.0.1".into(), "nowhere7".into()]).unwrap();
    let _vehicle = Vehicle::start_over(&runtime, &relay.url(), SPEC, paths);
    let seat = seat(&runtime, &relay.url(), Paths::default());
    let mut pictures = 0;
    receive(&seat, "pictures for longer than a path is tried", |m| {
        pictures += u32::from(matches!(m, FromVehicle::Picture(_)));
        (pictures > 120).then_some(())
    });
    assert_eq!((seat.stats().paths, seat.stats().sessions), (1, 1));
}
