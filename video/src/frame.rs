//! Pictures on their way into and out of an encoder.

#[cfg(feature = "codec")]
use crate::{H264Config, I420, VideoError};
use bytes::Bytes;

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
#[cfg(feature = "codec")]
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
    ) -> Result<Option<EncodedFrame>, VideoError>;

    /// Every receiver has decoded the picture captured at `capture_us` and all it depends on. Times that are unknown or
    /// older than one already acknowledged change nothing.
    fn acknowledge(&mut self, capture_us: u64);

    /// What it encodes for now.
    fn config(&self) -> &H264Config;

    /// Goes on with `config`, which has the size that the encoder was made for and can be encoded, from the next picture
    /// on and without a keyframe.
    ///
    /// # Errors
    /// When the codec refuses it.
    fn reconfigure(&mut self, config: H264Config) -> Result<(), VideoError>;

    /// Changes the target, bits per second.
    ///
    /// # Errors
    /// When `bps` is outside the encoder's range.
    fn set_bitrate(&mut self, bps: u32) -> Result<(), VideoError> {
        let config = H264Config { bitrate_bps: bps, ..*self.config() };
        self.reconfigure(config.checked()?)
    }

    /// Tells how many pictures a second will come from now on: the bitrate is shared out among them.
    ///
    /// # Errors
    /// When `fps` is outside the encoder's range.
    fn set_frame_rate(&mut self, fps: f64) -> Result<(), VideoError> {
        let config = H264Config { fps, ..*self.config() };
        self.reconfigure(config.checked()?)
    }

    /// Changes the longest time between keyframes, seconds; `None` for keyframes only when asked for.
    ///
    /// # Errors
    /// When the interval is outside the encoder's range.
    fn set_keyframe_interval(&mut self, seconds: Option<f64>) -> Result<(), VideoError> {
        let config = H264Config { keyframe_interval_s: seconds, ..*self.config() };
        self.reconfigure(config.checked()?)
    }

    /// Target, bits per second.
    fn bitrate_bps(&self) -> u32 {
        self.config().bitrate_bps
    }

    /// Width and height, pixels.
    fn size(&self) -> (usize, usize) {
        (self.config().width, self.config().height)
    }
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
