//! The delivery robot on an open plane, through the same core as the car: it drives, keeps its own limits, and stops by
//! the minimal risk manoeuvre with its own deceleration.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use closed_loop::driver::Driver;
use closed_loop::virtual_drive::{LinkModel, Recording, TripPlan, drive};
use closed_loop::{ClosedLoop, EmptySeat, LoopParts, LoopPlan, NoDriver};
use policy::Policy;
use protocol::v1::seat_request::Request;
use protocol::v1::{Author, AuthorityState, CommandDatagram, OperatorInput, Reason, SeatRequest, TakeoverRequest};
use protocol::{Embodiment, PolicyVersion, SeatKind, VehicleId};
use sim::road::RoadNetwork;
use sim::world::{EgoState, World, WorldConfig};
use std::sync::Arc;
use vehicle_core::fallback::stopping_distance_m;
use vehicle_core::{CoreConfig, FromSeat, SeatBody};

/// An arm on a table.
const ARM: &str = include_str!("../../protocol/tests/arm.toml");

fn plane() -> Arc<RoadNetwork> {
    Arc::new(RoadNetwork::plane().unwrap())
}

fn empty_world() -> WorldConfig {
    WorldConfig { traffic_per_km: 0.0, scenario_events: Vec::new(), target_length_m: 500.0, ..WorldConfig::default() }
}

fn untrained(robot: &Embodiment) -> Policy {
    Policy::untrained(robot, PolicyVersion::new("any").unwrap(), 1).unwrap()
}

/// The robot with a seat that drives it.
struct Yard {
    running: ClosedLoop<EmptySeat, NoDriver>,
    sequence: u64,
    last: Vec<f64>,
}

impl Yard {
    fn taken_over() -> Self {
        let embodiment = Embodiment::delivery_robot();
        let plan = LoopPlan {
            core: CoreConfig { self_check_us: 0, ..CoreConfig::default() },
            begins_us: 10_000_000,
            ..LoopPlan::new("yard", VehicleId::new("robot").unwrap(), plane(), empty_world())
        };
        let running = ClosedLoop::new(plan, untrained(&embodiment), LoopParts::without_seat(NoDriver)).unwrap();
        let mut yard = Self { running, sequence: 0, last: vec![0.0; 2] };
        yard.step();
        let request = Some(Request::Takeover(TakeoverRequest::default()));
        yard.hear(SeatBody::Request(SeatRequest { id: 1, request, ..SeatRequest::default() }));
        yard.step();
        yard
    }

    fn hear(&mut self, body: SeatBody) {
        let (kind, received_us) = (SeatKind::Human, self.running.now_us());
        self.running.hear(FromSeat { seat: "desk".into(), kind, received_us, body });
    }

    /// A tick; what is commanded keeps the limits of the robot's file.
    fn step(&mut self) {
        self.running.step();
        let (embodiment, command) = (self.running.robot().embodiment(), &self.running.tick().command);
        let (channels, braking) = (embodiment.channels(), command.author() == Author::Fallback);
        for (index, channel) in embodiment.action.iter().enumerate() {
            let (now, before) = (command.action[index], self.last[index]);
            assert!((channel.min..=channel.max).contains(&now), "{}: {now}", channel.name);
            // The manoeuvre brakes at once.
            let sudden = braking && Some(index) == channels.accelerate && now < before;
            assert!(sudden || (now - before).abs() <= channel.rate_per_s * 0.02 + 1e-9, "{}: {now}", channel.name);
        }
        self.last.clone_from(&command.action);
    }

    fn authority(&self) -> &AuthorityState {
        &self.running.tick().authority
    }

    fn ego(&self) -> &EgoState {
        self.running.robot().world().ego()
    }

    fn drive(&mut self, acceleration: f64, yaw_rate: f64) {
        self.sequence += 1;
        let (sequence, epoch, seat_us) =
            (self.sequence, self.running.core().authority().epoch(), self.running.now_us());
        let action = vec![acceleration, yaw_rate];
        let input = OperatorInput { sequence, epoch, seat_us, deadman: true, action, ..OperatorInput::default() };
        self.hear(SeatBody::Command(CommandDatagram { inputs: vec![input], ..CommandDatagram::default() }));
        self.step();
    }

    fn speed_mps(&self) -> f64 {
        self.ego().speed_mps
    }
}

#[test]
fn full_throttle_ends_at_its_greatest_speed_and_full_turns_below_its_lateral_limit() {
    let mut yard = Yard::taken_over();
    for _ in 0..500 {
        yard.drive(1.0, 0.0);
        assert_eq!(yard.running.sensors().state.observation.len(), 3);
        assert!(yard.speed_mps() <= 1.5 + 1e-9, "{}", yard.speed_mps());
    }
    assert_eq!(yard.authority().author(), Author::Operator);
    assert!(yard.speed_mps() > 1.4, "{}", yard.speed_mps());
    let heading = yard.ego().heading_rad;
    for _ in 0..100 {
        yard.drive(0.0, 1.5);
        let ego = yard.ego();
        assert!(ego.speed_mps * ego.yaw_rate_radps < 2.0 + 0.1, "{ego:?}");
    }
    assert!((yard.ego().heading_rad - heading).abs() > 1.0, "it turned");
    assert_eq!(yard.authority().author(), Author::Operator);
}

#[test]
fn commands_beyond_its_limits_are_refused() {
    let mut yard = Yard::taken_over();
    yard.drive(0.5, 0.0);
    yard.drive(3.0, 0.0);
    yard.drive(0.0, 1.6);
    assert_eq!(yard.running.core().refused(Reason::OutOfLimits), 2);
}

#[test]
fn it_turns_on_the_spot() {
    let mut yard = Yard::taken_over();
    (0..100).for_each(|_| yard.drive(0.0, 1.0));
    let ego = *yard.ego();
    assert!(ego.heading_rad > 1.5 && ego.odometer_m < 0.01, "{ego:?}");
}

#[test]
fn a_seat_that_falls_silent_ends_in_a_stop_within_the_robots_own_promise() {
    let mut yard = Yard::taken_over();
    (0..400).for_each(|_| yard.drive(1.0, 0.0));
    let (speed, began_m) = (yard.speed_mps(), yard.ego().odometer_m);
    let mut stood = None;
    for tick in 0..200 {
        yard.step();
        if yard.speed_mps() < 0.1 && stood.is_none() {
            stood = Some((tick, yard.ego().odometer_m));
        }
    }
    assert_eq!((yard.running.tick().command.author(), yard.authority().reason()), (Author::Fallback, Reason::LinkLost));
    let (_, stood_m) = stood.unwrap();
    let promised_m = stopping_distance_m(speed, yard.running.robot().embodiment().stop_decel_mps2);
    assert!(stood_m - began_m <= promised_m, "{} m, promised {promised_m} m", stood_m - began_m);
    assert!(yard.speed_mps() == 0.0 && yard.running.robot().status().collided_with.is_none());
}

#[test]
fn a_stop_on_the_spot_ends_the_turn() {
    let mut yard = Yard::taken_over();
    (0..100).for_each(|_| yard.drive(0.0, 1.5));
    assert!(yard.ego().yaw_rate_radps > 1.4);
    (0..100).for_each(|_| yard.step());
    assert_eq!(yard.running.tick().command.author(), Author::Fallback);
    let turns = yard.ego().yaw_rate_radps;
    assert!(turns.abs() < 1e-3, "{turns} rad/s");
}

#[test]
fn it_drives_a_trip_in_virtual_time_with_the_scripted_operator() {
    let robot = Embodiment::delivery_robot();
    let plan = TripPlan {
        id: "robot".into(),
        vehicle: VehicleId::new("robot-1").unwrap(),
        driver: Driver::Policy,
        network: plane(),
        world: empty_world(),
        link: LinkModel::default(),
        core: CoreConfig { self_check_us: 100_000, ..CoreConfig::default() },
        max_time_s: 120.0,
        recording: Recording::Off,
        assists: false,
        turn: None,
        starts_at_s: 0,
        necessity: None,
    };
    let report = drive(&plan, untrained(&robot)).unwrap();
    assert_eq!(report.crash, None);
    // Whoever drives: an untrained policy may stand, then the operator takes over.
    assert!(report.trip.manual_m + report.trip.autonomous_m > 10.0, "{report:?}");
    assert_eq!(report, drive(&plan, untrained(&robot)).unwrap(), "the same plan gives the same trip");
}

#[test]
fn a_robot_that_does_not_drive_has_no_place_on_the_plane() {
    let arm = Embodiment::from_toml("arm.toml", ARM).unwrap();
    let error = World::with_robot(plane(), empty_world(), &arm).err().unwrap().to_string();
    assert!(error.contains("\"arm\" does not drive"), "{error}");
}
