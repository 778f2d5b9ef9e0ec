//! A picture that came out of a decoder.

use crate::{FrameTimes, I420};

/// One decoded picture, I420, tightly packed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecodedPicture {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// `width * height` bytes.
    pub y: Vec<u8>,
    /// `width / 2 * height / 2` bytes.
    pub u: Vec<u8>,
    /// `width / 2 * height / 2` bytes.
    pub v: Vec<u8>,
    /// Capture time on the vehicle's clock as the in-picture timecode says, microseconds; 0 when it could not be read.
    pub capture_us: u64,
    /// When decoding ended on the receiver's clock, microseconds.
    pub decoded_us: u64,
    /// The in-picture timecode's counter; 0 when it could not be read.
    pub sequence: u32,
    /// Which camera; 0 is the front. The decoder does not know and leaves 0.
    pub camera: u8,
    /// How long decoding and unpacking took, microseconds.
    pub decode_took_us: u64,
    /// When it passed each stage; only at a seat that knows the vehicle's clock.
    pub times: Option<FrameTimes>,
}

impl DecodedPicture {
    /// Borrowed, as encoders want it.
    #[must_use]
    pub fn as_i420(&self) -> I420<'_> {
        I420 { width: self.width, height: self.height, y: &self.y, u: &self.u, v: &self.v }
    }
}
