//! One trial: drive, break something, watch how the car stops.

use super::actuators::{fastest_mps, is_astray};
use super::link::TrialLink;
use super::outcome::{Outcome, allowed_rise_mps};
use super::seat::{SEAT, TrialSeat};
use super::struck::StruckFault;
use super::{Fault, TrialError};
use crate::{ClosedLoop, LoopError, LoopParts, LoopPlan, TICK_US};
use policy::Policy;
use protocol::v1::seat_request::Request;
use protocol::v1::{Author, EstopRequest, Mode, Reason, SeatRequest};
use protocol::{Embodiment, PolicyVersion, SeatKind, VehicleId};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sim::road::RoadNetwork;
use sim::world::WorldConfig;
use std::sync::Arc;
use vehicle_core::authority::Change;
use vehicle_core::fallback::{STANDSTILL_MPS, stopping_distance_m};
use vehicle_core::{CoreConfig, FromSeat, SeatBody};

/// A policy that will fail gets the wheel this long before. It has learnt nothing, so longer would test its driving.
const HAND_BACK_US: u64 = 60_000;
/// Speeds that the trials' world allows, m/s, for a robot that is so fast; a slower one drives at up to its greatest
/// speed and at least at this share of it.
const CRUISE_MPS: (f64, f64) = (5.0, 22.0);
const CRUISE_SHARE: f64 = 0.75;
/// A robot at this speed, m/s, or at this share of its greatest, drives. Much slower, a promise of so few centimetres
/// does not hold at full throttle (SAFETY.md).
const DRIVES_MPS: f64 = 1.0;
const DRIVES_SHARE: f64 = 0.5;
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
    running: ClosedLoop<TrialSeat, Policy, TrialLink, StruckFault>,
    strike_us: u64,
    /// When the policy made its newest proposal.
    proposed_us: Option<u64>,
    /// Since when a failed actuator has clearly done something else than it was told.
    astray_us: Option<u64>,
    false_alarms: u32,
    valid: Mark,
    last: Mark,
}

/// Runs one trial.
///
/// # Errors
/// [`TrialError`] when it cannot be run.
pub fn run(fault: Fault, embodiment: &Embodiment, road: &Arc<RoadNetwork>, seed: u64) -> Result<Outcome, TrialError> {
    let mut course = Course::new(fault, embodiment, road, seed)?;
    course.drive_until_struck(road.name(), seed)?;
    Ok(course.watch(road.name(), seed))
}

impl Course {
    fn new(fault: Fault, embodiment: &Embodiment, road: &Arc<RoadNetwork>, seed: u64) -> Result<Self, LoopError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let fast_mps = fastest_mps(fault, embodiment);
        let cruise_mps = CRUISE_MPS.0.min(CRUISE_SHARE * fast_mps)..CRUISE_MPS.1.min(fast_mps);
        let world = WorldConfig {
            seed,
            traffic_per_km: 0.0,
            difficulties: Vec::new(),
            cruise_cap_mps: rng.random_range(cruise_mps),
            ..WorldConfig::default()
        };
        let policy = Policy::untrained(embodiment, PolicyVersion::new("trial")?, seed)?;
        let delay_us = rng.random_range(10_000..80_000);
        let plan = LoopPlan {
            core: CoreConfig { self_check_us: 200_000, ..CoreConfig::default() },
            begins_us: rng.random_range(0..20_000),
            sends_answers: false,
            ..LoopPlan::new("trial", VehicleId::new("trial")?, Arc::clone(road), world)
        };
        let strike_us = rng.random_range(6_000_000..25_000_000);
        let parts = LoopParts {
            seat: TrialSeat::new(embodiment.clone(), delay_us),
            driver: policy.clone(),
            link: TrialLink::new(delay_us, rng),
            faults: StruckFault::new(fault, seed),
        };
        Ok(Self {
            fault,
            running: ClosedLoop::new(plan, policy, parts)?,
            strike_us,
            proposed_us: None,
            astray_us: None,
            false_alarms: 0,
            valid: Mark::default(),
            last: Mark::default(),
        })
    }

    fn drive_until_struck(&mut self, road: &str, seed: u64) -> Result<(), TrialError> {
        let mut handed_us = None;
        while self.running.now_us() < LATEST_US {
            self.step();
            let (now_us, author) = (self.running.now_us(), self.running.tick().authority.author());
            if author == Author::Fallback && now_us % 500_000 < TICK_US {
                let request = self.running.parts.seat.take_over();
                self.running.send(SeatBody::Request(request));
            }
            let robot = self.running.robot();
            let drives = matches!(author, Author::Operator | Author::Policy);
            let ends = robot.world().route().length_m() - robot.world().progress_m() < 150.0;
            let ready = now_us >= self.strike_us || ends && now_us > 2_000_000;
            if !(drives
                && ready
                && self.last.speed_mps > DRIVES_MPS.min(DRIVES_SHARE * fastest_mps(self.fault, robot.embodiment()))
                && (handed_us.is_some() || robot.lane_edge_distance_m() > 0.2))
            {
                continue;
            }
            if self.fault.strikes_the_policy() {
                let at_us = *handed_us.get_or_insert(now_us);
                if now_us == at_us {
                    let mode = if self.fault == Fault::EstopInAssist { Mode::Assist } else { Mode::Monitor };
                    let request = self.running.parts.seat.hand_back(mode);
                    self.running.send(SeatBody::Request(request));
                }
                if author != Author::Policy || now_us < at_us + HAND_BACK_US {
                    continue;
                }
            }
            self.strike();
            return Ok(());
        }
        Err(TrialError::NeverDrove { seed, road: road.to_owned() })
    }

    fn strike(&mut self) {
        let now_us = self.running.now_us();
        let held = self.running.tick().command.action.clone();
        let LoopParts { seat, link, faults, .. } = &mut self.running.parts;
        faults.strike(now_us, &held);
        match self.fault {
            Fault::LinkCutToVehicle => link.held = Some((now_us, now_us + 1_000_000)),
            Fault::LinkCutToSeat => link.seat_cut = true,
            Fault::LinkCutBothWays => (link.seat_cut, link.vehicle_cut) = (true, true),
            Fault::SessionEnds => self.running.send(SeatBody::Gone),
            Fault::DeadmanReleased | Fault::EstopWhileStopping => seat.deadman = false,
            Fault::PictureFrozen => seat.picture_frozen = true,
            Fault::PolicyHung => self.running.core_mut().suspend_policy(true),
            Fault::SteeringStuck => seat.swerves = true,
            Fault::BrakesFailed => seat.brakes = true,
            Fault::EstopByWatcher | Fault::EstopPolicyDrives | Fault::EstopInAssist => self.press_estop("watcher"),
            Fault::EstopHalfBroken => {
                (link.seat_cut, link.vehicle_cut) = (true, true);
                self.press_estop(SEAT);
            }
            _ => {}
        }
    }

    fn press_estop(&mut self, seat: &str) {
        let request = SeatRequest { request: Some(Request::Estop(EstopRequest {})), ..SeatRequest::default() };
        self.say(seat, request);
    }

    /// Says something at the vehicle's own ear, whatever the link does.
    fn say(&mut self, seat: &str, request: SeatRequest) {
        let (kind, received_us, body) = (SeatKind::Human, self.running.now_us(), SeatBody::Request(request));
        self.running.hear(FromSeat { seat: seat.into(), kind, received_us, body });
    }

    fn step(&mut self) {
        self.running.step();
        self.note();
        let unstruck = self.running.parts.faults.struck_us().is_none();
        self.false_alarms += u32::from(unstruck && self.running.tick().changes.iter().any(is_false_alarm));
    }

    /// Remembers where the last valid command, or the last word of what has failed, left the car.
    fn note(&mut self) {
        let (running, now_us) = (&self.running, self.running.now_us());
        let (faults, tick, embodiment) = (&running.parts.faults, running.tick(), running.robot().embodiment());
        let struck_us = faults.struck_us();
        let speed_mps = embodiment.speed_mps(&faults.truth.observation).unwrap_or(0.0);
        let now = Mark { at_us: now_us, speed_mps, odometer_m: faults.truth.odometer_m };
        if tick.proposal.is_some() {
            self.proposed_us = Some(now_us);
        }
        let astray = struck_us.is_some() && is_astray(self.fault, embodiment, &tick.command, &faults.truth);
        self.astray_us = self.astray_us.filter(|_| astray).or(astray.then_some(now_us));
        let at_us = match (self.fault, tick.authority.author(), struck_us) {
            (_, Author::Fallback, _) => None,
            (Fault::LidarLost | Fault::LidarBlind | Fault::StateLost, _, Some(at)) => Some(at),
            (fault, _, Some(at)) if fault.is_an_estop() && fault != Fault::EstopWhileStopping => Some(at),
            (fault, _, Some(_)) if fault.is_of_an_actuator() => Some(self.astray_us.unwrap_or(now_us)),
            (Fault::SurroundingsLost, _, Some(_)) => running.sensors().surroundings.as_ref().map(|s| s.monotonic_us),
            (Fault::LoopStalls, _, Some(at)) => Some(at),
            (_, Author::Policy, _) => self.proposed_us,
            _ => running.core().operator_input().map(|input| input.received_us),
        };
        if let Some(at_us) = at_us.filter(|at| *at != self.valid.at_us) {
            // Between two ticks the car moved evenly.
            let back_s = now_us.saturating_sub(at_us) as f64 * 1e-6;
            let odometer_m = now.odometer_m - now.speed_mps * back_s;
            self.valid = Mark { at_us, speed_mps: now.speed_mps, odometer_m };
        }
        self.last = now;
    }

    fn watch(&mut self, road: &str, seed: u64) -> Outcome {
        let mut began: Option<Mark> = None;
        let mut stood_us = None;
        let mut outcome = Outcome {
            fault: self.fault,
            robot: self.running.robot().embodiment().name.clone(),
            road: road.to_owned(),
            seed,
            speed_mps: 0.0,
            delay_us: u64::MAX,
            distance_m: f64::INFINITY,
            allowed_m: 0.0,
            speed_rise_mps: 0.0,
            allowed_rise_mps: allowed_rise_mps(self.running.robot().embodiment()),
            lane_margin_m: self.running.robot().lane_edge_distance_m(),
            moved_again: false,
            latched: false,
            reason: String::new(),
            false_alarms: self.false_alarms,
        };
        let until_us = self.running.now_us() + 30_000_000;
        while self.running.now_us() < until_us && stood_us.is_none_or(|at| self.running.now_us() < at + WATCH_US) {
            self.insist();
            self.step();
            outcome.lane_margin_m = outcome.lane_margin_m.min(self.running.robot().lane_edge_distance_m());
            let (now_us, authority) = (self.running.now_us(), &self.running.tick().authority);
            let manoeuvre = authority.author() == Author::Fallback;
            match began {
                None if manoeuvre => {
                    began = Some(self.last);
                    outcome.reason = authority.reason().code();
                    if self.fault.is_of_an_actuator() {
                        // What happened before nobody could know; the promise counts from here.
                        self.valid = Mark { at_us: self.valid.at_us, ..self.last };
                    }
                    outcome.delay_us = now_us - self.valid.at_us;
                    outcome.speed_mps = self.valid.speed_mps;
                    outcome.allowed_m =
                        stopping_distance_m(self.valid.speed_mps, self.running.robot().embodiment().stop_decel_mps2);
                }
                None => {}
                Some(first) => {
                    outcome.moved_again |= !manoeuvre || stood_us.is_some() && self.last.speed_mps > STANDSTILL_MPS;
                    outcome.speed_rise_mps = outcome.speed_rise_mps.max(self.last.speed_mps - first.speed_mps);
                    if self.last.speed_mps < STANDSTILL_MPS && stood_us.is_none() {
                        stood_us = Some(now_us);
                        outcome.distance_m = self.last.odometer_m - self.valid.odometer_m;
                    }
                }
            }
        }
        outcome.latched = self.running.core().authority().estop_latched();
        outcome
    }

    /// What a person at the seat does who does not understand why the car has stopped.
    fn insist(&mut self) {
        let now_us = self.running.now_us();
        let since_us = self.running.parts.faults.since_us(now_us).unwrap_or(0);
        if self.fault == Fault::EstopWhileStopping && (300_000..300_000 + TICK_US).contains(&since_us) {
            self.press_estop(SEAT);
        }
        let wants = self.fault.is_an_estop() || self.fault == Fault::BrakesFailed;
        if wants && since_us > 400_000 && now_us % 500_000 < TICK_US {
            let request = self.running.parts.seat.take_over();
            self.say(SEAT, request);
        }
    }
}

/// Nothing fails before the fault strikes; a policy that has learnt nothing may.
fn is_false_alarm(change: &Change) -> bool {
    matches!(change, Change::FallbackBegan(Reason::SensorsLost | Reason::ActuatorFault | Reason::DeadlineMissed))
}
