//! One trip: the closed loop with the study's operator.

use super::seat::StudySeat;
use super::{Mode, StudyError, Trip};
use crate::{ClosedLoop, LinkModel, LoopError, LoopFaults, LoopParts, LoopPlan, ModelledLink, NoDriver, TICK_US};
use policy::Policy;
use protocol::v1::{ControlCommand, ObjectKind, Pose2, Reason};
use protocol::{Embodiment, PolicyVersion, VehicleId};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sim::scenario_event::ScenarioEvent;
use sim::world::{Footprint, WorldConfig};
use std::sync::Arc;
use vehicle_core::CoreConfig;
use vehicle_core::authority::Change;
use vehicle_core::fallback::STANDSTILL_MPS;
use vehicle_core::pursuit::seen_from;

/// A car that gets on more slowly than this on the whole has not completed its route, m/s.
const SLOWEST_MPS: f64 = 1.5;
/// Time on top of that, seconds.
const SPARE_S: f64 = 120.0;
/// Beside a closed lane the car leaves its lane on purpose: from so far before it to so far behind its beginning, m.
const CLOSURE_M: (f64, f64) = (70.0, 120.0);
/// Where the route begins, the car stands; the lane error counts from here on, m.
const BEGIN_M: f64 = 10.0;
/// The same as the fleet's trips.
const TRAFFIC_PER_KM: f64 = 8.0;
const SPACING_M: f64 = 450.0;
const CRUISE_MPS: f64 = 16.0;

/// The car pulls to a side as if its wheels pointed up to this far away, rad: no model of the operator's knows.
const PULL_RAD: f64 = 0.008;

/// How a trip ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// At the route's end.
    Completed,
    /// The car hit something or somebody, or was hit.
    Collision,
    /// Its middle left the road.
    OffRoad,
    /// It did not get on.
    TimeUp,
}

/// What was met in a collision, from the car's rear axle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Met {
    /// Its kind.
    pub kind: &'static str,
    /// Place of its middle ahead and to the left, metres.
    pub ahead_m: f64,
    /// See `ahead_m`.
    pub left_m: f64,
    /// How fast it went.
    pub speed_mps: f64,
    /// How fast the car went a moment before.
    pub own_mps: f64,
    /// Whether the car stood or was hit from behind.
    pub by_other: bool,
}

/// Outcome of a trip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Name of the road network.
    pub road: String,
    /// How the operator copes with the delay.
    pub mode: Mode,
    /// Delay, one way.
    pub one_way_ms: f64,
    /// Which route.
    pub seed: u64,
    /// How it ended.
    pub ending: Ending,
    /// What was met, in a collision.
    pub met: Option<Met>,
    /// How far the car got, metres.
    pub distance_m: f64,
    /// How long it took, seconds.
    pub time_s: f64,
    /// Root mean square of the rear axle's distance to the lane's centre, away from closed lanes, metres.
    pub lane_rms_m: f64,
    /// The greatest of them.
    pub lane_max_m: f64,
    /// How many minimal risk manoeuvres began.
    pub manoeuvres: u32,
    /// Share of the time in which emergency braking held the car back.
    pub braked: f64,
    /// Ticks that count for the lane error.
    #[serde(skip)]
    pub lane_ticks: u64,
}

/// The car pulls to a side: the actuators' doing, not the core's.
#[derive(Debug, Clone, Copy)]
struct Pull {
    rad: f64,
}

impl LoopFaults for Pull {
    fn actuate(&mut self, embodiment: &Embodiment, command: &mut ControlCommand) {
        let steer = embodiment.channels().steer;
        if let Some(steering) = steer.and_then(|index| command.action.get_mut(index)) {
            *steering += self.rad;
        }
    }
}

struct TripRun {
    running: ClosedLoop<StudySeat, NoDriver, ModelledLink, Pull>,
    /// Sum of squares of the lane error, its greatest and how many ticks.
    error: (f64, f64, u64),
    manoeuvres: u32,
    braked: u64,
    /// Speed at the last tick: a collision ends at once.
    speed_mps: f64,
}

/// Drives one trip.
///
/// # Errors
/// [`StudyError`] when the road has no route.
pub fn run(trip: &Trip) -> Result<Trial, StudyError> {
    let mut trip_run = TripRun::new(trip)?;
    let ending = trip_run.drive();
    Ok(trip_run.trial(trip, ending))
}

impl TripRun {
    /// Nobody but the operator drives here.
    fn new(trip: &Trip) -> Result<Self, LoopError> {
        let car = Embodiment::ackermann_car();
        let world = WorldConfig {
            seed: trip.seed,
            traffic_per_km: TRAFFIC_PER_KM,
            scenario_events: ScenarioEvent::ALL.to_vec(),
            scenario_event_spacing_m: SPACING_M,
            cruise_cap_mps: CRUISE_MPS,
            target_length_m: trip.route_m,
        };
        let policy = Policy::untrained(&car, PolicyVersion::new("study")?, 1)?;
        let link = LinkModel { delay_ms: trip.one_way_ms, ..LinkModel::default() };
        let plan = LoopPlan {
            core: CoreConfig { self_check_us: 100_000, ..CoreConfig::default() },
            state_every: 1,
            sends_answers: false,
            ..LoopPlan::new("study", VehicleId::new("study")?, Arc::clone(&trip.road), world)
        };
        let parts = LoopParts {
            seat: StudySeat::new(trip.mode, car, (trip.one_way_ms * 1e3) as u64, 2 * link.one_way_us() + TICK_US),
            driver: NoDriver,
            link: ModelledLink::new(&link, trip.seed),
            faults: Pull { rad: ChaCha8Rng::seed_from_u64(trip.seed).random_range(-PULL_RAD..PULL_RAD) },
        };
        Ok(Self {
            running: ClosedLoop::new(plan, policy, parts)?,
            error: (0.0, 0.0, 0),
            manoeuvres: 0,
            braked: 0,
            speed_mps: 0.0,
        })
    }

    fn drive(&mut self) -> Ending {
        let last_s = SPARE_S + self.running.robot().world().route().length_m() / SLOWEST_MPS;
        while (self.running.now_us() as f64) < last_s * 1e6 {
            self.speed_mps = self.running.robot().world().ego().speed_mps;
            self.running.step();
            self.measure();
            let status = self.running.robot().status();
            if status.collided_with.is_some() {
                return Ending::Collision;
            }
            if status.off_road {
                return Ending::OffRoad;
            }
            if status.route_done {
                return Ending::Completed;
            }
        }
        Ending::TimeUp
    }

    fn measure(&mut self) {
        let tick = self.running.tick();
        let began = tick.changes.iter().filter(|c| matches!(c, Change::FallbackBegan(_)));
        self.manoeuvres += began.count() as u32;
        self.braked += u64::from(tick.command.gate() == Reason::CollisionAhead);
        let world = self.running.robot().world();
        let at_m = world.progress_m();
        let closes = |kind| matches!(kind, ScenarioEvent::ConesClosingLane | ScenarioEvent::DoubleParked);
        let near = |s_m: f64| (s_m - CLOSURE_M.0..s_m + CLOSURE_M.1).contains(&at_m);
        let aside = world.scenario_events().iter().any(|d| closes(d.kind) && near(d.s_m));
        if at_m > BEGIN_M && !aside {
            let beside = world.route().project(world.ego().x_m, world.ego().y_m, at_m).1.abs();
            self.error = (self.error.0 + beside * beside, self.error.1.max(beside), self.error.2 + 1);
        }
    }

    fn met(&self) -> Option<Met> {
        let world = self.running.robot().world();
        let ego = world.ego();
        let pose = Pose2 { x_m: ego.x_m, y_m: ego.y_m, heading_rad: ego.heading_rad };
        let body = ego.footprint();
        let actor = world.actors().iter().find(|actor| body.overlaps(&Footprint::of(actor)))?;
        let (ahead_m, left_m) = seen_from(&pose, (actor.x_m, actor.y_m));
        let by_other = self.speed_mps < STANDSTILL_MPS || ahead_m < 0.0;
        let kind = match actor.kind {
            ObjectKind::Car => "car",
            ObjectKind::Truck => "truck",
            ObjectKind::Pedestrian => "pedestrian",
            ObjectKind::Cyclist => "cyclist",
            ObjectKind::Cone => "cone",
            ObjectKind::Unknown => "unknown",
        };
        Some(Met { kind, ahead_m, left_m, speed_mps: actor.speed_mps, own_mps: self.speed_mps, by_other })
    }

    fn trial(&self, trip: &Trip, ending: Ending) -> Trial {
        let (squares, lane_max_m, lane_ticks) = self.error;
        Trial {
            road: trip.road.name().to_owned(),
            mode: trip.mode,
            one_way_ms: trip.one_way_ms,
            seed: trip.seed,
            ending,
            met: (ending == Ending::Collision).then(|| self.met()).flatten(),
            distance_m: self.running.robot().world().ego().odometer_m,
            time_s: self.running.now_us() as f64 * 1e-6,
            lane_rms_m: (squares / lane_ticks.max(1) as f64).sqrt(),
            lane_max_m,
            manoeuvres: self.manoeuvres,
            braked: self.braked as f64 / self.running.ticks().max(1) as f64,
            lane_ticks,
        }
    }
}
