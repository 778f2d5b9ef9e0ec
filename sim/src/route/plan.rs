//! Chooses the lanes of a route.

use crate::road::{Lane, LaneId, LaneKind};
use rand::{Rng, RngExt};

/// A car does not fit into a narrower lane.
const MIN_WIDTH_M: f64 = 2.2;
/// Nor around a bend that is tighter than this over a car's length: the turnarounds some converters add to every street.
const MAX_CURVATURE_PER_M: f64 = 0.3;
const CAR_M: f64 = 3.0;
/// Room a shift to the next lane takes.
pub(super) const SHIFT_M: f64 = 40.0;
/// Asked for on top of the wanted length: cutting corners makes the smoothed line a little shorter.
const SPARE_M: f64 = 10.0;
/// Where the wanted length cannot be had, starts and turns that reach this part of the longest are good enough.
const NEARLY: f64 = 0.9;
/// Bounds on the work in networks with very many or very short lanes.
const MAX_PASSES: usize = 300;
const MAX_LEGS: usize = 400_000;

/// A stretch of one lane: centre points `from` to `to`, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Leg {
    pub lane: LaneId,
    pub from: usize,
    pub to: usize,
    /// Entered sideways from the leg before, whose last point lies beside this one's first.
    pub shifted: bool,
}

/// How to go on after a lane's last usable point.
#[derive(Clone, Copy)]
struct Step {
    to: LaneId,
    /// The centre point of `to` where it is entered.
    at: usize,
    shifted: bool,
}

/// A random walk of about `min_m` metres through driving lanes, the longest possible where the network has no such.
/// Empty if there is no lane to drive on.
pub(crate) fn plan(lanes: &[Lane], rng: &mut impl Rng, min_m: f64) -> Vec<Leg> {
    let wanted = min_m + SPARE_M;
    let planner = Planner::new(lanes, wanted);
    let mut legs = Vec::new();
    let Some(mut step) = planner.start(rng, wanted) else {
        return legs;
    };
    let mut driven = 0.0;
    while let Some((_, to)) = planner.spans[step.to.0] {
        let lane = &lanes[step.to.0];
        let begin = lane.centre[step.at].s_m;
        let end = lane.centre[step.at..=to].iter().position(|p| driven + p.s_m - begin >= wanted);
        let to = end.map_or(to, |points| step.at + points);
        legs.push(Leg { lane: step.to, from: step.at, to, shifted: step.shifted });
        driven += lane.centre[to].s_m - begin;
        if driven >= wanted || legs.len() >= MAX_LEGS {
            break;
        }
        let steps = &planner.steps[step.to.0];
        let Some(next) = planner.choose(steps, rng, wanted - driven) else { break };
        step = next;
    }
    legs
}

struct Planner<'a> {
    lanes: &'a [Lane],
    /// Per lane: first and last centre point of the part that is wide enough; `None` where none is or for other kinds.
    spans: Vec<Option<(usize, usize)>>,
    steps: Vec<Vec<Step>>,
    /// Per lane: how far one gets from the start of its usable part, capped at the wanted length.
    reach: Vec<f64>,
}

impl<'a> Planner<'a> {
    fn new(lanes: &'a [Lane], wanted: f64) -> Self {
        let spans: Vec<_> = lanes.iter().map(span).collect();
        let steps = lanes.iter().map(|lane| steps(lanes, &spans, lane)).collect();
        let mut planner = Self { lanes, spans, steps, reach: vec![0.0; lanes.len()] };
        planner.find_reach(wanted);
        planner
    }

    /// Longest walks by value iteration; capped, so loops do no harm.
    fn find_reach(&mut self, wanted: f64) {
        for _ in 0..MAX_PASSES {
            let mut changed = false;
            for i in (0..self.lanes.len()).rev() {
                let Some((from, to)) = self.spans[i] else { continue };
                let own = self.lanes[i].centre[to].s_m - self.lanes[i].centre[from].s_m;
                let next = self.steps[i].iter().map(|step| self.reach_after(step)).fold(0.0, f64::max);
                let reach = (own + next).min(wanted);
                changed |= reach > self.reach[i] + 1e-6;
                self.reach[i] = reach.max(self.reach[i]);
            }
            if !changed {
                break;
            }
        }
    }

    fn reach_after(&self, step: &Step) -> f64 {
        let from = self.spans[step.to.0].map_or(0, |span| span.0);
        let centre = &self.lanes[step.to.0].centre;
        (self.reach[step.to.0] - (centre[step.at].s_m - centre[from].s_m)).max(0.0)
    }

    /// A random lane from which the wanted length, or nearly the longest, can be driven.
    fn start(&self, rng: &mut impl Rng, wanted: f64) -> Option<Step> {
        let drivable = |i: &usize| self.spans[*i].is_some();
        let as_step = |i: usize| Step { to: LaneId(i), at: self.spans[i].map_or(0, |span| span.0), shifted: false };
        let all: Vec<Step> = (0..self.lanes.len()).filter(drivable).map(as_step).collect();
        // Not where the first thing to do would be to squeeze over to the next lane.
        let calm: Vec<Step> = all.iter().copied().filter(|step| !self.ends_soon(step.to)).collect();
        self.choose(if calm.is_empty() { &all } else { &calm }, rng, wanted)
    }

    fn ends_soon(&self, lane: LaneId) -> bool {
        let centre = &self.lanes[lane.0].centre;
        let short = self.spans[lane.0].is_some_and(|(from, to)| centre[to].s_m - centre[from].s_m < SHIFT_M);
        short && self.steps[lane.0].iter().any(|step| step.shifted)
    }

    fn choose(&self, steps: &[Step], rng: &mut impl Rng, wanted: f64) -> Option<Step> {
        let longest = steps.iter().map(|step| self.reach_after(step)).fold(0.0, f64::max);
        let enough = if longest >= wanted { wanted } else { NEARLY * longest };
        let good: Vec<&Step> = steps.iter().filter(|step| self.reach_after(step) >= enough).collect();
        if good.is_empty() { None } else { Some(*good[rng.random_range(0..good.len())]) }
    }
}

/// Does the lane turn too sharply for a car somewhere?
fn is_tight(lane: &Lane) -> bool {
    let mut rear = 0;
    for front in &lane.centre {
        while lane.centre[rear].s_m + CAR_M <= front.s_m {
            let back = &lane.centre[rear];
            if (front.heading_rad - back.heading_rad).abs() > MAX_CURVATURE_PER_M * (front.s_m - back.s_m) {
                return true;
            }
            rear += 1;
        }
    }
    false
}

/// The first stretch of a driving lane that is wide enough.
fn span(lane: &Lane) -> Option<(usize, usize)> {
    if lane.kind != LaneKind::Driving || is_tight(lane) {
        return None;
    }
    let wide = |i: &usize| lane.centre[*i].width_m() >= MIN_WIDTH_M;
    let from = (0..lane.centre.len()).find(wide)?;
    let to = (from..lane.centre.len()).take_while(wide).last()?;
    Some((from, to))
}

/// Successors where the lane runs to its end; where it has none or becomes too narrow, the lanes beside it.
fn steps(lanes: &[Lane], spans: &[Option<(usize, usize)>], lane: &Lane) -> Vec<Step> {
    let Some((_, to)) = spans[lane.id.0] else {
        return Vec::new();
    };
    let onwards = follow(spans, lane);
    if !onwards.is_empty() {
        return onwards;
    }
    let goes_on = |&beside: &LaneId| match spans[beside.0] {
        Some((from, end)) => (from..end).contains(&to) || end == to && !follow(spans, &lanes[beside.0]).is_empty(),
        None => false,
    };
    let beside = [lane.left, lane.right].into_iter().flatten().filter(goes_on);
    beside.map(|beside| Step { to: beside, at: to, shifted: true }).collect()
}

fn follow(spans: &[Option<(usize, usize)>], lane: &Lane) -> Vec<Step> {
    let whole = spans[lane.id.0].is_some_and(|(_, to)| to + 1 == lane.centre.len());
    let enter = |&to: &LaneId| matches!(spans[to.0], Some((0, _))).then_some(Step { to, at: 0, shifted: false });
    if whole { lane.successors.iter().filter_map(enter).collect() } else { Vec::new() }
}
