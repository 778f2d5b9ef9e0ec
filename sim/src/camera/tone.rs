//! Colours as they are mixed.

/// A colour in BT.709 terms: luma 0 to 1, colour differences -0.5 to 0.5. Mixing these is mixing RGB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tone {
    y: f32,
    u: f32,
    v: f32,
}

impl Tone {
    /// From 24-bit RGB, `0xRRGGBB`.
    pub const fn rgb(hex: u32) -> Self {
        let r = (hex >> 16 & 255) as f32 / 255.0;
        let g = (hex >> 8 & 255) as f32 / 255.0;
        let b = (hex & 255) as f32 / 255.0;
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        Self { y, u: (b - y) / 1.8556, v: (r - y) / 1.5748 }
    }

    /// The same under `light` times as much light.
    pub fn lit(self, light: f64) -> Self {
        let light = light as f32;
        Self { y: self.y * light, u: self.u * light, v: self.v * light }
    }

    /// `share` of `other`, the rest of this.
    pub fn mix(self, other: Self, share: f64) -> Self {
        let share = share.clamp(0.0, 1.0) as f32;
        let blend = |a: f32, b: f32| a + (b - a) * share;
        Self { y: blend(self.y, other.y), u: blend(self.u, other.u), v: blend(self.v, other.v) }
    }

    /// Y, U, V samples.
    pub fn yuv(self) -> [u8; 3] {
        let chroma = |c: f32| (128.0 + 224.0 * c.clamp(-0.5, 0.5)).round() as u8;
        [(16.0 + 219.0 * self.y.clamp(0.0, 1.0)).round() as u8, chroma(self.u), chroma(self.v)]
    }
}
