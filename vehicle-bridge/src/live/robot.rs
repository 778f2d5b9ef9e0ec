//! What a bridge drives, set up: the simulated car, or the robot that connects.

use super::BridgeError;
use super::camera::{FPS, Shutter};
use crate::robots::BridgeRobot;
use crate::robots::process::{PictureQueue, RobotServer, Unpacker, video_spec};
use closed_loop::sim_robot::{self, SimRobot};
use protocol::{Attachment, Embodiment, v1};
use sim::camera::{Camera, CameraSpec};
use sim::road::RoadNetwork;
use sim::world::{World, WorldConfig};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use vehicle_core::{ControlRate, ExpectedSensors};
use video::VideoSpec;

/// What a bridge drives.
#[derive(Debug, Clone)]
pub enum RobotConfig {
    /// A simulated robot.
    Sim(Box<SimConfig>),
    /// The robot that connects there.
    Process(Arc<RobotServer>),
}

/// A simulated robot.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// What it is made of.
    pub embodiment: Embodiment,
    /// The road network.
    pub network: Arc<RoadNetwork>,
    /// Traffic, difficulties, seed.
    pub world: WorldConfig,
    /// How many cameras, the first ones of the embodiment.
    pub cameras: usize,
}

/// How an episode calls the place where a robot drives that does not say.
const NO_MAP: &str = "unmapped";

/// A robot that can be driven.
pub(super) struct Prepared {
    pub(super) robot: BridgeRobot,
    /// Zero of the bridge's clock.
    pub(super) origin: Instant,
    pub(super) embodiment: Embodiment,
    pub(super) expects: ExpectedSensors,
    pub(super) map: String,
    /// The simulation's.
    pub(super) seed: Option<u64>,
    /// What every episode carries.
    pub(super) attachments: Vec<Attachment>,
    pub(super) cameras: Vec<PreparedCamera>,
}

/// A camera of it.
pub(super) struct PreparedCamera {
    pub(super) description: v1::Camera,
    pub(super) video: VideoSpec,
    pub(super) source: CameraSource,
}

/// Where a camera's pictures come from.
pub(super) enum CameraSource {
    /// They are drawn.
    Drawn { camera: Box<Camera>, spec: CameraSpec, shutter: Arc<Shutter> },
    /// The robot sends them. `fault` ends the connection over which one came that is none.
    Received { queue: Arc<PictureQueue>, unpacker: Box<Unpacker>, fault: Box<dyn Fn(u64, String) + Send> },
}

impl RobotConfig {
    /// Sets the robot up; one in another process is waited for. `None` when `stop` is set before it comes.
    pub(super) fn prepare(&self, rate: ControlRate, stop: &AtomicBool) -> Result<Option<Prepared>, BridgeError> {
        match self {
            Self::Sim(config) => simulated(config, rate).map(Some),
            Self::Process(server) => {
                tracing::info!(address = server.address(), "waiting for the robot");
                Ok(connected(server, stop))
            }
        }
    }

    /// The simulated world, if it is one.
    pub(super) fn sim(&self) -> Option<&SimConfig> {
        match self {
            Self::Sim(config) => Some(config),
            Self::Process(_) => None,
        }
    }
}

fn simulated(config: &SimConfig, rate: ControlRate) -> Result<Prepared, BridgeError> {
    let SimConfig { embodiment, network, world, cameras } = config;
    let specs = CameraSpec::first_of(embodiment, *cameras);
    let models = specs.iter().map(|(name, spec)| sim_robot::camera_model(name, spec)).collect();
    let simulated = World::with_robot(Arc::clone(network), world.clone(), embodiment)?;
    let robot = SimRobot::controlled_at(simulated, rate).with_cameras(models);
    let scene = [sim_robot::map(network), sim_robot::scenario(network, world)];
    let camera = |(name, spec): (String, CameraSpec)| PreparedCamera {
        description: v1::Camera {
            name,
            width: spec.width as u32,
            height: spec.height as u32,
            horizontal_fov_rad: spec.horizontal_fov_rad,
            height_m: spec.height_m,
            pitch_rad: spec.pitch_rad,
            yaw_rad: spec.yaw_rad,
            left_m: spec.left_m,
        },
        video: VideoSpec { width: spec.width as u32, height: spec.height as u32, fps: FPS },
        source: CameraSource::Drawn {
            camera: Box::new(Camera::new(network, spec.clone())),
            spec,
            shutter: Arc::default(),
        },
    };
    Ok(Prepared {
        robot: BridgeRobot::Sim(Box::new(robot)),
        origin: Instant::now(),
        embodiment: embodiment.clone(),
        expects: ExpectedSensors::default(),
        map: network.name().to_owned(),
        seed: Some(world.seed),
        attachments: scene.into_iter().chain(embodiment.attachment()).collect(),
        cameras: specs.into_iter().map(camera).collect(),
    })
}

fn connected(server: &RobotServer, stop: &AtomicBool) -> Option<Prepared> {
    let described = server.wait_for_robot(stop)?;
    let cameras = described.cameras.iter().enumerate().map(|(index, camera)| {
        let fault = server.picture_fault();
        PreparedCamera {
            description: camera.camera.clone().unwrap_or_default(),
            video: video_spec(camera),
            source: CameraSource::Received {
                queue: Arc::new(PictureQueue::new(camera)),
                unpacker: Box::new(Unpacker::new(camera)),
                fault: Box::new(move |connection, problem| fault(index, connection, problem)),
            },
        }
    });
    let cameras: Vec<_> = cameras.collect();
    let queue = |camera: &PreparedCamera| match &camera.source {
        CameraSource::Received { queue, .. } => Some(Arc::clone(queue)),
        CameraSource::Drawn { .. } => None,
    };
    server.deliver_pictures(cameras.iter().filter_map(queue).collect());
    Some(Prepared {
        robot: BridgeRobot::Process(Box::new(server.robot(&described))),
        origin: server.origin(),
        expects: described.expects,
        map: if described.map.is_empty() { NO_MAP.to_owned() } else { described.map },
        seed: None,
        attachments: described.embodiment.attachment().into_iter().collect(),
        cameras,
        embodiment: described.embodiment,
    })
}
