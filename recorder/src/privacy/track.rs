//! What was seen in some pictures, followed through all of them: where a region lies between two looks, and before and
//! after it was seen, so that a look that misses it shows nothing.

use super::{Region, RegionKind, Regions};
use std::collections::BTreeMap;

/// A region is held this long before it was first seen and after it was last, ns.
const HOLD_NS: u64 = 700_000_000;
/// Looks further apart do not belong together, ns.
const GAP_NS: u64 = 1_300_000_000;
/// Speeds are believed up to this many of the region's lengths a second.
const FASTEST: f32 = 4.0;

/// A rectangle, pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
}

impl Area {
    fn of(region: &Region) -> Self {
        let Region { x, y, width, height, .. } = *region;
        Self { left: x, top: y, right: x + width, bottom: y + height }
    }

    fn zip(self, other: Self, mix: impl Fn(f32, f32) -> f32) -> Self {
        Self {
            left: mix(self.left, other.left),
            top: mix(self.top, other.top),
            right: mix(self.right, other.right),
            bottom: mix(self.bottom, other.bottom),
        }
    }

    fn hull(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// Larger by this share of its sides on each side.
    fn grown(self, share: f32) -> Self {
        let (x, y) = (share * (self.right - self.left), share * (self.bottom - self.top));
        Self { left: self.left - x, top: self.top - y, right: self.right + x, bottom: self.bottom + y }
    }

    fn moved(self, (x, y): (f32, f32)) -> Self {
        Self { left: self.left + x, top: self.top + y, right: self.right + x, bottom: self.bottom + y }
    }

    fn centre(self) -> (f32, f32) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    fn length(self) -> f32 {
        (self.right - self.left).max(self.bottom - self.top)
    }
}

#[derive(Debug)]
struct Track {
    kind: RegionKind,
    /// Times of the looks and what was seen, in order; not empty.
    points: Vec<(u64, Area)>,
    /// Whether seeing it once is enough.
    is_sure: bool,
}

impl Track {
    fn last(&self) -> (u64, Area) {
        self.points[self.points.len() - 1]
    }

    /// Pixels a second between two points.
    fn speed((from_ns, from): (u64, Area), (to_ns, to): (u64, Area)) -> (f32, f32) {
        let seconds = to_ns.saturating_sub(from_ns) as f32 * 1e-9;
        if seconds <= 0.0 {
            return (0.0, 0.0);
        }
        let ((x0, y0), (x1, y1)) = (from.centre(), to.centre());
        let limit = FASTEST * to.length();
        (((x1 - x0) / seconds).clamp(-limit, limit), ((y1 - y0) / seconds).clamp(-limit, limit))
    }

    /// Speed at the end (or, backwards, at the beginning).
    fn end_speed(&self, beginning: bool) -> (f32, f32) {
        match (self.points.len(), beginning) {
            (1, _) => (0.0, 0.0),
            (_, true) => Self::speed(self.points[0], self.points[1]),
            (count, false) => Self::speed(self.points[count - 2], self.points[count - 1]),
        }
    }

    /// Whether `area`, seen at `at_ns`, can be what this track follows: lower is likelier.
    fn distance(&self, at_ns: u64, area: Area) -> Option<f32> {
        let (last_ns, last) = self.last();
        let passed_ns = at_ns.checked_sub(last_ns).filter(|passed| (1..=GAP_NS).contains(passed))?;
        let ratio = area.length() / last.length().max(1.0);
        if !(0.5..=2.0).contains(&ratio) {
            return None;
        }
        let (speed_x, speed_y) = self.end_speed(false);
        let seconds = passed_ns as f32 * 1e-9;
        let (x, y) = area.centre();
        // Where it was or where it was heading for.
        let from = |(to_x, to_y): (f32, f32)| (x - to_x).hypot(y - to_y);
        let distance = from(last.centre()).min(from(last.moved((speed_x * seconds, speed_y * seconds)).centre()));
        (distance <= (0.6 + seconds) * last.length().max(area.length())).then_some(distance)
    }

    fn begin_ns(&self) -> u64 {
        self.points[0].0.saturating_sub(HOLD_NS)
    }

    fn end_ns(&self) -> u64 {
        self.last().0.saturating_add(HOLD_NS)
    }

    /// What to cover at a time.
    fn at(&self, at_ns: u64) -> Option<Area> {
        if at_ns < self.begin_ns() || at_ns > self.end_ns() {
            return None;
        }
        let after = self.points.partition_point(|(ns, _)| *ns <= at_ns);
        if after == 0 || after == self.points.len() {
            let beginning = after == 0;
            let (seen_ns, area) = if beginning { self.points[0] } else { self.last() };
            let away_s = seen_ns.abs_diff(at_ns) as f32 * 1e-9;
            let (x, y) = self.end_speed(beginning);
            let signed_s = if beginning { -away_s } else { away_s };
            return Some(area.hull(area.moved((x * signed_s, y * signed_s))).grown(0.4 * away_s));
        }
        let ((from_ns, from), (to_ns, to)) = (self.points[after - 1], self.points[after]);
        let gap_s = (to_ns - from_ns) as f32 * 1e-9;
        let share = (at_ns - from_ns) as f32 * 1e-9 / gap_s;
        // Nothing moves evenly: a quarter of the way earlier and later belongs to it, too.
        let place = |share: f32| from.zip(to, |a, b| a + (b - a) * share.clamp(0.0, 1.0));
        let away_s = gap_s * share.min(1.0 - share);
        Some(place(share - 0.25).hull(place(share + 0.25)).grown(0.4 * away_s))
    }
}

/// The regions of one camera.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    tracks: Vec<Track>,
    /// Those that may go on.
    open: Vec<usize>,
}

impl Tracks {
    /// Takes what a look at `at_ns` found; looks come in order.
    pub fn add(&mut self, at_ns: u64, regions: &[Region]) {
        let tracks = &self.tracks;
        self.open.retain(|&index| at_ns.saturating_sub(tracks[index].last().0) <= GAP_NS);
        for region in regions {
            let area = Area::of(region);
            let known = self.open.iter().filter(|index| self.tracks[**index].kind == region.kind);
            let likely = known.filter_map(|&index| Some((self.tracks[index].distance(at_ns, area)?, index)));
            match likely.min_by(|a, b| a.0.total_cmp(&b.0)) {
                Some((_, index)) => {
                    self.tracks[index].points.push((at_ns, area));
                    self.tracks[index].is_sure = true;
                }
                None => {
                    self.open.push(self.tracks.len());
                    self.tracks.push(Track { kind: region.kind, points: vec![(at_ns, area)], is_sure: region.is_sure });
                }
            }
        }
    }

    /// How many regions are followed, by kind.
    pub fn count(&self) -> BTreeMap<RegionKind, Regions> {
        let mut counts: BTreeMap<RegionKind, Regions> = BTreeMap::new();
        let tracks = self.tracks.iter().filter(|track| track.is_sure);
        tracks.for_each(|track| counts.entry(track.kind).or_default().followed += 1);
        counts
    }

    /// To be asked for one time after the other.
    pub fn cover(mut self) -> Cover {
        self.tracks.retain(|track| track.is_sure);
        // Those that begin last are taken from the end.
        self.tracks.sort_by_key(|track| std::cmp::Reverse(track.begin_ns()));
        Cover { waiting: self.tracks, active: Vec::new() }
    }
}

/// What is to be covered as time goes by.
#[derive(Debug, Default)]
pub(super) struct Cover {
    waiting: Vec<Track>,
    active: Vec<Track>,
}

impl Cover {
    /// What to cover at a time; times do not run backwards.
    pub fn at(&mut self, at_ns: u64) -> Vec<(RegionKind, Area)> {
        while self.waiting.last().is_some_and(|track| track.begin_ns() <= at_ns) {
            self.active.extend(self.waiting.pop());
        }
        self.active.retain(|track| track.end_ns() >= at_ns);
        self.active.iter().filter_map(|track| Some((track.kind, track.at(at_ns)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn face(x: f32) -> Region {
        Region { kind: RegionKind::Faces, x, y: 100.0, width: 40.0, height: 40.0, is_sure: true }
    }

    fn covered(cover: &mut Cover, ms: u64, x: f32) -> bool {
        let inside =
            |area: &Area| area.left <= x && area.right >= x + 40.0 && area.top <= 100.0 && area.bottom >= 140.0;
        cover.at(ms * MS).iter().any(|(_, area)| inside(area))
    }

    #[test]
    fn a_face_that_three_looks_in_a_row_miss_stays_covered_on_its_way() {
        let mut tracks = Tracks::default();
        // 100 pixels a second; seen at 1000 and 1250, then not until 2250 ms.
        for ms in [1000, 1250, 2250, 2500] {
            tracks.add(ms * MS, &[face(ms as f32 / 10.0)]);
        }
        for ms in [1500, 1750, 2000] {
            tracks.add(ms * MS, &[]);
        }
        let mut cover = tracks.cover();
        assert!(!covered(&mut cover, 250, 25.0), "long before");
        for ms in (700..=2800).step_by(33) {
            assert!(covered(&mut cover, ms, ms as f32 / 10.0), "{ms} ms");
        }
        assert!(cover.at(3300 * MS).is_empty(), "long after");
    }

    #[test]
    fn what_is_not_sure_counts_once_another_look_agrees() {
        let unsure = |x: f32| Region { is_sure: false, ..face(x) };
        let mut tracks = Tracks::default();
        tracks.add(0, &[unsure(0.0), unsure(300.0)]);
        tracks.add(250 * MS, &[unsure(310.0)]);
        assert_eq!(tracks.count()[&RegionKind::Faces].followed, 1);
        let covered = tracks.cover().at(0);
        assert!(covered.len() == 1 && covered[0].1.left > 250.0, "{covered:?}");
    }

    #[test]
    fn what_jumps_too_far_is_another_one_and_kinds_do_not_mix() {
        let mut tracks = Tracks::default();
        tracks.add(0, &[face(0.0), Region { kind: RegionKind::Plates, ..face(3.0) }]);
        tracks.add(250 * MS, &[face(400.0)]);
        assert_eq!(tracks.tracks.len(), 3);
        let mut cover = tracks.cover();
        let between = cover.at(125 * MS);
        assert_eq!(between.len(), 3);
        assert!(between.iter().all(|(_, area)| area.right - area.left < 60.0), "{between:?}");
    }
}
