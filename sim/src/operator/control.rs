//! From a plan to the embodiment's action channels.

use super::planner::Plan;
use super::view::View;
use protocol::Embodiment;

/// Wheelbase that the operator has learnt from driving, metres.
const WHEELBASE_M: f64 = 2.7;
/// Lateral acceleration that no steering of the operator exceeds, m/s^2.
const MAX_LATERAL_MPS2: f64 = 3.5;

/// Pure-pursuit steering (Coulter 1992) towards the planned offset, with the plan's acceleration: one value for each
/// of the embodiment's action channels, within its limits; channels that the operator does not know stay at zero.
#[must_use]
pub fn drive(view: &View, plan: &Plan, embodiment: &Embodiment) -> Vec<f64> {
    let steering = steer(view, plan.offset_m);
    embodiment
        .action
        .iter()
        .map(|channel| {
            let wanted = match channel.name {
                "acceleration_mps2" => plan.acceleration_mps2,
                "steering_rad" => steering,
                _ => 0.0,
            };
            wanted.clamp(channel.min, channel.max)
        })
        .collect()
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
    let most = MAX_LATERAL_MPS2 / (view.speed * view.speed).max(4.0);
    (curvature.clamp(-most, most) * WHEELBASE_M).atan()
}
