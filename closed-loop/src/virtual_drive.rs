//! A drive in virtual time: the closed loop with the scripted operator at its seat, and a recorder. It runs as fast as
//! the processor allows and gives the same bytes for the same plan.

mod deferred_renderer;

use crate::closed_loop::{
    ClosedLoop, LoopDriver, LoopError, LoopParts, LoopPlan, ModelledLink, NoFaults, VIRTUAL_EPOCH_NS,
};
use crate::sim_robot;
use deferred_renderer::DeferredRenderer;
use policy::Policy;
use protocol::api::{Disengagement, Episode, Trip};
use protocol::v1::{Author, TakeoverCause};
use protocol::{CameraSensor, EpisodeId, EpisodeInfo, IdError, Message, VehicleId};
use recorder::{Action, Recorder, RecorderConfig, RecorderError};
use sim::camera::CameraSpec;
use sim::operator::{OperatorConfig, ScriptedOperator};
use sim::road::RoadNetwork;
use sim::world::WorldConfig;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use vehicle_core::CoreConfig;
use vehicle_core::mileage::{Metres, TakeoverEntry};

pub use crate::closed_loop::{LinkModel, TICK_US};

/// What becomes of takeovers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recording {
    /// Nothing is recorded.
    Off,
    /// The recorder works, its episodes are thrown away: for measuring its cost.
    Discard,
    /// Each takeover becomes an episode file with video in this folder.
    Folder(PathBuf),
}

/// What to drive.
#[derive(Debug, Clone)]
pub struct TripPlan {
    /// Identity of the trip; start of its takeovers' identifiers.
    pub id: String,
    /// Who drives.
    pub vehicle: VehicleId,
    /// Where.
    pub network: Arc<RoadNetwork>,
    /// Traffic, difficulties, seed.
    pub world: WorldConfig,
    /// Link between vehicle and seat.
    pub link: LinkModel,
    /// Vehicle core.
    pub core: CoreConfig,
    /// The trip ends after this much virtual time at the latest, seconds.
    pub max_time_s: f64,
    /// What becomes of takeovers.
    pub recording: Recording,
    /// Whether the operator lets the policy drive in `Assist` and answers its questions.
    pub assists: bool,
    /// Of which turn of the flywheel it is, if of any; its episodes say so.
    pub turn: Option<u64>,
    /// Virtual time of the trip's start after [`VIRTUAL_EPOCH_NS`].
    pub starts_at_s: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TripReport {
    /// For the control plane.
    pub trip: Trip,
    /// Virtual seconds driven.
    pub time_s: f64,
    /// How the world ended the trip, if it did: what was hit, or `off_road`.
    pub crash: Option<String>,
    /// Who drove into it.
    pub crash_author: Option<&'static str>,
}

/// Why a trip cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// There is no such drive.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// An episode could not be written.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The camera's pictures could not be encoded.
    #[error("cannot encode the camera's picture: {0}")]
    Video(#[from] video::VideoError),
}

impl From<IdError> for DriveError {
    fn from(error: IdError) -> Self {
        Self::Loop(error.into())
    }
}

impl TripPlan {
    /// The closed loop of this trip with `driver` in the place of `policy`, which says what robot it is; it records
    /// nothing.
    ///
    /// # Errors
    /// [`LoopError`] when there is no such drive.
    pub fn closed_loop<D: LoopDriver>(&self, policy: Policy, driver: D) -> Result<TripLoop<D>, LoopError> {
        let robot = policy.embodiment().clone();
        let camera =
            |sensor: &CameraSensor| sim_robot::camera_model(&sensor.name, &CameraSpec::of(&robot, sensor).shrunk());
        let plan = LoopPlan {
            core: self.core.clone(),
            wall_ns: VIRTUAL_EPOCH_NS + self.starts_at_s * 1_000_000_000,
            cameras: robot.cameras.first().map(camera).into_iter().collect(),
            ..LoopPlan::new(&self.id, self.vehicle.clone(), Arc::clone(&self.network), self.world.clone())
        };
        let seat_id = format!("scripted-{}", self.vehicle);
        let operator = OperatorConfig { seat_id, assists: self.assists, ..OperatorConfig::default() };
        let mut seat = ScriptedOperator::new(operator, robot);
        seat.set_one_way_us(self.link.one_way_us());
        let link = ModelledLink::new(&self.link, self.world.seed);
        ClosedLoop::new(plan, policy, LoopParts { seat, driver, link, faults: NoFaults })
    }
}

/// The closed loop of a trip.
pub type TripLoop<D = Policy> = ClosedLoop<ScriptedOperator, D>;

/// One trip in progress.
struct Drive<'a, D> {
    plan: &'a TripPlan,
    running: TripLoop<D>,
    recorder: Option<Recorder>,
    open: BTreeMap<EpisodeId, Vec<Message>>,
    renderer: DeferredRenderer,
    episodes: Vec<Episode>,
    disengagements: Vec<Disengagement>,
}

/// Drives `plan` with `policy`, which says what robot it is.
///
/// # Errors
/// [`DriveError`] when the plan cannot be driven or its episodes not be written.
pub fn drive(plan: &TripPlan, policy: Policy) -> Result<TripReport, DriveError> {
    let driver = policy.clone();
    drive_by(plan, policy, driver)
}

/// The same with `driver` in the place of `policy`, which says what robot it is and whose metres are counted.
///
/// # Errors
/// As [`drive`].
pub fn drive_by<D: LoopDriver>(plan: &TripPlan, policy: Policy, driver: D) -> Result<TripReport, DriveError> {
    let mut drive = Drive::new(plan, policy, driver)?;
    let crash = drive.run()?;
    drive.finish(crash)
}

impl<'a, D: LoopDriver> Drive<'a, D> {
    fn new(plan: &'a TripPlan, policy: Policy, driver: D) -> Result<Self, DriveError> {
        Ok(Self {
            renderer: DeferredRenderer::new(&plan.network, policy.embodiment()),
            running: plan.closed_loop(policy, driver)?,
            recorder: (plan.recording != Recording::Off).then(|| Recorder::new(RecorderConfig::default())),
            open: BTreeMap::new(),
            episodes: Vec::new(),
            disengagements: Vec::new(),
            plan,
        })
    }

    /// Runs to the end of the route, of the time or of the car. A takeover in progress is driven to its end.
    fn run(&mut self) -> Result<Option<String>, DriveError> {
        let last_us = (self.plan.max_time_s * 1e6) as u64;
        while self.running.now_us() < last_us {
            let entries = self.running.step();
            self.record(entries)?;
            let status = self.running.robot().status();
            if let Some(object) = status.collided_with {
                return Ok(Some(format!("{object:?}").to_lowercase()));
            }
            if status.off_road {
                return Ok(Some("off_road".into()));
            }
            if status.route_done {
                return Ok(None);
            }
        }
        Ok(None)
    }

    fn record(&mut self, entries: Vec<TakeoverEntry>) -> Result<(), DriveError> {
        let running = &mut self.running;
        self.renderer.keep(running.now_us(), running.robot(), self.open.is_empty());
        let mut actions = Vec::new();
        let now_ns = now_ns(running);
        if let Some(recorder) = &mut self.recorder {
            running.encode(&mut |message| actions.extend(recorder.push(message)));
        }
        for entry in entries {
            self.enter(now_ns, entry, &mut actions);
        }
        if let Some(recorder) = &mut self.recorder {
            actions.extend(recorder.poll(now_ns));
        }
        self.carry_out(actions)
    }

    fn enter(&mut self, now_ns: u64, entry: TakeoverEntry, actions: &mut Vec<Action>) {
        let Some(recorder) = &mut self.recorder else {
            if let TakeoverEntry::Begin { disengagement, .. } = entry {
                self.disengagements.extend(disengagement);
            }
            return;
        };
        match entry {
            TakeoverEntry::Begin { mut info, event, disengagement } => {
                info.turn = self.plan.turn;
                self.disengagements.extend(disengagement);
                actions.extend(recorder.begin(now_ns, *info));
                actions.extend(recorder.push(self.running.encode_takeover(&event)));
            }
            TakeoverEntry::End { id, event } => {
                actions.extend(recorder.push(self.running.encode_takeover(&event)));
                recorder.end(now_ns, &id);
            }
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) -> Result<(), DriveError> {
        for action in actions {
            match action {
                Action::Open(info) => {
                    self.open.insert(info.id.clone(), Vec::new());
                }
                Action::Write(id, message) => {
                    if let Some(messages) = self.open.get_mut(&id) {
                        messages.push(message);
                    }
                }
                Action::Close(id, info) => {
                    let messages = self.open.remove(&id).unwrap_or_default();
                    if let Recording::Folder(dir) = &self.plan.recording {
                        let whole = self.with_pictures(&info, messages)?;
                        let map = sim_robot::map(&self.plan.network);
                        let scenario = sim_robot::scenario(&self.plan.network, &self.plan.world);
                        let mut surroundings = vec![map, scenario];
                        surroundings.extend(sim_robot::robot(self.running.robot().embodiment()));
                        self.episodes.push(recorder::write_episode_with(dir, &info, &surroundings, whole)?);
                    }
                }
            }
        }
        Ok(())
    }

    fn with_pictures(&mut self, info: &EpisodeInfo, mut messages: Vec<Message>) -> Result<Vec<Message>, DriveError> {
        let begin_ns = self.running.telemetry().wall_ns(0);
        let since_start_us = |ns: u64| ns.saturating_sub(begin_ns) / 1_000;
        let (from_us, to_us) = (since_start_us(info.start_ns), since_start_us(info.end_ns));
        messages.extend(self.renderer.render(self.running.telemetry_mut(), from_us, to_us)?);
        messages.sort_by_key(|m| m.log_time_ns);
        Ok(messages)
    }

    fn finish(mut self, crash: Option<String>) -> Result<TripReport, DriveError> {
        let author = self.running.tick().command.author();
        if let (Some(_), Author::Policy) = (&crash, author) {
            self.count_crash()?;
        }
        let closing = self.recorder.as_mut().map(|r| r.close_all(now_ns(&self.running))).unwrap_or_default();
        self.carry_out(closing)?;
        let policy = self.running.core().policy().manifest().version.clone();
        let metres = self.running.mileage().metres().get(&policy).copied().unwrap_or(Metres::default());
        Ok(TripReport {
            trip: Trip {
                id: self.plan.id.clone(),
                vehicle: self.plan.vehicle.clone(),
                policy,
                autonomous_m: metres.autonomous_m,
                manual_m: metres.manual_m,
                disengagements: self.disengagements,
                episodes: self.episodes,
            },
            time_s: self.running.now_us() as f64 * 1e-6,
            crash_author: crash.is_some().then(|| author.label()),
            crash,
        })
    }

    /// A crash that no takeover forestalled is a disengagement all the same.
    fn count_crash(&mut self) -> Result<(), DriveError> {
        self.disengagements.push(Disengagement {
            id: EpisodeId::new(format!("{}-crash", self.plan.id))?,
            vehicle: self.plan.vehicle.clone(),
            policy: self.running.core().policy().manifest().version.clone(),
            cause: TakeoverCause::Safety.label().to_owned(),
            at_ms: (now_ns(&self.running) / 1_000_000) as i64,
            map: self.plan.network.name().to_owned(),
            clock_ahead_ms: None,
        });
        Ok(())
    }
}

/// Virtual time of the last tick, nanoseconds since 1970.
fn now_ns<D: LoopDriver>(running: &TripLoop<D>) -> u64 {
    running.telemetry().wall_ns(running.now_us())
}
