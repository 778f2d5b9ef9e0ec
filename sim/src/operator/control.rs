//! From a plan to the embodiment's action channels.

use super::planner::Plan;
use super::view::View;
use protocol::Embodiment;

/// Wheelbase that the operator has learnt from driving, metres.
const WHEELBASE_M: f64 = 2.7;
/// Lateral acceleration of ordinary driving, m/s^2.
const MAX_LATERAL_MPS2: f64 = 3.5;
/// Lateral acceleration on a dry road when the car must be caught, m/s^2.
const CATCH_LATERAL_MPS2: f64 = 6.5;
/// A car that points this far away from its lane must be caught, rad.
const ASTRAY_RAD: f64 = 0.14;

/// Pure-pursuit steering (Coulter 1992) towards the planned offset, with the plan's acceleration: one value for each
/// of the embodiment's action channels, within its limits; channels that the operator does not know stay at zero.
#[must_use]
pub fn drive(view: &View, plan: &Plan, embodiment: &Embodiment) -> Vec<f64> {
    let steering = steer(view, plan.offset_m);
    let acceleration = if astray(view) { plan.acceleration_mps2.min(-4.0) } else { plan.acceleration_mps2 };
    embodiment
        .action
        .iter()
        .map(|channel| {
            let wanted = match channel.name {
                "acceleration_mps2" => acceleration,
                "steering_rad" => steering,
                _ => 0.0,
            };
            wanted.clamp(channel.min, channel.max)
        })
        .collect()
}

/// Whether the car heads out of its lane, so that it is caught by braking and by all the grip there is.
fn astray(view: &View) -> bool {
    view.speed > 5.0 && view.heading.abs() > ASTRAY_RAD && view.heading * view.d > -0.2
}

fn steer(view: &View, offset: f64) -> f64 {
    let distance = (1.15 * view.speed).clamp(6.0, 28.0);
    // Heading for the whole offset at once would swerve: the goal moves there with the distance driven.
    let swerve = 0.22 * distance;
    let goal = offset.clamp(view.d - swerve, view.d + swerve);
    let heading = view.at(distance, |p| p.heading);
    let x = view.at(distance, |p| p.x) - goal * heading.sin();
    let y = view.at(distance, |p| p.y) + goal * heading.cos();
    let curvature = 2.0 * y / (x * x + y * y).max(1.0);
    let grip = if astray(view) { CATCH_LATERAL_MPS2 * view.friction } else { MAX_LATERAL_MPS2 };
    let most = grip / (view.speed * view.speed).max(4.0);
    (curvature.clamp(-most, most) * WHEELBASE_M).atan()
}
