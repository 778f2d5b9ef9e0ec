//! A small world of its own: a winding road, a single-track car, and a driver who keeps the lane and the limit.

use policy::{Observation, Policy};
use protocol::v1::{
    Author, AuthorityState, ControlCommand, CorridorPoint, Mode, ObjectKind, Pose2, Surroundings, TrackedObject,
    VehicleState,
};
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, topics};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TICK_S: f64 = 0.02;
pub const LENGTH_M: usize = 1_200;

fn car() -> &'static protocol::Embodiment {
    &protocol::Embodiment::built_in()[0]
}

/// A car on its road.
pub struct World {
    /// World position and heading of the lane's centre, every metre, and its curvature.
    line: Vec<(f64, f64, f64, f64)>,
    leader_m: f64,
    leader_mps: f64,
    pub pose: Pose2,
    pub speed: f64,
    steering: f64,
    odometer: f64,
    tick: u64,
    station: usize,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (sharp, long, phase) =
            (rng.random_range(0.004..0.02), rng.random_range(25.0..60.0), rng.random_range(0.0..6.0));
        let (mut x, mut y, mut heading) = (0.0, 0.0, 0.0f64);
        let mut line = Vec::new();
        for s in 0..LENGTH_M + 200 {
            let curvature = if s < 20 { 0.0 } else { sharp * (s as f64 / long + phase).sin() };
            line.push((x, y, heading, curvature));
            (x, y) = (x + heading.cos(), y + heading.sin());
            heading += curvature;
        }
        let leader_mps = rng.random_range(4.0..16.0);
        let (pose, leader_m) = (Pose2::default(), rng.random_range(20.0..80.0));
        Self { line, leader_m, leader_mps, pose, speed: 5.0, steering: 0.0, odometer: 0.0, tick: 0, station: 0 }
    }

    /// Offset to the left of the lane's centre, m.
    pub fn offset(&self) -> f64 {
        let (x, y, heading, _) = self.line[self.station];
        (self.pose.y_m - y) * heading.cos() - (self.pose.x_m - x) * heading.sin()
    }

    /// Free distance to the car ahead, m.
    pub fn gap(&self) -> f64 {
        self.leader_m - self.station as f64 - 6.0
    }

    pub fn state(&self) -> VehicleState {
        VehicleState {
            monotonic_us: self.tick * 20_000,
            sequence: self.tick,
            world_from_vehicle: Some(self.pose),
            observation: vec![self.speed, 0.0, self.steering, 0.0],
            odometer_m: self.odometer,
            ..Default::default()
        }
    }

    fn seen(&self, x: f64, y: f64) -> (f32, f32) {
        let (sin, cos) = self.pose.heading_rad.sin_cos();
        let (dx, dy) = (x - self.pose.x_m, y - self.pose.y_m);
        ((dx * cos + dy * sin) as f32, (dy * cos - dx * sin) as f32)
    }

    pub fn surroundings(&self) -> Surroundings {
        let station = |i: usize| {
            let (x, y, heading, curvature) = self.line[self.station + 3 * i];
            let (x_m, y_m) = self.seen(x, y);
            CorridorPoint {
                s_m: 3.0 * i as f32,
                x_m,
                y_m,
                heading_rad: (heading - self.pose.heading_rad) as f32,
                curvature_per_m: curvature as f32,
                lane_left_m: 1.75,
                lane_right_m: 1.75,
                drivable_left_m: 1.75,
                drivable_right_m: 1.75,
                road_left_m: 5.25,
                road_right_m: 2.0,
                speed_limit_mps: 13.9,
            }
        };
        let (x, y, heading, _) = self.line[(self.leader_m as usize).min(self.line.len() - 1)];
        let (x_m, y_m) = self.seen(x, y);
        let turned = (heading - self.pose.heading_rad) as f32;
        let leader = TrackedObject {
            id: 1,
            kind: ObjectKind::Car.into(),
            x_m,
            y_m,
            heading_rad: turned,
            velocity_x_mps: self.leader_mps as f32 * turned.cos(),
            velocity_y_mps: self.leader_mps as f32 * turned.sin(),
            length_m: 4.5,
            width_m: 1.8,
        };
        Surroundings {
            monotonic_us: self.tick * 20_000,
            corridor: (0..41).map(station).collect(),
            objects: vec![leader],
            visibility_m: 150.0,
            friction: 0.9,
            route_left_m: 5_000.0,
            ..Default::default()
        }
    }

    /// What the driver does: pure pursuit and a distance of 1.5 s to the car ahead.
    pub fn driver(&self) -> [f64; 2] {
        let ahead = (5.0 + self.speed) as usize;
        let (x, y, ..) = self.line[self.station + ahead];
        let (x, y) = self.seen(x, y);
        let (x, y) = (f64::from(x), f64::from(y));
        let wanted = ((self.gap() - 3.0) / 1.5).clamp(0.0, 12.0);
        let acceleration = (0.8 * (wanted - self.speed)).clamp(-4.0, 1.5);
        [acceleration, car().kinematics.steering(2.0 * y / (x * x + y * y), self.speed)]
    }

    /// One tick under an action; false at the end of the road.
    pub fn step(&mut self, [acceleration, steering]: [f64; 2]) -> bool {
        self.steering += (steering - self.steering).clamp(-0.014, 0.014);
        self.speed = (self.speed + acceleration * TICK_S).max(0.0);
        let way = self.speed * TICK_S;
        self.pose.x_m += way * self.pose.heading_rad.cos();
        self.pose.y_m += way * self.pose.heading_rad.sin();
        self.pose.heading_rad += way * car().kinematics.curvature_per_m(self.steering, self.speed);
        self.odometer += way;
        self.leader_m += self.leader_mps * TICK_S;
        self.tick += 1;
        let away = |i: &usize| {
            let (x, y, ..) = self.line[*i];
            (x - self.pose.x_m).hypot(y - self.pose.y_m)
        };
        let near = self.station.saturating_sub(3)..self.station + 4;
        self.station = near.min_by(|a, b| away(a).total_cmp(&away(b))).unwrap();
        self.station + 1 < LENGTH_M
    }
}

/// Drives `policy` until the road's end, `seconds`, or an offset of 1.2 m or a collision; seconds and greatest offset.
pub fn drive(policy: &mut Policy, seed: u64, seconds: f64) -> (f64, f64) {
    let mut world = World::new(seed);
    let mut action = [0.0; 2];
    let mut worst = 0.0f64;
    let mut ticks = 0;
    while (ticks as f64) * TICK_S < seconds {
        if ticks % 5 == 0 {
            let (state, surroundings) = (world.state(), world.surroundings());
            let seen = Observation { state: &state, surroundings: &surroundings };
            action.copy_from_slice(policy.propose(&seen).unwrap().action());
        }
        let more = world.step(action);
        ticks += 1;
        worst = worst.max(world.offset().abs());
        if !more || worst > 1.2 || world.gap() < 0.0 {
            break;
        }
    }
    (ticks as f64 * TICK_S, worst)
}

/// An episode: a policy that steers off for some seconds, then the driver, who brings the car back and drives on.
pub fn episode(folder: &std::path::Path, seed: u64, policy_s: f64, seconds: f64) -> protocol::api::Episode {
    let id = EpisodeId::new(format!("car-{seed:03}")).unwrap();
    let mut info = EpisodeInfo::new(id, VehicleId::new("car").unwrap(), PolicyVersion::new("v0").unwrap());
    info.cause = "safety".to_owned();
    info.embodiment = "ackermann_car".to_owned();
    info.seed = Some(seed);
    info.takeover_ns = (policy_s * 1e9) as u64;
    info.end_ns = (seconds * 1e9) as u64;
    let mut world = World::new(seed);
    let mut messages = Vec::new();
    for tick in 0..(seconds / TICK_S) as u64 {
        let ns = tick * 20_000_000;
        let taken_over = ns >= info.takeover_ns;
        let mut action = world.driver();
        if !taken_over {
            action[1] += 0.006 * (seed % 3) as f64 - 0.006;
        }
        let author = if taken_over { Author::Operator } else { Author::Policy };
        let state = world.state();
        let command = ControlCommand {
            observation_sequence: state.sequence,
            author: author.into(),
            action: action.to_vec(),
            ..Default::default()
        };
        let n = tick as u32;
        messages.push(Message::encode(&topics::VEHICLE_STATE, n, ns, ns, &state));
        messages.push(Message::encode(&topics::CONTROL_COMMAND, n, ns, ns, &command));
        if tick.is_multiple_of(5) {
            messages.push(Message::encode(&topics::SURROUNDINGS, n, ns, ns, &world.surroundings()));
            let mode = if taken_over { Mode::Drive } else { Mode::Monitor };
            let authority = AuthorityState { mode: mode.into(), author: author.into(), ..Default::default() };
            messages.push(Message::encode(&topics::AUTHORITY, n, ns, ns, &authority));
        }
        if !world.step(action) {
            break;
        }
    }
    recorder::write_episode(folder, &info, messages).unwrap()
}
