//! Whether sensors speak and actuators obey.

use super::Sensors;
use super::action::Action;
use super::fallback::WHEELBASE_M;
use protocol::Embodiment;
use protocol::foxglove::LaserScan;
use std::sync::Arc;

/// Echoes nearer than this come from the scanner's own window, metres: something covers it.
const COVERED_M: f64 = 0.3;

/// Notices when a sensor falls silent or says nonsense.
#[derive(Debug, Default)]
pub struct SensorWatch {
    scan: Option<Arc<LaserScan>>,
    scan_us: u64,
    sees: bool,
}

/// Whether a scan says something: more of its beams do than do not, nothing there being an answer too.
fn sees(scan: &LaserScan) -> bool {
    let blind = scan.ranges.iter().filter(|range| range.is_nan() || **range < COVERED_M).count();
    2 * blind < scan.ranges.len() && scan.start_angle.is_finite() && scan.end_angle.is_finite()
}

fn is_recent(stamp_us: u64, now_us: u64, timeout_us: u64) -> bool {
    stamp_us <= now_us && now_us - stamp_us <= timeout_us
}

fn is_finite(sensors: &Sensors) -> bool {
    let place = sensors.state.world_from_vehicle.as_ref();
    sensors.state.observation.iter().all(|v| v.is_finite())
        && place.is_some_and(|p| p.x_m.is_finite() && p.y_m.is_finite() && p.heading_rad.is_finite())
}

impl SensorWatch {
    /// Whether the robot's own state, its surroundings and its lidar are all there, finite, seeing and no older than
    /// `timeout_us` at `now_us`.
    pub fn is_healthy(&mut self, now_us: u64, sensors: &Sensors, timeout_us: u64) -> bool {
        let is_new = match (&self.scan, &sensors.scan) {
            (Some(last), Some(scan)) => !Arc::ptr_eq(last, scan),
            (None, scan) => scan.is_some(),
            (Some(_), None) => false,
        };
        if is_new {
            self.scan.clone_from(&sensors.scan);
            self.scan_us = now_us;
            self.sees = self.scan.as_deref().is_some_and(sees);
        }
        let surroundings = sensors.surroundings.as_ref();
        self.sees
            && is_recent(self.scan_us, now_us, timeout_us)
            && is_recent(sensors.state.monotonic_us, now_us, timeout_us)
            && surroundings.is_some_and(|s| is_recent(s.monotonic_us, now_us, timeout_us))
            && is_finite(sensors)
    }
}

/// The wheels may be off what they are told by this, rad, beyond the model of a healthy actuator's lag: the widest and the
/// narrowest band. In between, the car may be off by so much to the side, m/s^2: at speed a small angle is much.
const STEERING_BAND_RAD: (f64, f64) = (0.01, 0.06);
const STEERING_BAND_MPS2: f64 = 1.2;
/// A brake must give at least this share of what is asked, as it does on a wet road.
const BRAKE_SHARE: f64 = 0.35;
/// Acceleration may exceed what is asked by this, m/s^2: slopes, noise. When brakes are asked for, only the lesser: an
/// engine's lag is no excuse then.
const ACCELERATION_BAND_MPS2: (f64, f64) = (1.0, 1.5);
/// Between the two, the band widens by this much for each m/s^2.
const BAND_SLOPE: f64 = 1.0 / 3.0;
/// A deviation that lasts this long is a failure, seconds.
const PATIENCE_S: f64 = 0.4;
/// Below this speed a car's acceleration tells nothing, m/s.
const SLOWEST_MPS: f64 = 1.0;
/// Time constants of a healthy car's steering, and of its engine and brakes, seconds.
const LAGS_S: (f64, f64) = (0.1, 0.25);

/// Compares what the actuators were told with what they do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ActuatorEcho {
    steering_rad: Option<f64>,
    acceleration_mps2: f64,
    astray_s: f64,
}

/// What the robot measures of its actuators.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Echo {
    /// Where the wheels point; `None` when the robot has none.
    pub steering_rad: Option<f64>,
    /// What the body does.
    pub acceleration_mps2: f64,
    /// How fast it goes.
    pub speed_mps: f64,
}

impl Echo {
    /// The echo in `observation`.
    #[must_use]
    pub fn of(observation: &[f64], embodiment: &Embodiment) -> Self {
        let channel = |name| embodiment.observation(observation, name);
        Self {
            steering_rad: channel("steering_rad"),
            acceleration_mps2: channel("acceleration_mps2").unwrap_or(0.0),
            speed_mps: channel("speed_mps").unwrap_or(0.0),
        }
    }
}

impl ActuatorEcho {
    /// A tick of `dt_s` with `commanded` in force. False once the echo has deviated for longer than patience allows.
    pub fn follows(
        &mut self,
        commanded: &Action,
        accelerate: usize,
        steer: Option<usize>,
        echo: &Echo,
        dt_s: f64,
    ) -> bool {
        let near = |model: f64, goal: f64, lag_s: f64| model + (goal - model) * (1.0 - (-dt_s / lag_s).exp());
        self.acceleration_mps2 = near(self.acceleration_mps2, commanded.as_slice()[accelerate], LAGS_S.1);
        let mut astray = echo.speed_mps > SLOWEST_MPS && exceeds(echo.acceleration_mps2, self.acceleration_mps2);
        if let (Some(index), Some(measured)) = (steer, echo.steering_rad) {
            let model = near(self.steering_rad.unwrap_or(measured), commanded.as_slice()[index], LAGS_S.0);
            self.steering_rad = Some(model);
            astray |= (measured - model).abs() > steering_band_rad(echo.speed_mps);
        }
        // What comes and goes is a failure too, if it comes more than it goes.
        self.astray_s = if astray { self.astray_s + dt_s } else { (self.astray_s - dt_s).max(0.0) };
        self.astray_s < PATIENCE_S
    }
}

fn steering_band_rad(speed_mps: f64) -> f64 {
    let (least, most) = STEERING_BAND_RAD;
    (WHEELBASE_M * STEERING_BAND_MPS2 / (speed_mps * speed_mps).max(1e-3)).clamp(least, most)
}

fn exceeds(measured_mps2: f64, model_mps2: f64) -> bool {
    let (least, most) = ACCELERATION_BAND_MPS2;
    let band_mps2 = (most + BAND_SLOPE * model_mps2).clamp(least, most);
    let asked_mps2 = if model_mps2 < 0.0 { BRAKE_SHARE * model_mps2 } else { model_mps2 };
    measured_mps2 > asked_mps2 + band_mps2
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
