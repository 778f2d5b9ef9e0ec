//! One trial: drive, break something, watch how the car stops.

use super::actuators::{is_astray, spoil};
use super::outcome::Outcome;
use super::pipe::Pipe;
use super::seat::{SEAT, Seat};
use super::{Fault, TrialError};
use crate::sim_robot::SimRobot;
use crate::virtual_drive::TICK_US;
use policy::Policy;
use protocol::v1::seat_request::Request;
use protocol::v1::{Author, EstopRequest, Mode, Reason, SeatRequest, StateDatagram, VehicleState};
use protocol::{Embodiment, PolicyVersion, SeatKind};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sim::road::RoadNetwork;
use sim::world::{World, WorldConfig};
use std::sync::Arc;
use vehicle_core::authority::Change;
use vehicle_core::fallback::{STANDSTILL_MPS, stopping_distance_m};
use vehicle_core::{CoreConfig, FromSeat, Robot, SeatBody, Sensors, Tick, VehicleCore};

/// The seat's clock is ahead of the vehicle's by this.
const SEAT_CLOCK_US: u64 = 77_000_123;
/// A policy that will fail gets the wheel this long before. It has learnt nothing, so longer would test its driving.
const HAND_BACK_US: u64 = 60_000;
/// How long the trial looks on after the car stands: nothing late may move it.
const WATCH_US: u64 = 2_500_000;
/// A drive in which the fault cannot strike by then has failed.
const LATEST_US: u64 = 90_000_000;

/// The state of the car at the last valid command.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    at_us: u64,
    speed_mps: f64,
    odometer_m: f64,
}

struct Course {
    fault: Fault,
    seed: u64,
    rng: ChaCha8Rng,
    robot: SimRobot,
    core: VehicleCore,
    seat: Seat,
    to_seat: Pipe<StateDatagram>,
    to_vehicle: Pipe<SeatBody>,
    tick: Tick,
    inbox: Vec<FromSeat>,
    now_us: u64,
    /// When the fault struck.
    struck_us: Option<u64>,
    /// What the sensors said before it did.
    before: Option<Sensors>,
    /// When the policy made its newest proposal.
    proposed_us: Option<u64>,
    /// Where the actuators stood when one of them failed.
    held: Vec<f64>,
    /// Since when it has clearly done something else than it was told.
    astray_us: Option<u64>,
    false_alarms: u32,
    valid: Mark,
    last: Mark,
}

/// Runs one trial.
///
/// # Errors
/// [`TrialError`] when it cannot be run.
pub fn run(fault: Fault, road: &Arc<RoadNetwork>, seed: u64) -> Result<Outcome, TrialError> {
    let mut course = Course::new(fault, road, seed)?;
    let strike_us = course.rng.random_range(6_000_000..25_000_000);
    course.drive_until(strike_us, road.name(), seed)?;
    Ok(course.watch(road.name(), seed))
}

impl Course {
    fn new(fault: Fault, road: &Arc<RoadNetwork>, seed: u64) -> Result<Self, TrialError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let car = Embodiment::ackermann_car();
        let config = WorldConfig {
            seed,
            traffic_per_km: 0.0,
            difficulties: Vec::new(),
            cruise_cap_mps: rng.random_range(5.0..22.0),
            ..WorldConfig::default()
        };
        let world = World::new(Arc::clone(road), config)?;
        let policy = Policy::untrained(&car, PolicyVersion::new("trial")?, seed)?;
        let delay_us = rng.random_range(10_000..80_000);
        let core = CoreConfig { self_check_us: 200_000, ..CoreConfig::default() };
        Ok(Self {
            fault,
            seed,
            robot: SimRobot::new(world),
            core: VehicleCore::new(car, core, policy, 0)?,
            seat: Seat::new(delay_us),
            to_seat: Pipe::new(delay_us),
            to_vehicle: Pipe::new(delay_us),
            tick: Tick::default(),
            inbox: Vec::new(),
            now_us: rng.random_range(0..20_000),
            struck_us: None,
            before: None,
            proposed_us: None,
            held: Vec::new(),
            astray_us: None,
            false_alarms: 0,
            valid: Mark::default(),
            last: Mark::default(),
            rng,
        })
    }

    fn drive_until(&mut self, strike_us: u64, road: &str, seed: u64) -> Result<(), TrialError> {
        let mut handed_us = None;
        while self.now_us < LATEST_US {
            self.step();
            if self.tick.authority.author() == Author::Fallback && self.now_us % 500_000 < TICK_US {
                let request = self.seat.take_over();
                self.to_vehicle.send(self.now_us, 0, SeatBody::Request(request));
            }
            let drives = matches!(self.tick.authority.author(), Author::Operator | Author::Policy);
            let ends = self.robot.world().route().length_m() - self.robot.world().progress_m() < 150.0;
            let ready = self.now_us >= strike_us || ends && self.now_us > 2_000_000;
            if !(drives
                && ready
                && self.last.speed_mps > 1.0
                && (handed_us.is_some() || self.robot.lane_edge_distance_m() > 0.2))
            {
                continue;
            }
            if self.fault.strikes_the_policy() {
                let at_us = *handed_us.get_or_insert(self.now_us);
                if self.now_us == at_us {
                    let mode = if self.fault == Fault::EstopInAssist { Mode::Assist } else { Mode::Monitor };
                    let request = self.seat.hand_back(mode);
                    self.to_vehicle.send(self.now_us, 0, SeatBody::Request(request));
                }
                if self.tick.authority.author() != Author::Policy || self.now_us < at_us + HAND_BACK_US {
                    continue;
                }
            }
            self.strike();
            return Ok(());
        }
        Err(TrialError::NeverDrove { seed, road: road.to_owned() })
    }

    fn strike(&mut self) {
        self.struck_us = Some(self.now_us);
        match self.fault {
            Fault::LinkCutToVehicle => self.to_vehicle.hold(self.now_us, self.now_us + 1_000_000),
            Fault::LinkCutToSeat => self.to_seat.cut(),
            Fault::LinkCutBothWays => {
                self.to_seat.cut();
                self.to_vehicle.cut();
            }
            Fault::SessionEnds => self.to_vehicle.send(self.now_us, 0, SeatBody::Gone),
            Fault::DeadmanReleased => self.seat.deadman = false,
            Fault::PictureFrozen => self.seat.picture_frozen = true,
            Fault::PolicyHung => self.core.suspend_policy(true),
            Fault::SteeringStuck => self.seat.swerves = true,
            Fault::BrakesFailed => self.seat.brakes = true,
            Fault::EstopByWatcher | Fault::EstopPolicyDrives | Fault::EstopInAssist => self.press_estop("watcher"),
            Fault::EstopHalfBroken => {
                self.to_seat.cut();
                self.to_vehicle.cut();
                self.press_estop(SEAT);
            }
            Fault::EstopWhileStopping => self.seat.deadman = false,
            _ => {}
        }
        self.held.clone_from(&self.tick.command.action);
    }

    fn press_estop(&mut self, seat: &str) {
        let request = SeatRequest { request: Some(Request::Estop(EstopRequest {})), ..SeatRequest::default() };
        self.inbox.push(FromSeat {
            seat: seat.into(),
            kind: SeatKind::Human,
            received_us: self.now_us,
            body: SeatBody::Request(request),
        });
    }

    /// Writes what is left of the command when it comes to the actuators. Just before the world goes on, as a fault strikes
    /// between two ticks and spoils the command that is in force then.
    fn write(&mut self) {
        let mut command = self.tick.command.clone();
        if self.struck_us.is_some() {
            spoil(self.fault, self.robot.embodiment(), &mut command, &self.held);
        }
        self.robot.write(&command);
    }

    /// Time since the fault struck.
    fn since_us(&self) -> Option<u64> {
        self.struck_us.map(|at| self.now_us - at)
    }

    fn seat_clock_us(&self) -> u64 {
        let clock = self.now_us + SEAT_CLOCK_US;
        match (self.fault, self.since_us()) {
            (Fault::SeatClockBack, Some(_)) => clock - 5_000_000,
            (Fault::SeatClockAheadAndBack, Some(0..1_000_000)) => clock + 5_000_000,
            _ => clock,
        }
    }

    fn step(&mut self) {
        self.write();
        self.now_us += TICK_US;
        let sensed = self.robot.sense(self.now_us);
        let truth = sensed.state.clone();
        let sensors = self.spoil(sensed);
        for (received_us, body) in self.to_vehicle.arrived(self.now_us) {
            self.inbox.push(FromSeat { seat: SEAT.into(), kind: SeatKind::Human, received_us, body });
        }
        // A loop that stalls leaves the last command in force and hears nothing.
        if !(self.fault == Fault::LoopStalls && self.since_us().is_some_and(|us| (1..180_000).contains(&us))) {
            self.core.tick(self.now_us, &sensors, &mut self.inbox, &mut self.tick);
        }
        self.note(&truth, &sensors);
        self.false_alarms += u32::from(self.struck_us.is_none() && self.tick.changes.iter().any(is_false_alarm));
        if (self.now_us / TICK_US).is_multiple_of(2) {
            self.tell(&sensors);
        }
        if !(self.fault == Fault::SeatFrozen && self.since_us().is_some_and(|us| us < 1_500_000)) {
            self.operate();
        }
    }

    /// What is left of the sensors when the fault has struck.
    fn spoil(&mut self, sensors: Sensors) -> Sensors {
        let (Some(_), Some(before)) = (self.struck_us, &self.before) else {
            self.before = Some(sensors.clone());
            return sensors;
        };
        match self.fault {
            Fault::LidarLost => Sensors { scan: before.scan.clone(), ..sensors },
            Fault::LidarBlind => {
                let mut scan = sensors.scan.as_deref().cloned().unwrap_or_default();
                scan.ranges.fill(if self.seed.is_multiple_of(2) { f64::NAN } else { 0.0 });
                Sensors { scan: Some(Arc::new(scan)), ..sensors }
            }
            Fault::SurroundingsLost => Sensors { surroundings: before.surroundings.clone(), ..sensors },
            Fault::StateLost => Sensors { state: before.state.clone(), ..sensors },
            Fault::EstopPressed => Sensors { estop_pressed: true, ..sensors },
            Fault::PolicyFails => {
                let mut seen = sensors.surroundings.as_deref().cloned().unwrap_or_default();
                seen.corridor.truncate(1);
                Sensors { surroundings: Some(Arc::new(seen)), ..sensors }
            }
            _ => sensors,
        }
    }

    /// Remembers where the last valid command, or the last word of what has failed, left the car.
    fn note(&mut self, truth: &VehicleState, sensors: &Sensors) {
        let speed_mps = self.robot.embodiment().speed_mps(&truth.observation).unwrap_or(0.0);
        let now = Mark { at_us: self.now_us, speed_mps, odometer_m: truth.odometer_m };
        if self.tick.proposal.is_some() {
            self.proposed_us = Some(self.now_us);
        }
        let astray =
            self.struck_us.is_some() && is_astray(self.fault, self.robot.embodiment(), &self.tick.command, truth);
        self.astray_us = self.astray_us.filter(|_| astray).or(astray.then_some(self.now_us));
        let at_us = match (self.fault, self.tick.authority.author(), self.struck_us) {
            (_, Author::Fallback, _) => None,
            (Fault::LidarLost | Fault::LidarBlind | Fault::StateLost, _, Some(at)) => Some(at),
            (fault, _, Some(at)) if fault.is_an_estop() && fault != Fault::EstopWhileStopping => Some(at),
            (fault, _, Some(_)) if fault.is_of_an_actuator() => Some(self.astray_us.unwrap_or(self.now_us)),
            (Fault::SurroundingsLost, _, Some(_)) => sensors.surroundings.as_ref().map(|s| s.monotonic_us),
            (Fault::LoopStalls, _, Some(at)) => Some(at),
            (_, Author::Policy, _) => self.proposed_us,
            _ => self.core.operator_input().map(|input| input.received_us),
        };
        if let Some(at_us) = at_us.filter(|at| *at != self.valid.at_us) {
            // Between two ticks the car moved evenly.
            let back_s = self.now_us.saturating_sub(at_us) as f64 * 1e-6;
            let odometer_m = now.odometer_m - now.speed_mps * back_s;
            self.valid = Mark { at_us, speed_mps: now.speed_mps, odometer_m };
        }
        self.last = now;
    }

    fn tell(&mut self, sensors: &Sensors) {
        let fresh = sensors.surroundings.as_ref().filter(|s| s.monotonic_us + 2 * TICK_US > self.now_us);
        let datagram = StateDatagram {
            state: Some(sensors.state.clone()),
            authority: Some(self.tick.authority.clone()),
            surroundings: fresh.map(|s| s.as_ref().clone()),
            ..StateDatagram::default()
        };
        let jitter_us = self.rng.random_range(0..8_000);
        self.to_seat.send(self.now_us, jitter_us, datagram);
    }

    fn operate(&mut self) {
        for (at_us, datagram) in self.to_seat.arrived(self.now_us) {
            self.seat.receive(at_us, datagram);
        }
        let clock_us = self.seat_clock_us();
        if let Some(command) = self.seat.command(self.now_us, clock_us) {
            let jitter_us = self.rng.random_range(0..8_000);
            self.to_vehicle.send(self.now_us, jitter_us, SeatBody::Command(command));
        }
    }

    fn watch(&mut self, road: &str, seed: u64) -> Outcome {
        let mut began: Option<Mark> = None;
        let mut stood_us = None;
        let mut outcome = Outcome {
            fault: self.fault,
            road: road.to_owned(),
            seed,
            speed_mps: 0.0,
            delay_us: u64::MAX,
            distance_m: f64::INFINITY,
            allowed_m: 0.0,
            speed_rise_mps: 0.0,
            lane_margin_m: self.robot.lane_edge_distance_m(),
            moved_again: false,
            latched: false,
            reason: String::new(),
            false_alarms: self.false_alarms,
        };
        let until_us = self.now_us + 30_000_000;
        while self.now_us < until_us && stood_us.is_none_or(|at| self.now_us < at + WATCH_US) {
            self.insist();
            self.step();
            outcome.lane_margin_m = outcome.lane_margin_m.min(self.robot.lane_edge_distance_m());
            let manoeuvre = self.tick.authority.author() == Author::Fallback;
            match began {
                None if manoeuvre => {
                    began = Some(self.last);
                    outcome.reason = self.tick.authority.reason().code();
                    if self.fault.is_of_an_actuator() {
                        // What happened before nobody could know; the promise counts from here.
                        self.valid = Mark { at_us: self.valid.at_us, ..self.last };
                    }
                    outcome.delay_us = self.now_us - self.valid.at_us;
                    outcome.speed_mps = self.valid.speed_mps;
                    outcome.allowed_m =
                        stopping_distance_m(self.valid.speed_mps, self.robot.embodiment().stop_decel_mps2);
                }
                None => {}
                Some(first) => {
                    outcome.moved_again |= !manoeuvre || stood_us.is_some() && self.last.speed_mps > STANDSTILL_MPS;
                    outcome.speed_rise_mps = outcome.speed_rise_mps.max(self.last.speed_mps - first.speed_mps);
                    if self.last.speed_mps < STANDSTILL_MPS && stood_us.is_none() {
                        stood_us = Some(self.now_us);
                        outcome.distance_m = self.last.odometer_m - self.valid.odometer_m;
                    }
                }
            }
        }
        outcome.latched = self.core.authority().estop_latched();
        outcome
    }

    /// What a person at the seat does who does not understand why the car has stopped.
    fn insist(&mut self) {
        let since_us = self.since_us().unwrap_or(0);
        if self.fault == Fault::EstopWhileStopping && (300_000..300_000 + TICK_US).contains(&since_us) {
            self.press_estop(SEAT);
        }
        let wants = self.fault.is_an_estop() || self.fault == Fault::BrakesFailed;
        if wants && since_us > 400_000 && self.now_us % 500_000 < TICK_US {
            let request = self.seat.take_over();
            let body = SeatBody::Request(request);
            self.inbox.push(FromSeat { seat: SEAT.into(), kind: SeatKind::Human, received_us: self.now_us, body });
        }
    }
}

/// Nothing fails before the fault strikes; a policy that has learnt nothing may.
fn is_false_alarm(change: &Change) -> bool {
    matches!(change, Change::FallbackBegan(Reason::SensorsLost | Reason::ActuatorFault | Reason::DeadlineMissed))
}
