//! A drive in virtual time: world, vehicle core, modelled link, scripted operator and recorder in one loop that runs as
//! fast as the processor allows and gives the same bytes for the same plan.

mod deferred_renderer;
pub(crate) mod link_model;

use crate::sim_robot::{self, SimRobot};
use deferred_renderer::DeferredRenderer;
use link_model::Pipe;
use policy::Policy;
use protocol::api::{Disengagement, Episode, Trip};
use protocol::v1::{Author, LinkStats, StateDatagram, TakeoverCause, VehicleEvent, vehicle_event};
use protocol::{
    CameraSensor, Embodiment, EpisodeId, EpisodeInfo, EpisodeSource, IdError, Message, SeatKind, VehicleId,
};
use recorder::{Recorder, RecorderAction, RecorderConfig, RecorderError};
use sim::camera::CameraSpec;
use sim::operator::{OperatorConfig, ScriptedOperator};
use sim::road::{RoadError, RoadNetwork};
use sim::world::{World, WorldConfig};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use vehicle_core::mileage::{Metres, MileageAccounting, TakeoverEntry, VehicleMetadata};
use vehicle_core::telemetry::TelemetryEncoder;
use vehicle_core::{CoreConfig, CoreError, FromSeat, Robot, SeatBody, Sensors, Tick, VehicleCore, control_tick};

pub use link_model::LinkModel;

/// Control period, microseconds.
pub const TICK_US: u64 = 20_000;
/// Virtual time starts here: 2026-01-01T00:00:00Z.
pub const VIRTUAL_EPOCH_NS: u64 = 1_767_225_600_000_000_000;
/// The seat's clock runs ahead of the vehicle's by this, so that nothing comes to rely on equal clocks.
const SEAT_CLOCK_AHEAD_US: u64 = 77_000_123;
/// The vehicle sends its state every second tick.
const STATE_EVERY: u64 = 2;

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
    /// The road network has no route.
    #[error(transparent)]
    Road(#[from] RoadError),
    /// The core refuses the embodiment.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// An identifier does not fit.
    #[error(transparent)]
    Id(#[from] IdError),
    /// An episode could not be written.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The camera's pictures could not be encoded.
    #[error("cannot encode the camera's picture: {0}")]
    Video(#[from] video::VideoError),
}

/// One trip in progress.
struct Drive<'a> {
    plan: &'a TripPlan,
    robot: SimRobot,
    core: VehicleCore,
    operator: ScriptedOperator,
    to_seat: Pipe<ToSeat>,
    to_vehicle: Pipe<SeatBody>,
    mileage: MileageAccounting,
    telemetry: TelemetryEncoder,
    recorder: Option<Recorder>,
    open: BTreeMap<EpisodeId, Vec<Message>>,
    renderer: DeferredRenderer,
    episodes: Vec<Episode>,
    disengagements: Vec<Disengagement>,
    tick: Tick,
    inbox: Vec<FromSeat>,
    now_us: u64,
    ticks: u64,
}

enum ToSeat {
    State(Box<StateDatagram>),
    Event(Box<VehicleEvent>),
}

/// Drives `plan` with `policy`, which says what robot it is.
///
/// # Errors
/// [`DriveError`] when the plan cannot be driven or its episodes not be written.
pub fn drive(plan: &TripPlan, policy: Policy) -> Result<TripReport, DriveError> {
    let mut drive = Drive::new(plan, policy)?;
    let crash = drive.run()?;
    drive.finish(crash)
}

impl<'a> Drive<'a> {
    fn new(plan: &'a TripPlan, policy: Policy) -> Result<Self, DriveError> {
        let robot: Embodiment = policy.embodiment().clone();
        let world = World::with_robot(Arc::clone(&plan.network), plan.world.clone(), &robot)?;
        let camera =
            |sensor: &CameraSensor| sim_robot::camera_model(&sensor.name, &CameraSpec::of(&robot, sensor).shrunk());
        let front = robot.cameras.first().map(camera);
        let vehicle = VehicleMetadata {
            vehicle: plan.vehicle.clone(),
            prefix: plan.id.clone(),
            map: plan.network.name().to_owned(),
            embodiment: robot.name.clone(),
            source: EpisodeSource::Virtual,
            seed: Some(plan.world.seed),
        };
        let seat_id = format!("scripted-{}", plan.vehicle);
        let operator = OperatorConfig { seat_id, assists: plan.assists, ..OperatorConfig::default() };
        let mut operator = ScriptedOperator::new(operator, robot.clone());
        operator.set_one_way_us(plan.link.one_way_us());
        Ok(Self {
            robot: SimRobot::new(world).with_cameras(front.into_iter().collect()),
            telemetry: TelemetryEncoder::new(VIRTUAL_EPOCH_NS + plan.starts_at_s * 1_000_000_000, &robot),
            renderer: DeferredRenderer::new(&plan.network, &robot),
            core: VehicleCore::new(robot, plan.core.clone(), policy, 0)?,
            operator,
            to_seat: Pipe::new(&plan.link, plan.world.seed ^ 0x5ea7),
            to_vehicle: Pipe::new(&plan.link, plan.world.seed ^ 0xca11),
            mileage: MileageAccounting::new(vehicle),
            recorder: (plan.recording != Recording::Off).then(|| Recorder::new(RecorderConfig::default())),
            open: BTreeMap::new(),
            episodes: Vec::new(),
            disengagements: Vec::new(),
            tick: Tick::default(),
            inbox: Vec::new(),
            now_us: 0,
            ticks: 0,
            plan,
        })
    }

    /// Runs to the end of the route, of the time or of the car. A takeover in progress is driven to its end.
    fn run(&mut self) -> Result<Option<String>, DriveError> {
        let last_us = (self.plan.max_time_s * 1e6) as u64;
        while self.now_us < last_us {
            self.step()?;
            let status = self.robot.status();
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

    fn step(&mut self) -> Result<(), DriveError> {
        self.now_us += TICK_US;
        self.ticks += 1;
        self.hear();
        let (now_us, inbox) = (self.now_us, &mut self.inbox);
        let sensors = control_tick(&mut self.robot, &mut self.core, now_us, inbox, &mut self.tick, |_, _, _| ());
        let entries = {
            let policy = &self.core.policy().manifest().version;
            let wall_ns = self.telemetry.wall_ns(self.now_us);
            self.mileage.note(self.now_us, wall_ns, &sensors, &self.tick, policy)
        };
        self.record(&sensors, entries)?;
        self.tell(&sensors);
        self.operate();
        Ok(())
    }

    fn hear(&mut self) {
        let (seat, now_us) = (self.operator.seat_id(), self.now_us);
        let arrived = self.to_vehicle.arrived(now_us);
        self.inbox.extend(arrived.map(|body| FromSeat {
            seat: seat.to_owned(),
            kind: SeatKind::Scripted,
            received_us: now_us,
            body,
        }));
    }

    /// Sends what the bridge would send.
    fn tell(&mut self, sensors: &Sensors) {
        let now_us = self.now_us;
        for (_, response) in self.tick.responses.drain(..) {
            let event = VehicleEvent { event: Some(vehicle_event::Event::Response(response)), ..Default::default() };
            self.to_seat.send_reliably(now_us, ToSeat::Event(Box::new(event)));
        }
        if !self.ticks.is_multiple_of(STATE_EVERY) {
            return;
        }
        let is_new = |s: &Arc<protocol::v1::Surroundings>| s.monotonic_us + STATE_EVERY * TICK_US > now_us;
        let datagram = StateDatagram {
            vehicle_id: String::new(),
            state: Some(sensors.state.clone()),
            authority: Some(self.tick.authority.clone()),
            surroundings: sensors.surroundings.as_ref().filter(|s| is_new(s)).map(|s| s.as_ref().clone()),
            ..StateDatagram::default()
        };
        self.to_seat.send(now_us, ToSeat::State(Box::new(datagram)));
    }

    fn operate(&mut self) {
        let seat_us = self.now_us + SEAT_CLOCK_AHEAD_US;
        for message in self.to_seat.arrived(self.now_us) {
            match message {
                ToSeat::State(datagram) => self.operator.receive(seat_us, &datagram),
                ToSeat::Event(event) => self.operator.receive_event(&event),
            }
        }
        let out = self.operator.poll(seat_us);
        for request in out.requests {
            self.to_vehicle.send_reliably(self.now_us, SeatBody::Request(request));
        }
        if let Some(command) = out.command {
            self.to_vehicle.send(self.now_us, SeatBody::Command(command));
        }
    }

    fn record(&mut self, sensors: &Sensors, entries: Vec<TakeoverEntry>) -> Result<(), DriveError> {
        self.renderer.keep(self.now_us, &self.robot, self.open.is_empty());
        let mut actions = Vec::new();
        let now_ns = self.telemetry.wall_ns(self.now_us);
        if let Some(recorder) = &mut self.recorder {
            let mut push = |message| actions.extend(recorder.push(message));
            self.telemetry.tick(self.now_us, sensors, &self.tick, &mut push);
            let link = LinkStats { monotonic_us: self.now_us, ..self.plan.link.stats() };
            let status = self.core.policy_status(self.now_us, 0.0, 0);
            if self.telemetry.slow(self.now_us, &link, &status, &mut push) {
                if let Some(fix) = self.robot.fix() {
                    push(self.telemetry.fix(self.now_us, fix));
                }
                self.telemetry.cameras(self.now_us, self.robot.cameras(), &mut push);
            }
        }
        for entry in entries {
            self.enter(now_ns, entry, &mut actions);
        }
        if let Some(recorder) = &mut self.recorder {
            actions.extend(recorder.poll(now_ns));
        }
        self.carry_out(actions)
    }

    fn enter(&mut self, now_ns: u64, entry: TakeoverEntry, actions: &mut Vec<RecorderAction>) {
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
                actions.extend(recorder.push(self.telemetry.takeover(self.now_us, &event)));
            }
            TakeoverEntry::End { id, event } => {
                actions.extend(recorder.push(self.telemetry.takeover(self.now_us, &event)));
                recorder.end(now_ns, &id);
            }
        }
    }

    fn carry_out(&mut self, actions: Vec<RecorderAction>) -> Result<(), DriveError> {
        for action in actions {
            match action {
                RecorderAction::Open(info) => {
                    self.open.insert(info.id.clone(), Vec::new());
                }
                RecorderAction::Write(id, message) => {
                    if let Some(messages) = self.open.get_mut(&id) {
                        messages.push(message);
                    }
                }
                RecorderAction::Close(id, info) => {
                    let messages = self.open.remove(&id).unwrap_or_default();
                    if let Recording::Folder(dir) = &self.plan.recording {
                        let whole = self.with_pictures(&info, messages)?;
                        let map = sim_robot::map(&self.plan.network);
                        let scenario = sim_robot::scenario(&self.plan.network, &self.plan.world);
                        let mut surroundings = vec![map, scenario];
                        surroundings.extend(sim_robot::robot(self.robot.embodiment()));
                        self.episodes.push(recorder::write_episode_with(dir, &info, &surroundings, whole)?);
                    }
                }
            }
        }
        Ok(())
    }

    fn with_pictures(&mut self, info: &EpisodeInfo, mut messages: Vec<Message>) -> Result<Vec<Message>, DriveError> {
        let since_start_us = |ns: u64| ns.saturating_sub(self.telemetry.wall_ns(0)) / 1_000;
        let (from_us, to_us) = (since_start_us(info.start_ns), since_start_us(info.end_ns));
        messages.extend(self.renderer.render(&mut self.telemetry, from_us, to_us)?);
        messages.sort_by_key(|m| m.log_time_ns);
        Ok(messages)
    }

    fn finish(mut self, crash: Option<String>) -> Result<TripReport, DriveError> {
        let author = self.tick.command.author();
        if let (Some(_), Author::Policy) = (&crash, author) {
            self.count_crash()?;
        }
        let now_ns = self.telemetry.wall_ns(self.now_us);
        let closing = self.recorder.as_mut().map(|r| r.close_all(now_ns)).unwrap_or_default();
        self.carry_out(closing)?;
        let policy = self.core.policy().manifest().version.clone();
        let metres = self.mileage.metres().get(&policy).copied().unwrap_or(Metres::default());
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
            time_s: self.now_us as f64 * 1e-6,
            crash_author: crash.is_some().then(|| author.label()),
            crash,
        })
    }

    /// A crash that no takeover forestalled is a disengagement all the same.
    fn count_crash(&mut self) -> Result<(), DriveError> {
        self.disengagements.push(Disengagement {
            id: EpisodeId::new(format!("{}-crash", self.plan.id))?,
            vehicle: self.plan.vehicle.clone(),
            policy: self.core.policy().manifest().version.clone(),
            cause: TakeoverCause::Safety.label().to_owned(),
            at_ms: (self.telemetry.wall_ns(self.now_us) / 1_000_000) as i64,
            map: self.plan.network.name().to_owned(),
            clock_ahead_ms: None,
        });
        Ok(())
    }
}
