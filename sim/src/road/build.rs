//! Builds the lanes of a network from OpenDRIVE roads.

use super::joints::{joints, link};
use super::limits::{along_lane, along_road};
use super::sample::{extent, reversed, sample_section};
use super::{Bounds, Lane, LaneId, LaneKind, LoadReport, NoteKind, RoadError, RoadMark, RoadNote};
use crate::opendrive::{LaneRecord, OpenDrive, Road, Section};
use std::ops::Range;

/// Centre-line points of all lanes together, a quarter of a gigabyte of them.
const MAX_POINTS: usize = 4_000_000;
/// A lane this thin does not keep the lanes on its two sides apart.
const THIN_M: f64 = 0.05;

/// Polynomials that should end at 0 dip below it by rounding: only more than this is worth a note.
const NEGATIVE_M: f64 = 0.01;
/// Places of a section at which widths are looked at for that.
const WIDTH_LOOKS: u32 = 16;

/// Which lane of the network a lane of the file has become.
pub(super) struct Placement {
    /// Per road, per section: the ids of its lanes, in the section's order.
    pub lanes: Vec<Vec<Range<usize>>>,
    /// Per lane of the network: does it run in the direction of growing s?
    pub forward: Vec<bool>,
}

/// All lanes, sampled and linked; what is odd about them is added to `report`.
pub(super) fn build(file: &OpenDrive, report: &mut LoadReport) -> Result<Vec<Lane>, RoadError> {
    check_size(file)?;
    let mut lanes = Vec::new();
    let mut placement = Placement { lanes: Vec::new(), forward: Vec::new() };
    let mut points = 0;
    for road in &file.roads {
        let mut sections = Vec::new();
        for index in 0..road.sections.len() {
            let first = lanes.len();
            points += add_section(road, index, MAX_POINTS - points, &mut lanes, &mut placement.forward)?;
            note_widths(road, index, report);
            sections.push(first..lanes.len());
        }
        placement.lanes.push(sections);
    }
    if lanes.is_empty() {
        return Err(RoadError::NoRoads);
    }
    let joints = joints(file, &placement, &lanes, report);
    link(&mut lanes, &placement, &joints);
    if !lanes.iter().any(|lane| lane.kind == LaneKind::Driving) {
        let detail = format!("{} lanes, none of type driving", lanes.len());
        report.push(RoadNote { kind: NoteKind::NoDrivingLane, line: None, road: None, s_m: None, detail });
    }
    Ok(lanes)
}

/// Notes lanes of a section that are clearly narrower than nothing somewhere.
fn note_widths(road: &Road, index: usize, report: &mut LoadReport) {
    let (from, to) = extent(road, index);
    for lane in &road.sections[index].lanes {
        let places = (0..=WIDTH_LOOKS).map(|i| from + (to - from) * f64::from(i) / f64::from(WIDTH_LOOKS));
        let least = places.map(|s| (s, lane.width.at(s).0)).min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((s, width)) = least.filter(|(_, width)| *width < -NEGATIVE_M) {
            report.push(RoadNote {
                kind: NoteKind::NegativeWidth,
                line: None,
                road: Some(road.id.clone()),
                s_m: Some(s),
                detail: format!("lane {} is {width:.3} m wide", lane.id),
            });
        }
    }
}

/// Refuses networks that would not fit before any memory is spent on them.
fn check_size(file: &OpenDrive) -> Result<(), RoadError> {
    let section_points = |road: &Road, index: usize| {
        let (from, to) = extent(road, index);
        (to - from + 2.0) * road.sections[index].lanes.len() as f64
    };
    let road_points = |road: &Road| (0..road.sections.len()).map(|index| section_points(road, index)).sum::<f64>();
    let points: f64 = file.roads.iter().map(road_points).sum();
    if points > MAX_POINTS as f64 {
        return Err(RoadError::TooManyPoints { points, limit: MAX_POINTS });
    }
    Ok(())
}

/// Adds the lanes of a section; returns how many points they have.
fn add_section(
    road: &Road,
    index: usize,
    room: usize,
    lanes: &mut Vec<Lane>,
    forward: &mut Vec<bool>,
) -> Result<usize, RoadError> {
    let section = &road.sections[index];
    let first = lanes.len();
    let mut points = 0;
    let (at, lines) = sample_section(road, index, room)?;
    for (i, line) in lines.into_iter().enumerate() {
        let record = &section.lanes[i];
        let runs_forward = runs_forward(road, record);
        let centre = if runs_forward { line } else { reversed(line) };
        points += centre.len();
        let (left_mark, right_mark) = marks(section, i, runs_forward);
        let limits = along_road(&road.speeds, &record.speeds, extent(road, index));
        lanes.push(Lane {
            id: LaneId(first + i),
            kind: record.kind,
            length_m: centre.last().map_or(0.0, |last| last.s_m),
            speed_limits: along_lane(&limits, &at, &centre, runs_forward),
            centre,
            successors: Vec::new(),
            predecessors: Vec::new(),
            left: None,
            right: None,
            opposite: None,
            left_mark,
            right_mark,
        });
        forward.push(runs_forward);
    }
    neighbours(&mut lanes[first..], &forward[first..], first);
    Ok(points)
}

/// Right lanes run in the direction of growing s where traffic keeps right, left lanes where it keeps left.
fn runs_forward(road: &Road, lane: &LaneRecord) -> bool {
    ((lane.id < 0) != road.left_hand_traffic) != lane.reversed
}

/// Paint on the left and right of lane `i`; a lane's own mark is at its outer edge, the inner one belongs to the next
/// lane inwards or to the centre line.
fn marks(section: &Section, i: usize, forward: bool) -> (RoadMark, RoadMark) {
    let lane = &section.lanes[i];
    let inward = if lane.id > 0 { Some(i + 1) } else { i.checked_sub(1) };
    let same_side = |next: &&LaneRecord| next.id.signum() == lane.id.signum();
    let inner =
        inward.and_then(|next| section.lanes.get(next)).filter(same_side).map_or(section.centre_mark, |n| n.mark);
    if (lane.id < 0) == forward { (inner, lane.mark) } else { (lane.mark, inner) }
}

/// Links driving lanes side by side. `lanes` are those of one section, from its left to its right edge as seen in the
/// direction of growing s.
fn neighbours(lanes: &mut [Lane], forward: &[bool], first: usize) {
    let thin = |lane: &Lane| lane.centre.iter().all(|point| point.width_m() < THIN_M);
    let wide: Vec<usize> = (0..lanes.len()).filter(|&i| !thin(&lanes[i])).collect();
    for pair in wide.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        if lanes[a].kind != LaneKind::Driving || lanes[b].kind != LaneKind::Driving {
            continue;
        }
        let (id_a, id_b) = (Some(LaneId(first + a)), Some(LaneId(first + b)));
        match (forward[a], forward[b]) {
            (true, true) => (lanes[a].right, lanes[b].left) = (id_b, id_a),
            (false, false) => (lanes[a].left, lanes[b].right) = (id_b, id_a),
            _ => (lanes[a].opposite, lanes[b].opposite) = (id_b, id_a),
        }
    }
}

/// The rectangle around all lane edges.
pub(super) fn bounds(lanes: &[Lane]) -> Bounds {
    let (inf, mut bounds) = (f64::INFINITY, None);
    for point in lanes.iter().flat_map(|lane| &lane.centre) {
        let (sin, cos) = point.heading_rad.sin_cos();
        let b = bounds.get_or_insert(Bounds { min_x_m: inf, min_y_m: inf, max_x_m: -inf, max_y_m: -inf });
        for t in [point.left_m, -point.right_m] {
            let (x, y) = (point.x_m - t * sin, point.y_m + t * cos);
            *b = Bounds {
                min_x_m: b.min_x_m.min(x),
                min_y_m: b.min_y_m.min(y),
                max_x_m: b.max_x_m.max(x),
                max_y_m: b.max_y_m.max(y),
            };
        }
    }
    bounds.unwrap_or(Bounds { min_x_m: 0.0, min_y_m: 0.0, max_x_m: 0.0, max_y_m: 0.0 })
}
