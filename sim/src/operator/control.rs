//! From a plan to the embodiment's action channels.

use super::planner::Plan;
use super::view::View;
use protocol::Embodiment;

/// Lateral acceleration of ordinary driving, m/s^2.
const MAX_LATERAL_MPS2: f64 = 3.5;
/// Lateral acceleration on a dry road when the car must be caught, m/s^2.
const CATCH_LATERAL_MPS2: f64 = 6.5;
/// A car that points this far away from its lane must be caught, rad.
const HEADING_ERROR_RAD: f64 = 0.14;

/// Pure-pursuit steering (Coulter 1992) towards the planned offset, with the plan's acceleration: one value for each
/// of the embodiment's action channels, within its limits; channels that the operator does not know stay at zero.
#[must_use]
pub fn drive(view: &View, plan: &Plan, embodiment: &Embodiment) -> Vec<f64> {
    let channels = embodiment.channels();
    let here = Place::here(view);
    let steering = steer(view, &here, plan.offset_m);
    let acceleration = if has_heading_error(&here) { plan.acceleration_mps2.min(-4.0) } else { plan.acceleration_mps2 };
    embodiment
        .action
        .iter()
        .enumerate()
        .map(|(index, channel)| {
            let wanted = match Some(index) {
                at if at == channels.accelerate => acceleration,
                at if at == channels.steer => steering,
                _ => 0.0,
            };
            wanted.clamp(channel.min, channel.max)
        })
        .collect()
}

/// Where a car is in a view's frame, and along its route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub x: f64,
    pub y: f64,
    pub heading: f64,
    pub speed: f64,
    /// Along the route, beside the lane's centre, and turned against it.
    pub s: f64,
    pub d: f64,
    pub turned: f64,
}

impl Place {
    /// Where the view was taken from.
    pub(super) fn here(view: &View) -> Self {
        Self { x: 0.0, y: 0.0, heading: 0.0, speed: view.speed, s: 0.0, d: view.d, turned: view.heading }
    }
}

/// Whether the car heads out of its lane, so that it is caught by braking and by all the grip there is.
fn has_heading_error(place: &Place) -> bool {
    place.speed > 5.0 && place.turned.abs() > HEADING_ERROR_RAD && place.turned * place.d > -0.2
}

/// The value of the steering channel at `place` on the way to `offset`.
pub(super) fn steer(view: &View, place: &Place, offset: f64) -> f64 {
    let distance = (1.15 * place.speed).clamp(6.0, 28.0);
    // Heading for the whole offset at once would swerve: the goal moves there with the distance driven.
    let swerve = 0.22 * distance;
    let goal = offset.clamp(place.d - swerve, place.d + swerve);
    let at = place.s + distance;
    let heading = view.at(at, |p| p.heading);
    let dx = view.at(at, |p| p.x) - goal * heading.sin() - place.x;
    let dy = view.at(at, |p| p.y) + goal * heading.cos() - place.y;
    let (sin, cos) = place.heading.sin_cos();
    let (x, y) = (cos * dx + sin * dy, cos * dy - sin * dx);
    let grip = if has_heading_error(place) { CATCH_LATERAL_MPS2 * view.friction } else { MAX_LATERAL_MPS2 };
    let most = grip / (place.speed * place.speed).max(4.0);
    // The circle to a goal behind is wide where the goal is straight behind: whoever faces the wrong way turns.
    let curvature = if x < 0.0 { most.copysign(y) } else { 2.0 * y / (x * x + y * y).max(1.0) };
    view.own.kinematics.steering(curvature.clamp(-most, most), place.speed)
}
