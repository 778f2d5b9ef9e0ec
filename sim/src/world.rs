//! The world around one car: route, vehicle, traffic, difficulties, weather and what the car perceives of them.
//!
//! A [`World`] is handed time and commands and nothing else: the same network, configuration and commands give the same
//! world bit by bit. It has no clock and no thread, so it runs as fast as it is stepped.

mod contact;
mod footprint;
mod perception;

pub use contact::WorldStatus;
pub use footprint::Footprint;

use crate::difficulty::{self, Difficulties, Difficulty, Placed};
use crate::drivetrain::Drivetrain;
use crate::dynamics::Gear;
use crate::lidar;
use crate::road::{RoadError, RoadNetwork};
use crate::route::{Route, Station};
use crate::scene::{Actor, SceneSnapshot};
use crate::traffic::{self, Around, Closure, Presence, Traffic};
use protocol::Embodiment;
use protocol::foxglove::LaserScan;
use protocol::v1::{Pose2, Surroundings};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Stream of the generator that draws the difficulties' acts anew; the first two are those of the route and of traffic.
const RESEEDED_STREAM: u64 = 2;

/// What a world is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct WorldConfig {
    /// Chooses route, traffic, difficulties and noise.
    pub seed: u64,
    /// Cars a kilometre of each lane near the route; 0 for empty roads.
    pub traffic_per_km: f64,
    /// The kinds of difficulty that occur; none when empty.
    pub difficulties: Vec<Difficulty>,
    /// Mean distance from one difficulty to the next, m.
    pub difficulty_spacing_m: f64,
    /// No speed limit of the world is higher than this, m/s.
    pub cruise_cap_mps: f64,
    /// Length of the route where the network allows it, m.
    pub target_length_m: f64,
}

impl Default for WorldConfig {
    /// A trip of 1.5 km with some traffic and every kind of difficulty about every 250 m.
    fn default() -> Self {
        Self {
            seed: 1,
            traffic_per_km: 10.0,
            difficulties: Difficulty::ALL.to_vec(),
            difficulty_spacing_m: 250.0,
            cruise_cap_mps: 20.0,
            target_length_m: 1_500.0,
        }
    }
}

impl WorldConfig {
    fn check(&self) -> Result<(), RoadError> {
        let positive = [
            ("difficulty_spacing_m", self.difficulty_spacing_m),
            ("cruise_cap_mps", self.cruise_cap_mps),
            ("target_length_m", self.target_length_m),
        ];
        for (name, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(RoadError::BadArgument { name, expected: "a positive number", value });
            }
        }
        let value = self.traffic_per_km;
        if !(0.0..=100.0).contains(&value) {
            return Err(RoadError::BadArgument { name: "traffic_per_km", expected: "0 to 100", value });
        }
        Ok(())
    }
}

/// A body seen from its origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outline {
    /// Forward to the middle of the body, m.
    pub centre_ahead_m: f64,
    /// Half of its length, m.
    pub half_length_m: f64,
    /// Half of its width, m.
    pub half_width_m: f64,
}

impl Outline {
    /// That of `embodiment`.
    #[must_use]
    pub fn of(embodiment: &Embodiment) -> Self {
        Self {
            centre_ahead_m: embodiment.centre_ahead_m(),
            half_length_m: embodiment.length_m() / 2.0,
            half_width_m: embodiment.half_width_m(),
        }
    }
}

/// The robot's own state; position and speed are those of its origin, a car's rear axle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EgoState {
    /// East, m.
    pub x_m: f64,
    /// North, m.
    pub y_m: f64,
    /// In (-pi, pi].
    pub heading_rad: f64,
    /// Along the car's x axis, negative in reverse.
    pub speed_mps: f64,
    /// Rate of the speed.
    pub acceleration_mps2: f64,
    /// Angle of the front wheels; 0 without any.
    pub steering_rad: f64,
    /// Yaw rate.
    pub yaw_rate_radps: f64,
    /// Distance driven.
    pub odometer_m: f64,
    /// Its body.
    pub outline: Outline,
}

impl EgoState {
    fn of(drivetrain: &Drivetrain, outline: Outline) -> Self {
        match drivetrain {
            Drivetrain::Car(car) => Self {
                x_m: car.rear_x_m(),
                y_m: car.rear_y_m(),
                heading_rad: car.heading_rad(),
                speed_mps: car.speed_mps(),
                acceleration_mps2: car.acceleration_mps2(),
                steering_rad: car.steering_rad(),
                yaw_rate_radps: car.yaw_rate_radps(),
                odometer_m: car.odometer_m(),
                outline,
            },
            Drivetrain::Differential(drive) => Self {
                x_m: drive.x_m(),
                y_m: drive.y_m(),
                heading_rad: drive.heading_rad(),
                speed_mps: drive.speed_mps(),
                acceleration_mps2: drive.acceleration_mps2(),
                steering_rad: 0.0,
                yaw_rate_radps: drive.yaw_rate_radps(),
                odometer_m: drive.odometer_m(),
                outline,
            },
        }
    }

    /// The outline of the car's body.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        let (sin, cos) = self.heading_rad.sin_cos();
        Footprint {
            x_m: self.x_m + self.outline.centre_ahead_m * cos,
            y_m: self.y_m + self.outline.centre_ahead_m * sin,
            cos,
            sin,
            half_length_m: self.outline.half_length_m,
            half_width_m: self.outline.half_width_m,
            round: false,
        }
    }
}

/// One car's world; see the [module](self).
#[derive(Clone)]
pub struct World {
    config: WorldConfig,
    /// Seed of the sensors' noise.
    noise_seed: u64,
    network: Arc<RoadNetwork>,
    route: Arc<Route>,
    embodiment: Arc<Embodiment>,
    drivetrain: Drivetrain,
    ego: EgoState,
    /// Where the rear axle is along the route.
    progress_m: f64,
    tick: u64,
    time_s: f64,
    /// Where the middle of the car is: along the route and left of it.
    place: (f64, f64),
    rain: f64,
    traffic: Traffic,
    difficulties: Difficulties,
    closures: Arc<Vec<Closure>>,
    presences: Vec<Presence>,
    actors: Vec<Actor>,
    status: WorldStatus,
}

impl World {
    /// Picks a route by the seed and puts the built-in car, standing, at its start.
    pub fn new(network: Arc<RoadNetwork>, config: WorldConfig) -> Result<Self, RoadError> {
        Self::with_robot(network, config, &Embodiment::built_in()[0])
    }

    /// The same for any robot that drives.
    pub fn with_robot(
        network: Arc<RoadNetwork>,
        config: WorldConfig,
        embodiment: &Embodiment,
    ) -> Result<Self, RoadError> {
        config.check()?;
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let route = Arc::new(network.random_route(&mut rng, config.target_length_m)?);
        let start = route.at(0.0);
        let drivetrain = Drivetrain::standing(embodiment, start.x_m, start.y_m, start.heading_rad)
            .ok_or_else(|| RoadError::CannotDrive { embodiment: embodiment.name.clone() })?;
        let ego = EgoState::of(&drivetrain, Outline::of(embodiment));
        let difficulties = difficulty::place(&route, &config.difficulties, config.difficulty_spacing_m, &mut rng);
        let closures: Arc<Vec<Closure>> = Arc::new(difficulties.closures().collect());
        let mut tracks = traffic::tracks(&network, &route, config.cruise_cap_mps);
        for closure in closures.iter().filter(|closure| closure.gate) {
            tracks[0].pass(closure);
        }
        let mut world = Self {
            traffic: Traffic::new(Arc::new(tracks), config.traffic_per_km, config.seed),
            noise_seed: config.seed,
            config,
            network,
            route,
            embodiment: Arc::new(embodiment.clone()),
            drivetrain,
            ego,
            progress_m: 0.0,
            tick: 0,
            time_s: 0.0,
            place: (0.0, 0.0),
            rain: 0.0,
            difficulties,
            closures,
            presences: Vec::new(),
            actors: Vec::new(),
            status: WorldStatus::default(),
        };
        world.look_around();
        let mut traffic = world.traffic.clone();
        traffic.populate(&world.around());
        world.traffic = traffic;
        world.gather_actors();
        world.update_status();
        Ok(world)
    }

    /// Moves everything on by `dt_s` while the robot is asked for this acceleration and value of its steering channel: a
    /// car's angle of the front wheels, a differential drive's yaw rate.
    pub fn step(&mut self, dt_s: f64, acceleration_mps2: f64, steering: f64) {
        if !(dt_s > 0.0 && dt_s.is_finite()) {
            return;
        }
        self.tick += 1;
        self.time_s += dt_s;
        self.drivetrain.step(dt_s, acceleration_mps2, steering, self.friction());
        self.ego = EgoState::of(&self.drivetrain, self.ego.outline);
        self.look_around();
        self.move_others(dt_s);
        self.gather_actors();
        self.update_status();
    }

    /// What is random from now on comes from `seed`: who comes, how those who are there drive on (their temperament is
    /// drawn anew, their places and speeds stay), what people and cars of a difficulty that have not acted yet will do,
    /// and the sensors' noise. The same seed gives the same future for the same commands.
    pub fn reseed(&mut self, seed: u64) {
        self.noise_seed = seed;
        self.traffic.reseed(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(RESEEDED_STREAM);
        self.difficulties.redraw(&mut rng);
    }

    /// Finds the car on the route, the weather there and what stands near.
    fn look_around(&mut self) {
        self.progress_m = self.route.project(self.ego.x_m, self.ego.y_m, self.progress_m).0;
        let body = self.ego.footprint();
        self.place = self.route.project(body.x_m, body.y_m, self.progress_m);
        self.rain = self.difficulties.rain(self.progress_m);
        self.presences.clear();
        self.difficulties.push_presences(self.place.0, &mut self.presences);
    }

    fn around(&self) -> Around<'_> {
        around(&self.route, self.presence(), &self.presences, &self.closures, self.rain)
    }

    /// The car as other drivers see it.
    fn presence(&self) -> Presence {
        let turn = self.ego.heading_rad - self.route.at(self.place.0).heading_rad;
        let (sin, cos) = turn.sin_cos();
        let Outline { half_length_m: half_length, half_width_m: half_width, .. } = self.ego.outline;
        Presence {
            id: u32::MAX,
            s_m: self.place.0,
            d_m: self.place.1,
            half_length_m: half_length * cos.abs() + half_width * sin.abs(),
            half_width_m: half_length * sin.abs() + half_width * cos.abs(),
            speed_mps: self.ego.speed_mps * cos,
        }
    }

    fn move_others(&mut self, dt_s: f64) {
        let ego = self.presence();
        let scene = difficulty::Scene {
            middle_m: ego.s_m,
            front_m: ego.s_m + self.ego.outline.half_length_m,
            speed_mps: self.ego.speed_mps,
        };
        let around = around(&self.route, ego, &self.presences, &self.closures, self.rain);
        self.difficulties.step(dt_s, self.time_s, &scene, &around, &mut self.traffic);
        self.traffic.step(dt_s, &around);
    }

    fn gather_actors(&mut self) {
        self.actors.clear();
        self.difficulties.push_actors(self.place.0, &self.route, &mut self.actors);
        self.traffic.push_actors(&mut self.actors);
    }

    /// Simulated time since the start, s.
    #[must_use]
    pub fn time_s(&self) -> f64 {
        self.time_s
    }

    /// The car's own state.
    #[must_use]
    pub fn ego(&self) -> &EgoState {
        &self.ego
    }

    /// The robot that drives.
    #[must_use]
    pub fn embodiment(&self) -> &Arc<Embodiment> {
        &self.embodiment
    }

    /// The route being driven.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// The network the route runs through.
    #[must_use]
    pub fn network(&self) -> &Arc<RoadNetwork> {
        &self.network
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// How far along the route the rear axle is, m.
    #[must_use]
    pub fn progress_m(&self) -> f64 {
        self.progress_m
    }

    /// The route at `s_m` with the speed limit that holds in this world.
    #[must_use]
    pub fn station(&self, s_m: f64) -> Station {
        let station = self.route.at(s_m);
        Station { speed_limit_mps: station.speed_limit_mps.min(self.config.cruise_cap_mps), ..station }
    }

    /// 0 dry to 1 cloudburst, where the car is.
    #[must_use]
    pub fn rain(&self) -> f64 {
        self.rain
    }

    /// The difficulties of this trip, in the order of the route.
    #[must_use]
    pub fn difficulties(&self) -> &[Placed] {
        &self.difficulties.placed
    }

    /// Everything near the car that can move or be hit, in the order of the identities.
    #[must_use]
    pub fn actors(&self) -> &[Actor] {
        &self.actors
    }

    /// Friction between tyres and road where the car is: 1 when dry, 0.7 to 0.5 in heavy rain.
    #[must_use]
    pub fn friction(&self) -> f64 {
        crate::difficulty::friction(self.rain())
    }

    /// Chooses the gear; `false`, and no change, while the car rolls.
    pub fn select_gear(&mut self, gear: Gear) -> bool {
        self.drivetrain.select_gear(gear)
    }

    /// What the car perceives: 41 stations of the route, 3 m apart, and the objects in sight, all in the vehicle frame
    /// (origin at the rear axle). `monotonic_us` and `sequence` are left 0 for the caller.
    #[must_use]
    pub fn surroundings(&self) -> Surroundings {
        perception::surroundings(self)
    }

    /// One lidar scan, see [`lidar`]; `timestamp` is left to the caller.
    #[must_use]
    pub fn scan(&self) -> LaserScan {
        let (sin, cos) = self.ego.heading_rad.sin_cos();
        let (ahead_m, height_m) = self.embodiment.lidar.map_or((0.0, 0.0), |l| (l.mount.forward_m, l.mount.height_m));
        let mount = lidar::Mount {
            x_m: self.ego.x_m + ahead_m * cos,
            y_m: self.ego.y_m + ahead_m * sin,
            heading_rad: self.ego.heading_rad,
            ahead_m,
            height_m,
        };
        lidar::scan(mount, self.actors.iter().map(Footprint::of), self.rain(), self.noise_seed, self.tick)
    }

    /// The present moment for a camera.
    #[must_use]
    pub fn snapshot(&self) -> SceneSnapshot {
        SceneSnapshot {
            time_s: self.time_s,
            ego: Pose2 { x_m: self.ego.x_m, y_m: self.ego.y_m, heading_rad: self.ego.heading_rad },
            speed_mps: self.ego.speed_mps,
            actors: self.actors.clone(),
            rain: self.rain(),
        }
    }

    /// Whether the car has hit something, left the road or arrived.
    #[must_use]
    pub fn status(&self) -> WorldStatus {
        self.status.clone()
    }

    /// Puts the car back on the route's line at `s_m`, standing, and makes room around it: traffic within 30 m and
    /// obstacles up to 25 m ahead go. The collision is forgotten.
    pub fn replace_ego(&mut self, s_m: f64) {
        let s_m = if s_m.is_finite() { s_m.clamp(0.0, self.route.length_m()) } else { self.progress_m };
        let station = self.route.at(s_m);
        self.drivetrain.place(station.x_m, station.y_m, station.heading_rad);
        self.ego = EgoState::of(&self.drivetrain, self.ego.outline);
        self.progress_m = s_m;
        self.traffic.clear(s_m, 30.0);
        self.difficulties.clear(s_m - 5.0, s_m + self.embodiment.front_m() + 25.0);
        self.look_around();
        self.gather_actors();
        self.status = WorldStatus::default();
        self.update_status();
    }
}

fn around<'a>(
    route: &'a Route,
    ego: Presence,
    others: &'a [Presence],
    closures: &'a [Closure],
    rain: f64,
) -> Around<'a> {
    Around { route, ego, others, closures, friction: difficulty::friction(rain), rain }
}
