//! The one definition of what a network sees.
//!
//! | features | what | where |
//! | --- | --- | --- |
//! | 0..48 | the vehicle's own motion, the lane ahead, speeds that limits, bends and sight allow | `lane` |
//! | 48..64 | widths to the edges of lane, drivable part and road, now and ahead | `lane` |
//! | 64..96 | lateral bands and candidate paths: how close, how fast closing | `paths` |
//! | 96..128 | single objects: leader, blockage, pedestrian, oncoming, behind, beside | `actors` |
//!
//! [`FEATURE_NAMES`] names them one by one. Each is scaled so that ordinary driving lies within about -1 to 1 and is clamped to -3 to 3.
//!
//! What the vehicle did a moment ago (its steering angle, acceleration and yaw rate) is left out on purpose. It
//! predicts an expert's next action so well that a clone learns to repeat itself and not to look (de Haan, Jayaraman
//! and Levine 2019, "Causal confusion in imitation learning").

mod actors;
mod lane;
mod names;
mod objects;
mod paths;

pub use names::{FEATURE_NAMES, feature_index};

use crate::PolicyError;
use crate::corridor::{Corridor, LIMIT, is_sensible};
use protocol::{Embodiment, v1};

/// How many numbers a network sees; a multiple of 32, the block of Q8_0.
pub const FEATURES: usize = 128;
/// Changes with any change of meaning, order or scale of a feature.
pub const FEATURE_VERSION: u32 = 2;

/// Greatest magnitude of a feature.
const CLAMP: f32 = 3.0;

/// What of the robot's body matters for what it sees.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Own {
    /// From its origin to the front end, m.
    front_m: f32,
    /// From its origin back to the rear end, m.
    rear_m: f32,
    /// Half of its width, m.
    half_width_m: f32,
    /// Length by which curvatures are stated as steering angles, m.
    turning_m: f32,
}

impl Own {
    fn of(embodiment: &Embodiment) -> Self {
        Self {
            front_m: embodiment.front_m() as f32,
            rear_m: embodiment.rear_m() as f32,
            half_width_m: embodiment.half_width_m() as f32,
            turning_m: embodiment.kinematics.turning_length_m() as f32,
        }
    }

    /// The angle by which a robot of this length steers for a curvature, in units of 0.1 rad.
    fn steering_units(&self, curvature: f32) -> f32 {
        (self.turning_m * curvature).atan() / 0.1
    }
}

/// What a policy sees at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The robot's own state.
    pub state: &'a v1::VehicleState,
    /// The latest route and objects, in the vehicle frame of that state.
    pub surroundings: &'a v1::Surroundings,
}

/// Turns an observation into [`FEATURES`] finite numbers, each within -3 to 3.
///
/// # Errors
/// [`PolicyError`] that names the value when the embodiment has no `speed_mps`, the corridor has fewer than two
/// stations or runs backwards, or a value is not finite.
pub fn features(embodiment: &Embodiment, observation: &Observation) -> Result<[f32; FEATURES], PolicyError> {
    let speed = speed(embodiment, observation.state)?;
    let around = observation.surroundings;
    for (what, value) in
        [("visibility_m", around.visibility_m), ("friction", around.friction), ("route_left_m", around.route_left_m)]
    {
        if !is_sensible(value) {
            return Err(crate::corridor::out_of_range(what.to_owned(), value));
        }
    }
    let corridor = Corridor::new(&around.corridor)?;
    let own = Own::of(embodiment);
    let objects = objects::Objects::new(&around.objects, corridor, own)?;
    let mut out = Writer { values: [0.0; FEATURES], next: 0 };
    let lane = lane::write(&mut out, speed, own, corridor, around);
    paths::write(&mut out, &lane, &objects);
    actors::write(&mut out, &lane, &objects);
    debug_assert_eq!(out.next, FEATURES, "the layout fills the vector");
    match out.values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(crate::corridor::out_of_range(format!("feature {index}"), out.values[index])),
        None => Ok(out.values),
    }
}

/// Speed of the robot, from its observation channels.
fn speed(embodiment: &Embodiment, state: &v1::VehicleState) -> Result<f32, PolicyError> {
    let name = "speed_mps";
    let value = embodiment
        .speed_mps(&state.observation)
        .ok_or_else(|| PolicyError::Missing { what: format!("channel {name} of embodiment {:?}", embodiment.name) })?;
    if value.abs() < LIMIT {
        Ok(value as f32)
    } else {
        Err(PolicyError::OutOfRange { what: name.to_owned(), value, limit: LIMIT })
    }
}

struct Writer {
    values: [f32; FEATURES],
    next: usize,
}

impl Writer {
    fn push(&mut self, value: f32) {
        if let Some(slot) = self.values.get_mut(self.next) {
            *slot = value.clamp(-CLAMP, CLAMP);
        }
        self.next += 1;
    }

    fn extend(&mut self, values: &[f32]) {
        for &value in values {
            self.push(value);
        }
    }
}

/// Greatest speed from which a car can brake at `deceleration` to `target` within `distance`.
fn braking_speed(target: f32, deceleration: f32, distance: f32) -> f32 {
    (target * target + 2.0 * deceleration * distance.max(0.0)).sqrt()
}
