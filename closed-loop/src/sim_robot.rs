//! The adapter for a simulated robot.

mod attachments;

pub use attachments::{map, scenario};

use protocol::Embodiment;
use protocol::foxglove::{LaserScan, LocationFix};
use protocol::v1::{ControlCommand, Pose2, Surroundings, VehicleState};
use sim::camera::CameraSpec;
use sim::scene::SceneSnapshot;
use sim::world::{EgoState, World, WorldStatus};
use std::sync::Arc;
use vehicle_core::camera::CameraModel;
use vehicle_core::{ControlRate, Robot, Sensors};

/// Looks at route, objects and lidar a second.
const LOOKS_HZ: u64 = 10;
/// Latitude and longitude of the networks' origin.
const ORIGIN_DEG: (f64, f64) = (57.70, 11.97);
/// Semi-major axis, m, and first eccentricity squared.
const WGS84: (f64, f64) = (6_378_137.0, 6.694_379_990_14e-3);

/// How the core describes a simulated camera.
#[must_use]
pub fn camera_model(name: &str, spec: &CameraSpec) -> CameraModel {
    CameraModel {
        name: name.to_owned(),
        width: spec.width as u32,
        height: spec.height as u32,
        focal_px: spec.focal_px(),
        forward_m: spec.forward_m,
        left_m: spec.left_m,
        height_m: spec.height_m,
        pitch_rad: spec.pitch_rad,
        yaw_rad: spec.yaw_rad,
    }
}

/// A robot in a simulated world. A clone goes on from the same moment by itself.
#[derive(Clone)]
pub struct SimRobot {
    world: World,
    /// What each observation channel holds.
    signals: Vec<Signal>,
    rate: ControlRate,
    sequence: u64,
    surroundings: Option<Arc<Surroundings>>,
    scan: Option<Arc<LaserScan>>,
    cameras: Vec<CameraModel>,
    /// The command in force.
    written: ControlCommand,
}

/// What the simulator can say in an observation channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Speed,
    Acceleration,
    Steering,
    YawRate,
    /// The simulated robot has no such sensor: 0.
    None,
}

impl Signal {
    fn named(name: &str) -> Self {
        match name {
            "speed_mps" => Self::Speed,
            "acceleration_mps2" => Self::Acceleration,
            "steering_rad" => Self::Steering,
            "yaw_rate_radps" => Self::YawRate,
            _ => Self::None,
        }
    }

    fn of(self, ego: &EgoState) -> f64 {
        match self {
            Self::Speed => ego.speed_mps,
            Self::Acceleration => ego.acceleration_mps2,
            Self::Steering => ego.steering_rad,
            Self::YawRate => ego.yaw_rate_radps,
            Self::None => 0.0,
        }
    }
}

impl SimRobot {
    /// The robot in `world`, controlled 50 times a second.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self::controlled_at(world, ControlRate::default())
    }

    /// The robot in `world`, controlled at this rate.
    #[must_use]
    pub fn controlled_at(world: World, rate: ControlRate) -> Self {
        Self {
            signals: world.embodiment().observation.iter().map(|channel| Signal::named(&channel.name)).collect(),
            world,
            rate,
            sequence: 0,
            surroundings: None,
            scan: None,
            cameras: Vec::new(),
            written: ControlCommand::default(),
        }
    }

    /// With these cameras, in the order of their streams.
    #[must_use]
    pub fn with_cameras(mut self, cameras: Vec<CameraModel>) -> Self {
        self.cameras = cameras;
        self
    }

    /// Puts the car into another world, where it starts over with its cameras; the command in force stays so.
    pub fn enter(&mut self, world: World) {
        let (cameras, written) = (std::mem::take(&mut self.cameras), std::mem::take(&mut self.written));
        *self = Self { cameras, written, ..Self::controlled_at(world, self.rate) };
    }

    /// What it is made of.
    #[must_use]
    pub fn embodiment(&self) -> &Embodiment {
        self.world.embodiment()
    }

    /// What is random in the world from now on comes from `seed` ([`World::reseed`]).
    pub fn reseed(&mut self, seed: u64) {
        self.world.reseed(seed);
    }

    /// Lets the world go on for `dt_s` under `command`.
    pub fn advance(&mut self, dt_s: f64, command: &ControlCommand) {
        let value = |index: usize| command.action.get(index).copied().filter(|v| v.is_finite());
        let channel = |index: Option<usize>| index.and_then(value).unwrap_or(0.0);
        let channels = *self.world.embodiment().channels();
        self.world.step(dt_s, channel(channels.accelerate), channel(channels.steer));
    }

    /// What the car senses at `now_us` in the world as it is.
    pub fn look(&mut self, now_us: u64) -> Sensors {
        let look_every = self.rate.hz() / LOOKS_HZ;
        if self.sequence.is_multiple_of(look_every) {
            let seen = Surroundings {
                monotonic_us: now_us,
                sequence: self.sequence / look_every,
                ..self.world.surroundings()
            };
            self.surroundings = Some(Arc::new(seen));
            self.scan = Some(Arc::new(self.world.scan()));
        }
        self.sequence += 1;
        let ego = self.world.ego();
        let state = VehicleState {
            monotonic_us: now_us,
            sequence: self.sequence,
            world_from_vehicle: Some(Pose2 { x_m: ego.x_m, y_m: ego.y_m, heading_rad: ego.heading_rad }),
            observation: self.signals.iter().map(|signal| signal.of(ego)).collect(),
            odometer_m: ego.odometer_m,
            faults: Vec::new(),
            // A simulated robot has no battery.
            supply_v: 0.0,
        };
        Sensors { state, surroundings: self.surroundings.clone(), scan: self.scan.clone(), estop_pressed: false }
    }

    /// What a camera would see.
    #[must_use]
    pub fn snapshot(&self) -> SceneSnapshot {
        self.world.snapshot()
    }

    /// Collisions and the end of the route.
    #[must_use]
    pub fn status(&self) -> WorldStatus {
        self.world.status()
    }

    /// Puts the car back on its lane, standing, as a tow truck would.
    pub fn recover(&mut self) {
        let s = self.world.progress_m();
        self.world.replace_ego(s);
    }

    /// Distance of the body's corners to the edge of the lane; negative outside. Where the route changes lanes, the lane
    /// runs along with it, though never beyond what may be driven.
    #[must_use]
    pub fn lane_edge_distance_m(&self) -> f64 {
        let world = &self.world;
        let body = world.ego().footprint();
        let corners = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)];
        let margins = corners.map(|(ahead, left)| {
            let (along, across) = (ahead * body.half_length_m, left * body.half_width_m);
            let (x, y) =
                (body.x_m + along * body.cos - across * body.sin, body.y_m + along * body.sin + across * body.cos);
            let (s, d) = world.route().project(x, y, world.progress_m());
            let station = world.route().at(s);
            let inside = |left_m: f64, right_m: f64| (left_m - d).min(right_m + d);
            let half_m = (station.lane_left_m + station.lane_right_m) / 2.0;
            let lane_m = inside(station.lane_left_m, station.lane_right_m).max(inside(half_m, half_m));
            lane_m.min(inside(station.drivable_left_m, station.drivable_right_m))
        });
        margins.into_iter().fold(f64::INFINITY, f64::min)
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }
}

impl Robot for SimRobot {
    /// Lets the world go on for a control period under the command in force, then senses.
    fn sense(&mut self, now_us: u64) -> Sensors {
        let command = std::mem::take(&mut self.written);
        self.advance(self.rate.period_us() as f64 * 1e-6, &command);
        self.written = command;
        self.look(now_us)
    }

    fn write(&mut self, command: &ControlCommand) {
        self.written.clone_from(command);
    }

    fn cameras(&self) -> &[CameraModel] {
        &self.cameras
    }

    /// What a receiver of satellites on the rear axle, without any error, says. The networks do not say where they lie,
    /// so their origin is put where most of them were surveyed: Gothenburg.
    fn fix(&self) -> Option<LocationFix> {
        let (latitude, longitude) = ORIGIN_DEG;
        let (semi_major_m, eccentricity_squared) = WGS84;
        // Radii of curvature at the origin: along the meridian, and across it.
        let root = 1.0 - eccentricity_squared * latitude.to_radians().sin().powi(2);
        let across_m = semi_major_m / root.sqrt();
        let along_m = across_m * (1.0 - eccentricity_squared) / root;
        let ego = self.world.ego();
        Some(LocationFix {
            frame_id: "vehicle".to_owned(),
            latitude: latitude + (ego.y_m / along_m).to_degrees(),
            longitude: longitude + (ego.x_m / (across_m * latitude.to_radians().cos())).to_degrees(),
            ..LocationFix::default()
        })
    }

    fn lane_margin_m(&self) -> Option<f64> {
        Some(self.lane_edge_distance_m())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_drive::TICK_US;
    use sim::road::RoadNetwork;
    use sim::world::WorldConfig;

    fn car() -> SimRobot {
        let network = Arc::new(RoadNetwork::built_in("soderleden").unwrap());
        SimRobot::new(World::new(network, WorldConfig::default()).unwrap())
    }

    #[test]
    fn a_command_covers_the_interval_after_it_was_written_and_stays_in_force() {
        let mut robot = car();
        let command = ControlCommand { action: vec![2.0, 0.0], ..ControlCommand::default() };
        let speed = |sensors: &Sensors| sensors.state.observation[0];
        assert_eq!(speed(&robot.sense(20_000)), 0.0);
        robot.write(&command);
        let mut told = car();
        told.advance(TICK_US as f64 * 1e-6, &ControlCommand::default());
        for now_us in [40_000, 60_000] {
            told.advance(TICK_US as f64 * 1e-6, &command);
            let sensed = robot.sense(now_us);
            assert_eq!(sensed.state.observation, told.look(now_us).state.observation);
            assert!(speed(&sensed) > 0.0);
        }
    }

    #[test]
    fn another_world_changes_neither_the_cameras_nor_the_command_in_force() {
        let front = camera_model("front", &CameraSpec::small());
        let mut robot = car().with_cameras(vec![front.clone()]);
        robot.write(&ControlCommand { action: vec![2.0, 0.0], ..ControlCommand::default() });
        robot.enter(car().world);
        assert_eq!(robot.cameras(), [front]);
        assert!(robot.sense(20_000).state.observation[0] > 0.0);
    }
}
