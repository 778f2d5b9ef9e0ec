//! A decoded picture.

use openh264::formats::YUVSource;

/// A picture in 4:2:0, planes without gaps between rows; width and height are even.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    pub width: usize,
    pub height: usize,
    /// Luma, `width * height`.
    pub y: Vec<u8>,
    /// Blue difference, a quarter of it.
    pub u: Vec<u8>,
    /// Red difference, a quarter of it.
    pub v: Vec<u8>,
}

impl Picture {
    /// Takes over what a decoder holds; memory is used again.
    pub fn copy_from(&mut self, source: &impl YUVSource) {
        let (width, height) = source.dimensions();
        let strides = source.strides();
        (self.width, self.height) = (width, height);
        pack(&mut self.y, source.y(), (width, height), strides.0);
        pack(&mut self.u, source.u(), (width / 2, height / 2), strides.1);
        pack(&mut self.v, source.v(), (width / 2, height / 2), strides.2);
    }

    /// This picture made smaller, each pixel the mean of those that it stands for.
    pub fn shrunk(&self, width: usize, height: usize) -> Self {
        let luma = |plane: &[u8]| shrink(plane, (self.width, self.height), (width, height));
        let chroma = |plane: &[u8]| shrink(plane, (self.width / 2, self.height / 2), (width / 2, height / 2));
        Self { width, height, y: luma(&self.y), u: chroma(&self.u), v: chroma(&self.v) }
    }
}

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

impl YUVSource for Picture {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_picture_has_the_same_mean() {
        let y: Vec<u8> = (0..64 * 32).map(|i| (i % 64 * 4) as u8).collect();
        let picture = Picture { width: 64, height: 32, y, u: vec![90; 32 * 16], v: vec![200; 32 * 16] };
        let small = picture.shrunk(16, 8);
        assert_eq!((small.y.len(), small.u.len(), small.v.len()), (128, 32, 32));
        let mean = |plane: &[u8]| plane.iter().map(|p| f64::from(*p)).sum::<f64>() / plane.len() as f64;
        assert!((mean(&small.y) - mean(&picture.y)).abs() < 1.0);
        assert!(small.u.iter().all(|p| *p == 90) && small.v.iter().all(|p| *p == 200));
        assert!(small.y[..16].is_sorted());
    }
}
