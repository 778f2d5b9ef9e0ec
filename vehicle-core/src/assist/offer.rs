//! The ways round a blockage that the vehicle offers.

use super::Look;
use super::road::{self, Blockage, Shape, Thing};
use policy::Corridor;
use protocol::v1::{CandidatePath, Waypoint};

/// Length of the swerve out of the lane and of the one back, metres.
const SWERVE_M: f64 = 14.0;
/// The swerve is over this far before the blockage begins, and the one back begins this far behind it, metres.
const SPARE_M: f64 = 1.5;
/// So far before the blockage the vehicle stands while it waits for an answer: room for the swerve, metres.
pub const STAND_OFF_M: f64 = SWERVE_M + SPARE_M;
/// Room kept beside the blockage on the narrow and on the wide way, metres.
const ROOMS_M: [f64; 2] = [0.5, 1.2];
/// Distance between two waypoints, metres.
const STEP_M: f64 = 2.5;
/// The path goes on in the lane for this long, metres.
const TAIL_M: f64 = 5.0;

/// The ways round `blockage` that fit, the most likely first.
#[must_use]
pub fn offer(look: &Look, corridor: Corridor, things: &[Thing], blockage: &Blockage) -> Vec<CandidatePath> {
    let (right, left) = blockage.beside_m;
    let own = look.shape();
    let mut paths: Vec<CandidatePath> = Vec::new();
    for room in ROOMS_M {
        for offset in [left + room + own.half_width_m, right - room - own.half_width_m] {
            let points = way(&own, corridor, blockage, offset);
            let fits = road::is_countable(&points)
                && road::is_evenly_set(&points)
                && road::is_drivable(&points, &own)
                && road::is_on_road(&points, &own, corridor)
                && road::is_clear(&points, &own, things)
                && road::is_permitted(&points, look.pose, look.geofence);
            if fits {
                let id = paths.len() as u32 + 1;
                paths.push(CandidatePath { id, label: label(&own, corridor, blockage, (offset, room)), points });
            }
        }
    }
    paths
}

fn label(own: &Shape, corridor: Corridor, blockage: &Blockage, (offset, room): (f64, f64)) -> String {
    let here = corridor.at(blockage.near_m as f32);
    let side = if offset > 0.0 { "left" } else { "right" };
    let wide = if room > ROOMS_M[0] { ", with more room" } else { "" };
    let against = offset + own.half_width_m > f64::from(here.drivable_left_m);
    let oncoming = if against { ", through the oncoming lane" } else { "" };
    format!("pass on the {side}{wide}{oncoming}")
}

/// The vehicle's place, the lane, the swerve, beside the blockage, the swerve back, the lane; vehicle frame.
fn way(own: &Shape, corridor: Corridor, blockage: &Blockage, offset: f64) -> Vec<Waypoint> {
    let now = f64::from(corridor.project(0.0, 0.0).d);
    let out = (blockage.near_m - own.front_m - SPARE_M - SWERVE_M).max(0.0);
    let beside = (blockage.near_m - own.front_m - SPARE_M).max(out + 1.0);
    let back = blockage.far_m + own.rear_m + SPARE_M;
    let end = back + SWERVE_M + TAIL_M;
    let smooth = |from: f64, to: f64, s: f64| {
        let t = ((s - from) / (to - from)).clamp(0.0, 1.0);
        t * t * (3.0 - 2.0 * t)
    };
    let count = (end / STEP_M).ceil().max(1.0);
    (0..=count as usize)
        .map(|i| {
            let s = i as f64 * end / count;
            // Back to the middle of the lane before the swerve, out of it, and back again.
            let in_lane = now * (1.0 - smooth(0.0, out.max(SWERVE_M), s));
            let aside = smooth(out, beside, s) * (1.0 - smooth(back, back + SWERVE_M, s));
            let d = in_lane + (offset - in_lane) * aside;
            let here = corridor.at(s as f32);
            let (sin, cos) = here.heading_rad.sin_cos();
            Waypoint { x_m: here.x_m - d as f32 * sin, y_m: here.y_m + d as f32 * cos }
        })
        .collect()
}
