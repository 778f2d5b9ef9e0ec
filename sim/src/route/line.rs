//! Makes one smooth line with even stations out of the lanes of a route.

use super::Station;
use super::plan::{Leg, SHIFT_M};
use crate::road::{Lane, LaneId};
use std::f64::consts::{PI, TAU};

/// Savitzky-Golay smoothing, 7 points, quadratic (Savitzky & Golay 1964, table I): keeps arcs as they are, unlike a
/// moving average, which would cut corners.
const SMOOTH: [f64; 7] = [-2.0 / 21.0, 3.0 / 21.0, 6.0 / 21.0, 7.0 / 21.0, 6.0 / 21.0, 3.0 / 21.0, -2.0 / 21.0];
/// First derivative of the same family, 5 points.
const SLOPE: [f64; 5] = [-0.2, -0.1, 0.0, 0.1, 0.2];
const PASSES: usize = 3;

/// A point of the line: what a station says, and the lane it belongs to.
type Point = (Station, LaneId);

/// What a route is made of.
#[derive(Default)]
pub(super) struct Line {
    /// 1 m apart.
    pub stations: Vec<Station>,
    /// The lane at each station.
    pub lanes: Vec<LaneId>,
    /// Where each speed limit begins, m, and the limit, m/s.
    pub limits: Vec<(f64, f64)>,
}

/// The line through `legs`.
pub(super) fn line(lanes: &[Lane], legs: &[Leg]) -> Line {
    let (points, mut limits) = raw(lanes, legs);
    let mut points = even(&points, &mut limits);
    for _ in 0..PASSES {
        smooth(&mut points);
    }
    let mut points = even(&points, &mut limits);
    directions(&mut points);
    limits.dedup_by(|next, before| next.1 == before.1);
    let (stations, lanes) = points.into_iter().unzip();
    Line { stations, lanes, limits }
}

/// The lanes' own centre points in a row, shifts to the next lane drawn out over the metres before, and at which place of
/// the row, counted in points, each speed limit begins.
fn raw(lanes: &[Lane], legs: &[Leg]) -> (Vec<Point>, Vec<(f64, f64)>) {
    let mut points: Vec<Point> = Vec::new();
    let mut limits: Vec<(f64, f64)> = Vec::new();
    let mut s = 0.0;
    for leg in legs {
        let lane = &lanes[leg.lane.0];
        let start = lane.centre[leg.from].s_m;
        let first = point(lanes, lane, leg.from, s);
        if leg.shifted {
            if let Some(over) = shift(&mut points, &first) {
                lower_from(&mut limits, over as f64, lane.speed_limit_mps(start));
            }
            points.pop();
        }
        limits_of(lane, leg, points.len(), &mut limits);
        points.extend((leg.from..=leg.to).map(|i| point(lanes, lane, i, s + lane.centre[i].s_m - start)));
        s += lane.centre[leg.to].s_m - start;
    }
    (points, limits)
}

/// Adds the limits of a leg whose first point is number `first` of the row.
fn limits_of(lane: &Lane, leg: &Leg, first: usize, limits: &mut Vec<(f64, f64)>) {
    let (start, end) = (lane.centre[leg.from].s_m, lane.centre[leg.to].s_m);
    while limits.pop_if(|limit| limit.0 >= first as f64).is_some() {}
    limits.push((first as f64, lane.speed_limit_mps(start)));
    for limit in lane.speed_limits.iter().filter(|limit| limit.from_m > start && limit.from_m < end) {
        let after = lane.centre.partition_point(|point| point.s_m <= limit.from_m).clamp(1, lane.centre.len() - 1);
        let (a, b) = (lane.centre[after - 1].s_m, lane.centre[after].s_m);
        let place = (after - 1) as f64 + ((limit.from_m - a) / (b - a).max(1e-9)).clamp(0.0, 1.0);
        limits.push((first as f64 + place - leg.from as f64, limit.limit_mps));
    }
}

/// While the line changes over to a lane with a lower limit, that one counts from the place where it is nearer.
fn lower_from(limits: &mut Vec<(f64, f64)>, place: f64, limit_mps: f64) {
    let after = limits.partition_point(|(from, _)| *from <= place);
    let before = limits[..after].last().map_or(f64::INFINITY, |limit| limit.1);
    limits[after..].iter_mut().for_each(|limit| limit.1 = limit.1.min(limit_mps));
    if limit_mps < before {
        limits.insert(after, (place, limit_mps));
    }
}

/// Centre point `i` of a lane as a station at `s`.
fn point(lanes: &[Lane], lane: &Lane, i: usize, s: f64) -> Point {
    let centre = lane.centre[i];
    // Lanes of the same direction share their sampling; those of the other direction count from the other end.
    let across = lane.centre.len() - 1 - i;
    let width = |id: LaneId, i: usize| lanes[id.0].centre.get(i).map_or(0.0, |point| point.width_m());
    let chain = |first: Option<LaneId>, left: bool| {
        std::iter::successors(first, move |id| if left { lanes[id.0].left } else { lanes[id.0].right })
    };
    let same = |left: bool| chain(if left { lane.left } else { lane.right }, left);
    let sum = |left: bool| same(left).map(|id| width(id, i)).sum::<f64>();
    // Traffic of the other direction lies beyond our outermost lane on one side; its own outer lanes are farther still,
    // on the same hand as our oncoming side is, seen the other way round.
    let oncoming = |left: bool| {
        let outermost = same(left).last().unwrap_or(lane.id);
        let first =
            lanes[outermost.0].opposite.filter(|&id| is_left(&lanes[outermost.0], i, &lanes[id.0], across) == left);
        chain(first, !left).map(|id| width(id, across)).sum::<f64>()
    };
    let (drivable_left_m, drivable_right_m) = (centre.left_m + sum(true), centre.right_m + sum(false));
    let station = Station {
        s_m: s,
        x_m: centre.x_m,
        y_m: centre.y_m,
        heading_rad: centre.heading_rad,
        curvature_per_m: centre.curvature_per_m,
        lane_left_m: centre.left_m,
        lane_right_m: centre.right_m,
        drivable_left_m,
        drivable_right_m,
        road_left_m: drivable_left_m + oncoming(true),
        road_right_m: drivable_right_m + oncoming(false),
        speed_limit_mps: lane.speed_limit_mps(centre.s_m),
    };
    (station, lane.id)
}

/// Is point `j` of `other` to the left of point `i` of `lane`?
fn is_left(lane: &Lane, i: usize, other: &Lane, j: usize) -> bool {
    let (Some(a), Some(b)) = (lane.centre.get(i), other.centre.get(j)) else {
        return false;
    };
    let (sin, cos) = a.heading_rad.sin_cos();
    cos * (b.y_m - a.y_m) - sin * (b.x_m - a.x_m) > 0.0
}

/// Moves the end of the line sideways until it reaches `target`, along half a cosine. Returns the first point that is
/// nearer to the target's lane.
fn shift(points: &mut [Point], target: &Point) -> Option<usize> {
    let end = points.last().map(|last| last.0)?;
    let (sin, cos) = end.heading_rad.sin_cos();
    let total = cos * (target.0.y_m - end.y_m) - sin * (target.0.x_m - end.x_m);
    let room = SHIFT_M.min(end.s_m - points[0].0.s_m);
    let mut over = None;
    for (index, (station, lane)) in points.iter_mut().enumerate().rev() {
        let left = end.s_m - station.s_m;
        if left >= room {
            break;
        }
        let moved = 0.5 * total * (1.0 + (PI * left / room).cos());
        move_left(station, moved);
        if moved.abs() > 0.5 * total.abs() {
            *lane = target.1;
            station.lane_left_m = target.0.lane_left_m + (total - moved);
            station.lane_right_m = target.0.lane_right_m - (total - moved);
            over = Some(index);
        }
    }
    over
}

/// The station `distance` to the left; the edges stay where they are.
fn move_left(station: &mut Station, distance: f64) {
    let (sin, cos) = station.heading_rad.sin_cos();
    station.x_m -= distance * sin;
    station.y_m += distance * cos;
    for left in [&mut station.lane_left_m, &mut station.drivable_left_m, &mut station.road_left_m] {
        *left -= distance;
    }
    for right in [&mut station.lane_right_m, &mut station.drivable_right_m, &mut station.road_right_m] {
        *right += distance;
    }
}

/// Points exactly 1 m apart along the straight pieces between the given ones; the rest at the end is dropped. Places of
/// limits are moved to the new points' count.
fn even(points: &[Point], limits: &mut [(f64, f64)]) -> Vec<Point> {
    let mut out: Vec<Point> = Vec::new();
    let mut passed = 0.0;
    let mut limits = limits.iter_mut().peekable();
    for (index, pair) in points.windows(2).enumerate() {
        let (a, b) = (&pair[0], &pair[1]);
        let length = (b.0.x_m - a.0.x_m).hypot(b.0.y_m - a.0.y_m);
        while let Some(limit) = limits.next_if(|limit| limit.0 < (index + 1) as f64) {
            limit.0 = passed + length * (limit.0 - index as f64).max(0.0);
        }
        if length < 1e-6 {
            continue;
        }
        while out.len() as f64 <= passed + length {
            let s_m = out.len() as f64;
            let part = (s_m - passed) / length;
            out.push((Station { s_m, ..a.0.towards(&b.0, part) }, if part < 0.5 { a.1 } else { b.1 }));
        }
        passed += length;
    }
    limits.for_each(|limit| limit.0 = passed);
    out
}

/// One pass of smoothing over the positions; the ends stay.
fn smooth(points: &mut [Point]) {
    let smoothed = |get: fn(&Station) -> f64| -> Vec<f64> {
        (0..points.len()).map(|i| weighted(points, i, &SMOOTH, get)).collect()
    };
    let (x, y) = (smoothed(|s| s.x_m), smoothed(|s| s.y_m));
    for (i, (station, _)) in points.iter_mut().enumerate() {
        (station.x_m, station.y_m) = (x[i], y[i]);
    }
}

/// Weighs the points around `i`; beyond the ends the line is mirrored through its end point.
fn weighted(points: &[Point], i: usize, weights: &[f64], get: fn(&Station) -> f64) -> f64 {
    let last = points.len() as isize - 1;
    let at = |j: isize| get(&points[j.clamp(0, last) as usize].0);
    let value = |j: isize| match j {
        j if j < 0 => 2.0 * at(0) - at(-j),
        j if j > last => 2.0 * at(last) - at(2 * last - j),
        j => at(j),
    };
    let first = i as isize - (weights.len() / 2) as isize;
    weights.iter().zip(first..).map(|(weight, j)| weight * value(j)).sum()
}

/// Headings from the positions, curvatures from the headings.
fn directions(points: &mut [Point]) {
    let mut before: Option<f64> = None;
    for i in 0..points.len() {
        let dx = weighted(points, i, &SLOPE, |s| s.x_m);
        let dy = weighted(points, i, &SLOPE, |s| s.y_m);
        let mut heading = dy.atan2(dx);
        if let Some(before) = before {
            heading += TAU * ((before - heading) / TAU).round();
        }
        before = Some(heading);
        points[i].0.heading_rad = heading;
    }
    for i in 0..points.len() {
        points[i].0.curvature_per_m = weighted(points, i, &SLOPE, |s| s.heading_rad);
    }
}
