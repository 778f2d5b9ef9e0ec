//! The car's motion: a single-track model with actuators that lag and tyres that slide.
//!
//! Above [`BLEND_TO_MPS`] the car follows the dynamic single-track model of CommonRoad ("ST" in Althoff and Wuersching,
//! *CommonRoad: Vehicle Models*, 2020): states are speed, slip angle and yaw rate at the centre of gravity, axle loads
//! shift with longitudinal acceleration, and lateral tyre forces are linear in the slip angle. Two things are added:
//! each axle's lateral force ends at the friction circle, and the tyres' stiffness does not depend on the weather (water
//! lowers the peak of the force much more than its slope). Below [`BLEND_FROM_MPS`], where that model is singular, the
//! car follows the kinematic single-track model (no tyre slip); in between the two are mixed.

use protocol::{Embodiment, Kinematics};
use std::f64::consts::PI;

/// Up to this speed the motion is purely kinematic, m/s.
pub const BLEND_FROM_MPS: f64 = 3.0;
/// From this speed the motion is purely dynamic, m/s.
pub const BLEND_TO_MPS: f64 = 6.0;

/// Standard gravity, m/s^2.
pub const GRAVITY_MPS2: f64 = 9.81;
/// Longest step of the integrator, s; the tyres' fastest time constant at [`BLEND_FROM_MPS`] is about 14 ms.
const SUBSTEP_S: f64 = 0.01;
/// Share of the friction that braking or driving may use; an anti-lock system keeps the rest for steering.
const LONGITUDINAL_SHARE: f64 = 0.9;
/// Fastest speed in reverse gear, m/s.
const REVERSE_MPS: f64 = 3.0;

/// Constants of a car for [`Vehicle`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VehicleParams {
    /// Mass, kg.
    pub mass_kg: f64,
    /// Moment of inertia about the vertical axis, kg m^2.
    pub yaw_inertia_kgm2: f64,
    /// Centre of gravity to front axle, m.
    pub front_m: f64,
    /// Centre of gravity to rear axle, m.
    pub rear_m: f64,
    /// Height of the centre of gravity, m.
    pub gravity_height_m: f64,
    /// Lateral tyre stiffness by axle load, 1/rad.
    pub cornering_per_rad: f64,
    /// Greatest angle of the front wheels, rad.
    pub steering_max_rad: f64,
    /// Greatest rate of the front wheels' angle, rad/s.
    pub steering_rate_radps: f64,
    /// Time constant of the steering, s.
    pub steering_lag_s: f64,
    /// Time constant of engine and brakes, s.
    pub acceleration_lag_s: f64,
    /// Greatest acceleration by the engine, m/s^2.
    pub drive_max_mps2: f64,
    /// Above this speed the engine's power limits the acceleration (in proportion to 1/speed), m/s.
    pub power_limit_mps: f64,
    /// Greatest deceleration by the brakes, m/s^2.
    pub brake_max_mps2: f64,
}

impl VehicleParams {
    /// Those of `embodiment`; `None` when it is not an Ackermann car.
    #[must_use]
    pub fn of(embodiment: &Embodiment) -> Option<Self> {
        let Kinematics::Ackermann(car) = &embodiment.kinematics else { return None };
        let channels = embodiment.channels();
        let engine = embodiment.actuators.get(channels.accelerate?)?;
        let steering = embodiment.actuators.get(channels.steer?)?;
        Some(Self {
            mass_kg: embodiment.body.mass_kg,
            yaw_inertia_kgm2: car.yaw_inertia_kgm2,
            front_m: car.gravity_behind_front_m,
            rear_m: car.wheelbase_m - car.gravity_behind_front_m,
            gravity_height_m: car.gravity_height_m,
            cornering_per_rad: car.cornering_per_rad,
            steering_max_rad: steering.max.min(-steering.min),
            steering_rate_radps: steering.rate_per_s.unwrap_or(f64::MAX),
            steering_lag_s: steering.lag_s,
            acceleration_lag_s: engine.lag_s,
            drive_max_mps2: engine.max,
            power_limit_mps: car.power_limit_mps,
            brake_max_mps2: -engine.min,
        })
    }

    /// Distance between the axles, m.
    #[must_use]
    pub fn wheelbase_m(&self) -> f64 {
        self.front_m + self.rear_m
    }
}

/// Which way the engine pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gear {
    /// Forward only; braking ends at standstill.
    Drive,
    /// Backward only, at most 3 m/s; acceleration stays signed along the car's x axis.
    Reverse,
}

/// A car in motion. Position is kept at the centre of gravity and given at the rear axle.
#[derive(Clone, Debug, PartialEq)]
pub struct Vehicle {
    params: VehicleParams,
    gear: Gear,
    x_m: f64,
    y_m: f64,
    heading_rad: f64,
    /// Along the direction of motion of the centre of gravity; negative in reverse.
    speed_mps: f64,
    slip_rad: f64,
    yaw_rate_radps: f64,
    steering_rad: f64,
    /// What engine and brakes give at the moment.
    thrust_mps2: f64,
    acceleration_mps2: f64,
    odometer_m: f64,
}

/// What the integrator moves: position, heading, slip angle, yaw rate, speed.
type State = [f64; 6];

impl Vehicle {
    /// A car standing with its rear axle at the given place.
    #[must_use]
    pub fn standing(params: VehicleParams, x_m: f64, y_m: f64, heading_rad: f64) -> Self {
        let (sin, cos) = heading_rad.sin_cos();
        Self {
            params,
            gear: Gear::Drive,
            x_m: x_m + params.rear_m * cos,
            y_m: y_m + params.rear_m * sin,
            heading_rad,
            speed_mps: 0.0,
            slip_rad: 0.0,
            yaw_rate_radps: 0.0,
            steering_rad: 0.0,
            thrust_mps2: 0.0,
            acceleration_mps2: 0.0,
            odometer_m: 0.0,
        }
    }

    /// The same car at another place, standing; the odometer goes on.
    pub fn place(&mut self, x_m: f64, y_m: f64, heading_rad: f64) {
        let odometer_m = self.odometer_m;
        *self = Self::standing(self.params, x_m, y_m, heading_rad);
        self.odometer_m = odometer_m;
    }

    /// Stops at once, as a collision does.
    pub fn halt(&mut self) {
        self.speed_mps = 0.0;
        self.slip_rad = 0.0;
        self.yaw_rate_radps = 0.0;
        self.thrust_mps2 = 0.0;
        self.acceleration_mps2 = 0.0;
    }

    /// Changes gear; `false`, and no change, while the car rolls.
    pub fn select_gear(&mut self, gear: Gear) -> bool {
        let standing = self.speed_mps.abs() < 0.05;
        if standing {
            self.gear = gear;
        }
        standing
    }

    /// Moves on by `dt_s` (at most 1 s). `friction` is that between tyres and road. A command that is not a number
    /// counts as no acceleration, and as the wheels' present angle.
    pub fn step(&mut self, dt_s: f64, acceleration_mps2: f64, steering_rad: f64, friction: f64) {
        if !(dt_s > 0.0 && dt_s.is_finite()) {
            return;
        }
        let command = if acceleration_mps2.is_finite() { acceleration_mps2 } else { 0.0 };
        let wheel = if steering_rad.is_finite() { steering_rad } else { self.steering_rad };
        let dt_s = dt_s.min(1.0);
        let steps = (dt_s / SUBSTEP_S - 1e-9).ceil().max(1.0);
        for _ in 0..steps as usize {
            self.substep(dt_s / steps, command, wheel, friction.clamp(0.05, 1.5));
        }
    }

    fn substep(&mut self, h: f64, command_mps2: f64, wheel_rad: f64, friction: f64) {
        self.actuate(h, command_mps2, wheel_rad);
        let speed = self.speed_mps;
        let grip = LONGITUDINAL_SHARE * friction * GRAVITY_MPS2;
        let wanted = speed + self.thrust_mps2.clamp(-grip, grip) * h;
        let (low, high) = if self.gear == Gear::Drive { (0.0, f64::MAX) } else { (-REVERSE_MPS, 0.0) };
        let next = wanted.clamp(low, high);
        self.acceleration_mps2 = (next - speed) / h;
        let share = smoothstep((speed.abs() - BLEND_FROM_MPS) / (BLEND_TO_MPS - BLEND_FROM_MPS));
        let (slip, yaw_rate) = self.kinematic(friction);
        if share == 0.0 {
            (self.slip_rad, self.yaw_rate_radps) = (slip, yaw_rate);
        }
        let start = [self.x_m, self.y_m, self.heading_rad, self.slip_rad, self.yaw_rate_radps, speed];
        let moved = rk4(start, h, |state| self.derivative(state, share > 0.0, friction));
        [self.x_m, self.y_m, self.heading_rad, self.slip_rad, self.yaw_rate_radps, _] = moved;
        self.speed_mps = next;
        self.slip_rad += (1.0 - share) * (slip - self.slip_rad);
        self.yaw_rate_radps += (1.0 - share) * (yaw_rate - self.yaw_rate_radps);
        self.odometer_m += 0.5 * (speed + next).abs() * h;
    }

    fn actuate(&mut self, h: f64, command_mps2: f64, wheel_rad: f64) {
        let p = &self.params;
        let wheel = wheel_rad.clamp(-p.steering_max_rad, p.steering_max_rad);
        let lag = |tau: f64| 1.0 - (-h / tau).exp();
        let turn = (wheel - self.steering_rad) * lag(p.steering_lag_s);
        self.steering_rad += turn.clamp(-p.steering_rate_radps * h, p.steering_rate_radps * h);
        let engine = p.drive_max_mps2 * (p.power_limit_mps / self.speed_mps.abs().max(p.power_limit_mps));
        let (low, high) = match self.gear {
            Gear::Drive => (-p.brake_max_mps2, engine),
            Gear::Reverse => (-engine, p.brake_max_mps2),
        };
        self.thrust_mps2 += (command_mps2.clamp(low, high) - self.thrust_mps2) * lag(p.acceleration_lag_s);
    }

    /// Slip angle and yaw rate without tyre slip, the latter within the friction.
    fn kinematic(&self, friction: f64) -> (f64, f64) {
        let tan = self.steering_rad.tan();
        let slip = (tan * self.params.rear_m / self.params.wheelbase_m()).atan();
        let yaw_rate = self.speed_mps * slip.cos() * tan / self.params.wheelbase_m();
        let most = friction * GRAVITY_MPS2 / self.speed_mps.abs().max(0.1);
        (slip, yaw_rate.clamp(-most, most))
    }

    fn derivative(&self, state: State, dynamic: bool, friction: f64) -> State {
        let [_, _, heading, slip, yaw_rate, speed] = state;
        let (sin, cos) = (heading + slip).sin_cos();
        let (d_slip, d_yaw) = if dynamic { self.tyres(slip, yaw_rate, speed, friction) } else { (0.0, 0.0) };
        [speed * cos, speed * sin, yaw_rate, d_slip, d_yaw, self.acceleration_mps2]
    }

    /// Rates of slip angle and yaw rate by the lateral forces of both axles.
    fn tyres(&self, slip: f64, yaw_rate: f64, speed: f64, friction: f64) -> (f64, f64) {
        let p = &self.params;
        let (ax, v) = (self.acceleration_mps2, speed.max(1.0));
        let load = p.mass_kg / p.wheelbase_m();
        let front_load = load * (GRAVITY_MPS2 * p.rear_m - ax * p.gravity_height_m);
        let rear_load = load * (GRAVITY_MPS2 * p.front_m + ax * p.gravity_height_m);
        let share = (friction * friction - (ax / GRAVITY_MPS2).powi(2)).max(0.0).sqrt();
        let force = |angle: f64, load: f64| (p.cornering_per_rad * angle).clamp(-share, share) * load;
        let front = force(self.steering_rad - slip - p.front_m * yaw_rate / v, front_load);
        let rear = force(p.rear_m * yaw_rate / v - slip, rear_load);
        let d_yaw = (p.front_m * front - p.rear_m * rear) / p.yaw_inertia_kgm2;
        ((front + rear) / (p.mass_kg * v) - yaw_rate, d_yaw)
    }

    /// East position of the rear axle, m.
    #[must_use]
    pub fn rear_x_m(&self) -> f64 {
        self.x_m - self.params.rear_m * self.heading_rad.cos()
    }

    /// North position of the rear axle, m.
    #[must_use]
    pub fn rear_y_m(&self) -> f64 {
        self.y_m - self.params.rear_m * self.heading_rad.sin()
    }

    /// Heading in (-pi, pi].
    #[must_use]
    pub fn heading_rad(&self) -> f64 {
        let turns = (self.heading_rad / (2.0 * PI)).round();
        self.heading_rad - turns * 2.0 * PI
    }

    /// Speed along the car's x axis, m/s; negative in reverse.
    #[must_use]
    pub fn speed_mps(&self) -> f64 {
        self.speed_mps * self.slip_rad.cos()
    }

    /// Rate of the speed, m/s^2.
    #[must_use]
    pub fn acceleration_mps2(&self) -> f64 {
        self.acceleration_mps2
    }

    /// Angle of the front wheels, rad.
    #[must_use]
    pub fn steering_rad(&self) -> f64 {
        self.steering_rad
    }

    /// Yaw rate, rad/s.
    #[must_use]
    pub fn yaw_rate_radps(&self) -> f64 {
        self.yaw_rate_radps
    }

    /// Distance driven since the car was built, either way, m.
    #[must_use]
    pub fn odometer_m(&self) -> f64 {
        self.odometer_m
    }
}

fn smoothstep(x: f64) -> f64 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// One step of the classical Runge-Kutta method.
fn rk4(start: State, h: f64, derivative: impl Fn(State) -> State) -> State {
    let add = |a: State, k: State, f: f64| -> State { std::array::from_fn(|i| a[i] + f * k[i]) };
    let k1 = derivative(start);
    let k2 = derivative(add(start, k1, h / 2.0));
    let k3 = derivative(add(start, k2, h / 2.0));
    let k4 = derivative(add(start, k3, h));
    std::array::from_fn(|i| start[i] + h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]))
}

#[cfg(test)]
mod tests;
