//! A vehicle core and the seats that talk to it, for tests that send it anything; the robot is each test's own.

use policy::Policy;
use protocol::v1::{Author, CommandDatagram, OperatorInput, Pose2, Trajectory, TrajectoryPoint};
use protocol::{Embodiment, SeatKind};
use vehicle_core::{CoreConfig, CoreError, FromSeat, SeatBody, Sensors, Tick, VehicleCore};

/// Two people and a script.
pub const SEATS: [&str; 3] = ["a", "b", "robot"];
/// A control period, microseconds.
pub const TICK_US: u64 = 20_000;

/// The core between two ticks.
pub struct Bench {
    pub embodiment: Embodiment,
    pub core: VehicleCore,
    pub tick: Tick,
    pub now_us: u64,
    inbox: Vec<FromSeat>,
    sequence: u64,
    /// What the tick before the last one commanded.
    pub before: Vec<f64>,
}

impl Bench {
    /// A core that has nothing to check before it drives.
    pub fn new(embodiment: Embodiment, policy: Policy) -> Result<Self, CoreError> {
        let quick = CoreConfig { self_check_us: 0, ..CoreConfig::default() };
        Ok(Self {
            core: VehicleCore::new(embodiment.clone(), quick, policy, 0)?,
            before: vec![0.0; embodiment.action.len()],
            embodiment,
            tick: Tick::default(),
            now_us: 10_000_000,
            inbox: Vec::new(),
            sequence: 1_000,
        })
    }

    pub fn hear(&mut self, seat: &str, body: SeatBody) {
        let kind = if seat == SEATS[2] { SeatKind::Scripted } else { SeatKind::Human };
        self.inbox.push(FromSeat { seat: seat.into(), kind, received_us: self.now_us, body });
    }

    pub fn hear_input(&mut self, seat: &str, input: OperatorInput) {
        self.hear(seat, SeatBody::Command(CommandDatagram { inputs: vec![input], ..CommandDatagram::default() }));
    }

    /// The seat in control; the first one while there is none.
    pub fn holder(&self) -> String {
        self.core.authority().granted_seat().unwrap_or(SEATS[0]).to_owned()
    }

    /// The next number of an honest input.
    pub fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// An honest input of the seat in control, this late and answering a picture this old.
    pub fn drive(&mut self, late_us: u64, picture_us: u64, input: OperatorInput) {
        let input = OperatorInput {
            sequence: self.next_sequence(),
            epoch: self.core.authority().epoch(),
            seat_us: self.now_us - late_us,
            deadman: true,
            shown_frame_us: self.now_us - picture_us,
            ..input
        };
        self.hear_input(&self.holder(), input);
    }

    /// A tick `dt_s` after the one before.
    ///
    /// # Errors
    /// A promise that no message and no sensor may make the core break: each value is finite, within its channel's limits
    /// and not raised faster than its rate, and with the emergency stop latched nobody drives.
    pub fn go_on(&mut self, sensors: &Sensors, dt_s: f64) -> Result<(), String> {
        self.before.clone_from(&self.tick.command.action);
        self.before.resize(self.embodiment.action.len(), 0.0);
        self.core.tick(self.now_us, sensors, &mut self.inbox, &mut self.tick);
        let (action, author) = (&self.tick.command.action, self.tick.command.author());
        if action.len() != self.embodiment.action.len() {
            return Err(format!("{} values for {} channels", action.len(), self.embodiment.action.len()));
        }
        for ((value, before), channel) in action.iter().zip(&self.before).zip(&self.embodiment.action) {
            if !(channel.min..=channel.max).contains(value) {
                return Err(format!("{} is {value}", channel.name));
            }
            if value - before > channel.rate_per_s * dt_s.max(0.02) + 1e-9 {
                return Err(format!("{} goes from {before} to {value} in {dt_s} s", channel.name));
            }
        }
        if self.core.authority().estop_latched() && author != Author::Fallback {
            return Err(format!("{author:?} drives although the emergency stop is latched"));
        }
        Ok(())
    }
}

/// Two seconds and a bit along the way that `pose` points, at this speed.
pub fn straight_on(now_us: u64, pose: &Pose2, speed_mps: f64) -> Trajectory {
    let (sin, cos) = pose.heading_rad.sin_cos();
    let point = |step: u64| {
        let ahead_m = speed_mps * 0.3 * step as f64;
        let (x_m, y_m) = (pose.x_m + cos * ahead_m, pose.y_m + sin * ahead_m);
        TrajectoryPoint { at_us: now_us + step * 300_000, x_m, y_m, speed_mps }
    };
    Trajectory { points: (0..8).map(point).collect() }
}
