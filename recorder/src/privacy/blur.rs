//! Making a region unrecognizable for good.
//!
//! The region is replaced by the mean colours of a few cells, rounded: of a face about four by four cells stay, of a
//! plate one. Nothing finer is in the picture afterwards, for whatever software looks at it.

use super::RegionKind;
use super::track::Area;
use video::I420Buffer;

/// Cells along the shorter side of a face.
const FACE_CELLS: usize = 3;
/// Smallest cell, pixels.
const LEAST_CELL: usize = 8;
/// Means are rounded to multiples of this, so that no trace of single pixels is in them.
const ROUND: u32 = 8;

/// A part of a plane: columns and rows from and to.
type Span = ((usize, usize), (usize, usize));

/// Blurs `area` of the picture. Returns whether any of it lies within.
pub(super) fn blur(picture: &mut I420Buffer, kind: RegionKind, area: Area) -> bool {
    let side = |from: f32, to: f32, length: usize| {
        let from = (from.max(0.0) as usize) & !1;
        let to = (to.max(0.0).ceil() as usize).min(length).next_multiple_of(2).min(length);
        (from.min(to), to)
    };
    let columns = side(area.left, area.right, picture.width);
    let rows = side(area.top, area.bottom, picture.height);
    let (width, height) = (columns.1 - columns.0, rows.1 - rows.0);
    if width == 0 || height == 0 {
        return false;
    }
    let cell = match kind {
        RegionKind::Faces => (width.min(height) / FACE_CELLS).max(LEAST_CELL).next_multiple_of(2),
        RegionKind::Plates => width.max(height).next_multiple_of(2),
    };
    let half = |(from, to): (usize, usize)| (from / 2, to / 2);
    let stride = picture.width;
    mosaic(&mut picture.y, stride, (columns, rows), cell);
    for plane in [&mut picture.u, &mut picture.v] {
        mosaic(plane, stride / 2, (half(columns), half(rows)), cell / 2);
    }
    true
}

fn mosaic(plane: &mut [u8], stride: usize, ((left, right), (top, bottom)): Span, cell: usize) {
    for y in (top..bottom).step_by(cell) {
        for x in (left..right).step_by(cell) {
            let (end_x, end_y) = ((x + cell).min(right), (y + cell).min(bottom));
            let rows = || (y..end_y).map(|row| row * stride + x..row * stride + end_x);
            let sum: u32 = rows().flat_map(|row| &plane[row]).map(|pixel| u32::from(*pixel)).sum();
            let mean = sum / ((end_x - x) * (end_y - y)) as u32;
            let mean = ((mean + ROUND / 2) / ROUND * ROUND).min(255) as u8;
            rows().for_each(|row| plane[row].fill(mean));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> I420Buffer {
        let plane = |count: usize, factor: usize| (0..count).map(|i| (i * factor % 253) as u8).collect();
        I420Buffer { width: 128, height: 64, y: plane(128 * 64, 91), u: plane(64 * 32, 37), v: plane(64 * 32, 53) }
    }

    #[test]
    fn within_the_area_only_a_few_colours_stay_and_outside_nothing_changes() {
        for (kind, most) in [(RegionKind::Faces, 16), (RegionKind::Plates, 1)] {
            let mut picture = noise();
            assert!(blur(&mut picture, kind, Area { left: 21.0, top: 10.0, right: 60.5, bottom: 50.0 }));
            let (mut colours, before) = (std::collections::BTreeSet::new(), noise());
            for (index, (now, then)) in picture.y.iter().zip(&before.y).enumerate() {
                let (x, y) = (index % 128, index / 128);
                if (20..62).contains(&x) && (10..50).contains(&y) {
                    colours.insert(now);
                } else {
                    assert_eq!(now, then, "{x} {y}");
                }
            }
            assert!(colours.len() <= most, "{kind}: {}", colours.len());
        }
    }

    #[test]
    fn areas_that_stick_out_are_cut_and_those_outside_change_nothing() {
        let mut picture = noise();
        assert!(blur(&mut picture, RegionKind::Faces, Area { left: -20.0, top: -5.0, right: 500.0, bottom: 900.0 }));
        let mut picture = noise();
        assert!(!blur(&mut picture, RegionKind::Faces, Area { left: 130.0, top: 10.0, right: 150.0, bottom: 30.0 }));
        assert!(!blur(&mut picture, RegionKind::Faces, Area { left: -30.0, top: 10.0, right: -4.0, bottom: 30.0 }));
        assert_eq!(picture, noise());
    }
}
