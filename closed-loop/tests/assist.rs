//! Assistance in virtual time: a policy that keeps its lane and knows nothing of obstacles meets a double-parked car, and
//! gets round it by the answers of a person who never drives.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use closed_loop::driver::Driver;
use closed_loop::virtual_drive::{LinkModel, Recording, TripPlan, drive};
use closed_loop::{ClosedLoop, EmptySeat, LoopParts, LoopPlan};
use policy::{FEATURES, HIDDEN, Layer, Manifest, Network, Policy};
use protocol::v1::{
    Author, AuthorityState, EngageRequest, HandBackRequest, Mode, PathAnswer, PathQuestion, Reason, SeatRequest,
    TakeoverRequest, seat_request::Request,
};
use protocol::{Embodiment, PolicyVersion, SeatKind, VehicleId};
use sim::road::RoadNetwork;
use sim::scenario_event::ScenarioEvent;
use sim::world::WorldConfig;
use std::sync::Arc;
use vehicle_core::authority::Change;
use vehicle_core::{CoreConfig, FromSeat, SeatBody};

/// Pure-pursuit steering at a second's preview, and the speed that limits, bends and sight allow: two features straight
/// to the actuators.
fn lane_keeper() -> Policy {
    let (pursuit, allowed) = (7, 37);
    let car = Embodiment::ackermann_car();
    let zero = |inputs: usize, outputs: usize| {
        Layer::new(inputs, outputs, vec![0.0; inputs * outputs], vec![0.0; outputs]).unwrap()
    };
    let mut weights = vec![0.0; 3 * FEATURES];
    weights[allowed] = 1.5;
    weights[FEATURES + pursuit] = 2.0;
    let skip = Layer::new(FEATURES, 3, weights, vec![0.0, 0.0, 5.0]).unwrap();
    let hidden = [zero(FEATURES, HIDDEN[0]), zero(HIDDEN[0], HIDDEN[1])];
    let network = Network::new(hidden, zero(HIDDEN[1], 3), skip).unwrap();
    Policy::new(&car, Manifest::new(PolicyVersion::new("lane-keeper").unwrap(), None, 1), network).unwrap()
}

fn world(seed: u64, traffic_per_km: f64) -> WorldConfig {
    WorldConfig {
        seed,
        traffic_per_km,
        scenario_events: vec![ScenarioEvent::DoubleParked],
        scenario_event_spacing_m: 200.0,
        cruise_cap_mps: 10.0,
        target_length_m: 500.0,
    }
}

/// In these tests one seat is a program's.
fn kind_of(seat: &str) -> SeatKind {
    if seat == "robot" { SeatKind::Scripted } else { SeatKind::Human }
}

struct Street {
    running: ClosedLoop<EmptySeat>,
    takeovers: usize,
    fallbacks: usize,
}

impl Street {
    /// The policy drives in `Assist`.
    fn new(seed: u64) -> Self {
        let network = Arc::new(RoadNetwork::built_in("soderleden").unwrap());
        let plan = LoopPlan {
            core: CoreConfig { self_check_us: 100_000, ..CoreConfig::default() },
            ..LoopPlan::new("street", VehicleId::new("car").unwrap(), network, world(seed, 0.0))
        };
        let running = ClosedLoop::new(plan, lane_keeper(), LoopParts::without_seat(lane_keeper())).unwrap();
        let mut street = Self { running, takeovers: 0, fallbacks: 0 };
        (0..10).for_each(|_| street.step());
        assert_eq!(street.ask("desk", Request::Engage(EngageRequest {})), Reason::Ok);
        assert_eq!(street.ask("desk", assist()), Reason::Ok);
        street
    }

    fn step(&mut self) {
        self.running.step();
        let tick = self.running.tick();
        self.takeovers += usize::from(tick.authority.mode() == Mode::Drive);
        let fell = |c: &Change| matches!(c, Change::FallbackBegan(_));
        self.fallbacks += tick.changes.iter().filter(|c| fell(c)).count();
    }

    fn authority(&self) -> &AuthorityState {
        &self.running.tick().authority
    }

    fn speed_mps(&self) -> f64 {
        self.running.robot().world().ego().speed_mps
    }

    fn ask(&mut self, seat: &str, request: Request) -> Reason {
        let body = SeatBody::Request(SeatRequest {
            id: 1,
            seat_id: seat.into(),
            request: Some(request),
            ..SeatRequest::default()
        });
        let received_us = self.running.now_us();
        self.running.hear(FromSeat { seat: seat.into(), kind: kind_of(seat), received_us, body });
        self.step();
        self.running.tick().responses[0].1.reason()
    }

    /// Drives until the vehicle asks.
    fn question(&mut self) -> PathQuestion {
        for _ in 0..10_000 {
            self.step();
            if let Some(question) = &self.authority().question {
                return question.as_ref().clone();
            }
        }
        panic!("the vehicle never asked")
    }
}

fn assist() -> Request {
    Request::HandBack(HandBackRequest { mode: Mode::Assist.into() })
}

fn pick(question_id: u64, path_id: u32) -> Request {
    Request::PathAnswer(PathAnswer { question_id, path_id, ..Default::default() })
}

#[test]
fn a_double_parked_car_is_passed_by_answers_alone() {
    let mut street = Street::new(3);
    let mut answered = 0;
    for _ in 0..20_000 {
        street.step();
        if let Some(question) = street.authority().question.clone() {
            let help = street.authority().help.clone().unwrap();
            assert_eq!((help.reason(), question.paths.is_empty()), (Reason::PathBlocked, false));
            assert_eq!(street.ask("desk", pick(question.id, question.paths[0].id)), Reason::Ok);
            assert!(street.authority().help.is_none() && street.authority().chosen_path.is_some());
            answered += 1;
        }
        let status = street.running.robot().status();
        assert!(status.collided_with.is_none() && !status.off_road, "{status:?} after {answered} answers");
        if status.route_done {
            break;
        }
    }
    assert!(street.running.robot().status().route_done && answered > 0, "{answered} answers");
    assert_eq!((street.takeovers, street.fallbacks, street.authority().mode()), (0, 0, Mode::Assist));
}

#[test]
fn a_declined_question_leaves_the_car_standing_before_the_obstacle() {
    let mut street = Street::new(3);
    let question = street.question();
    let decline = PathAnswer { question_id: question.id, declined: true, ..Default::default() };
    assert_eq!(street.ask("desk", Request::PathAnswer(decline)), Reason::Ok);
    (0..900).for_each(|_| street.step());
    assert!(street.speed_mps() < 0.1 && street.running.robot().status().collided_with.is_none());
    assert_eq!((street.authority().author(), street.authority().question.is_some()), (Author::Policy, false));
}

#[test]
fn answers_out_of_place_are_refused_with_their_reason() {
    let mut street = Street::new(3);
    assert_eq!(street.ask("desk", pick(1, 1)), Reason::NoSuchQuestion);
    let question = street.question();
    assert_eq!(street.ask("desk", pick(question.id + 1, 1)), Reason::NoSuchQuestion);
    assert_eq!(street.ask("", pick(question.id, 1)), Reason::NotAuthenticated);
    street.running.core_mut().set_person_present(true);
    assert_eq!(street.ask("robot", pick(question.id, 1)), Reason::HeldByOther);
    street.running.core_mut().set_person_present(false);
    // Somebody else is about to take over.
    assert_eq!(street.ask("other", Request::Takeover(TakeoverRequest::default())), Reason::Ok);
    assert_eq!(street.ask("desk", pick(question.id, 1)), Reason::HeldByOther);
}

#[test]
fn questions_end_with_assist() {
    let mut street = Street::new(3);
    let question = street.question();
    let monitor = Request::HandBack(HandBackRequest { mode: Mode::Monitor.into() });
    assert_eq!(street.ask("desk", monitor), Reason::Ok);
    assert!(street.authority().question.is_none());
    assert_eq!(street.ask("desk", pick(question.id, 1)), Reason::NoSuchQuestion);
}

#[test]
fn an_estop_on_the_chosen_path_stops_the_car_and_ends_the_path() {
    let mut street = Street::new(3);
    let question = street.question();
    assert_eq!(street.ask("desk", pick(question.id, 1)), Reason::Ok);
    (0..200).for_each(|_| street.step());
    assert!(street.speed_mps() > 1.0 && street.authority().chosen_path.is_some());
    assert_eq!(street.ask("desk", Request::Estop(Default::default())), Reason::Ok);
    (0..200).for_each(|_| street.step());
    assert!(street.speed_mps() < 0.1 && street.authority().chosen_path.is_none());
    assert_eq!(street.authority().mode(), Mode::Stopped);
}

#[test]
fn the_scripted_operator_answers_and_need_not_take_over() {
    let trip = |seed: u64, assists: bool| {
        let plan = TripPlan {
            id: "assist".into(),
            vehicle: VehicleId::new("virtual-1").unwrap(),
            driver: Driver::Policy,
            network: Arc::new(RoadNetwork::built_in("soderleden").unwrap()),
            world: world(seed, 4.0),
            link: LinkModel::default(),
            core: CoreConfig { self_check_us: 100_000, ..CoreConfig::default() },
            max_time_s: 300.0,
            recording: Recording::Off,
            assists,
            turn: None,
            starts_at_s: 0,
            necessity: None,
        };
        drive(&plan, lane_keeper()).unwrap()
    };
    let (mut with, mut without) = (0, 0);
    for seed in 1..=6 {
        let (assisted, driven) = (trip(seed, true), trip(seed, false));
        assert_eq!(assisted.crash, None, "seed {seed}");
        with += assisted.trip.disengagements.len();
        without += driven.trip.disengagements.len();
    }
    assert!(with == 0 && without > 3, "{with} takeovers with assistance, {without} without");
}
