//! Frames from places beside the recorded path, with the steering that leads back to it.
//!
//! A clone drifts: small errors take it to places that no expert has shown (Ross and Bagnell 2010). Each frame that a
//! person drove is therefore also seen from a vehicle moved to the side and turned. Its steering is the recorded one
//! plus the change of the pure-pursuit angle (Coulter 1992) towards where the person really went, some 1.5 s later; an
//! unmoved vehicle would get the recorded steering. These frames are marked and never used to judge a policy.

use super::Frame;
use super::read::{Raw, target};
use policy::{Observation, features};
use protocol::Embodiment;
use protocol::v1::{Author, Pose2, Surroundings, VehicleState};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// How many perturbed frames are made from a recorded one.
pub const PERTURBED_COPIES: usize = 2;
/// Standard deviation and greatest magnitude of the sideways shift, m.
const SHIFT_M: (f64, f64) = (0.35, 0.8);
/// Standard deviation and greatest magnitude of the turn, rad.
const TURN_RAD: (f64, f64) = (0.04, 0.1);
/// Distance to the point aimed at: this and the way of 1.5 s.
const AIM_BASE_M: f64 = 3.0;
const AIM_S: f64 = 1.5;
/// Below this speed steering says little about where the vehicle will go, m/s.
const SLOWEST_MPS: f64 = 1.0;

/// Where the vehicle was, at every tick.
#[derive(Debug, Default)]
pub(super) struct Track(Vec<(u64, f64, Pose2)>);

impl Track {
    pub(super) fn push(&mut self, time_ns: u64, state: &VehicleState) {
        if let Some(pose) = &state.world_from_vehicle {
            self.0.push((time_ns, state.odometer_m, *pose));
        }
    }

    /// Where the vehicle was `distance_m` after `time_ns`, in its frame of then.
    fn ahead(&self, time_ns: u64, state: &VehicleState, distance_m: f64) -> Option<(f64, f64)> {
        let here = state.world_from_vehicle.as_ref()?;
        let from = self.0.partition_point(|(at, ..)| *at < time_ns);
        let (_, _, there) =
            self.0[from..].iter().find(|(_, odometer, _)| *odometer >= state.odometer_m + distance_m)?;
        let (dx, dy) = (there.x_m - here.x_m, there.y_m - here.y_m);
        let (sin, cos) = here.heading_rad.sin_cos();
        Some((dx * cos + dy * sin, dy * cos - dx * sin))
    }
}

/// Copies of `frame` from beside the path; none when the way ahead is not recorded or the robot does not steer.
pub(super) fn perturb(
    raw: &Raw,
    frame: &Frame,
    track: &Track,
    embodiment: &Embodiment,
    rng: &mut ChaCha8Rng,
) -> Vec<Frame> {
    debug_assert_eq!(raw.author, Author::Operator, "only people's driving is worth imitating from elsewhere");
    let moves: [(f64, f64); PERTURBED_COPIES] = std::array::from_fn(|_| (bell(rng, SHIFT_M), bell(rng, TURN_RAD)));
    let speed = embodiment.speed_mps(&raw.state.observation).unwrap_or(0.0);
    let Some(steering) = embodiment.channels().steer.filter(|_| speed >= SLOWEST_MPS) else {
        return Vec::new();
    };
    let Some(aim) = track.ahead(raw.time_ns, &raw.state, AIM_BASE_M + AIM_S * speed) else { return Vec::new() };
    let copy = |&(shift_m, turn_rad): &(f64, f64)| {
        let surroundings = moved(&raw.surroundings, shift_m, turn_rad);
        let mut action = raw.action.clone();
        let steer = |at| embodiment.kinematics.steering(pursuit(at), speed);
        *action.get_mut(steering)? += steer(seen_from(aim, shift_m, turn_rad)) - steer(aim);
        let observation = Observation { state: &raw.state, surroundings: &surroundings };
        Some(Frame {
            features: features(embodiment, &observation).ok()?,
            target: target(embodiment, &action).ok()?,
            help: None,
            perturbed: true,
            ..frame.clone()
        })
    };
    moves.iter().filter_map(copy).collect()
}

/// Curvature of the arc that leads through a point of the vehicle's frame, 1/m.
fn pursuit((x, y): (f64, f64)) -> f64 {
    2.0 * y / (x * x + y * y).max(1.0)
}

/// A point of the vehicle frame as seen by a vehicle `shift_m` to the left, turned left by `turn_rad`.
fn seen_from((x, y): (f64, f64), shift_m: f64, turn_rad: f64) -> (f64, f64) {
    let (sin, cos) = turn_rad.sin_cos();
    let y = y - shift_m;
    (x * cos + y * sin, y * cos - x * sin)
}

fn moved(surroundings: &Surroundings, shift_m: f64, turn_rad: f64) -> Surroundings {
    let mut moved = surroundings.clone();
    let point = |x: f32, y: f32, shift: f64| {
        let (x, y) = seen_from((f64::from(x), f64::from(y)), shift, turn_rad);
        (x as f32, y as f32)
    };
    for p in &mut moved.corridor {
        (p.x_m, p.y_m) = point(p.x_m, p.y_m, shift_m);
        p.heading_rad -= turn_rad as f32;
    }
    for o in &mut moved.objects {
        (o.x_m, o.y_m) = point(o.x_m, o.y_m, shift_m);
        (o.velocity_x_mps, o.velocity_y_mps) = point(o.velocity_x_mps, o.velocity_y_mps, 0.0);
        o.heading_rad -= turn_rad as f32;
    }
    moved
}

/// A bell-shaped deviate (sum of four uniform ones) of a standard deviation, cut off at a magnitude.
fn bell(rng: &mut ChaCha8Rng, (deviation, most): (f64, f64)) -> f64 {
    let sum: f64 = (0..4).map(|_| rng.random_range(-1.0..1.0)).sum();
    // Four uniform deviates on (-1, 1) have variance 4/3.
    (deviation * sum / (4.0f64 / 3.0).sqrt()).clamp(-most, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_of_the_path_leads_back_right_and_in_place_changes_nothing() {
        let aim = (18.0, 0.5);
        assert_eq!(seen_from(aim, 0.0, 0.0), aim);
        assert!(pursuit(seen_from(aim, 0.5, 0.0)) < pursuit(aim) - 0.002);
        assert!(pursuit(seen_from(aim, 0.0, 0.05)) < pursuit(aim) - 0.004);
        assert!(pursuit(seen_from(aim, -0.5, 0.0)) > pursuit(aim));
    }
}
