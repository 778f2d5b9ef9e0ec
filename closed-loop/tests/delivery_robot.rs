//! The delivery robot on an open plane, through the same core as the car: it drives, keeps its own limits, and stops by
//! the minimal risk manoeuvre with its own deceleration.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use closed_loop::driver::Driver;
use closed_loop::sim_robot::SimRobot;
use closed_loop::virtual_drive::{LinkModel, Recording, TripPlan, drive};
use policy::Policy;
use protocol::v1::seat_request::Request;
use protocol::v1::{Author, CommandDatagram, OperatorInput, Reason, SeatRequest, TakeoverRequest};
use protocol::{Embodiment, PolicyVersion, SeatKind, VehicleId};
use sim::road::RoadNetwork;
use sim::world::{World, WorldConfig};
use std::sync::Arc;
use vehicle_core::fallback::stopping_distance_m;
use vehicle_core::{CoreConfig, FromSeat, SeatBody, Sensors, Tick, VehicleCore};

const TICK_US: u64 = 20_000;

fn plane() -> Arc<RoadNetwork> {
    Arc::new(RoadNetwork::plane().unwrap())
}

fn empty_world() -> WorldConfig {
    WorldConfig { traffic_per_km: 0.0, difficulties: Vec::new(), target_length_m: 500.0, ..WorldConfig::default() }
}

fn untrained(robot: &Embodiment) -> Policy {
    Policy::untrained(robot, PolicyVersion::new("any").unwrap(), 1).unwrap()
}

/// The robot with a seat that drives it.
struct Yard {
    robot: SimRobot,
    core: VehicleCore,
    tick: Tick,
    inbox: Vec<FromSeat>,
    now_us: u64,
    sequence: u64,
    last: Vec<f64>,
}

impl Yard {
    fn taken_over() -> Self {
        let embodiment = Embodiment::delivery_robot();
        let world = World::with_robot(plane(), empty_world(), &embodiment).unwrap();
        let policy = untrained(&embodiment);
        let config = CoreConfig { self_check_us: 0, ..CoreConfig::default() };
        let mut yard = Self {
            robot: SimRobot::new(world),
            core: VehicleCore::new(embodiment, config, policy, 0).unwrap(),
            tick: Tick::default(),
            inbox: Vec::new(),
            now_us: 10_000_000,
            sequence: 0,
            last: vec![0.0; 2],
        };
        yard.step();
        let request = Some(Request::Takeover(TakeoverRequest::default()));
        yard.hear(SeatBody::Request(SeatRequest { id: 1, request, ..SeatRequest::default() }));
        yard.step();
        yard
    }

    fn hear(&mut self, body: SeatBody) {
        self.inbox.push(FromSeat { seat: "desk".into(), kind: SeatKind::Human, received_us: self.now_us, body });
    }

    /// A tick; what is commanded keeps the limits of the robot's file.
    fn step(&mut self) -> Sensors {
        self.robot.advance(TICK_US as f64 * 1e-6, &self.tick.command);
        self.now_us += TICK_US;
        let sensors = self.robot.look(self.now_us);
        self.core.tick(self.now_us, &sensors, &mut self.inbox, &mut self.tick);
        let embodiment = self.robot.embodiment();
        let (channels, braking) = (embodiment.channels(), self.tick.command.author() == Author::Fallback);
        for (index, channel) in embodiment.action.iter().enumerate() {
            let (now, before) = (self.tick.command.action[index], self.last[index]);
            assert!((channel.min..=channel.max).contains(&now), "{}: {now}", channel.name);
            // The manoeuvre brakes at once.
            let sudden = braking && Some(index) == channels.accelerate && now < before;
            assert!(sudden || (now - before).abs() <= channel.rate_per_s * 0.02 + 1e-9, "{}: {now}", channel.name);
        }
        self.last.clone_from(&self.tick.command.action);
        sensors
    }

    fn drive(&mut self, acceleration: f64, yaw_rate: f64) -> Sensors {
        self.sequence += 1;
        let (sequence, epoch, seat_us) = (self.sequence, self.core.authority().epoch(), self.now_us);
        let action = vec![acceleration, yaw_rate];
        let input = OperatorInput { sequence, epoch, seat_us, deadman: true, action, ..OperatorInput::default() };
        self.hear(SeatBody::Command(CommandDatagram { inputs: vec![input], ..CommandDatagram::default() }));
        self.step()
    }

    fn speed_mps(&self) -> f64 {
        self.robot.world().ego().speed_mps
    }
}

#[test]
fn full_throttle_ends_at_its_greatest_speed_and_full_turns_below_its_lateral_limit() {
    let mut yard = Yard::taken_over();
    for _ in 0..500 {
        let sensors = yard.drive(1.0, 0.0);
        assert_eq!(sensors.state.observation.len(), 3);
        assert!(yard.speed_mps() <= 1.5 + 1e-9, "{}", yard.speed_mps());
    }
    assert_eq!(yard.tick.authority.author(), Author::Operator);
    assert!(yard.speed_mps() > 1.4, "{}", yard.speed_mps());
    let heading = yard.robot.world().ego().heading_rad;
    for _ in 0..100 {
        yard.drive(0.0, 1.5);
        let ego = yard.robot.world().ego();
        assert!(ego.speed_mps * ego.yaw_rate_radps < 2.0 + 0.1, "{ego:?}");
    }
    assert!((yard.robot.world().ego().heading_rad - heading).abs() > 1.0, "it turned");
    assert_eq!(yard.tick.authority.author(), Author::Operator);
}

#[test]
fn commands_beyond_its_limits_are_refused() {
    let mut yard = Yard::taken_over();
    yard.drive(0.5, 0.0);
    yard.drive(3.0, 0.0);
    yard.drive(0.0, 1.6);
    assert_eq!(yard.core.refused(Reason::OutOfLimits), 2);
}

#[test]
fn it_turns_on_the_spot() {
    let mut yard = Yard::taken_over();
    (0..100).for_each(|_| drop(yard.drive(0.0, 1.0)));
    let ego = *yard.robot.world().ego();
    assert!(ego.heading_rad > 1.5 && ego.odometer_m < 0.01, "{ego:?}");
}

#[test]
fn a_seat_that_falls_silent_ends_in_a_stop_within_the_robots_own_promise() {
    let mut yard = Yard::taken_over();
    (0..400).for_each(|_| drop(yard.drive(1.0, 0.0)));
    let (speed, began_m) = (yard.speed_mps(), yard.robot.world().ego().odometer_m);
    let mut stood = None;
    for tick in 0..200 {
        yard.step();
        if yard.speed_mps() < 0.1 && stood.is_none() {
            stood = Some((tick, yard.robot.world().ego().odometer_m));
        }
    }
    assert_eq!((yard.tick.command.author(), yard.tick.authority.reason()), (Author::Fallback, Reason::LinkLost));
    let (_, stood_m) = stood.unwrap();
    let promised_m = stopping_distance_m(speed, yard.robot.embodiment().stop_decel_mps2);
    assert!(stood_m - began_m <= promised_m, "{} m, promised {promised_m} m", stood_m - began_m);
    assert!(yard.speed_mps() == 0.0 && yard.robot.status().collided_with.is_none());
}

#[test]
fn a_stop_on_the_spot_ends_the_turn() {
    let mut yard = Yard::taken_over();
    (0..100).for_each(|_| drop(yard.drive(0.0, 1.5)));
    assert!(yard.robot.world().ego().yaw_rate_radps > 1.4);
    (0..100).for_each(|_| drop(yard.step()));
    assert_eq!(yard.tick.command.author(), Author::Fallback);
    let turns = yard.robot.world().ego().yaw_rate_radps;
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
    };
    let report = drive(&plan, untrained(&robot)).unwrap();
    assert_eq!(report.crash, None);
    // Whoever drives: an untrained policy may stand, then the operator takes over.
    assert!(report.trip.manual_m + report.trip.autonomous_m > 10.0, "{report:?}");
    assert_eq!(report, drive(&plan, untrained(&robot)).unwrap(), "the same plan gives the same trip");
}

#[test]
fn a_robot_that_does_not_drive_has_no_place_on_the_plane() {
    let arm = r#"
        name = "arm"
        kinematics = "fixed"
        [body]
        front_overhang_m = 0.2
        rear_overhang_m = 0.2
        width_m = 0.4
        height_m = 1.0
        mass_kg = 20
        [limits]
        stop_decel_mps2 = 1
        emergency_decel_mps2 = 1
        lateral_max_mps2 = 1
    "#;
    let arm = Embodiment::from_toml("arm.toml", arm).unwrap();
    let error = World::with_robot(plane(), empty_world(), &arm).err().unwrap().to_string();
    assert!(error.contains("\"arm\" does not drive"), "{error}");
}
