//! Pictures and their coding: H.264 without B-frames, one access unit a picture, Annex B.

mod bits;
mod budget;
mod continuity;
mod decoder;
mod encoder;
#[cfg(feature = "gstreamer")]
mod gst;
#[cfg(feature = "gstreamer")]
mod gst_elements;
mod long_term;
mod raw;
mod scale;
mod slice_header;

pub use decoder::H264Decoder;
pub(crate) use encoder::nearest_bitrate;
pub use encoder::{H264Config, H264Encoder};
#[cfg(feature = "gstreamer")]
pub use gst::GstEncoder;
pub use scale::Planes;

use crate::LinkError;
use bytes::Bytes;

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
    fn check(&self) -> Result<(), LinkError> {
        let (width, height) = (self.width, self.height);
        let quarter = (width / 2) * (height / 2);
        for (plane, got, want) in
            [("y", self.y.len(), width * height), ("u", self.u.len(), quarter), ("v", self.v.len(), quarter)]
        {
            if got != want {
                return Err(LinkError::Plane { plane, width, height, got, want });
            }
        }
        Ok(())
    }
}

/// One coded picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedFrame {
    /// Annex B access unit; a keyframe starts with its parameter sets.
    pub data: Bytes,
    /// Capture time on the vehicle's clock, microseconds.
    pub capture_us: u64,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// Which camera; 0 is the front.
    pub camera: u8,
    /// Capture time of the long-term reference when this picture refers to nothing but that one; a decoder that has it
    /// can go on here whatever it missed in between.
    pub recovers_from_us: Option<u64>,
    /// When encoding began, on the clock of `capture_us`, microseconds; 0 when unknown. Filled by who calls the encoder.
    pub encode_started_us: u64,
    /// When encoding had ended, on the clock of `capture_us`, microseconds; 0 when unknown. Filled by who calls the
    /// encoder.
    pub encoded_us: u64,
}

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
    /// When it passed each stage; only from a [`SeatLink`](crate::SeatLink) that knows the vehicle's clock.
    pub times: Option<crate::FrameTimes>,
}

impl DecodedPicture {
    /// Borrowed, as encoders want it.
    #[must_use]
    pub fn as_i420(&self) -> I420<'_> {
        I420 { width: self.width, height: self.height, y: &self.y, u: &self.u, v: &self.v }
    }
}

/// What a picture may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reference {
    /// The picture before it: the cheapest, for receivers that have decoded everything.
    #[default]
    Previous,
    /// Nothing but the newest long-term reference that every receiver is known to have decoded
    /// ([`VideoEncoder::acknowledge`]): repairs a loss at the price of a somewhat larger picture. A keyframe when there is
    /// no such reference.
    Acknowledged,
    /// Nothing: a keyframe, where anyone can start.
    Keyframe,
}

/// Turns pictures into access units. One instance serves one camera; hardware encoders implement it too.
///
/// Another picture size is another encoder, which starts with a keyframe.
pub trait VideoEncoder: Send {
    /// Encodes one picture; `None` when the encoder left it out to hold the bitrate.
    ///
    /// # Errors
    /// When the picture does not have the configured size or the codec refuses it.
    fn encode(
        &mut self,
        picture: I420<'_>,
        capture_us: u64,
        reference: Reference,
    ) -> Result<Option<EncodedFrame>, LinkError>;

    /// Every receiver has decoded the picture captured at `capture_us` and all it depends on. Times that are unknown or
    /// older than one already acknowledged change nothing.
    fn acknowledge(&mut self, capture_us: u64);

    /// Changes the target from the next picture on, without a keyframe.
    ///
    /// # Errors
    /// When `bps` is outside the encoder's range.
    fn set_bitrate(&mut self, bps: u32) -> Result<(), LinkError>;

    /// Tells how many pictures a second will come from now on, without a keyframe: the bitrate is shared out among them.
    ///
    /// # Errors
    /// When `fps` is outside the encoder's range.
    fn set_frame_rate(&mut self, fps: f64) -> Result<(), LinkError>;

    /// Changes the longest time between keyframes, seconds; `None` for keyframes only when asked for.
    ///
    /// # Errors
    /// When the interval is outside the encoder's range.
    fn set_keyframe_interval(&mut self, seconds: Option<f64>) -> Result<(), LinkError>;

    /// Target, bits per second.
    fn bitrate_bps(&self) -> u32;

    /// Width and height, pixels.
    fn size(&self) -> (usize, usize);
}

/// What a vehicle's camera stream looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoSpec {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: f64,
}

impl VideoSpec {
    /// Bitrate that gives a good picture: 3 Mbit/s for 720p at 30 frames/s, in proportion to pixels a second,
    /// within 0.3 to 12 Mbit/s.
    #[must_use]
    pub fn default_bitrate_bps(&self) -> u32 {
        const REFERENCE: f64 = 1280.0 * 720.0 * 30.0;
        let pixels_a_second = f64::from(self.width) * f64::from(self.height) * self.fps;
        let bps = 3_000_000.0 * pixels_a_second / REFERENCE;
        if bps.is_finite() { bps.clamp(300_000.0, 12_000_000.0) as u32 } else { 300_000 }
    }
}
