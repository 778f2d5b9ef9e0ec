//! Smaller pictures for narrow paths.

use super::I420;

/// A picture in I420, owned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planes {
    /// Pixels; even.
    pub width: usize,
    /// Pixels; even.
    pub height: usize,
    /// `width * height` bytes.
    pub y: Vec<u8>,
    /// `width / 2 * height / 2` bytes.
    pub u: Vec<u8>,
    /// `width / 2 * height / 2` bytes.
    pub v: Vec<u8>,
}

impl Planes {
    /// Borrowed, as encoders want it.
    #[must_use]
    pub fn as_i420(&self) -> I420<'_> {
        I420 { width: self.width, height: self.height, y: &self.y, u: &self.u, v: &self.v }
    }

    /// Fills itself with `source` in another size, bilinear; keeps its memory from call to call. Sizes are even and not 0.
    pub fn scale_from(&mut self, source: I420<'_>, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        let from = (source.width, source.height);
        plane(source.y, from, &mut self.y, (width, height));
        let (from, to) = ((from.0 / 2, from.1 / 2), (width / 2, height / 2));
        plane(source.u, from, &mut self.u, to);
        plane(source.v, from, &mut self.v, to);
    }
}

/// Bilinear with pixel centres aligned, in 8-bit fixed point.
fn plane(source: &[u8], (from_w, from_h): (usize, usize), target: &mut Vec<u8>, (width, height): (usize, usize)) {
    target.resize(width * height, 0);
    if from_w == 0 || from_h == 0 || source.len() < from_w * from_h {
        return;
    }
    let columns: Vec<(usize, usize, u32)> = (0..width).map(|x| position(x, width, from_w)).collect();
    for (y, row) in target.chunks_exact_mut(width.max(1)).enumerate() {
        let (above, below, fy) = position(y, height, from_h);
        let (above, below) = (&source[above * from_w..][..from_w], &source[below * from_w..][..from_w]);
        for (out, (left, right, fx)) in row.iter_mut().zip(&columns) {
            let across = |line: &[u8]| u32::from(line[*left]) * (256 - fx) + u32::from(line[*right]) * fx;
            *out = ((across(above) * (256 - fy) + across(below) * fy + (1 << 15)) >> 16) as u8;
        }
    }
}

/// The two source pixels around a target pixel's centre, and the weight of the second in 256ths.
fn position(at: usize, to: usize, from: usize) -> (usize, usize, u32) {
    let centre = ((2 * at + 1) * from * 256 / (2 * to)).saturating_sub(128);
    let first = (centre / 256).min(from - 1);
    (first, (first + 1).min(from - 1), (centre % 256) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize) -> Planes {
        let y = (0..height).flat_map(|_| (0..width).map(move |x| (x * 255 / (width - 1)) as u8)).collect();
        let half = vec![99; width / 2 * (height / 2)];
        Planes { width, height, y, u: half.clone(), v: half }
    }

    #[test]
    fn a_ramp_stays_a_ramp_and_grey_stays_grey() {
        let mut small = Planes::default();
        small.scale_from(ramp(1280, 720).as_i420(), 640, 360);
        let want = ramp(640, 360);
        assert!(small.y.iter().zip(&want.y).all(|(a, b)| a.abs_diff(*b) <= 1));
        assert!(small.u.iter().all(|p| *p == 99));
    }

    #[test]
    fn the_same_size_is_the_same_picture_and_larger_works_too() {
        let source = ramp(64, 32);
        let mut scaled = Planes::default();
        scaled.scale_from(source.as_i420(), 64, 32);
        assert_eq!(scaled, source);
        scaled.scale_from(source.as_i420(), 160, 90);
        assert_eq!((scaled.y.len(), scaled.u.len()), (160 * 90, 80 * 45));
    }
}
