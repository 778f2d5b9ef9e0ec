//! Pictures in I420, borrowed and owned, and other sizes of them.

use crate::VideoError;
#[cfg(feature = "codec")]
use openh264::formats::YUVSource;

/// A picture in I420, borrowed: luma at full size, chroma at half size both ways, tightly packed.
#[derive(Debug, Clone, Copy)]
pub struct I420<'a> {
    /// Pixels; even.
    pub width: usize,
    /// Pixels; even.
    pub height: usize,
    /// `width * height` bytes.
    pub y: &'a [u8],
    /// `width / 2 * height / 2` bytes.
    pub u: &'a [u8],
    /// `width / 2 * height / 2` bytes.
    pub v: &'a [u8],
}

impl I420<'_> {
    /// Whether the planes have the length that the size asks for.
    ///
    /// # Errors
    /// [`VideoError::Plane`] naming the first that has not.
    pub fn check(&self) -> Result<(), VideoError> {
        let (width, height) = (self.width, self.height);
        let quarter = (width / 2) * (height / 2);
        for (plane, got, want) in
            [("y", self.y.len(), width * height), ("u", self.u.len(), quarter), ("v", self.v.len(), quarter)]
        {
            if got != want {
                return Err(VideoError::Plane { plane, width, height, got, want });
            }
        }
        Ok(())
    }
}

/// A picture in I420, owned: planes without gaps between rows. Odd sizes, which nothing encodes, round the chroma planes
/// up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct I420Buffer {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Luma: `width * height` bytes.
    pub y: Vec<u8>,
    /// Blue difference: `ceil(width / 2) * ceil(height / 2)` bytes.
    pub u: Vec<u8>,
    /// Red difference: as many.
    pub v: Vec<u8>,
}

impl I420Buffer {
    /// A black picture.
    #[must_use]
    pub fn black(width: usize, height: usize) -> Self {
        let mut picture = Self::default();
        picture.resize(width, height);
        picture
    }

    /// Takes on another size; what it holds then is no picture before it is filled. One that has the size already is left
    /// as it is.
    pub fn resize(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        let chroma = self.chroma_width() * height.div_ceil(2);
        self.y.resize(width * height, 16);
        self.u.resize(chroma, 128);
        self.v.resize(chroma, 128);
    }

    /// Chroma samples in a row.
    #[must_use]
    pub fn chroma_width(&self) -> usize {
        self.width.div_ceil(2)
    }

    /// Red, green and blue of every pixel, row by row, by ITU-R BT.709 with limited range: for files and tests.
    #[must_use]
    pub fn to_rgb(&self) -> Vec<u8> {
        let mut rgb = Vec::with_capacity(3 * self.y.len());
        for (index, &luma) in self.y.iter().enumerate() {
            let (row, column) = (index / self.width, index % self.width);
            let chroma = row / 2 * self.chroma_width() + column / 2;
            let (y, u, v) = (f32::from(luma), f32::from(self.u[chroma]) - 128.0, f32::from(self.v[chroma]) - 128.0);
            let y = 1.1644 * (y - 16.0);
            rgb.extend([y + 1.7927 * v, y - 0.2132 * u - 0.5329 * v, y + 2.1124 * u].map(|c| c.round() as u8));
        }
        rgb
    }

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

    /// Takes over what a decoder holds; memory is used again.
    #[cfg(feature = "codec")]
    pub fn copy_from(&mut self, source: &impl YUVSource) {
        let (width, height) = source.dimensions();
        let strides = source.strides();
        (self.width, self.height) = (width, height);
        pack(&mut self.y, source.y(), (width, height), strides.0);
        pack(&mut self.u, source.u(), (width / 2, height / 2), strides.1);
        pack(&mut self.v, source.v(), (width / 2, height / 2), strides.2);
    }

    /// This picture made smaller, each pixel the mean of those that it stands for.
    #[must_use]
    pub fn shrunk(&self, width: usize, height: usize) -> Self {
        let luma = |plane: &[u8]| shrink(plane, (self.width, self.height), (width, height));
        let chroma = |plane: &[u8]| shrink(plane, (self.width / 2, self.height / 2), (width / 2, height / 2));
        Self { width, height, y: luma(&self.y), u: chroma(&self.u), v: chroma(&self.v) }
    }
}

/// A plane without the gaps between its rows.
#[cfg(feature = "codec")]
fn pack(target: &mut Vec<u8>, plane: &[u8], (width, height): (usize, usize), stride: usize) {
    target.clear();
    for row in plane.chunks(stride.max(1)).take(height) {
        target.extend_from_slice(&row[..width.min(row.len())]);
    }
    target.resize(width * height, 0);
}

fn shrink(plane: &[u8], (width, height): (usize, usize), (to_width, to_height): (usize, usize)) -> Vec<u8> {
    let mut target = Vec::with_capacity(to_width * to_height);
    let span = |at: usize, of: usize, from: usize| (at * from / of, ((at + 1) * from).div_ceil(of).min(from));
    for row in 0..to_height {
        let (top, bottom) = span(row, to_height, height);
        for column in 0..to_width {
            let (left, right) = span(column, to_width, width);
            let pixels = (top..bottom).flat_map(|y| &plane[y * width + left..y * width + right]);
            let (sum, count) = pixels.fold((0_u32, 0_u32), |(sum, count), &p| (sum + u32::from(p), count + 1));
            target.push((sum / count.max(1)) as u8);
        }
    }
    target
}

#[cfg(feature = "codec")]
impl YUVSource for I420Buffer {
    fn dimensions(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.width, self.width / 2, self.width / 2)
    }

    fn y(&self) -> &[u8] {
        &self.y
    }

    fn u(&self) -> &[u8] {
        &self.u
    }

    fn v(&self) -> &[u8] {
        &self.v
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

    fn ramp(width: usize, height: usize) -> I420Buffer {
        let y = (0..height).flat_map(|_| (0..width).map(move |x| (x * 255 / (width - 1)) as u8)).collect();
        let half = vec![99; width / 2 * (height / 2)];
        I420Buffer { width, height, y, u: half.clone(), v: half }
    }

    #[test]
    fn a_ramp_stays_a_ramp_and_grey_stays_grey() {
        let mut small = I420Buffer::default();
        small.scale_from(ramp(1280, 720).as_i420(), 640, 360);
        let want = ramp(640, 360);
        assert!(small.y.iter().zip(&want.y).all(|(a, b)| a.abs_diff(*b) <= 1));
        assert!(small.u.iter().all(|p| *p == 99));
    }

    #[test]
    fn the_same_size_is_the_same_picture_and_larger_works_too() {
        let source = ramp(64, 32);
        let mut scaled = I420Buffer::default();
        scaled.scale_from(source.as_i420(), 64, 32);
        assert_eq!(scaled, source);
        scaled.scale_from(source.as_i420(), 160, 90);
        assert_eq!((scaled.y.len(), scaled.u.len()), (160 * 90, 80 * 45));
    }

    #[test]
    fn a_smaller_picture_has_the_same_mean() {
        let y: Vec<u8> = (0..64 * 32).map(|i| (i % 64 * 4) as u8).collect();
        let picture = I420Buffer { width: 64, height: 32, y, u: vec![90; 32 * 16], v: vec![200; 32 * 16] };
        let small = picture.shrunk(16, 8);
        assert_eq!((small.y.len(), small.u.len(), small.v.len()), (128, 32, 32));
        let mean = |plane: &[u8]| plane.iter().map(|p| f64::from(*p)).sum::<f64>() / plane.len() as f64;
        assert!((mean(&small.y) - mean(&picture.y)).abs() < 1.0);
        assert!(small.u.iter().all(|p| *p == 90) && small.v.iter().all(|p| *p == 200));
        assert!(small.y[..16].is_sorted());
    }
}
