//! A car on an endless straight road, for tests that need no simulator: a kinematic single-track model whose engine,
//! brakes and steering lag as an ordinary car's do.

use protocol::Embodiment;
use protocol::foxglove::LaserScan;
use protocol::v1::{ControlCommand, CorridorPoint, Pose2, Surroundings, VehicleState};
use std::f64::consts::PI;
use std::sync::Arc;
use vehicle_core::{Robot, Sensors};

/// A control period, seconds.
const TICK_S: f64 = 0.02;
/// Control ticks between two looks at the road: 10 Hz.
const LOOK_EVERY: u64 = 5;
/// Stations of the road ahead and the distance between them, metres.
const STATIONS: (usize, f64) = (41, 3.0);

#[derive(Default)]
pub struct Car {
    pub pose: Pose2,
    pub speed_mps: f64,
    acceleration_mps2: f64,
    steering_rad: f64,
    yaw_rate_radps: f64,
    odometer_m: f64,
    sequence: u64,
    surroundings: Option<Arc<Surroundings>>,
    scan: Option<Arc<LaserScan>>,
    command: ControlCommand,
}

impl Car {
    fn go_on(&mut self) {
        let car = &Embodiment::built_in()[0];
        let channels = car.channels();
        let channel = |index: Option<usize>| index.and_then(|i| self.command.action.get(i)).copied().unwrap_or(0.0);
        let near = |value: f64, goal: f64, lag_s: f64| value + (goal - value) * (1.0 - (-TICK_S / lag_s).exp());
        let thrust_mps2 = near(self.acceleration_mps2, channel(channels.accelerate), car.lag_s(channels.accelerate));
        self.steering_rad = near(self.steering_rad, channel(channels.steer), car.lag_s(channels.steer));
        let before_mps = self.speed_mps;
        self.speed_mps = (self.speed_mps + thrust_mps2 * TICK_S).max(0.0);
        self.acceleration_mps2 = if self.speed_mps > 0.0 { thrust_mps2 } else { 0.0 };
        let step_m = (before_mps + self.speed_mps) / 2.0 * TICK_S;
        self.yaw_rate_radps = self.speed_mps * car.kinematics.curvature_per_m(self.steering_rad, self.speed_mps);
        self.pose.heading_rad += self.yaw_rate_radps * TICK_S;
        self.pose.x_m += step_m * self.pose.heading_rad.cos();
        self.pose.y_m += step_m * self.pose.heading_rad.sin();
        self.odometer_m += step_m;
    }

    /// The road lies along the world's x axis.
    fn road(&self) -> Vec<CorridorPoint> {
        let (sin, cos) = self.pose.heading_rad.sin_cos();
        let point = |index: usize| {
            let ahead_m = index as f64 * STATIONS.1;
            CorridorPoint {
                s_m: ahead_m as f32,
                x_m: (ahead_m * cos - self.pose.y_m * sin) as f32,
                y_m: (-ahead_m * sin - self.pose.y_m * cos) as f32,
                heading_rad: -self.pose.heading_rad as f32,
                lane_left_m: 1.75,
                lane_right_m: 1.75,
                drivable_left_m: 1.75,
                drivable_right_m: 1.75,
                road_left_m: 5.25,
                road_right_m: 1.75,
                speed_limit_mps: 14.0,
                ..CorridorPoint::default()
            }
        };
        (0..STATIONS.0).map(point).collect()
    }
}

impl Robot for Car {
    fn sense(&mut self, now_us: u64) -> Sensors {
        self.go_on();
        if self.sequence.is_multiple_of(LOOK_EVERY) {
            let (visibility_m, friction, route_left_m) = (120.0, 1.0, 1_000.0);
            let corridor = self.road();
            let seen = Surroundings {
                monotonic_us: now_us,
                sequence: self.sequence / LOOK_EVERY,
                corridor,
                visibility_m,
                friction,
                route_left_m,
                ..Surroundings::default()
            };
            self.surroundings = Some(Arc::new(seen));
            let scan = LaserScan { start_angle: -PI, end_angle: PI, ranges: vec![80.0; 241], ..LaserScan::default() };
            self.scan = Some(Arc::new(scan));
        }
        self.sequence += 1;
        let state = VehicleState {
            monotonic_us: now_us,
            sequence: self.sequence,
            world_from_vehicle: Some(self.pose),
            observation: vec![self.speed_mps, self.acceleration_mps2, self.steering_rad, self.yaw_rate_radps],
            odometer_m: self.odometer_m,
            ..VehicleState::default()
        };
        Sensors { state, surroundings: self.surroundings.clone(), scan: self.scan.clone(), estop_pressed: false }
    }

    fn write(&mut self, command: &ControlCommand) {
        self.command.clone_from(command);
    }
}
