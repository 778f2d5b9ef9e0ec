//! Routes that come back to where they were, round a roundabout or a block: one place then has several positions along
//! the route, and who is at one of them is at all of them.

use super::Presence;
use crate::route::{Route, Station};
use std::ops::RangeInclusive;

/// How finely the route is looked through, m.
const STEP_M: f64 = 4.0;
/// Traffic drives at most so far beside the route, m.
const REACH_M: f64 = 35.0;
/// Positions of one place are at least so far apart along the route, m: once round the smallest roundabout.
const APART_M: f64 = 20.0;

/// Where a route comes near to itself again.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    points: Vec<Station>,
    /// For each point the stretches of others that are within reach; nothing at all for a route that never returns.
    near: Vec<Vec<RangeInclusive<usize>>>,
}

fn apart_m(points: &[Station], i: usize, (x_m, y_m): (f64, f64)) -> f64 {
    points.get(i).map_or(f64::INFINITY, |point| (point.x_m - x_m).hypot(point.y_m - y_m))
}

/// Where `place` is along and beside the route, within a step of `about_m`. (The route's own search looks farther, and so
/// finds the other positions, too.)
fn beside(route: &Route, (x_m, y_m): (f64, f64), about_m: f64) -> (f64, f64) {
    let (mut nearest, mut least_m) = (route.at(about_m), f64::INFINITY);
    for part in 0..=16 {
        let station = route.at(about_m + STEP_M * (f64::from(part) / 8.0 - 1.0));
        let apart_m = (station.x_m - x_m).hypot(station.y_m - y_m);
        if apart_m < least_m {
            (nearest, least_m) = (station, apart_m);
        }
    }
    let (sin, cos) = nearest.heading_rad.sin_cos();
    let (dx, dy) = (x_m - nearest.x_m, y_m - nearest.y_m);
    (nearest.s_m + dx * cos + dy * sin, dy * cos - dx * sin)
}

impl Returns {
    /// Those of `route`.
    pub(crate) fn of(route: &Route) -> Self {
        let count = (route.length_m() / STEP_M) as usize + 1;
        let points: Vec<Station> = (0..count).map(|i| route.at(i as f64 * STEP_M)).collect();
        let least = (APART_M / STEP_M) as usize;
        let stretches = |i: usize| {
            let here = (points[i].x_m, points[i].y_m);
            let is_near = |j: &usize| i.abs_diff(*j) >= least && apart_m(&points, *j, here) < REACH_M + STEP_M;
            let mut found: Vec<RangeInclusive<usize>> = Vec::new();
            for j in (0..count).filter(is_near) {
                match found.last_mut() {
                    Some(last) if *last.end() + 1 == j => *last = *last.start()..=j,
                    _ => found.push(j..=j),
                }
            }
            found
        };
        let near: Vec<_> = (0..count).map(stretches).collect();
        if near.iter().all(Vec::is_empty) { Self::default() } else { Self { points, near } }
    }

    /// Adds `presence` as it is seen from the other parts of the route that lead past it.
    pub(crate) fn push_images(&self, route: &Route, presence: &Presence, out: &mut Vec<Presence>) {
        let index = (presence.s_m.max(0.0) / STEP_M).round() as usize;
        let Some(stretches) = self.near.get(index.min(self.near.len().saturating_sub(1))) else { return };
        if stretches.is_empty() {
            return;
        }
        let here = route.at(presence.s_m);
        let (sin, cos) = here.heading_rad.sin_cos();
        let place = (here.x_m - sin * presence.d_m, here.y_m + cos * presence.d_m);
        let distance = |i: usize| apart_m(&self.points, i, place);
        for i in stretches.iter().cloned().flatten() {
            // A stretch that only leads away from the presence's own position has no nearest point of its own.
            if distance(i) > distance(i.wrapping_sub(1)).min(distance(i + 1)) {
                continue;
            }
            let (s_m, d_m) = beside(route, place, i as f64 * STEP_M);
            if (s_m - presence.s_m).abs() < APART_M || d_m.abs() > REACH_M {
                continue;
            }
            let (sin, cos) = (here.heading_rad - route.at(s_m).heading_rad).sin_cos();
            let (long, wide) = (presence.half_length_m, presence.half_width_m);
            out.push(Presence {
                s_m,
                d_m,
                half_length_m: long * cos.abs() + wide * sin.abs(),
                half_width_m: long * sin.abs() + wide * cos.abs(),
                speed_mps: presence.speed_mps * cos,
                ..*presence
            });
        }
    }
}
