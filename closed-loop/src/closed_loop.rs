//! The closed loop in virtual time: a simulated robot, the vehicle core, what drives in the policy's place, an
//! operator's seat, and the link between the two, tick by tick. Drives, fault trials, the latency study and hostile
//! messages are users of this one; it knows nothing of theirs.
//!
//! A loop can be forked between any two ticks ([`ClosedLoop::fork`]): road network, route, weights, embodiments and
//! what is under way are shared, so that a fork costs some microseconds, and it drives on to the same messages as the
//! original.

mod driver;
mod faults;
mod link;
mod plan;
mod seat;

pub use driver::{ActionNoise, LoopDriver, NoDriver};
pub use faults::{LoopFaults, NoFaults};
pub use link::{LinkModel, LoopLink, ModelledLink, Toward, Transport};
pub use plan::{LoopError, LoopParts, LoopPlan};
pub use seat::{EmptySeat, LoopSeat, SEAT_CLOCK_AHEAD_US, SeatTime, ToSeat};

use crate::sim_robot::SimRobot;
use link::Pipe;
use policy::{Observation, Policy};
use protocol::v1::seat_request::Request;
use protocol::v1::{
    Author, ControlCommand, HandBackRequest, LinkStats, Mode, SeatRequest, StateDatagram, Surroundings, TakeoverEvent,
    VehicleEvent, VehicleState, vehicle_event,
};
use protocol::{EpisodeSource, Message, SeatKind};
use sim::operator::{Outbox, ScriptedOperator};
use sim::world::World;
use std::sync::Arc;
use vehicle_core::mileage::{MileageAccounting, TakeoverEntry, VehicleMetadata};
use vehicle_core::telemetry::TelemetryEncoder;
use vehicle_core::{CoreConfig, FromSeat, Robot, SeatBody, Sensors, Tick, VehicleCore, control_tick};

/// Control period, microseconds.
pub const TICK_US: u64 = 20_000;
/// Virtual time starts here: 2026-01-01T00:00:00Z.
pub const VIRTUAL_EPOCH_NS: u64 = 1_767_225_600_000_000_000;

/// See the [module](self).
pub struct ClosedLoop<S = ScriptedOperator, D = Policy, L = ModelledLink, F = NoFaults> {
    /// What differs from loop to loop.
    pub parts: LoopParts<S, D, L, F>,
    state: State,
}

/// Everything that is the same for all loops.
#[derive(Clone)]
struct State {
    plan: Arc<LoopPlan>,
    robot: SimRobot,
    core: VehicleCore,
    to_seat: Pipe<ToSeat>,
    to_vehicle: Pipe<SeatBody>,
    mileage: MileageAccounting,
    telemetry: TelemetryEncoder,
    noise: Option<ActionNoise>,
    /// What the last tick was decided from, and what it decided.
    sensors: Sensors,
    tick: Tick,
    inbox: Vec<FromSeat>,
    /// Memory for what the actuators make of the command.
    actuated: ControlCommand,
    /// Stamp of the surroundings that the driver looked at last.
    looked_us: Option<u64>,
    now_us: u64,
    ticks: u64,
}

impl<S: LoopSeat, D: LoopDriver, L: LoopLink, F: LoopFaults> ClosedLoop<S, D, L, F> {
    /// A standing vehicle at the start of its route. `policy` says what robot it is and whose metres are counted; what
    /// drives is the driver among `parts`.
    ///
    /// # Errors
    /// [`LoopError`] when there is no such drive.
    pub fn new(plan: LoopPlan, policy: Policy, parts: LoopParts<S, D, L, F>) -> Result<Self, LoopError> {
        let embodiment = policy.embodiment().clone();
        let world = World::with_robot(Arc::clone(&plan.network), plan.world.clone(), &embodiment)?;
        let vehicle = VehicleMetadata {
            vehicle: plan.vehicle.clone(),
            prefix: plan.id.clone(),
            map: plan.network.name().to_owned(),
            embodiment: embodiment.name.clone(),
            source: EpisodeSource::Virtual,
            seed: Some(plan.world.seed),
        };
        let config = CoreConfig { runs_policy: false, ..plan.core.clone() };
        let state = State {
            robot: SimRobot::new(world).with_cameras(plan.cameras.clone()),
            telemetry: TelemetryEncoder::new(plan.wall_ns, &embodiment),
            core: VehicleCore::new(embodiment, config, policy, plan.epoch)?,
            to_seat: Pipe::new(),
            to_vehicle: Pipe::new(),
            mileage: MileageAccounting::new(vehicle),
            noise: None,
            sensors: Sensors { state: VehicleState::default(), surroundings: None, scan: None, estop_pressed: false },
            tick: Tick::default(),
            inbox: Vec::new(),
            actuated: ControlCommand::default(),
            looked_us: None,
            now_us: plan.begins_us,
            ticks: 0,
            plan: Arc::new(plan),
        };
        Ok(Self { parts, state })
    }

    /// One tick. Returns the takeovers that began or ended in it.
    pub fn step(&mut self) -> Vec<TakeoverEntry> {
        self.hand_to_actuators();
        self.state.now_us += TICK_US;
        self.state.ticks += 1;
        let entries = if self.parts.faults.core_stalls(self.state.now_us) {
            self.stall();
            Vec::new()
        } else {
            self.decide()
        };
        if self.parts.seat.is_taken() {
            self.tell();
            if !self.parts.faults.seat_stalls(self.state.now_us) {
                self.operate();
            }
        }
        entries
    }

    /// A fault strikes between two ticks and spoils the command that is in force then.
    fn hand_to_actuators(&mut self) {
        let State { robot, tick, actuated, .. } = &mut self.state;
        actuated.clone_from(&tick.command);
        self.parts.faults.actuate(robot.embodiment(), actuated);
        robot.write(actuated);
    }

    fn decide(&mut self) -> Vec<TakeoverEntry> {
        let (LoopParts { seat, driver, link, faults }, state) = (&mut self.parts, &mut self.state);
        let State { robot, core, to_vehicle, mileage, telemetry, noise, tick, inbox, looked_us, now_us, .. } = state;
        let now_us = *now_us;
        let sensors = control_tick(robot, core, now_us, inbox, tick, |sensors, core, inbox| {
            faults.sense(now_us, sensors);
            hear(seat, link, to_vehicle, now_us, inbox);
            let Some(seen) = sensors.surroundings.as_ref().filter(|seen| *looked_us != Some(seen.monotonic_us)) else {
                return;
            };
            *looked_us = Some(seen.monotonic_us);
            let inferred = driver.infer(&Observation { state: &sensors.state, surroundings: seen });
            if let Some(mut inference) = inferred {
                if let Some(noise) = noise {
                    noise.disturb(core.policy().embodiment(), &mut inference);
                }
                core.receive_inference(inference);
            }
        });
        let policy = &core.policy().manifest().version;
        let entries = mileage.note(now_us, telemetry.wall_ns(now_us), &sensors, tick, policy);
        state.sensors = sensors;
        entries
    }

    /// The world goes on, and what arrives waits.
    fn stall(&mut self) {
        let State { robot, to_vehicle, sensors, inbox, now_us, .. } = &mut self.state;
        *sensors = robot.sense(*now_us);
        self.parts.faults.sense(*now_us, sensors);
        hear(&self.parts.seat, &self.parts.link, to_vehicle, *now_us, inbox);
    }

    /// Sends what the bridge would send.
    fn tell(&mut self) {
        let link = &mut self.parts.link;
        let State { plan, to_seat, sensors, tick, now_us, ticks, .. } = &mut self.state;
        let now_us = *now_us;
        if plan.sends_answers {
            for (_, response) in tick.responses.drain(..) {
                let event =
                    VehicleEvent { event: Some(vehicle_event::Event::Response(response)), ..Default::default() };
                let at_us = link.arrival_us(Toward::Seat, Transport::Reliable, now_us);
                to_seat.send(at_us, ToSeat::Event(Arc::new(event)));
            }
        }
        if !ticks.is_multiple_of(plan.state_every) {
            return;
        }
        let is_new = |s: &Arc<Surroundings>| s.monotonic_us + plan.state_every * TICK_US > now_us;
        let datagram = StateDatagram {
            state: Some(sensors.state.clone()),
            authority: Some(tick.authority.clone()),
            surroundings: sensors.surroundings.as_ref().filter(|s| is_new(s)).map(|s| s.as_ref().clone()),
            ..StateDatagram::default()
        };
        let at_us = link.arrival_us(Toward::Seat, Transport::Datagram, now_us);
        to_seat.send(at_us, ToSeat::State(Arc::new(datagram)));
    }

    fn operate(&mut self) {
        let now_us = self.state.now_us;
        let error_us = self.parts.faults.seat_clock_error_us(now_us);
        let time = SeatTime { now_us, clock_us: (now_us + SEAT_CLOCK_AHEAD_US).saturating_add_signed(error_us) };
        let seat = &mut self.parts.seat;
        for (arrived_us, message) in self.state.to_seat.arrived(now_us) {
            seat.receive(arrived_us, time, &message);
        }
        let Outbox { requests, command } = seat.poll(time);
        for request in requests {
            self.send(SeatBody::Request(request));
        }
        if let Some(command) = command {
            let at_us = self.parts.link.arrival_us(Toward::Vehicle, Transport::Datagram, now_us);
            self.state.to_vehicle.send(at_us, SeatBody::Command(command));
        }
    }

    /// Sends a reliable message of the seat's on its way.
    pub fn send(&mut self, body: SeatBody) {
        let at_us = self.parts.link.arrival_us(Toward::Vehicle, Transport::Reliable, self.state.now_us);
        self.state.to_vehicle.send(at_us, body);
    }

    /// Lets the next tick hear something that comes by no link of the loop's.
    pub fn hear(&mut self, message: FromSeat) {
        self.state.inbox.push(message);
    }

    /// The messages of the last tick, as the recorder gets them. To be called for each tick or for none.
    pub fn encode(&mut self, write: &mut impl FnMut(Message)) {
        let State { robot, core, telemetry, sensors, tick, now_us, .. } = &mut self.state;
        let now_us = *now_us;
        telemetry.tick(now_us, sensors, tick, write);
        let link = LinkStats { monotonic_us: now_us, ..self.parts.link.stats() };
        let status = core.policy_status(now_us, 0.0, 0);
        if telemetry.slow(now_us, &link, &status, write) {
            if let Some(fix) = robot.fix() {
                write(telemetry.fix(now_us, fix));
            }
            telemetry.cameras(now_us, robot.cameras(), write);
        }
    }

    /// The message of a takeover's beginning or end in the last tick.
    pub fn encode_takeover(&mut self, event: &TakeoverEvent) -> Message {
        self.state.telemetry.takeover(self.state.now_us, event)
    }

    /// What is random from now on comes from `seed`: the others ([`World::reseed`]), the link, and the noise of the
    /// actions.
    pub fn reseed(&mut self, seed: u64) {
        self.state.robot.reseed(seed);
        self.parts.link.reseed(seed);
        if let Some(noise) = &mut self.state.noise {
            noise.reseed(seed);
        }
    }

    /// Disturbs what the driver proposes from now on, or no more.
    pub fn set_noise(&mut self, noise: Option<ActionNoise>) {
        self.state.noise = noise;
    }

    /// The same drive without anybody at the seat: what is under way from and to it is lost, and what it has said but
    /// not yet been heard. If the operator drives, the wheel goes to the policy; if it cannot drive, the vehicle stops.
    /// Where the policy drives in `Assist`, it goes on in `Monitor`, as nobody answers.
    #[must_use]
    pub fn without_human(self) -> ClosedLoop<EmptySeat, D, L, F> {
        let Self { parts: LoopParts { seat, driver, link, faults }, mut state } = self;
        (state.to_seat, state.to_vehicle) = (Pipe::new(), Pipe::new());
        state.inbox.retain(|message| message.seat != seat.seat_id());
        let authority = state.core.authority();
        let (author, mode) = (authority.author(), authority.mode());
        let mut say = |body: SeatBody| {
            let (kind, received_us) = (seat.kind(), state.now_us);
            state.inbox.push(FromSeat { seat: seat.seat_id().to_owned(), kind, received_us, body });
        };
        if author == Author::Operator || mode == Mode::Assist {
            let request = Some(Request::HandBack(HandBackRequest { mode: Mode::Monitor.into() }));
            say(SeatBody::Request(SeatRequest { request, ..SeatRequest::default() }));
        }
        say(SeatBody::Gone);
        ClosedLoop { parts: LoopParts { seat: EmptySeat, driver, link, faults }, state }
    }

    /// The vehicle's clock at the last tick, microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.state.now_us
    }

    /// Ticks since the start.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.state.ticks
    }

    /// The simulated robot.
    #[must_use]
    pub fn robot(&self) -> &SimRobot {
        &self.state.robot
    }

    /// The vehicle core.
    #[must_use]
    pub fn core(&self) -> &VehicleCore {
        &self.state.core
    }

    /// The vehicle core, to be changed.
    pub fn core_mut(&mut self) -> &mut VehicleCore {
        &mut self.state.core
    }

    /// What the last tick was decided from.
    #[must_use]
    pub fn sensors(&self) -> &Sensors {
        &self.state.sensors
    }

    /// What the last tick decided.
    #[must_use]
    pub fn tick(&self) -> &Tick {
        &self.state.tick
    }

    /// Metres and takeovers.
    #[must_use]
    pub fn mileage(&self) -> &MileageAccounting {
        &self.state.mileage
    }

    /// The encoder of the drive's messages.
    #[must_use]
    pub fn telemetry(&self) -> &TelemetryEncoder {
        &self.state.telemetry
    }

    /// The same, to be changed.
    pub fn telemetry_mut(&mut self) -> &mut TelemetryEncoder {
        &mut self.state.telemetry
    }
}

impl<S: Clone, D: Clone, L: Clone, F: Clone> ClosedLoop<S, D, L, F> {
    /// The same drive once more, from this moment on: driven on in the same way, both give the same messages. What
    /// records a drive is no part of the loop, so that a fork records nothing by itself.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { parts: self.parts.clone(), state: self.state.clone() }
    }
}

/// Puts what has arrived from the seat into `inbox`.
fn hear(
    seat: &impl LoopSeat,
    link: &impl LoopLink,
    to_vehicle: &mut Pipe<SeatBody>,
    now_us: u64,
    inbox: &mut Vec<FromSeat>,
) {
    let (id, kind): (&str, SeatKind) = (seat.seat_id(), seat.kind());
    inbox.extend(to_vehicle.arrived(now_us).map(|(arrived_us, body)| FromSeat {
        seat: id.to_owned(),
        kind,
        received_us: link.stamp_us(arrived_us, now_us),
        body,
    }));
}

#[cfg(test)]
#[path = "closed_loop/tests.rs"]
mod tests;
