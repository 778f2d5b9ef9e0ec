//! The order of the run loop: sense, decide, write, in the same tick.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

mod car;

use car::Car;
use policy::Policy;
use protocol::v1::seat_request::Request;
use protocol::v1::{Author, ControlCommand, EstopRequest, Reason, SeatRequest};
use protocol::{Embodiment, PolicyVersion, SeatKind};
use vehicle_core::{CoreConfig, FromSeat, Robot, SeatBody, Sensors, Tick, VehicleCore, control_tick};

const TICK_US: u64 = 20_000;

#[derive(Debug, PartialEq)]
enum Call {
    Sense(u64),
    Write(ControlCommand),
}

/// Keeps what it was asked and told; `button` is its emergency button.
struct RecordingRobot {
    car: Car,
    calls: Vec<Call>,
    button: bool,
}

impl Robot for RecordingRobot {
    fn sense(&mut self, now_us: u64) -> Sensors {
        self.calls.push(Call::Sense(now_us));
        Sensors { estop_pressed: self.button, ..self.car.sense(now_us) }
    }

    fn write(&mut self, command: &ControlCommand) {
        self.calls.push(Call::Write(command.clone()));
        self.car.write(command);
    }
}

struct Loop {
    robot: RecordingRobot,
    core: VehicleCore,
    inbox: Vec<FromSeat>,
    tick: Tick,
    now_us: u64,
}

impl Loop {
    /// The policy drives.
    fn driving() -> Self {
        let embodiment = Embodiment::ackermann_car();
        let policy = Policy::untrained(&embodiment, PolicyVersion::new("any").unwrap(), 1).unwrap();
        let config = CoreConfig { self_check_us: 0, ..CoreConfig::default() };
        let mut run = Self {
            robot: RecordingRobot { car: Car::default(), calls: Vec::new(), button: false },
            core: VehicleCore::new(embodiment, config, policy, 0).unwrap(),
            inbox: Vec::new(),
            tick: Tick::default(),
            now_us: 0,
        };
        (0..5).for_each(|_| run.turn(|_| ()));
        run.turn(|inbox| inbox.push(asked("desk", Request::Engage(Default::default()))));
        (0..20).for_each(|_| run.turn(|_| ()));
        assert_eq!(run.tick.command.author(), Author::Policy);
        run
    }

    fn turn(&mut self, prepare: impl FnOnce(&mut Vec<FromSeat>)) {
        self.now_us += TICK_US;
        let (core, inbox) = (&mut self.core, &mut self.inbox);
        control_tick(&mut self.robot, core, self.now_us, inbox, &mut self.tick, |_, _, inbox| prepare(inbox));
    }
}

fn asked(seat: &str, request: Request) -> FromSeat {
    let body = SeatBody::Request(SeatRequest { request: Some(request), ..SeatRequest::default() });
    FromSeat { seat: seat.into(), kind: SeatKind::Human, received_us: 0, body }
}

#[test]
fn each_tick_senses_once_and_writes_its_own_command_before_it_ends() {
    let mut run = Loop::driving();
    for _ in 0..50 {
        run.robot.calls.clear();
        run.turn(|_| ());
        assert_eq!(run.robot.calls, [Call::Sense(run.now_us), Call::Write(run.tick.command.clone())]);
    }
}

#[test]
fn what_the_sensors_say_acts_in_the_tick_that_sensed_it() {
    let mut run = Loop::driving();
    run.robot.button = true;
    run.turn(|_| ());
    let Some(Call::Write(command)) = run.robot.calls.last() else { panic!("nothing was written") };
    assert_eq!((command.author(), run.tick.authority.reason()), (Author::Fallback, Reason::Estop));
    assert!(command.action[0] < -4.0, "{command:?}");
}

#[test]
fn what_a_seat_says_acts_in_the_tick_that_heard_it() {
    let mut run = Loop::driving();
    run.turn(|inbox| inbox.push(asked("desk", Request::Estop(EstopRequest {}))));
    let Some(Call::Write(command)) = run.robot.calls.last() else { panic!("nothing was written") };
    assert_eq!((command.author(), command.action[0] < -4.0), (Author::Fallback, true), "{command:?}");
}
