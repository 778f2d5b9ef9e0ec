//! The simulated car behind the same face as a real one: senses at a control tick, takes a command.

use crate::core::Sensors;
use protocol::foxglove::{LaserScan, LocationFix};
use protocol::v1::{ControlCommand, Pose2, Surroundings, VehicleState};
use sim::scene::SceneSnapshot;
use sim::world::{World, WorldStatus};
use std::sync::Arc;

/// Control ticks between two looks at route, objects and lidar: 10 Hz at 50 Hz of control.
const LOOK_EVERY: u64 = 5;
/// Latitude and longitude of the networks' origin.
const ORIGIN_DEG: (f64, f64) = (57.70, 11.97);
/// Semi-major axis, m, and first eccentricity squared.
const WGS84: (f64, f64) = (6_378_137.0, 6.694_379_990_14e-3);

/// A car in a simulated world.
pub struct SimRobot {
    world: World,
    sequence: u64,
    surroundings: Option<Arc<Surroundings>>,
    scan: Option<Arc<LaserScan>>,
    faults: Vec<String>,
}

impl SimRobot {
    /// A car in `world`.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self { world, sequence: 0, surroundings: None, scan: None, faults: Vec::new() }
    }

    /// Lets the world go on for `dt_s` under `command` (channels of the Ackermann car).
    pub fn act(&mut self, dt_s: f64, command: &ControlCommand) {
        let channel = |index: usize| command.action.get(index).copied().filter(|v| v.is_finite()).unwrap_or(0.0);
        self.world.step(dt_s, channel(0), channel(1));
    }

    /// What the car senses at `now_us`.
    pub fn sense(&mut self, now_us: u64) -> Sensors {
        if self.sequence.is_multiple_of(LOOK_EVERY) {
            let seen = Surroundings {
                monotonic_us: now_us,
                sequence: self.sequence / LOOK_EVERY,
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
            observation: vec![ego.speed_mps, ego.acceleration_mps2, ego.steering_rad, ego.yaw_rate_radps],
            odometer_m: ego.odometer_m,
            faults: self.faults.clone(),
            // A simulated car has no battery.
            supply_v: 0.0,
        };
        Sensors { state, surroundings: self.surroundings.clone(), scan: self.scan.clone(), estop_pressed: false }
    }

    /// Enters a fault code; the robot's state shows it until faults are cleared.
    pub fn report_fault(&mut self, code: &str) {
        if !self.faults.iter().any(|f| f == code) {
            self.faults.push(code.to_owned());
        }
    }

    /// All is well again.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// What a camera would see.
    #[must_use]
    pub fn snapshot(&self) -> SceneSnapshot {
        self.world.snapshot()
    }

    /// What a receiver of satellites on the rear axle, without any error, says. The networks do not say where they lie,
    /// so their origin is put where most of them were surveyed: Gothenburg.
    #[must_use]
    pub fn fix(&self) -> LocationFix {
        let (latitude, longitude) = ORIGIN_DEG;
        let (semi_major_m, eccentricity_squared) = WGS84;
        // Radii of curvature at the origin: along the meridian, and across it.
        let root = 1.0 - eccentricity_squared * latitude.to_radians().sin().powi(2);
        let across_m = semi_major_m / root.sqrt();
        let along_m = across_m * (1.0 - eccentricity_squared) / root;
        let ego = self.world.ego();
        LocationFix {
            frame_id: "vehicle".to_owned(),
            latitude: latitude + (ego.y_m / along_m).to_degrees(),
            longitude: longitude + (ego.x_m / (across_m * latitude.to_radians().cos())).to_degrees(),
            ..LocationFix::default()
        }
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
    pub fn lane_margin_m(&self) -> f64 {
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
