//! Number plates, found by what all of them have: a row of characters of one height on a ground of one brightness.
//!
//! No model is trained on any country's plates: what counts is the row's geometry and contrast, so that other short
//! texts in a row (signs, advertising) are found as well. Characters that motion or distance makes one blob are not.

mod blobs;
mod row;

use super::Region;
use super::cascade::Level;
use blobs::Ink;

/// Sides of the windows by whose mean a pixel is dark or bright, pixels; characters can be 1.4 times as high.
const WINDOWS: [usize; 2] = [15, 31];

/// The plates in a picture, in its pixels.
pub(super) fn find(level: &Level<'_>) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for window in WINDOWS {
        for dark in [true, false] {
            let ink = Ink { level, window, dark };
            for row in row::rows(&ink) {
                join(&mut regions, row.plate());
            }
        }
    }
    regions
}

/// The same plate, found twice, is one.
fn join(regions: &mut Vec<Region>, mut new: Region) {
    while let Some(index) = regions.iter().position(|known| overlap(known, &new) > 0.5) {
        let known = regions.swap_remove(index);
        let (x, y) = (known.x.min(new.x), known.y.min(new.y));
        let right = (known.x + known.width).max(new.x + new.width);
        let bottom = (known.y + known.height).max(new.y + new.height);
        new = Region { x, y, width: right - x, height: bottom - y, ..new };
    }
    regions.push(new);
}

/// As a share of the smaller one.
fn overlap(a: &Region, b: &Region) -> f32 {
    let width = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
    let height = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
    width.max(0.0) * height.max(0.0) / (a.width * a.height).min(b.width * b.height).max(1.0)
}
