//! Connected pixels that are darker, or brighter, than what is around them.

use crate::privacy::cascade::Level;

/// A pixel counts when it differs from its surroundings by this, grey levels.
const LEAST_DIFFERENCE: i64 = 6;
/// More blobs than this are a texture without characters.
const MAX_BLOBS: usize = 20_000;

/// Which pixels count.
pub(super) struct Ink<'a> {
    pub level: &'a Level<'a>,
    /// Side of the window that is a pixel's surroundings.
    pub window: usize,
    /// Darker ones count, or brighter ones.
    pub dark: bool,
}

impl Ink<'_> {
    /// Calls `each` with every pixel of a row from column `left` to before `right`.
    pub fn row(&self, y: usize, (left, right): (usize, usize), mut each: impl FnMut(usize, u8, bool)) {
        let (tables, half) = (self.level.tables, self.window / 2);
        let (width, stride) = (tables.width, tables.stride());
        let (top, bottom) = (y.saturating_sub(half), (y + half + 1).min(tables.height));
        let (above, below) = (&tables.sum[top * stride..][..stride], &tables.sum[bottom * stride..][..stride]);
        let pixels = &self.level.pixels[y * width..][..width];
        for (x, &pixel) in pixels.iter().enumerate().take(right).skip(left) {
            let (from, to) = (x.saturating_sub(half), (x + half + 1).min(width));
            let sum = below[to].wrapping_sub(below[from]).wrapping_sub(above[to]).wrapping_add(above[from]);
            let area = ((to - from) * (bottom - top)) as i64;
            let excess = i64::from(pixel) * area - i64::from(sum);
            let limit = LEAST_DIFFERENCE * area;
            each(x, pixel, if self.dark { excess < -limit } else { excess > limit });
        }
    }
}

/// Box (right and bottom are just outside) and number of pixels of connected ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blob {
    pub left: usize,
    pub top: usize,
    pub right: usize,
    pub bottom: usize,
    pub area: usize,
}

impl Blob {
    pub fn width(&self) -> usize {
        self.right - self.left
    }

    pub fn height(&self) -> usize {
        self.bottom - self.top
    }

    fn join(&mut self, other: &Self) {
        self.left = self.left.min(other.left);
        self.top = self.top.min(other.top);
        self.right = self.right.max(other.right);
        self.bottom = self.bottom.max(other.bottom);
        self.area += other.area;
    }
}

/// Pixels in a row, with the set that they belong to.
struct Run {
    left: usize,
    right: usize,
    set: usize,
}

/// Every blob for which `wanted` holds, in the order of left edges. Pixels touching at a corner are connected.
pub(super) fn blobs(ink: &Ink<'_>, wanted: impl Fn(&Blob) -> bool) -> Vec<Blob> {
    let (width, height) = (ink.level.tables.width, ink.level.tables.height);
    // Union-find: a set points to the one that it became part of, or to itself.
    let (mut parents, mut sets): (Vec<usize>, Vec<Blob>) = (Vec::new(), Vec::new());
    let mut above: Vec<Run> = Vec::new();
    for y in 0..height {
        let mut runs: Vec<Run> = Vec::new();
        let mut start = None;
        let mut close = |start: &mut Option<usize>, right: usize| {
            if let Some(left) = start.take() {
                runs.push(Run { left, right, set: 0 });
            }
        };
        ink.row(y, (0, width), |x, _, counts| match (counts, start) {
            (true, None) => start = Some(x),
            (false, Some(_)) => close(&mut start, x),
            _ => {}
        });
        close(&mut start, width);
        let mut first = 0;
        for run in &mut runs {
            let own = Blob { left: run.left, top: y, right: run.right, bottom: y + 1, area: run.right - run.left };
            while above.get(first).is_some_and(|over| over.right < run.left) {
                first += 1;
            }
            let touching = above[first..].iter().take_while(|over| over.left <= run.right);
            let mut set = None;
            for over in touching {
                let other = root(&mut parents, over.set);
                match set {
                    None => set = Some(other),
                    Some(mine) if mine != other => {
                        parents[other] = mine;
                        let part = sets[other];
                        sets[mine].join(&part);
                    }
                    Some(_) => {}
                }
            }
            run.set = match set {
                Some(set) => {
                    sets[set].join(&own);
                    set
                }
                None => {
                    parents.push(sets.len());
                    sets.push(own);
                    sets.len() - 1
                }
            };
        }
        above = runs;
    }
    let whole = sets.iter().enumerate().filter(|(index, blob)| parents[*index] == *index && wanted(blob));
    let mut found: Vec<Blob> = whole.map(|(_, blob)| *blob).take(MAX_BLOBS).collect();
    found.sort_by_key(|blob| (blob.left, blob.top));
    found
}

fn root(parents: &mut [usize], mut set: usize) -> usize {
    while parents[set] != set {
        parents[set] = parents[parents[set]];
        set = parents[set];
    }
    set
}
