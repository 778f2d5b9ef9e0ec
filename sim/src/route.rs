//! A smooth line through lanes: what a vehicle follows.

mod line;
mod plan;

pub(crate) use plan::plan;

use crate::road::{Lane, LaneId};
use plan::Leg;

/// How far from the hint [`Route::project`] looks, in stations of 1 m.
const SEARCH: usize = 40;

/// What a route says at one place; the fields of `protocol::v1::CorridorPoint` in `f64` and in the network's frame.
///
/// The six distances are counted from the route's line: to the left and to the right, both positive.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Station {
    /// Distance along the route from its start.
    pub s_m: f64,
    /// Position.
    pub x_m: f64,
    /// Position.
    pub y_m: f64,
    /// Direction, counter-clockwise from +x, continuous along the route (it may leave -pi..pi).
    pub heading_rad: f64,
    /// Curvature, positive where the route bends left.
    pub curvature_per_m: f64,
    /// To the left edge of the lane.
    pub lane_left_m: f64,
    /// To the right edge of the lane.
    pub lane_right_m: f64,
    /// To the left edge of what may be driven in the same direction.
    pub drivable_left_m: f64,
    /// To the right edge of what may be driven in the same direction.
    pub drivable_right_m: f64,
    /// To the left edge of the road, lanes of the other direction included.
    pub road_left_m: f64,
    /// To the right edge of the road, lanes of the other direction included.
    pub road_right_m: f64,
    /// Speed limit.
    pub speed_limit_mps: f64,
}

/// A smooth line through driving lanes, with a station every metre. It may pass the same place more than once.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Station `i` is at `s = i`; at least two.
    stations: Vec<Station>,
    lanes: Vec<LaneId>,
    /// Where each speed limit begins and the limit; the first begins at 0.
    limits: Vec<(f64, f64)>,
}

impl Route {
    /// The route through `legs`; `None` where they are too short to make one.
    pub(crate) fn along(lanes: &[Lane], legs: &[Leg]) -> Option<Self> {
        let line::Line { mut stations, lanes, limits } = line::line(lanes, legs);
        for station in &mut stations {
            station.speed_limit_mps = limit_at(&limits, station.s_m);
        }
        (stations.len() >= 2).then_some(Self { stations, lanes, limits })
    }

    /// Its length in metres.
    pub fn length_m(&self) -> f64 {
        (self.stations.len() - 1) as f64
    }

    /// The route at `s_m`, interpolated; before the start and past the end it is the first and the last station.
    pub fn at(&self, s_m: f64) -> Station {
        let i = (s_m.max(0.0) as usize).min(self.stations.len() - 2);
        let part = (s_m - i as f64).clamp(0.0, 1.0);
        let part = if part.is_nan() { 0.0 } else { part };
        let station = self.stations[i].towards(&self.stations[i + 1], part);
        Station { speed_limit_mps: limit_at(&self.limits, station.s_m), ..station }
    }

    /// The nearest place of the route near `hint_s_m`: distance along the route, and distance beside it (left positive).
    ///
    /// Looks 40 m to both sides of the hint. Before the start and past the end the distance along is that of the end,
    /// and the distance beside is counted from the line's extension.
    pub fn project(&self, x_m: f64, y_m: f64, hint_s_m: f64) -> (f64, f64) {
        let last = self.stations.len() - 1;
        let hint = (hint_s_m.max(0.0) as usize).min(last);
        let from = hint.saturating_sub(SEARCH);
        let (mut nearest, mut least) = (hint, f64::INFINITY);
        for (i, station) in self.stations.iter().enumerate().take(hint + SEARCH + 1).skip(from) {
            let (dx, dy) = (x_m - station.x_m, y_m - station.y_m);
            let squared = dx * dx + dy * dy;
            if squared < least {
                (nearest, least) = (i, squared);
            }
        }
        let before = self.project_on(nearest.saturating_sub(1), x_m, y_m);
        let after = self.project_on(nearest.min(last - 1), x_m, y_m);
        let best = if before.2 < after.2 { before } else { after };
        (best.0, best.1)
    }

    /// Projects on the segment from station `i` to the next: s, d, squared distance.
    fn project_on(&self, i: usize, x_m: f64, y_m: f64) -> (f64, f64, f64) {
        let (a, b) = (&self.stations[i], &self.stations[i + 1]);
        let (ux, uy) = (b.x_m - a.x_m, b.y_m - a.y_m);
        let (px, py) = (x_m - a.x_m, y_m - a.y_m);
        let squared_length = (ux * ux + uy * uy).max(1e-12);
        let part = ((px * ux + py * uy) / squared_length).clamp(0.0, 1.0);
        let (ex, ey) = (px - part * ux, py - part * uy);
        (i as f64 + part, (ux * py - uy * px) / squared_length.sqrt(), ex * ex + ey * ey)
    }

    /// The lane the route uses at `s_m`; while it shifts over, the one it is nearer to.
    pub fn lane_at(&self, s_m: f64) -> LaneId {
        self.lanes[(s_m.max(0.0).round() as usize).min(self.lanes.len() - 1)]
    }
}

/// The limit that holds at `s_m`.
fn limit_at(limits: &[(f64, f64)], s_m: f64) -> f64 {
    let after = limits.partition_point(|(from, _)| *from <= s_m);
    limits.get(after.saturating_sub(1)).map_or(0.0, |limit| limit.1)
}

impl Station {
    /// Linear interpolation; `part` runs from 0 (self) to 1 (other).
    fn towards(&self, other: &Self, part: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * part;
        Self {
            s_m: mix(self.s_m, other.s_m),
            x_m: mix(self.x_m, other.x_m),
            y_m: mix(self.y_m, other.y_m),
            heading_rad: mix(self.heading_rad, other.heading_rad),
            curvature_per_m: mix(self.curvature_per_m, other.curvature_per_m),
            lane_left_m: mix(self.lane_left_m, other.lane_left_m),
            lane_right_m: mix(self.lane_right_m, other.lane_right_m),
            drivable_left_m: mix(self.drivable_left_m, other.drivable_left_m),
            drivable_right_m: mix(self.drivable_right_m, other.drivable_right_m),
            road_left_m: mix(self.road_left_m, other.road_left_m),
            road_right_m: mix(self.road_right_m, other.road_right_m),
            speed_limit_mps: if part < 0.5 { self.speed_limit_mps } else { other.speed_limit_mps },
        }
    }
}
