//! Lanes near the route as lines beside it: for each metre of the route, how far to the left the lane's centre is.

use super::Closure;
use crate::road::{Lane, LaneId, RoadNetwork};
use crate::route::{Route, Station};

/// A lane, or several that continue one another, seen from the route.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Track {
    /// Driven in the direction of the route.
    pub forward: bool,
    /// It ends on the way and cars must leave it.
    pub dead_end: bool,
    /// Metre of the route at which it starts.
    first: usize,
    /// Left of the route at each metre from there, m.
    offsets_m: Vec<f64>,
    /// Speed limit of the track's own lane at each metre, m/s.
    limits_mps: Vec<f64>,
    /// Usual speed at each metre, m/s.
    flow_mps: Vec<f64>,
    /// What the limits alone allow at each metre, coming down to lower ones in time, m/s.
    legal_mps: Vec<f64>,
    lanes: (LaneId, LaneId),
}

/// Lateral acceleration in bends, m/s^2.
const BEND_MPS2: f64 = 2.0;
/// Deceleration before bends and lower limits, m/s^2.
const SLOW_MPS2: f64 = 1.5;
/// Furthest a track may stray from the route, m.
const STRAY_M: f64 = 35.0;
/// How far tracks are followed beyond where they run beside the route, m.
const FOLLOW_M: usize = 120;

impl Track {
    pub(crate) fn start_m(&self) -> f64 {
        self.first as f64
    }

    pub(crate) fn end_m(&self) -> f64 {
        (self.first + self.offsets_m.len() - 1) as f64
    }

    pub(crate) fn covers(&self, s_m: f64) -> bool {
        s_m >= self.start_m() && s_m <= self.end_m()
    }

    /// 1 when driven along the route, -1 against it.
    pub(crate) fn sign(&self) -> f64 {
        if self.forward { 1.0 } else { -1.0 }
    }

    fn index(&self, s_m: f64) -> (usize, f64) {
        let last = self.offsets_m.len() - 1;
        let place = (s_m - self.start_m()).clamp(0.0, last as f64);
        let index = (place as usize).min(last.saturating_sub(1));
        (index, place - index as f64)
    }

    /// How far left of the route the track is at `s_m`.
    pub(crate) fn d_m(&self, s_m: f64) -> f64 {
        let (index, part) = self.index(s_m);
        let (a, b) = (self.offsets_m[index], self.offsets_m[(index + 1).min(self.offsets_m.len() - 1)]);
        a + part * (b - a)
    }

    /// Change of [`Self::d_m`] a metre.
    pub(crate) fn slope(&self, s_m: f64) -> f64 {
        self.d_m(s_m + 1.5) / 3.0 - self.d_m(s_m - 1.5) / 3.0
    }

    /// Usual speed at `s_m`.
    pub(crate) fn flow_mps(&self, s_m: f64) -> f64 {
        self.flow_mps[self.index(s_m).0]
    }

    /// What the limit at `s_m` and the lower ones ahead allow.
    pub(crate) fn legal_mps(&self, s_m: f64) -> f64 {
        self.legal_mps[self.index(s_m).0]
    }

    /// Leads the track past a closure, with 30 m to shift over and 20 m to come back.
    pub(crate) fn pass(&mut self, closure: &Closure) {
        for (index, offset) in self.offsets_m.iter_mut().enumerate() {
            let s_m = (self.first + index) as f64;
            let shift = smoothstep((s_m - closure.start_m + 30.0) / 28.0)
                * (1.0 - smoothstep((s_m - closure.end_m - 2.0) / 20.0));
            *offset += (closure.pass_d_m - *offset) * shift;
        }
    }

    fn last_m(&self) -> usize {
        self.first + self.offsets_m.len() - 1
    }
}

/// 0 up to 0, 1 from 1, smooth in between.
pub(crate) fn smoothstep(x: f64) -> f64 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// The tracks near `route`; the first is the route itself.
pub(crate) fn tracks(network: &RoadNetwork, route: &Route, cap_mps: f64) -> Vec<Track> {
    let metres = route.length_m().floor() as usize;
    let stations: Vec<Station> = (0..=metres).map(|s| route.at(s as f64)).collect();
    let mut found = Vec::new();
    for (s, station) in stations.iter().enumerate() {
        for (lane, forward) in lanes_beside(network, route.lane_at(s as f64)) {
            let Some(place) = crossing(lane, station) else { continue };
            if forward && place.0.abs() < 1.8 {
                continue;
            }
            extend_or_open(&mut found, s, place, lane.id, forward);
        }
    }
    found.retain(|track| track.offsets_m.len() > 2);
    for track in &mut found {
        follow(network, &stations, track, true);
        follow(network, &stations, track, false);
    }
    let mut found = without_duplicates(found);
    for track in &mut found {
        let next = &network.lanes()[track.lanes.1.0];
        track.dead_end = track.forward && track.last_m() + 5 < metres && next.successors.is_empty();
    }
    let lanes = (route.lane_at(0.0), route.lane_at(metres as f64));
    let own = Track {
        forward: true,
        dead_end: false,
        first: 0,
        offsets_m: vec![0.0; metres + 1],
        limits_mps: stations.iter().map(|station| station.speed_limit_mps).collect(),
        flow_mps: vec![],
        legal_mps: vec![],
        lanes,
    };
    found.insert(0, own);
    for track in &mut found {
        track.flow_mps = flow(track, &stations, cap_mps);
        track.legal_mps = slowing(track.limits_mps.clone(), track.forward);
    }
    found
}

/// Driving lanes beside `lane`, each with whether it runs in the same direction.
fn lanes_beside(network: &RoadNetwork, lane: LaneId) -> impl Iterator<Item = (&Lane, bool)> {
    let all = network.lanes();
    let walk = |start: Option<LaneId>, next: fn(&Lane) -> Option<LaneId>| {
        std::iter::successors(start, move |id| next(&all[id.0])).take(4)
    };
    let left: Vec<_> = walk(all[lane.0].left, |lane| lane.left).collect();
    let innermost = left.last().copied().unwrap_or(lane);
    let right = walk(all[lane.0].right, |lane| lane.right);
    let oncoming = walk(all[innermost.0].opposite, |lane| lane.right);
    let same = left.into_iter().chain(right).map(|id| (id, true));
    same.chain(oncoming.map(|id| (id, false))).map(move |(id, forward)| (&all[id.0], forward))
}

/// Where `lane` crosses the line across the route at `station`: distance to the left, and the lane's speed limit. The
/// lane must run along or against the route there.
fn crossing(lane: &Lane, station: &Station) -> Option<(f64, f64)> {
    let (sin, cos) = station.heading_rad.sin_cos();
    let local = |i: usize| {
        let (dx, dy) = (lane.centre[i].x_m - station.x_m, lane.centre[i].y_m - station.y_m);
        (dx * cos + dy * sin, dy * cos - dx * sin)
    };
    let mut best: Option<(f64, f64)> = None;
    let mut i = 0;
    while i + 1 < lane.centre.len() {
        let ((ax, ay), (bx, by)) = (local(i), local(i + 1));
        if (ax <= 0.0) != (bx <= 0.0) && (bx - ax).abs() > 0.5 * (by - ay).abs() {
            let part = -ax / (bx - ax);
            let d = ay + (by - ay) * part;
            if d.abs() < STRAY_M && best.is_none_or(|old| d.abs() < old.0.abs()) {
                let (a, b) = (lane.centre[i].s_m, lane.centre[i + 1].s_m);
                best = Some((d, lane.speed_limit_mps(a + part * (b - a))));
            }
        }
        // Points are about 1 m apart: far from the line, skip what cannot reach it.
        i += (ax.abs().min(bx.abs()) * 0.8).floor().max(1.0) as usize;
    }
    best.filter(|(d, _)| 1.0 - station.curvature_per_m * d > 0.3)
}

fn extend_or_open(found: &mut Vec<Track>, s: usize, (d_m, limit_mps): (f64, f64), lane: LaneId, forward: bool) {
    let same = |track: &&mut Track| {
        let last = track.offsets_m.last().copied().unwrap_or(d_m);
        track.forward == forward && track.last_m() + 1 == s && (last - d_m).abs() < 0.6
    };
    if let Some(track) = found.iter_mut().find(same) {
        track.offsets_m.push(d_m);
        track.limits_mps.push(limit_mps);
        if forward {
            track.lanes.1 = lane;
        } else {
            track.lanes.0 = lane;
        }
        return;
    }
    found.push(Track {
        forward,
        dead_end: false,
        first: s,
        offsets_m: vec![d_m],
        limits_mps: vec![limit_mps],
        flow_mps: Vec::new(),
        legal_mps: Vec::new(),
        lanes: (lane, lane),
    });
}

/// Follows the track's lanes beyond its end (`ahead`) or its start along the route, for as long as they run beside it.
fn follow(network: &RoadNetwork, stations: &[Station], track: &mut Track, ahead: bool) {
    let all = network.lanes();
    // Lanes are kept as those entered and left in the direction of the route's start and end.
    let mut lane = if ahead == track.forward { track.lanes.1 } else { track.lanes.0 };
    for _ in 0..FOLLOW_M {
        let (s, last) = if ahead {
            (track.last_m() + 1, track.offsets_m[track.offsets_m.len() - 1])
        } else {
            let Some(s) = track.first.checked_sub(1) else { return };
            (s, track.offsets_m[0])
        };
        let Some(station) = stations.get(s) else { return };
        let current = &all[lane.0];
        let onward = if ahead == track.forward { &current.successors } else { &current.predecessors };
        let candidates = std::iter::once(&lane).chain(onward);
        let near = candidates.filter_map(|id| crossing(&all[id.0], station).map(|(d, limit)| (*id, d, limit)));
        let best = near.min_by(|a, b| (a.1 - last).abs().total_cmp(&(b.1 - last).abs()));
        let Some((id, d_m, limit_mps)) = best.filter(|(_, d, _)| (d - last).abs() < 0.8) else { return };
        if track.forward && d_m.abs() < 1.8 {
            return;
        }
        lane = id;
        if ahead {
            track.offsets_m.push(d_m);
            track.limits_mps.push(limit_mps);
        } else {
            track.first = s;
            track.offsets_m.insert(0, d_m);
            track.limits_mps.insert(0, limit_mps);
        }
        if ahead == track.forward { track.lanes.1 = lane } else { track.lanes.0 = lane }
    }
}

/// Joins tracks that follow one another and drops those that lie on others.
fn without_duplicates(mut found: Vec<Track>) -> Vec<Track> {
    found.sort_by_key(|track| (track.first, usize::MAX - track.offsets_m.len()));
    let mut kept: Vec<Track> = Vec::new();
    for track in found {
        let overlaps = |old: &&mut Track| {
            let s_m = track.start_m();
            old.forward == track.forward && old.end_m() + 1.5 > s_m && (old.d_m(s_m) - track.offsets_m[0]).abs() < 1.0
        };
        let Some(old) = kept.iter_mut().find(overlaps) else {
            kept.push(track);
            continue;
        };
        if track.last_m() > old.last_m() {
            let skip = old.last_m() + 1 - track.first;
            old.offsets_m.extend_from_slice(&track.offsets_m[skip..]);
            old.limits_mps.extend_from_slice(&track.limits_mps[skip..]);
            if track.forward { old.lanes.1 = track.lanes.1 } else { old.lanes.0 = track.lanes.0 }
        }
    }
    kept
}

/// Speeds that keep limits and bends, slowing down in time.
fn flow(track: &Track, stations: &[Station], cap_mps: f64) -> Vec<f64> {
    let here = track.limits_mps.iter().enumerate().map(|(index, limit_mps)| {
        let station = stations[(track.first + index).min(stations.len() - 1)];
        let bend = (BEND_MPS2 / station.curvature_per_m.abs().max(1e-4)).sqrt();
        limit_mps.min(cap_mps).min(bend).max(2.0)
    });
    slowing(here.collect(), track.forward)
}

/// The speeds from which those ahead are reached by braking gently.
fn slowing(mut speeds: Vec<f64>, forward: bool) -> Vec<f64> {
    let slow = |ahead: f64| (ahead * ahead + 2.0 * SLOW_MPS2).sqrt();
    if forward {
        for i in (1..speeds.len()).rev() {
            speeds[i - 1] = speeds[i - 1].min(slow(speeds[i]));
        }
    } else {
        for i in 1..speeds.len() {
            speeds[i] = speeds[i].min(slow(speeds[i - 1]));
        }
    }
    speeds
}
