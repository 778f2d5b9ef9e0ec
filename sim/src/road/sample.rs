//! Samples the lanes of one lane section.

use super::{CentrePoint, RoadError};
use crate::opendrive::{LaneRecord, Pose, Road, Section};
use std::f64::consts::{PI, TAU};

/// Distance between samples on the outermost lane of a bend, and on all lanes of a straight.
const SPACING_M: f64 = 1.0;
/// Samples of the reference line are never closer than this.
const MIN_SPACING_M: f64 = 0.25;
/// Lanes farther out than this do not make the spacing finer.
const FAR_M: f64 = 12.0;
/// Shorter lane sections are sampled as if they were this long.
const MIN_SECTION_M: f64 = 1e-3;
/// A reference line with a larger gap between two samples is torn; it would also take memory to bridge.
const MAX_JUMP_M: f64 = 20.0;
/// Beyond this a width or offset is a mistake in the file.
const MAX_LATERAL_M: f64 = 1e3;

/// The piece of road a section covers: from and to, at least 1 mm.
pub(super) fn extent(road: &Road, index: usize) -> (f64, f64) {
    let next = road.sections.get(index + 1).map_or(road.length, |next| next.s);
    let from = road.sections[index].s.clamp(0.0, road.length - MIN_SECTION_M.min(road.length));
    (from, next.clamp(from + MIN_SECTION_M, road.length.max(from + MIN_SECTION_M)))
}

/// The places along the road at which a section is sampled, at least two, and the centre lines of all its lanes through
/// them, in the section's order of lanes and in the direction of growing s.
pub(super) fn sample_section(
    road: &Road,
    index: usize,
    room: usize,
) -> Result<(Vec<f64>, Vec<Vec<CentrePoint>>), RoadError> {
    let section = &road.sections[index];
    let (from, to) = extent(road, index);
    let mut lines = vec![Vec::new(); section.lanes.len()];
    let mut last: Option<Pose> = None;
    let mut s = from;
    let mut at = Vec::new();
    loop {
        at.push(s);
        if at.len() * lines.len() > room {
            return Err(RoadError::TooManyPoints { points: at.len() as f64 * lines.len() as f64, limit: room });
        }
        let mut pose = road.plan_view.at(s);
        if let Some(last) = last {
            let jump = (pose.x - last.x).hypot(pose.y - last.y);
            if jump > MAX_JUMP_M {
                return Err(RoadError::Torn { road: road.id.clone(), s_m: s, jump_m: jump });
            }
            pose.heading += TAU * ((last.heading - pose.heading) / TAU).round();
        }
        last = Some(pose);
        let widest = sample_at(road, section, s, pose, &mut lines)?;
        if s >= to {
            break;
        }
        let step = SPACING_M / (1.0 + pose.curvature.abs() * widest.min(FAR_M));
        s = next_sample(s, to, step.max(MIN_SPACING_M));
    }
    lines.iter_mut().for_each(|line| finish(line));
    Ok((at, lines))
}

/// The next sample, so that the last step before `to` is neither tiny nor too long.
fn next_sample(s: f64, to: f64, step: f64) -> f64 {
    let left = to - s;
    if left <= 1.2 * step {
        to
    } else if left < 2.0 * step {
        s + left / 2.0
    } else {
        s + step
    }
}

/// Adds one point to every lane; returns the largest distance of a lane's edge from the reference line.
fn sample_at(
    road: &Road,
    section: &Section,
    s: f64,
    pose: Pose,
    lines: &mut [Vec<CentrePoint>],
) -> Result<f64, RoadError> {
    let offset = road.lane_offset.at(s);
    let wild = |what: &'static str, value: f64| RoadError::WildLane { road: road.id.clone(), s_m: s, what, value };
    if !offset.0.is_finite() || offset.0.abs() > MAX_LATERAL_M {
        return Err(wild("lane offset", offset.0));
    }
    let mut widest = 0.0_f64;
    let mut place = |i: usize, inner: &mut (f64, f64)| {
        let outer = outer_edge(&section.lanes[i], s, *inner);
        if !outer.0.is_finite() || outer.0.abs() > MAX_LATERAL_M {
            return Err(wild("lane edge", outer.0));
        }
        widest = widest.max(outer.0.abs());
        lines[i].push(centre_point(pose, *inner, outer));
        *inner = outer;
        Ok(())
    };
    // Widths add up from the centre outwards, so the left lanes are walked backwards.
    let left = section.lanes.partition_point(|lane| lane.id > 0);
    let mut inner = offset;
    (0..left).rev().try_for_each(|i| place(i, &mut inner))?;
    let mut inner = offset;
    (left..section.lanes.len()).try_for_each(|i| place(i, &mut inner))?;
    Ok(widest)
}

/// Lateral position and slope of a lane's outer edge.
fn outer_edge(lane: &LaneRecord, s: f64, inner: (f64, f64)) -> (f64, f64) {
    let side = lane.id.signum() as f64;
    let (width, slope) = if lane.width.is_empty() && lane.border.is_empty() {
        (0.0, 0.0)
    } else if lane.width.is_empty() {
        let (edge, slope) = lane.border.at(s);
        (side * (edge - inner.0), side * (slope - inner.1))
    } else {
        lane.width.at(s)
    };
    // Polynomials that should end at 0 dip below it by rounding.
    if width <= 0.0 { inner } else { (inner.0 + side * width, inner.1 + side * slope) }
}

/// Offsets the reference line by the middle of the two edges. The heading follows from the derivative of
/// `reference + t * normal`, which is `(1 - curvature * t)` along and `dt/ds` across.
fn centre_point(pose: Pose, inner: (f64, f64), outer: (f64, f64)) -> CentrePoint {
    let (t, slope) = (0.5 * (inner.0 + outer.0), 0.5 * (inner.1 + outer.1));
    let (sin, cos) = pose.heading.sin_cos();
    // Past the centre of a bend the offset line would run backwards; there the direction of the road counts.
    let along = (1.0 - pose.curvature * t).max(0.05);
    let half = 0.5 * (outer.0 - inner.0).abs();
    CentrePoint {
        s_m: 0.0,
        x_m: pose.x - t * sin,
        y_m: pose.y + t * cos,
        heading_rad: pose.heading + slope.clamp(-2.0, 2.0).atan2(along),
        curvature_per_m: 0.0,
        left_m: half,
        right_m: half,
    }
}

/// Fills in distance and curvature, and brings the first heading into -pi..pi.
pub(super) fn finish(line: &mut [CentrePoint]) {
    let turn = line.first().map_or(0.0, |first| TAU * (first.heading_rad / TAU).round());
    let mut s = 0.0;
    for i in 0..line.len() {
        if i > 0 {
            s += (line[i].x_m - line[i - 1].x_m).hypot(line[i].y_m - line[i - 1].y_m);
        }
        line[i].s_m = s;
        line[i].heading_rad -= turn;
    }
    for i in 0..line.len() {
        let (a, b) = (line[i.saturating_sub(1)], line[(i + 1).min(line.len() - 1)]);
        let distance = b.s_m - a.s_m;
        line[i].curvature_per_m = if distance > 1e-2 { (b.heading_rad - a.heading_rad) / distance } else { 0.0 };
    }
}

/// The same line driven the other way.
pub(super) fn reversed(mut line: Vec<CentrePoint>) -> Vec<CentrePoint> {
    line.reverse();
    for point in &mut line {
        point.heading_rad += PI;
        std::mem::swap(&mut point.left_m, &mut point.right_m);
    }
    finish(&mut line);
    line
}
