//! Which pictures of which cameras belong to one row.
//!
//! A dataset's film has one picture a row, and H.264 cannot be thinned without encoding it again. Cameras of a running
//! vehicle begin at keyframes of their own, and now and then one misses a picture. So the rows are runs of pictures that
//! all cameras have, each an episode of the dataset; what a film needs before its first row in order to be decoded lies
//! before that row. A dataset's pictures have one size: one that a vehicle made smaller for a weak network counts as missing.

use std::collections::BTreeMap;
use std::ops::Range;

/// One camera's pictures from its first keyframe on.
#[derive(Debug, Clone, Default)]
pub(super) struct Film {
    pub topic: String,
    /// When they were recorded.
    pub times: Vec<u64>,
    /// When they were taken.
    pub taken: Vec<u64>,
    /// Which of them decoding can start at.
    pub keys: Vec<usize>,
    /// Width and height of each.
    pub sizes: Vec<(u32, u32)>,
    /// The size of those that go into the dataset; none for any.
    pub size: Option<(u32, u32)>,
}

impl Film {
    /// The size of most of its pictures.
    pub fn usual_size(&self) -> Option<(u32, u32)> {
        let mut counts = BTreeMap::<(u32, u32), usize>::new();
        self.sizes.iter().for_each(|size| *counts.entry(*size).or_default() += 1);
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(size, _)| size)
    }

    /// Whether picture `index` is of the size that goes into the dataset.
    fn fits(&self, index: usize) -> bool {
        self.size.is_none_or(|size| self.sizes.get(index).is_none_or(|own| *own == size))
    }
}

/// The part of a film that goes into the dataset, in pictures from the film's first keyframe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strip {
    pub topic: String,
    /// The keyframe that the first row's picture builds on.
    pub first: usize,
    /// The first row's picture.
    pub row0: usize,
}

/// Pictures a second: their mean distance, rounded to what cameras are set to when it is near that.
pub(super) fn rate(times: &[u64]) -> u32 {
    const USUAL: [f64; 10] = [5.0, 10.0, 12.0, 15.0, 20.0, 24.0, 25.0, 30.0, 50.0, 60.0];
    const NEAR: f64 = 0.06;
    let span_ns = times.last().zip(times.first()).map_or(0, |(last, first)| last.saturating_sub(*first));
    if span_ns == 0 {
        return 10;
    }
    let mean = (times.len() - 1) as f64 * 1e9 / span_ns as f64;
    let off = |usual: f64| (mean - usual).abs() / usual;
    let usual = USUAL.into_iter().min_by(|a, b| off(*a).total_cmp(&off(*b))).filter(|usual| off(*usual) <= NEAR);
    usual.unwrap_or(mean).round().clamp(1.0, 1000.0) as u32
}

/// A camera with its picture for each of the main camera's.
type Camera<'a> = (&'a Film, Vec<Option<usize>>);

/// The picture of `film` that was taken with each of `taken`, at most half a period apart.
fn partners(film: &Film, taken: &[u64], half_ns: u64) -> Vec<Option<usize>> {
    let partner = |&at: &u64| {
        let after = film.taken.partition_point(|time| *time < at);
        let near = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let near = near.filter(|index| film.taken.get(*index).is_some_and(|time| time.abs_diff(at) < half_ns));
        near.min_by_key(|index| film.taken[*index].abs_diff(at)).filter(|index| film.fits(*index))
    };
    taken.iter().map(partner).collect()
}

/// The runs of rows within `from..rows` in which every camera's pictures follow each other, none shorter than
/// `least` rows.
fn runs(from: usize, rows: usize, least: usize, cameras: &[&Camera<'_>]) -> Vec<Range<usize>> {
    let goes_on = |row: usize| {
        cameras.iter().all(|(_, partners)| match (partners[row - 1], partners[row]) {
            (Some(before), Some(now)) => now == before + 1,
            _ => false,
        })
    };
    let begins = |row: usize| cameras.iter().all(|(_, partners)| partners[row].is_some());
    let mut runs: Vec<Range<usize>> = Vec::new();
    for row in (from..rows).filter(|row| begins(*row)) {
        match runs.last_mut().filter(|run| run.end == row && goes_on(row)) {
            Some(run) => run.end = row + 1,
            None => runs.push(row..row + 1),
        }
    }
    runs.retain(|run| run.len() >= least);
    runs
}

fn count(runs: &[Range<usize>]) -> usize {
    runs.iter().map(Range::len).sum()
}

/// What [`pair`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Paired {
    /// Rows, as pictures of the main camera, and the films' parts for them.
    pub runs: Vec<(Range<usize>, Vec<Strip>)>,
    /// Cameras that would cost more than half of the rows.
    pub left_out: Vec<String>,
    /// Pictures of the main camera that are in no run.
    pub unpaired: usize,
}

/// The rows among the pictures of `main`, none of them taken before `begin_ns`: runs of at least a second in which no
/// camera misses a picture.
pub(super) fn pair(films: &[Film], main: &Film, begin_ns: u64, fps: u32) -> Paired {
    let half_ns = 500_000_000 / u64::from(fps.max(1));
    let (from, rows) = (main.taken.partition_point(|at| *at < begin_ns), main.taken.len());
    // No shorter than a second, unless the episode is.
    let least = (fps as usize).min(rows - from);
    let mut cameras: Vec<Camera<'_>> = films.iter().map(|film| (film, partners(film, &main.taken, half_ns))).collect();
    let mut paired = Paired::default();
    loop {
        let found = runs(from, rows, least, &cameras.iter().collect::<Vec<_>>());
        let others = cameras.iter().enumerate().filter(|(_, (film, _))| film.topic != main.topic);
        let worst = others.min_by_key(|(_, camera)| count(&runs(from, rows, least, &[*camera])));
        match worst.map(|(index, _)| index) {
            Some(index) if count(&found) * 2 < rows - from => {
                paired.left_out.push(cameras.remove(index).0.topic.clone());
            }
            _ => {
                paired.unpaired = rows - from - count(&found);
                let strips = |run: &Range<usize>| {
                    cameras.iter().filter_map(|(film, partners)| strip(film, *partners.get(run.start)?)).collect()
                };
                paired.runs = found.iter().map(|run| (run.clone(), strips(run))).collect();
                return paired;
            }
        }
    }
}

fn strip(film: &Film, row0: Option<usize>) -> Option<Strip> {
    let row0 = row0?;
    let first = film.keys[..film.keys.partition_point(|key| *key <= row0)].last().copied()?;
    Some(Strip { topic: film.topic.clone(), first, row0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A camera at 30 Hz that takes picture `n` for each of `numbers`, a keyframe every ten of them.
    fn film(topic: &str, numbers: impl Iterator<Item = u64>) -> Film {
        let taken: Vec<u64> = numbers.map(|n| n * 100 * MS / 3).collect();
        let keys = (0..taken.len()).step_by(10).collect();
        let times = taken.iter().map(|at| at + 7 * MS).collect();
        Film { topic: topic.to_owned(), times, taken, keys, ..Film::default() }
    }

    #[test]
    fn uneven_pictures_have_the_rate_that_their_camera_is_set_to() {
        // 30 pictures out of 50 ticks.
        let ticks = (0..500).filter(|tick| matches!(tick % 5, 0 | 2 | 4)).map(|tick| tick * 20 * MS);
        assert_eq!(rate(&ticks.collect::<Vec<_>>()), 30);
        assert_eq!(rate(&(0..40).map(|n| n * 140 * MS).collect::<Vec<_>>()), 7);
        assert_eq!((rate(&[]), rate(&[5]), rate(&[5, 5])), (10, 10, 10));
    }

    fn strips(of: [(&str, usize, usize); 2]) -> Vec<Strip> {
        of.map(|(topic, first, row0)| Strip { topic: topic.into(), first, row0 }).into()
    }

    #[test]
    fn cameras_that_begin_apart_share_the_rows_that_both_have() {
        let (front, left) = (film("front", 0..90), film("left", 7..100));
        let paired = pair(&[front.clone(), left], &front, 0, 30);
        assert_eq!(paired.runs, [(7..90, strips([("front", 0, 7), ("left", 0, 0)]))]);
        assert_eq!((paired.left_out.len(), paired.unpaired), (0, 7));
    }

    #[test]
    fn pictures_of_another_size_are_missing_pictures() {
        let front = film("front", 0..120);
        let small = |n: usize| (40..70).contains(&n);
        let sizes: Vec<_> = (0..120).map(|n| if small(n) { (640, 360) } else { (1280, 720) }).collect();
        let mut left = Film { sizes, ..film("left", 0..120) };
        assert_eq!(left.usual_size(), Some((1280, 720)));
        left.size = left.usual_size();
        let paired = pair(&[front.clone(), left.clone()], &front, 0, 30);
        let rows: Vec<_> = paired.runs.iter().map(|(rows, _)| rows.clone()).collect();
        assert_eq!((rows, paired.unpaired), (vec![0..40, 70..120], 30));
        assert_eq!(paired.runs[1].1, strips([("front", 70, 70), ("left", 70, 70)]));
        // As another episode has it.
        let main = Film { size: Some((640, 360)), ..left };
        assert_eq!(pair(std::slice::from_ref(&main), &main, 0, 30).runs[0].0, 40..70);
    }

    #[test]
    fn a_missing_picture_splits_the_rows_and_a_camera_that_misses_many_is_left_out() {
        let front = film("front", 0..90);
        let left = film("left", (0..90).filter(|n| *n != 40 && *n != 44));
        let rear = film("rear", (0..90).filter(|n| n % 7 != 0));
        let paired = pair(&[front.clone(), left.clone(), rear], &front, 0, 30);
        let second = strips([("front", 40, 45), ("left", 40, 43)]);
        assert_eq!(paired.runs, [(0..40, strips([("front", 0, 0), ("left", 0, 0)])), (45..90, second)]);
        assert_eq!((paired.left_out, paired.unpaired), (vec!["rear".to_owned()], 5));
        // Nothing before the first state.
        assert_eq!(pair(std::slice::from_ref(&front), &front, 1_000 * MS, 30).runs[0].0, 30..90);
        assert_eq!(pair(&[left], &front, u64::MAX, 30), Paired::default());
        // What is shorter than a second is better than nothing.
        let short = film("front", 0..9);
        assert_eq!(pair(std::slice::from_ref(&short), &short, 0, 30).runs[0].0, 0..9);
    }
}
