//! The simulated robot in real time: its world goes on by itself, whatever happens in it, and its cameras are drawn on threads of
//! their own.

use closed_loop::sim_robot::{self, SimRobot};
use protocol::foxglove::LocationFix;
use protocol::v1::ControlCommand;
use protocol::{Embodiment, v1};
use sim::camera::{Camera, CameraSpec};
use sim::road::{RoadError, RoadNetwork};
use sim::scenario_event::ScenarioEvent;
use sim::scene::SceneSnapshot;
use sim::world::{World, WorldConfig};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vehicle_bridge::robots::{PictureSource, PreparedCamera, PreparedRobot, RobotError, RobotFactory};
use vehicle_core::camera::CameraModel;
use vehicle_core::{ControlRate, ExpectedSensors, Robot, Sensors};
use video::{I420Buffer, VideoSpec};

/// Pictures a second of each camera.
const PICTURES_HZ: u64 = 30;

/// The live robot's world on a network: moderate traffic, every scenario event.
#[must_use]
pub fn live_world(seed: u64) -> WorldConfig {
    WorldConfig {
        seed,
        traffic_per_km: 6.0,
        scenario_events: ScenarioEvent::ALL.to_vec(),
        scenario_event_spacing_m: 400.0,
        cruise_cap_mps: 16.0,
        target_length_m: 3_000.0,
    }
}

/// Sets a simulated robot up.
#[derive(Debug, Clone)]
pub struct SimulatedRobot {
    /// What it is made of.
    pub embodiment: Embodiment,
    /// The road network.
    pub network: Arc<RoadNetwork>,
    /// Traffic, scenario events, seed.
    pub world: WorldConfig,
    /// How many cameras, the first ones of the embodiment.
    pub cameras: usize,
}

impl SimulatedRobot {
    /// The world of its `trip`-th route, from 0.
    fn enter(&self, trip: u64) -> Result<World, RoadError> {
        let seed = self.world.seed.wrapping_add(trip.wrapping_mul(0x9e37_79b9));
        let world = WorldConfig { seed, ..self.world.clone() };
        World::with_robot(Arc::clone(&self.network), world, &self.embodiment)
    }
}

impl RobotFactory for SimulatedRobot {
    fn prepare(&self, rate: ControlRate, _: &AtomicBool) -> Result<Option<PreparedRobot>, RobotError> {
        let specs = CameraSpec::first_of(&self.embodiment, self.cameras);
        let models = specs.iter().map(|(name, spec)| sim_robot::camera_model(name, spec)).collect();
        let world = self.enter(0).map_err(|error| RobotError(error.into()))?;
        let slots: Vec<Arc<SceneSlot>> = specs.iter().map(|_| Arc::default()).collect();
        let robot = LiveSimRobot {
            robot: SimRobot::controlled_at(world, rate).with_cameras(models),
            setup: self.clone(),
            rate,
            slots: slots.clone(),
            now_us: 0,
            ticks: 0,
            trips: 0,
            has_collided: false,
        };
        let scene = [sim_robot::map(&self.network), sim_robot::scenario(&self.network, &self.world)];
        let camera = |((name, spec), slot)| prepared_camera(name, spec, &self.network, slot);
        Ok(Some(PreparedRobot {
            robot: Box::new(robot),
            origin: Instant::now(),
            embodiment: self.embodiment.clone(),
            expects: ExpectedSensors::default(),
            map: self.network.name().to_owned(),
            seed: Some(self.world.seed),
            attachments: scene.into_iter().chain(self.embodiment.attachment()).collect(),
            cameras: specs.into_iter().zip(slots).map(camera).collect(),
        }))
    }
}

fn prepared_camera(name: String, spec: CameraSpec, network: &Arc<RoadNetwork>, slot: Arc<SceneSlot>) -> PreparedCamera {
    let (width, height) = (spec.width as u32, spec.height as u32);
    PreparedCamera {
        description: v1::Camera {
            name,
            width,
            height,
            horizontal_fov_rad: spec.horizontal_fov_rad,
            height_m: spec.height_m,
            pitch_rad: spec.pitch_rad,
            yaw_rad: spec.yaw_rad,
            left_m: spec.left_m,
        },
        video: VideoSpec { width, height, fps: PICTURES_HZ as f64 },
        pictures: Box::new(DrawnPictures { slot, camera: Camera::new(network, spec) }),
    }
}

/// A simulated robot that goes on for ever: at the end of its route another one begins, and after a crash it is put back on
/// its lane, as a tow truck would.
struct LiveSimRobot {
    robot: SimRobot,
    setup: SimulatedRobot,
    rate: ControlRate,
    /// Where each camera finds what it is to draw.
    slots: Vec<Arc<SceneSlot>>,
    now_us: u64,
    ticks: u64,
    /// Routes that it has ended.
    trips: u64,
    /// It has struck something, and nobody has asked since.
    has_collided: bool,
}

impl LiveSimRobot {
    fn look_after_world(&mut self) {
        let status = self.robot.status();
        if status.route_done {
            self.trips += 1;
            match self.setup.enter(self.trips) {
                Ok(world) => self.robot.enter(world),
                Err(error) => tracing::error!(%error, "no further route"),
            }
        } else if status.collided_with.is_some() || status.off_road {
            tracing::warn!(?status.collided_with, status.off_road, "crash; the robot is put back on its lane");
            self.robot.recover();
            self.has_collided = true;
        }
    }
}

impl Robot for LiveSimRobot {
    fn sense(&mut self, now_us: u64) -> Sensors {
        self.now_us = now_us;
        self.robot.sense(now_us)
    }

    fn write(&mut self, command: &ControlCommand) {
        self.robot.write(command);
        // Nothing of the following may delay the command.
        self.look_after_world();
        self.ticks += 1;
        if self.rate.is_due(self.ticks, PICTURES_HZ) {
            self.slots.iter().for_each(|slot| slot.put(self.now_us, self.robot.snapshot()));
        }
    }

    fn cameras(&self) -> &[CameraModel] {
        self.robot.cameras()
    }

    fn fix(&self) -> Option<LocationFix> {
        self.robot.fix()
    }

    fn lane_margin_m(&self) -> Option<f64> {
        self.robot.lane_margin_m()
    }

    fn take_collision(&mut self) -> bool {
        std::mem::take(&mut self.has_collided)
    }
}

/// Between the control thread and a camera's: the newest scene. One that was not drawn in time is replaced, never queued.
#[derive(Debug, Default)]
struct SceneSlot {
    scene: Mutex<Option<(u64, SceneSnapshot)>>,
    ready: Condvar,
}

impl SceneSlot {
    fn put(&self, capture_us: u64, scene: SceneSnapshot) {
        *self.scene.lock().unwrap_or_else(PoisonError::into_inner) = Some((capture_us, scene));
        self.ready.notify_one();
    }

    fn wait(&self, timeout: Duration) -> Option<(u64, SceneSnapshot)> {
        let scene = self.scene.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ready.wait_timeout_while(scene, timeout, |scene| scene.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

/// What a simulated camera sees.
struct DrawnPictures {
    slot: Arc<SceneSlot>,
    camera: Camera,
}

impl PictureSource for DrawnPictures {
    fn next(&mut self, timeout: Duration, into: &mut I420Buffer) -> Option<u64> {
        let (capture_us, scene) = self.slot.wait(timeout)?;
        self.camera.draw(&scene, into);
        Some(capture_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(world: WorldConfig) -> PreparedRobot {
        let network = Arc::new(RoadNetwork::built_in("soderleden").unwrap());
        let embodiment = Embodiment::ackermann_car();
        let factory = SimulatedRobot { embodiment, network, world, cameras: 2 };
        factory.prepare(ControlRate::default(), &AtomicBool::new(false)).unwrap().unwrap()
    }

    /// Drives with `action` until `until` says so; returns how often it has struck something.
    fn drive(robot: &mut dyn Robot, action: &[f64], until: impl Fn(&Sensors, usize) -> bool) -> usize {
        let command = ControlCommand { action: action.to_vec(), ..ControlCommand::default() };
        let mut collisions = 0;
        for tick in 1..60_000 {
            let sensors = robot.sense(tick * 20_000);
            robot.write(&command);
            collisions += usize::from(robot.take_collision());
            assert!(!robot.take_collision(), "told once");
            if until(&sensors, collisions) {
                return collisions;
            }
        }
        panic!("20 minutes were not enough");
    }

    #[test]
    fn after_a_crash_it_stands_on_its_lane_again_and_says_so_once() {
        let mut robot =
            prepared(WorldConfig { traffic_per_km: 0.0, scenario_events: Vec::new(), ..live_world(1) }).robot;
        assert_eq!(drive(robot.as_mut(), &[2.0, 0.3], |_, collisions| collisions > 0), 1);
        assert!(robot.lane_margin_m().unwrap() > 0.0);
        assert!(robot.sense(0).state.observation[0] < 0.5);
    }

    #[test]
    fn its_cameras_show_the_newest_scene_thirty_times_a_second() {
        let PreparedRobot { mut robot, mut cameras, .. } = prepared(live_world(1));
        let mut picture = I420Buffer::default();
        let mut taken_us = Vec::new();
        for tick in 1..=50 {
            robot.sense(tick * 20_000);
            robot.write(&ControlCommand::default());
            taken_us.extend(cameras[0].pictures.next(Duration::ZERO, &mut picture));
        }
        assert_eq!((taken_us.len(), taken_us.last()), (30, Some(&1_000_000)));
        assert_eq!((picture.width, picture.height), (1280, 720));
        // Nobody has looked through the other one: of all that it saw the newest is left.
        let first = cameras[1].pictures.next(Duration::ZERO, &mut picture);
        assert_eq!((first, cameras[1].pictures.next(Duration::ZERO, &mut picture)), (Some(1_000_000), None));
    }
}
