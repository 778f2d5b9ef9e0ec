//! Rows of characters among blobs.

use super::blobs::{Blob, Ink, blobs};
use crate::privacy::{Region, RegionKind};

/// Characters of a plate, at least.
const LEAST_CHARACTERS: usize = 4;
/// Lowest character, pixels.
const LEAST_HEIGHT: usize = 7;
/// Steepest row: rise over run.
const STEEPEST: f32 = 0.35;
/// Least difference between characters and ground, grey levels.
const LEAST_CONTRAST: f32 = 22.0;

/// A row's box, pixels, and the height of its characters.
pub(super) struct Row {
    blob: Blob,
    character: f32,
    scale: f32,
}

impl Row {
    /// The plate around the characters; two at each end may have been missed.
    pub fn plate(&self) -> Region {
        let Blob { left, top, right, bottom, .. } = self.blob;
        let (aside, above) = (2.0 * self.character, 0.6 * self.character);
        Region {
            kind: RegionKind::Plates,
            x: (left as f32 - aside) * self.scale,
            y: (top as f32 - above) * self.scale,
            width: ((right - left) as f32 + 2.0 * aside) * self.scale,
            height: ((bottom - top) as f32 + 2.0 * above) * self.scale,
            is_sure: true,
        }
    }
}

/// Every row of characters.
pub(super) fn rows(ink: &Ink<'_>) -> Vec<Row> {
    let highest = ink.window * 7 / 5;
    let characters = blobs(ink, |blob| {
        let (width, height) = (blob.width(), blob.height());
        (LEAST_HEIGHT..=highest).contains(&height)
            && width * 4 <= height * 5
            && width * 12 >= height
            && blob.area * 11 >= width * height * 2
    });
    let found = chains(&characters).into_iter().filter_map(|chain| row(ink, &chain));
    found.collect()
}

/// Each blob with the next to its right that can be the next character, as long as there is one.
fn chains(characters: &[Blob]) -> Vec<Vec<Blob>> {
    let next: Vec<Option<usize>> = (0..characters.len()).map(|index| follower(characters, index)).collect();
    let mut follows = vec![false; characters.len()];
    next.iter().flatten().for_each(|index| follows[*index] = true);
    let first = (0..characters.len()).filter(|index| !follows[*index]);
    let chain = first.map(|index| {
        let indices = std::iter::successors(Some(index), |index| next[*index]);
        indices.map(|index| characters[index]).collect::<Vec<_>>()
    });
    chain.filter(|chain| chain.len() >= LEAST_CHARACTERS).collect()
}

fn follower(characters: &[Blob], index: usize) -> Option<usize> {
    let this = &characters[index];
    let (height, centre) = (this.height() as f32, (this.top + this.bottom) as f32 / 2.0);
    let reach = this.right as f32 + 1.3 * height;
    let near = characters.iter().enumerate().skip(index + 1).take_while(|(_, other)| (other.left as f32) < reach);
    let fitting = near.filter(|(_, other)| {
        let higher = height.max(other.height() as f32);
        let gap = other.left as f32 - this.right as f32;
        let rise = ((other.top + other.bottom) as f32 / 2.0 - centre).abs();
        gap >= -0.15 * height
            && (other.height() as f32 - height).abs() <= 0.22 * higher + 1.0
            && rise <= 0.22 * height + 0.125 * other.left.abs_diff(this.left) as f32
    });
    fitting.min_by_key(|(_, other)| other.left + other.right).map(|(index, _)| index)
}

fn row(ink: &Ink<'_>, chain: &[Blob]) -> Option<Row> {
    let mut whole = *chain.first()?;
    for blob in chain {
        whole.left = whole.left.min(blob.left);
        whole.top = whole.top.min(blob.top);
        whole.right = whole.right.max(blob.right);
        whole.bottom = whole.bottom.max(blob.bottom);
    }
    let character = median(chain.iter().map(Blob::height));
    let length = whole.width() as f32;
    let in_line = [|blob: &Blob| blob.top as f32, |blob: &Blob| blob.bottom as f32].iter().all(|edge| {
        let (slope, off) = line(chain.iter().map(|blob| ((blob.left + blob.right) as f32 / 2.0, edge(blob))));
        off <= 0.1 * character + 0.5 && slope.abs() <= STEEPEST
    });
    let fits = (1.8 * character..=12.0 * character).contains(&length)
        && median(chain.iter().map(Blob::width)) >= 0.25 * character
        && in_line
        && is_two_coloured(ink, &whole);
    fits.then_some(Row { blob: whole, character, scale: ink.level.scale as f32 })
}

fn median(values: impl Iterator<Item = usize>) -> f32 {
    let mut values: Vec<usize> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0) as f32
}

/// Slope of the line through points and how far they are off it (root of the mean square).
fn line(points: impl Iterator<Item = (f32, f32)> + Clone) -> (f32, f32) {
    let count = points.clone().count().max(1) as f32;
    let mean = |sum: f32| sum / count;
    let (x, y) = (mean(points.clone().map(|p| p.0).sum()), mean(points.clone().map(|p| p.1).sum()));
    let spread: f32 = points.clone().map(|p| (p.0 - x).powi(2)).sum();
    let slope = points.clone().map(|p| (p.0 - x) * (p.1 - y)).sum::<f32>() / spread.max(1e-3);
    let off = mean(points.map(|p| (p.1 - y - slope * (p.0 - x)).powi(2)).sum());
    (slope, off.sqrt())
}

/// Whether the box shows one brightness on another: each varies little beside their difference.
fn is_two_coloured(ink: &Ink<'_>, area: &Blob) -> bool {
    // Count, sum and sum of squares of ground and characters.
    let mut sums = [[0.0_f32; 3]; 2];
    for y in area.top..area.bottom {
        ink.row(y, (area.left, area.right), |_, pixel, counts| {
            let pixel = f32::from(pixel);
            let sums = &mut sums[usize::from(counts)];
            *sums = [sums[0] + 1.0, sums[1] + pixel, sums[2] + pixel * pixel];
        });
    }
    let share = sums[1][0] / (sums[0][0] + sums[1][0]).max(1.0);
    if !(0.15..=0.75).contains(&share) {
        return false;
    }
    let [ground, characters] = sums.map(|[count, sum, squares]| {
        let mean = sum / count;
        (mean, (squares / count - mean * mean).max(0.0).sqrt())
    });
    let difference = (ground.0 - characters.0).abs();
    difference >= LEAST_CONTRAST && difference >= 1.6 * (ground.1 * (1.0 - share) + characters.1 * share)
}
