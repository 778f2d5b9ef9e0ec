//! Features of where there is room: lateral bands of the road, and paths that the vehicle could take.

use super::Writer;
use super::lane::Lane;
use super::objects::{Objects, Seen};

/// Middles of the bands, m to the left of the lane's centre; each is 1 m wide.
const BANDS_M: [f32; 7] = [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0];
/// Middles of candidate paths, m to the left of the lane's centre; the vehicle's present offset comes on top.
const PATHS_M: [f32; 5] = [-0.8, 0.0, 1.2, 2.4, 3.5];
/// Kept free beside an object, m.
const MARGIN_M: f32 = 0.3;
/// How far ahead in time lateral motion of others is extrapolated, s.
const PREDICT_S: f32 = 1.5;

pub(super) fn write(out: &mut Writer, lane: &Lane, objects: &Objects) {
    for middle in BANDS_M {
        let reach = 0.5 + MARGIN_M;
        let nearest = nearest(objects, |o| o.far > -lane.own.rear_m && o.within(middle - reach, middle + reach));
        out.push(closeness(nearest, 20.0) * 2.0);
        out.push(nearest.map_or(0.0, |o| (lane.speed - o.ahead_mps) / 6.0 * (-o.gap() / 60.0).exp()));
    }
    let reach = lane.own.half_width_m + MARGIN_M;
    for middle in [PATHS_M[0], PATHS_M[1], PATHS_M[2], PATHS_M[3], PATHS_M[4], lane.offset] {
        let nearest = nearest(objects, |o| o.is_ahead() && o.within(middle - reach, middle + reach));
        path(out, lane, nearest);
        out.push(closeness(nearest, 6.0 + 2.0 * lane.speed.abs()));
        out.push(nearest.map_or(0.0, |o| o.ahead_mps / 5.0 * (-o.gap() / 60.0).exp()));
    }
}

/// Deceleration needed not to hit what moves ahead on a path, in units of 2 m/s^2.
fn path(out: &mut Writer, lane: &Lane, nearest: Option<&Seen>) {
    out.push(nearest.map_or(0.0, |o| needed_deceleration(lane.speed - o.ahead_mps, o.gap()) / 2.0));
}

/// The nearest object that `wanted` picks.
pub(super) fn nearest(objects: &Objects, wanted: impl Fn(&Seen) -> bool) -> Option<&Seen> {
    objects.iter().filter(|o| wanted(o)).min_by(|a, b| a.near.total_cmp(&b.near))
}

/// 1 at the bumper, falling by 1/e every `scale_m`; 0 without an object.
pub(super) fn closeness(object: Option<&Seen>, scale_m: f32) -> f32 {
    object.map_or(0.0, |o| (-o.gap() / scale_m).exp())
}

/// Constant deceleration that takes away `closing` over `gap`, m/s^2, with half a metre left.
pub(super) fn needed_deceleration(closing: f32, gap: f32) -> f32 {
    let closing = closing.max(0.0);
    closing * closing / (2.0 * (gap - 1.0).max(0.5))
}

/// Whether an object is, or will soon be by its lateral velocity, in the strip that the lane's centre path sweeps.
pub(super) fn will_be_in_lane(lane: &Lane, object: &Seen) -> bool {
    let reach = lane.own.half_width_m + MARGIN_M;
    let shift = object.left_mps * PREDICT_S;
    let (right, left) = (object.right + shift.min(0.0), object.left + shift.max(0.0));
    right < reach && left > -reach
}
