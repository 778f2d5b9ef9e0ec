//! A vehicle core that runs, in virtual time, while anybody sends it anything: no number leaves it that is not finite,
//! beyond a channel's limits or faster than its rates.

#[path = "../../../vehicle-core/tests/bench/mod.rs"]
mod bench;

use crate::input::Input;
use bench::{Bench, SEATS, TICK_US, straight_on};
use closed_loop::sim_robot::SimRobot;
use policy::Policy;
use prost::Message;
use protocol::v1::seat_request::Request;
use protocol::v1::{
    Author, CommandDatagram, EngageRequest, EstopRequest, EstopResetRequest, HandBackRequest, Mode, OperatorInput,
    Pose2, SeatRequest, TakeoverRequest, Trajectory, TrajectoryPoint,
};
use protocol::{Embodiment, PolicyVersion};
use sim::road::RoadNetwork;
use sim::world::{World, WorldConfig};
use std::sync::{Arc, LazyLock};
use vehicle_core::{SeatBody, Sensors};

/// Ticks of an input: four seconds.
const TICKS: usize = 200;

/// What is made once: reading roads takes longer than an input.
static SETTING: LazyLock<Option<(World, Policy)>> = LazyLock::new(|| {
    let network = Arc::new(RoadNetwork::built_in("soderleden").ok()?);
    let config = WorldConfig { scenario_events: Vec::new(), traffic_per_km: 0.0, ..WorldConfig::default() };
    let policy = Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("any").ok()?, 1).ok()?;
    Some((World::new(network, config).ok()?, policy))
});

struct Trial {
    robot: SimRobot,
    bench: Bench,
}

pub fn run(bytes: &[u8]) {
    let Some((world, policy)) = &*SETTING else { panic!("the trial's own world could not be made") };
    let Ok(bench) = Bench::new(Embodiment::ackermann_car(), policy.clone()) else { return };
    let mut trial = Trial { robot: SimRobot::new(world.clone()), bench };
    let mut input = Input(bytes);
    for _ in 0..TICKS {
        if input.is_empty() {
            break;
        }
        trial.happen(&mut input);
    }
    // Then silence: whoever drove has lost the wheel after 200 ms.
    for _ in 0..15 {
        trial.go_on(TICK_US, |_| ());
    }
    assert_ne!(trial.bench.tick.command.author(), Author::Operator, "nobody has said anything for 300 ms");
}

impl Trial {
    fn happen(&mut self, input: &mut Input<'_>) {
        match input.u8() % 18 {
            0..=4 => {
                let (acceleration, steering) = (input.within(-12.0, 6.0), input.within(-1.0, 1.0));
                let action = vec![acceleration, steering];
                self.drive(input, OperatorInput { action, ..OperatorInput::default() });
            }
            5 => {
                let speed_mps = input.within(-5.0, 40.0);
                let trajectory = Some(straight_on(self.bench.now_us, &Pose2::default(), speed_mps));
                self.drive(input, OperatorInput { trajectory, ..OperatorInput::default() });
            }
            6 => {
                // Anything at all, under the epoch in force.
                let trajectory = Trajectory { points: (0..input.u8() % 40).map(|_| point(input)).collect() };
                let action = (0..input.u8() % 4).map(|_| f64::from_bits(input.u64())).collect();
                let trajectory = (!trajectory.points.is_empty()).then_some(trajectory);
                self.drive(input, OperatorInput { action, trajectory, ..OperatorInput::default() });
            }
            7..=9 => self.datagram(input),
            10 => {
                let seat = SEATS[usize::from(input.u8()) % 3];
                if let Ok(request) = SeatRequest::decode(input.piece()) {
                    self.bench.hear(seat, SeatBody::Request(request));
                }
            }
            11..=13 => {
                let what = input.u8();
                let request = Some(request(what / 3, input));
                self.bench.hear(
                    SEATS[usize::from(what) % 3],
                    SeatBody::Request(SeatRequest { request, ..Default::default() }),
                );
            }
            14 => {
                let what = input.u8();
                let body = if what & 0x80 == 0 { SeatBody::Gone } else { SeatBody::Connected };
                self.bench.hear(SEATS[usize::from(what) % 3], body);
            }
            15 => return self.odd(input),
            16 => return self.go_on(TICK_US * u64::from(input.u8() % 16), |_| ()),
            _ => {
                for _ in 0..input.u8() % 12 {
                    self.go_on(TICK_US, |_| ());
                }
            }
        }
        self.go_on(TICK_US, |_| ());
    }

    /// An input of the seat in control, late by so much and answering a picture that old.
    fn drive(&mut self, input: &mut Input<'_>, command: OperatorInput) {
        let (late_us, picture_us) = (u64::from(input.u8()) * 500, u64::from(input.u8()) * 4_000);
        self.bench.drive(late_us, picture_us, command);
    }

    /// The bytes of a datagram as they come from the network; with some, what a forger could know is put right.
    fn datagram(&mut self, input: &mut Input<'_>) {
        let flags = input.u8();
        let Ok(mut datagram) = CommandDatagram::decode(input.piece()) else { return };
        let now_us = self.bench.now_us;
        for command in &mut datagram.inputs {
            if flags & 1 != 0 {
                command.epoch = self.bench.core.authority().epoch();
            }
            if flags & 2 != 0 {
                command.sequence = self.bench.next_sequence();
            }
            if flags & 4 != 0 {
                (command.seat_us, command.shown_frame_us, command.deadman) = (now_us, now_us, true);
            }
        }
        let holder = self.bench.holder();
        let seat = if flags & 8 != 0 { &holder } else { SEATS[usize::from(flags >> 4) % 3] };
        self.bench.hear(seat, SeatBody::Command(datagram));
    }

    /// Sensors that say odd things.
    fn odd(&mut self, input: &mut Input<'_>) {
        let (what, value) = (input.u8(), f64::from_bits(input.u64()));
        self.go_on(TICK_US, |sensors| match what % 6 {
            0 => sensors.scan = None,
            1 => sensors.surroundings = None,
            2 => sensors.estop_pressed = true,
            3 => sensors.state.world_from_vehicle = None,
            4 => sensors.state.observation.truncate(usize::from(what >> 4)),
            _ => {
                if let Some(channel) = sensors.state.observation.get_mut(usize::from(what >> 4) % 4) {
                    *channel = value;
                }
            }
        });
    }

    fn go_on(&mut self, dt_us: u64, change: impl FnOnce(&mut Sensors)) {
        let dt_s = dt_us as f64 * 1e-6;
        self.robot.advance(dt_s.max(0.001), &self.bench.tick.command);
        self.bench.now_us += dt_us;
        let mut sensors = self.robot.look(self.bench.now_us);
        change(&mut sensors);
        if let Err(broken) = self.bench.go_on(&sensors, dt_s) {
            panic!("{broken}");
        }
        if let Some(limit) = &self.bench.tick.authority.speed_limit {
            assert!(limit.limit_mps.is_finite() && limit.limit_mps >= 0.0, "{limit:?}");
        }
    }
}

fn point(input: &mut Input<'_>) -> TrajectoryPoint {
    let [x_m, y_m, speed_mps] = [0; 3].map(|_: u8| f64::from_bits(input.u64()));
    TrajectoryPoint { at_us: input.u64(), x_m, y_m, speed_mps }
}

fn request(what: u8, input: &mut Input<'_>) -> Request {
    match what % 8 {
        0..=2 => Request::Takeover(TakeoverRequest::default()),
        3 => Request::HandBack(HandBackRequest::default()),
        4 => Request::HandBack(HandBackRequest { mode: Mode::Assist.into() }),
        5 => Request::Engage(EngageRequest {}),
        6 => Request::EstopReset(EstopResetRequest { held_ms: input.u16().into() }),
        _ => Request::Estop(EstopRequest {}),
    }
}
