//! The same car at each rate at which the bridge may control it.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

mod street;

use protocol::v1::seat_request::Request;
use protocol::v1::{Author, CommandDatagram, OperatorInput, TakeoverRequest};
use std::collections::BTreeSet;
use street::{Street, start};
use vehicle_core::ControlRate;
use vehicle_core::SeatBody;
use vehicle_core::authority::COMMAND_TIMEOUT_US;

const RATES: [ControlRate; 2] = [ControlRate::Hz50, ControlRate::Hz100];

#[test]
fn the_policy_drives_in_its_lane_and_looks_around_ten_times_a_second_at_either_rate() {
    for rate in RATES {
        let mut street = Street::new(rate, None);
        let (mut looks, began_us) = (BTreeSet::new(), street.now_us);
        for _ in 0..20 * rate.hz() {
            street.step(Vec::new());
            let seen_us = street.sensors.surroundings.as_ref().map(|seen| seen.monotonic_us);
            looks.extend(seen_us.filter(|seen_us| *seen_us > began_us));
            assert_eq!(street.tick.command.author(), Author::Policy, "{rate} Hz, at {} us", street.now_us);
            assert!(street.robot.lane_edge_distance_m() > 0.0, "{rate} Hz: out of its lane at {:?}", street.pose());
        }
        assert_eq!(looks.len(), 200, "{rate} Hz");
        assert!(street.distance_m(start()) > 100.0, "{rate} Hz: only {:.1} m", street.distance_m(start()));
    }
}

#[test]
fn an_operator_who_falls_silent_is_replaced_by_the_manoeuvre_in_time_at_either_rate() {
    for rate in RATES {
        let mut street = Street::new(rate, None);
        (0..5 * rate.hz()).for_each(|_| street.step(Vec::new()));
        street.ask(Request::Takeover(TakeoverRequest::default()));
        let epoch = street.core.authority().epoch();
        for sequence in 1..=rate.hz() {
            let input = OperatorInput {
                sequence,
                epoch,
                seat_us: street.now_us,
                deadman: true,
                action: vec![0.0, street.sensors.state.observation[2]],
                shown_frame_us: street.now_us,
                trajectory: None,
            };
            street.step(vec![SeatBody::Command(CommandDatagram { inputs: vec![input], ..Default::default() })]);
            assert_eq!(street.tick.command.author(), Author::Operator, "{rate} Hz, input {sequence}");
        }
        let silent_us = street.now_us;
        while street.tick.command.author() == Author::Operator {
            street.step(Vec::new());
            assert!(street.now_us - silent_us <= COMMAND_TIMEOUT_US, "{rate} Hz: silent for too long");
        }
        assert_eq!(street.tick.command.author(), Author::Fallback);
        while street.speed_mps() > 0.05 {
            street.step(Vec::new());
            assert!(street.now_us - silent_us < 10_000_000 && street.robot.lane_edge_distance_m() > 0.0, "{rate} Hz");
        }
    }
}
