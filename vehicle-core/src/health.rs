//! Whether the sensors are alive and the actuators track what they are told.

use super::action::Action;
use super::{ExpectedSensors, Sensors};
use protocol::Embodiment;
use protocol::foxglove::LaserScan;
use std::sync::Arc;

/// Echoes nearer than this come from the scanner's own window, metres: something covers it.
const COVERED_M: f64 = 0.3;

/// Notices when a sensor falls silent or says nonsense.
#[derive(Debug, Clone, Default)]
pub struct SensorWatch {
    expects: ExpectedSensors,
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
    /// Of a robot with these sensors.
    #[must_use]
    pub fn new(expects: ExpectedSensors) -> Self {
        Self { expects, ..Self::default() }
    }

    /// Whether the robot's own state, its surroundings and its lidar are all there as far as the robot has them, finite,
    /// seeing and no older than `timeout_us` at `now_us`.
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
        (!self.expects.scan || self.sees && is_recent(self.scan_us, now_us, timeout_us))
            && is_recent(sensors.state.monotonic_us, now_us, timeout_us)
            && (!self.expects.surroundings
                || surroundings.is_some_and(|s| is_recent(s.monotonic_us, now_us, timeout_us)))
            && is_finite(sensors)
    }
}

/// The steering may be off what it is told by this share of its range, beyond the model of a healthy actuator's lag: the
/// narrowest and the widest band, 0.01 and 0.06 rad of a car's 0.55. In between, the robot may be off by so much to the
/// side, m/s^2: at speed a small angle is much.
const STEERING_BAND: (f64, f64) = (0.01 / 0.55, 0.06 / 0.55);
const STEERING_BAND_MPS2: f64 = 1.2;
/// Slower than this counts as standing for the band, m/s.
const SPOT_MPS: f64 = 0.03;
/// A brake must give at least this share of what is asked, as it does on a wet road.
const BRAKE_SHARE: f64 = 0.35;
/// Acceleration may exceed what is asked by this share of the deceleration that the robot promises, 1.0 and 1.5 of a
/// car's 4 m/s^2: slopes, noise. When brakes are asked for, only the lesser: an engine's lag is no excuse then.
const ACCELERATION_BAND: (f64, f64) = (1.0 / 4.0, 1.5 / 4.0);
/// Between the two, the band widens by this much for each m/s^2.
const BAND_SLOPE: f64 = 1.0 / 3.0;
/// A deviation that lasts this long is a failure, seconds.
const DEBOUNCE_S: f64 = 0.4;
/// Below the speed that the promised deceleration takes away in this time, seconds, a robot's acceleration tells
/// nothing: below 1 m/s of a car.
const SLOWEST_S: f64 = 0.25;
/// A healthy actuator may lag this much longer than its embodiment says.
const LAG_MARGIN: f64 = 1.25;

/// Compares what the actuators were told with what they do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ActuatorMonitor {
    steering: Option<f64>,
    acceleration_mps2: f64,
    deviation_s: f64,
}

/// What the robot measures of its actuators.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActuatorFeedback {
    /// What the steering does, in the unit of its channel; `None` when the robot has none.
    pub steering: Option<f64>,
    /// What the body does.
    pub acceleration_mps2: f64,
    /// How fast it goes.
    pub speed_mps: f64,
}

impl ActuatorFeedback {
    /// The feedback in `observation`.
    #[must_use]
    pub fn of(observation: &[f64], embodiment: &Embodiment) -> Self {
        let channels = embodiment.channels();
        let channel = |index: Option<usize>| observation.get(index?).copied();
        Self {
            steering: channel(channels.steering),
            acceleration_mps2: channel(channels.acceleration).unwrap_or(0.0),
            speed_mps: channel(channels.speed).unwrap_or(0.0),
        }
    }
}

impl ActuatorMonitor {
    /// Whether the actuators track `commanded`, which was in force for a tick of `dt_s`: false once the tracking error has
    /// been too large for longer than the debounce.
    pub fn is_tracking(
        &mut self,
        commanded: &Action,
        embodiment: &Embodiment,
        feedback: &ActuatorFeedback,
        dt_s: f64,
    ) -> bool {
        let channels = embodiment.channels();
        let near = |model: f64, goal: f64, index: Option<usize>| {
            let lag_s = LAG_MARGIN * embodiment.lag_s(index);
            model + (goal - model) * (1.0 - (-dt_s / lag_s).exp())
        };
        let command = |index: Option<usize>| commanded.as_slice().get(index?).copied();
        let asked = command(channels.accelerate).unwrap_or(0.0);
        self.acceleration_mps2 = near(self.acceleration_mps2, asked, channels.accelerate);
        let decel_mps2 = embodiment.stop_decel_mps2;
        let mut deviates = feedback.speed_mps > SLOWEST_S * decel_mps2
            && exceeds(feedback.acceleration_mps2, self.acceleration_mps2, decel_mps2);
        if let (Some(wanted), Some(measured)) = (command(channels.steer), feedback.steering) {
            let model = near(self.steering.unwrap_or(measured), wanted, channels.steer);
            self.steering = Some(model);
            deviates |= (measured - model).abs() > steering_band(feedback.speed_mps, embodiment);
        }
        // What comes and goes is a failure too, if it comes more than it goes.
        self.deviation_s = if deviates { self.deviation_s + dt_s } else { (self.deviation_s - dt_s).max(0.0) };
        self.deviation_s < DEBOUNCE_S
    }
}

fn steering_band(speed_mps: f64, embodiment: &Embodiment) -> f64 {
    let range = embodiment.channels().steer.and_then(|index| embodiment.action.get(index)).map_or(0.0, |c| c.max);
    // Standing, the widest: a robot that turns on the spot has a yaw rate and no curvature.
    let speed_mps = speed_mps.abs().max(SPOT_MPS);
    let band = embodiment.kinematics.steering(STEERING_BAND_MPS2 / (speed_mps * speed_mps), speed_mps);
    band.clamp(STEERING_BAND.0 * range, STEERING_BAND.1 * range)
}

fn exceeds(measured_mps2: f64, model_mps2: f64, decel_mps2: f64) -> bool {
    let (least, most) = (ACCELERATION_BAND.0 * decel_mps2, ACCELERATION_BAND.1 * decel_mps2);
    let band_mps2 = (most + BAND_SLOPE * model_mps2).clamp(least, most);
    let asked_mps2 = if model_mps2 < 0.0 { BRAKE_SHARE * model_mps2 } else { model_mps2 };
    measured_mps2 > asked_mps2 + band_mps2
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
