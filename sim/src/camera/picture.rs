//! The picture a camera fills.

/// A picture in I420: luma at full size, the two chroma planes at half size, tightly packed. Odd sizes round the
/// chroma planes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Luma samples in a row.
    pub width: usize,
    /// Luma rows.
    pub height: usize,
    /// Luma, `width * height`.
    pub y: Vec<u8>,
    /// Blue difference, `ceil(width / 2) * ceil(height / 2)`.
    pub u: Vec<u8>,
    /// Red difference, as `u`.
    pub v: Vec<u8>,
}

impl Picture {
    /// A black picture.
    pub fn new(width: usize, height: usize) -> Self {
        let mut picture = Self { width: 0, height: 0, y: vec![], u: vec![], v: vec![] };
        picture.resize(width, height);
        picture
    }

    /// Takes on another size; a picture that has it already is left as it is.
    pub fn resize(&mut self, width: usize, height: usize) {
        if (self.width, self.height) != (width, height) || self.y.len() != width * height {
            (self.width, self.height) = (width, height);
        }
        let chroma = self.chroma_width() * self.chroma_height();
        self.y.resize(width * height, 16);
        self.u.resize(chroma, 128);
        self.v.resize(chroma, 128);
    }

    /// Chroma samples in a row.
    pub fn chroma_width(&self) -> usize {
        self.width.div_ceil(2)
    }

    /// Chroma rows.
    pub fn chroma_height(&self) -> usize {
        self.height.div_ceil(2)
    }

    /// Red, green and blue of every pixel, row by row: for files and tests, not for the loop.
    pub fn to_rgb(&self) -> Vec<u8> {
        let mut rgb = Vec::with_capacity(3 * self.y.len());
        for (index, &luma) in self.y.iter().enumerate() {
            let (row, column) = (index / self.width, index % self.width);
            let chroma = row / 2 * self.chroma_width() + column / 2;
            let (y, u, v) = (f32::from(luma), f32::from(self.u[chroma]) - 128.0, f32::from(self.v[chroma]) - 128.0);
            let y = 1.1644 * (y - 16.0);
            // ITU-R BT.709, limited range.
            rgb.extend([y + 1.7927 * v, y - 0.2132 * u - 0.5329 * v, y + 2.1124 * u].map(|c| c.round() as u8));
        }
        rgb
    }
}
