//! Painted lines between lanes.

use super::{
    FAR_M,
    air::Air,
    canvas::Canvas,
    ground::{beside, circle_around, simplified},
    tone::Tone,
    view::View,
};
use crate::road::{CentrePoint, Lane, LaneKind, RoadMark};
use std::collections::BTreeSet;

/// Width of a line, m.
const WIDTH_M: f64 = 0.15;
const DASH_M: f64 = 3.0;
/// Gap between dashes where the limit is above and below [`FAST_MPS`], m.
const GAP_M: [f64; 2] = [9.0, 6.0];
const FAST_MPS: f64 = 20.0;
const PAINT: Tone = Tone::rgb(0xF2F2EC);

/// One dash, or a stretch of a solid line: pairs of points on its two sides.
#[derive(Clone, Debug)]
struct Stroke {
    sides: Vec<[[f64; 2]; 2]>,
    middle: [f64; 2],
    radius_m: f64,
}

/// All painted lines of a network.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    strokes: Vec<Stroke>,
}

impl Marks {
    pub fn new(lanes: &[Lane]) -> Self {
        let mut painted = BTreeSet::new();
        let mut strokes = Vec::new();
        for lane in lanes {
            for (mark, left) in [(lane.left_mark, true), (lane.right_mark, false)] {
                if mark != RoadMark::None && is_new(&mut painted, lane, left) {
                    strokes.extend(strokes_of(lane, mark, left));
                }
            }
        }
        Self { strokes }
    }

    pub fn draw(&self, view: &View, air: &Air, canvas: &mut Canvas) {
        for stroke in &self.strokes {
            if !view.may_see(stroke.middle[0], stroke.middle[1], stroke.radius_m, FAR_M) {
                continue;
            }
            let [ahead, left] = view.on_ground(stroke.middle[0], stroke.middle[1]);
            let distance = ahead.hypot(left);
            let worn = 0.9 - 0.25 * air.rain;
            for (a, b) in stroke.sides.iter().zip(stroke.sides.iter().skip(1)) {
                let corners = [a[0], a[1], b[1], b[0]].map(|[x, y]| [x, y, 0.0]);
                canvas.tint(&view.polygon(&corners), air.seen(PAINT, distance), worn);
            }
        }
    }
}

fn edge(point: &CentrePoint, left: bool) -> [f64; 2] {
    beside(point, if left { point.left_m } else { -point.right_m })
}

/// The two lanes beside a line both name it: only the first is painted. Their edges are sampled at the same places,
/// perhaps counted from the other end, so the middles agree.
fn is_new(painted: &mut BTreeSet<(i64, i64)>, lane: &Lane, left: bool) -> bool {
    let count = lane.centre.len();
    if count < 2 {
        return false;
    }
    let (a, b) = (edge(&lane.centre[count / 2], left), edge(&lane.centre[(count - 1) / 2], left));
    let cell = |c: usize| (0.5 * (a[c] + b[c]) / 0.2).round() as i64;
    let (x, y) = (cell(0), cell(1));
    let near = (-1..=1).any(|dx| (-1..=1).any(|dy| painted.contains(&(x + dx, y + dy))));
    !near && painted.insert((x, y))
}

fn strokes_of(lane: &Lane, mark: RoadMark, left: bool) -> Vec<Stroke> {
    let fast = |s_m: f64| lane.speed_limit_mps(s_m) > FAST_MPS && lane.kind == LaneKind::Driving;
    let gap = |s_m: f64| GAP_M[usize::from(!fast(s_m))];
    let mut strokes = Vec::new();
    if mark == RoadMark::Broken {
        let mut start = 0.5 * gap(0.0);
        while start < lane.length_m {
            strokes.extend(stroke(lane, left, start, (start + DASH_M).min(lane.length_m)));
            start += DASH_M + gap(start);
        }
    } else {
        // Short pieces, so that haze and the picture's edge apply piece by piece.
        let pieces = (lane.length_m / 15.0).ceil().max(1.0);
        for piece in 0..pieces as usize {
            let ends = [piece, piece + 1].map(|end| lane.length_m * end as f64 / pieces);
            strokes.extend(stroke(lane, left, ends[0], ends[1]));
        }
    }
    strokes
}

fn stroke(lane: &Lane, left: bool, from_m: f64, to_m: f64) -> Option<Stroke> {
    let inner = lane.centre.iter().filter(|p| p.s_m > from_m + 0.01 && p.s_m < to_m - 0.01).copied();
    let mut line = vec![at(&lane.centre, from_m)?];
    line.extend(inner);
    line.push(at(&lane.centre, to_m)?);
    let sides: Vec<_> = simplified(&line)
        .into_iter()
        .map(|point| {
            let middle = if left { point.left_m } else { -point.right_m };
            [beside(point, middle + 0.5 * WIDTH_M), beside(point, middle - 0.5 * WIDTH_M)]
        })
        .collect();
    let (middle, radius_m) = circle_around(sides.iter().flatten());
    Some(Stroke { sides, middle, radius_m })
}

/// The centre line at `s_m`, interpolated.
fn at(centre: &[CentrePoint], s_m: f64) -> Option<CentrePoint> {
    let after = centre.partition_point(|p| p.s_m < s_m).clamp(1, centre.len().max(2) - 1);
    let (a, b) = (centre.get(after - 1)?, centre.get(after)?);
    let share = ((s_m - a.s_m) / (b.s_m - a.s_m).max(1e-9)).clamp(0.0, 1.0);
    let between = |p: f64, q: f64| p + (q - p) * share;
    Some(CentrePoint {
        s_m,
        x_m: between(a.x_m, b.x_m),
        y_m: between(a.y_m, b.y_m),
        heading_rad: between(a.heading_rad, b.heading_rad),
        curvature_per_m: between(a.curvature_per_m, b.curvature_per_m),
        left_m: between(a.left_m, b.left_m),
        right_m: between(a.right_m, b.right_m),
    })
}
