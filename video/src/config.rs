//! What an H.264 encoder is made for.

use crate::{I420, VideoError, VideoSpec};

/// How to encode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct H264Config {
    /// Pixels; even, 16 to 3840.
    pub width: usize,
    /// Pixels; even, 16 to 2160.
    pub height: usize,
    /// Frames per second the camera delivers.
    pub fps: f64,
    /// Target, bits per second.
    pub bitrate_bps: u32,
    /// Longest time between keyframes, seconds; `None` for keyframes only when asked for. Recorded files are seekable and
    /// cuttable at keyframes only.
    pub keyframe_interval_s: Option<f64>,
}

impl H264Config {
    /// Keyframes every second and a bitrate in proportion to the picture
    /// (see [`VideoSpec::default_bitrate_bps`]).
    #[must_use]
    pub fn new(width: usize, height: usize, fps: f64) -> Self {
        let spec = VideoSpec {
            width: u32::try_from(width).unwrap_or(u32::MAX),
            height: u32::try_from(height).unwrap_or(u32::MAX),
            fps,
        };
        Self { width, height, fps, bitrate_bps: spec.default_bitrate_bps(), keyframe_interval_s: Some(1.0) }
    }

    /// Whether the keyframe interval ends with this picture: within half a picture, since cameras are not punctual.
    pub(crate) fn keyframe_due(&self, keyframe_us: Option<u64>, capture_us: u64) -> bool {
        let Some(keyframe_us) = keyframe_us else { return true };
        let passed_s = capture_us.saturating_sub(keyframe_us) as f64 * 1e-6;
        self.keyframe_interval_s.is_some_and(|interval_s| passed_s + 0.5 / self.fps >= interval_s)
    }

    /// Whether `picture` can be encoded with it.
    pub(crate) fn check_picture(&self, picture: &I420<'_>) -> Result<(), VideoError> {
        if (picture.width, picture.height) != (self.width, self.height) {
            let (width, height, fps) = (picture.width, picture.height, self.fps);
            return Err(VideoError::VideoSpec { width, height, fps, reason: "the encoder was made for another size" });
        }
        picture.check()
    }

    /// Itself, if it can be encoded.
    pub(crate) fn checked(self) -> Result<Self, VideoError> {
        let bps = self.bitrate_bps;
        if !(MIN_BPS..=MAX_BPS).contains(&bps) {
            return Err(VideoError::Bitrate { bps, min: MIN_BPS, max: MAX_BPS });
        }
        let Self { width, height, fps, .. } = self;
        let reason = if width % 2 == 1 || height % 2 == 1 {
            "width and height must be even"
        } else if !(16..=3840).contains(&width) || !(16..=2160).contains(&height) {
            "16x16 to 3840x2160 are possible"
        } else if !(1.0..=240.0).contains(&fps) {
            "1 to 240 frames/s are possible"
        } else if !self.keyframe_interval_s.is_none_or(|s| (0.03..=60.0).contains(&s)) {
            "the keyframe interval must be 0.03 to 60 s"
        } else {
            return Ok(self);
        };
        Err(VideoError::VideoSpec { width, height, fps, reason })
    }
}

const MIN_BPS: u32 = 50_000;
const MAX_BPS: u32 = 50_000_000;

/// The nearest rate that an encoder takes: a path may have room for less than a picture needs, and what is too much
/// waits and is left out before it is encoded.
#[must_use]
pub fn nearest_bitrate(bps: u32) -> u32 {
    bps.clamp(MIN_BPS, MAX_BPS)
}
