//! Collisions: how near one is, and whose fault one was.

use super::frame::{Mover, ScoreFrame, Struck};

/// A collision nearer than this in time is near, seconds: nuPlan's bound.
const NEAR_S: f64 = 0.95;
/// Step of the projection, seconds: nuPlan's.
const STEP_S: f64 = 0.1;
/// Whoever is slower stands, m/s: nuPlan's bounds for the car and for others.
const EGO_STANDS_MPS: f64 = 5e-2;
const OTHER_STANDS_MPS: f64 = 5e-2;
/// Cosines of the angles from the car's heading within which somebody is ahead (30 degrees) or behind (150): nuPlan's.
const AHEAD: f64 = 0.866_025_403_784_438_6;
const BEHIND: f64 = -AHEAD;

/// Whether the car would hit somebody within 0.95 s if all held speed and heading: somebody ahead, or beside when the car is
/// in several lanes at once.
pub(super) fn is_near(frame: &ScoreFrame) -> bool {
    let ego = &frame.ego;
    if ego.speed_mps.abs() <= EGO_STANDS_MPS {
        return false;
    }
    let relevant = |other: &&Mover| {
        let bearing = bearing(frame, other);
        !ego.body.overlaps(&other.body) && (bearing > AHEAD || (frame.in_several_lanes && bearing > BEHIND))
    };
    frame.others.iter().filter(relevant).any(|other| {
        let steps = (NEAR_S / STEP_S) as u32;
        (1..=steps).map(|step| f64::from(step) * STEP_S).any(|t| ego.after(t).overlaps(&other.after(t)))
    })
}

/// Cosine of the angle from the car's heading to `other`, seen from the rear axle.
fn bearing(frame: &ScoreFrame, other: &Mover) -> f64 {
    let (dx, dy) = (other.body.x_m - frame.origin.0, other.body.y_m - frame.origin.1);
    let distance = dx.hypot(dy).max(1e-9);
    (dx * frame.ego.body.cos + dy * frame.ego.body.sin) / distance
}

/// What the car has struck in `frame`, and whether it was its fault by the speeds of the moment `before`. Not at fault is
/// who stands, who is hit from behind, and who is hit from the side within one lane.
pub(super) fn struck(before: &ScoreFrame, frame: &ScoreFrame) -> Option<Struck> {
    let other = frame.others.iter().find(|other| frame.ego.body.overlaps(&other.body))?;
    let speed_before = |id: u32| before.others.iter().find(|o| o.id == id).map_or(other.speed_mps, |o| o.speed_mps);
    let at_fault = if before.ego.speed_mps.abs() <= EGO_STANDS_MPS {
        false
    } else if speed_before(other.id).abs() <= OTHER_STANDS_MPS {
        true
    } else if bearing(frame, other) < BEHIND {
        false
    } else {
        frame.ego.front().overlaps(&other.body) || frame.in_several_lanes || frame.edge_margin_m < 0.0
    };
    Some(Struck { is_thing: other.is_thing, at_fault })
}
