//! How long a takeover takes, at any distance: a seat that waits to hear of its grant, as all seats do, drives one round
//! trip and 50 ms after the vehicle granted it. Virtual time: no clock is asked.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use closed_loop::sim_robot::SimRobot;
use policy::Policy;
use protocol::v1::seat_request::Request;
use protocol::v1::{Author, CommandDatagram, OperatorInput, SeatRequest, SeatResponse, TakeoverRequest};
use protocol::{Embodiment, PolicyVersion, SeatKind};
use sim::road::RoadNetwork;
use sim::world::{World, WorldConfig};
use std::sync::Arc;
use vehicle_core::{CoreConfig, FromSeat, SeatBody, Tick, VehicleCore};

const TICK_US: u64 = 20_000;
/// Seats command at 100 Hz.
const SEAT_US: u64 = 10_000;
const STEP_US: u64 = 1_000;

/// When the vehicle granted the wheel and when the seat had it, after a press at 0 of a seat `one_way_us` away. The
/// vehicle's ticks begin `phase_us` later.
fn take_over(one_way_us: u64, phase_us: u64) -> (u64, u64) {
    let car = Embodiment::ackermann_car();
    let network = Arc::new(RoadNetwork::built_in("soderleden").unwrap());
    let mut robot = SimRobot::new(World::new(network, WorldConfig::default()).unwrap());
    let policy = Policy::untrained(&car, PolicyVersion::new("any").unwrap(), 1).unwrap();
    let mut core = VehicleCore::new(car, CoreConfig { self_check_us: 0, ..CoreConfig::default() }, policy, 0).unwrap();
    let (mut tick, mut inbox) = (Tick::default(), Vec::new());
    let takeover = Request::Takeover(TakeoverRequest::default());
    let press = SeatRequest { id: 1, request: Some(takeover), ..SeatRequest::default() };
    let mut to_vehicle = vec![(one_way_us, SeatBody::Request(press))];
    let mut to_seat: Vec<(u64, SeatResponse)> = Vec::new();
    let (mut granted_us, mut epoch, mut sequence) = (None, None, 0);
    for now_us in (0..3_000_000).step_by(STEP_US as usize) {
        let vehicle_us = 10_000_000 + now_us;
        let mut heard = to_seat.extract_if(.., |(at_us, _)| *at_us <= now_us);
        epoch = heard.find_map(|(_, r)| r.authority.filter(|_| r.accepted)).map(|a| a.epoch).or(epoch);
        drop(heard);
        if let Some(epoch) = epoch.filter(|_| now_us % SEAT_US == 0) {
            sequence += 1;
            let (seat_us, action) = (now_us, vec![0.0, 0.0]);
            let input = OperatorInput { sequence, epoch, seat_us, deadman: true, action, ..OperatorInput::default() };
            let datagram = CommandDatagram { inputs: vec![input], ..CommandDatagram::default() };
            to_vehicle.push((now_us + one_way_us, SeatBody::Command(datagram)));
        }
        if now_us % TICK_US != phase_us {
            continue;
        }
        robot.advance(0.02, &tick.command);
        let arrived = to_vehicle.extract_if(.., |(at_us, _)| *at_us <= now_us);
        inbox.extend(arrived.map(|(_, body)| FromSeat {
            seat: "desk".into(),
            kind: SeatKind::Human,
            received_us: vehicle_us,
            body,
        }));
        core.tick(vehicle_us, &robot.look(vehicle_us), &mut inbox, &mut tick);
        to_seat.extend(tick.responses.drain(..).map(|(_, response)| (now_us + one_way_us, response)));
        if core.authority().granted_seat().is_some() {
            granted_us.get_or_insert(now_us);
        }
        if tick.authority.author() == Author::Operator {
            return (granted_us.unwrap(), now_us);
        }
    }
    panic!("no takeover from {one_way_us} us away");
}

#[test]
fn a_takeover_takes_effect_one_round_trip_and_50_ms_after_its_grant_at_any_distance() {
    for one_way_us in [0, 5_000, 50_000, 150_000, 225_000, 300_000, 450_000] {
        for phase_us in (0..TICK_US).step_by(STEP_US as usize) {
            let (granted_us, had_us) = take_over(one_way_us, phase_us);
            assert!(granted_us <= one_way_us + TICK_US, "granted after {granted_us} us, {one_way_us} us away");
            let took_us = had_us - granted_us;
            assert!(took_us <= 2 * one_way_us + 50_000, "{took_us} us after the grant, {one_way_us} us away");
        }
    }
}
