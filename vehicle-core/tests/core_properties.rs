//! Whatever arrives in whatever order, the vehicle core keeps its promises.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

mod bench;
mod car;

use bench::{Bench, SEATS, TICK_US, straight_on};
use car::Car;
use policy::Policy;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use protocol::v1::{
    Author, EngageRequest, EstopRequest, EstopResetRequest, HandBackRequest, Mode, OperatorInput, SeatRequest,
    TakeoverRequest, Trajectory, TrajectoryPoint, seat_request::Request,
};
use protocol::{Embodiment, PolicyVersion};
use std::cell::Cell;
use vehicle_core::{Robot, SeatBody, Sensors};

/// What happens in a tick.
#[derive(Debug, Clone)]
enum Event {
    /// An honest input of the seat in control, this late and answering a picture this old, milliseconds.
    Drive {
        late_ms: u64,
        picture_ms: u64,
        acceleration: f64,
        steering: f64,
    },
    /// The same, as a trajectory along the way the car points, at this speed.
    Lead {
        picture_ms: u64,
        speed_mps: f64,
    },
    /// Anything at all from anybody.
    Forge {
        seat: usize,
        input: OperatorInput,
    },
    Ask {
        seat: usize,
        what: usize,
    },
    Gone(usize),
    Connected(usize),
    Blind,
    Button,
    Quiet,
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![-10.0f64..10.0, Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(-0.0)]
}

fn forged() -> impl Strategy<Value = OperatorInput> {
    let numbers = (0u64..400, 0u64..8, any::<u64>(), any::<bool>(), any::<u64>());
    let point = (9_000_000u64..30_000_000, any_value(), any_value(), any_value())
        .prop_map(|(at_us, x_m, y_m, speed_mps)| TrajectoryPoint { at_us, x_m, y_m, speed_mps });
    let line = prop::collection::vec(point, 0..5).prop_map(|points| Trajectory { points });
    (numbers, prop::collection::vec(any_value(), 0..4), prop::option::weighted(0.3, line)).prop_map(
        |((sequence, epoch, seat_us, deadman, shown_frame_us), action, trajectory)| OperatorInput {
            sequence,
            epoch,
            seat_us,
            deadman,
            action,
            shown_frame_us,
            trajectory,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let drive = (0u64..150, 20u64..900, -8.0f64..3.0, -0.55f64..0.55).prop_map(
        |(late_ms, picture_ms, acceleration, steering)| Event::Drive { late_ms, picture_ms, acceleration, steering },
    );
    let lead = (20u64..900, 0.0f64..25.0).prop_map(|(picture_ms, speed_mps)| Event::Lead { picture_ms, speed_mps });
    prop_oneof![
        300 => drive,
        100 => lead,
        40 => (0usize..3, forged()).prop_map(|(seat, input)| Event::Forge { seat, input }),
        60 => (0usize..3, 0usize..24).prop_map(|(seat, what)| Event::Ask { seat, what }),
        4 => (0usize..3).prop_map(Event::Gone),
        4 => (0usize..3).prop_map(Event::Connected),
        2 => Just(Event::Blind),
        1 => Just(Event::Button),
        20 => Just(Event::Quiet),
    ]
}

fn request(what: usize) -> Request {
    match what {
        0..10 => Request::Takeover(TakeoverRequest::default()),
        10..12 => Request::HandBack(HandBackRequest::default()),
        12..14 => Request::HandBack(HandBackRequest { mode: Mode::Assist.into() }),
        14..18 => Request::Engage(EngageRequest {}),
        18..23 => Request::EstopReset(EstopResetRequest { held_ms: 5_000 }),
        _ => Request::Estop(EstopRequest {}),
    }
}

struct Drive {
    robot: Car,
    bench: Bench,
}

impl Drive {
    fn new() -> Self {
        let car = Embodiment::ackermann_car();
        let policy = Policy::untrained(&car, PolicyVersion::new("any").unwrap(), 1).unwrap();
        Self { robot: Car::default(), bench: Bench::new(car, policy).unwrap() }
    }

    /// Speed before the tick.
    fn happen(&mut self, event: Event) -> Result<f64, String> {
        let bench = &mut self.bench;
        bench.now_us += TICK_US;
        let mut sensors = self.robot.sense(bench.now_us);
        match event {
            Event::Drive { late_ms, picture_ms, acceleration, steering } => {
                let action = vec![acceleration, steering];
                let input = OperatorInput { action, ..OperatorInput::default() };
                bench.drive(late_ms * 1_000, picture_ms * 1_000, input);
            }
            Event::Lead { picture_ms, speed_mps } => {
                let pose = sensors.state.world_from_vehicle.unwrap();
                let trajectory = Some(straight_on(bench.now_us, &pose, speed_mps));
                bench.drive(0, picture_ms * 1_000, OperatorInput { trajectory, ..OperatorInput::default() });
            }
            Event::Forge { seat, input } => bench.hear_input(SEATS[seat], input),
            Event::Ask { seat, what } => {
                let asked = SeatRequest { request: Some(request(what)), ..SeatRequest::default() };
                bench.hear(SEATS[seat], SeatBody::Request(asked));
            }
            Event::Gone(seat) => bench.hear(SEATS[seat], SeatBody::Gone),
            Event::Connected(seat) => bench.hear(SEATS[seat], SeatBody::Connected),
            Event::Blind => sensors = Sensors { scan: None, ..sensors },
            Event::Button => sensors.estop_pressed = true,
            Event::Quiet => {}
        }
        bench.go_on(&sensors, TICK_US as f64 * 1e-6)?;
        self.robot.write(&bench.tick.command);
        Ok(sensors.state.observation[0])
    }
}

/// Ticks that an operator drove, that the policy did, and that the latency limited.
type Seen = Cell<[u64; 3]>;

fn keeps_its_promises(events: Vec<Event>, seen: &Seen) -> Result<(), TestCaseError> {
    let mut drive = Drive::new();
    // Speed at the first tick of the manoeuvre, while it lasts.
    let mut began: Option<f64> = None;
    let mut over_ticks = 0;
    for event in events {
        let speed = drive.happen(event).map_err(TestCaseError::fail)?;
        let bench = &drive.bench;
        let (action, author) = (&bench.tick.command.action, bench.tick.command.author());
        let steering_rate = bench.embodiment.action[1].rate_per_s;
        prop_assert!((action[1] - bench.before[1]).abs() <= steering_rate * 0.02 + 1e-9);
        prop_assert_eq!(bench.tick.authority.hazards_on, author == Author::Fallback);
        if author == Author::Fallback {
            prop_assert!(action[0] <= -6.0, "the manoeuvre asks for {}", action[0]);
            let first = *began.get_or_insert(speed);
            prop_assert!(speed <= first + 0.25, "{speed} m/s after {first}");
        } else {
            began = None;
        }
        let mut ticks = seen.get();
        ticks[0] += u64::from(author == Author::Operator);
        ticks[1] += u64::from(author == Author::Policy);
        ticks[2] += u64::from(bench.tick.authority.speed_limit.is_some());
        seen.set(ticks);
        let limit = bench.tick.authority.speed_limit.filter(|_| author == Author::Operator);
        over_ticks = if limit.is_some_and(|l| speed > l.limit_mps) { over_ticks + 1 } else { 0 };
        // An engine lets go at its rate: within 8 ticks at most.
        if over_ticks > 8 {
            prop_assert!(action[0] <= 0.0, "{speed} m/s at {limit:?} and {} asked", action[0]);
        }
    }
    Ok(())
}

#[test]
fn no_sequence_of_messages_breaks_a_limit_or_speeds_up_after_a_fault() {
    let config = Config { cases: 96, failure_persistence: None, ..Config::default() };
    let seen = Seen::default();
    let events = prop::collection::vec(event(), 50..500);
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        .run(&events, |events| keeps_its_promises(events, &seen))
        .unwrap();
    assert!(seen.get().iter().all(|ticks| *ticks > 200), "too little was driven: {:?}", seen.get());
}
