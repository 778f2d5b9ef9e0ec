//! H.264 encoding on the CPU with OpenH264.

use super::{EncodedFrame, I420, Reference, VideoEncoder, raw};
use crate::LinkError;
use bytes::Bytes;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, RateControlMode,
    SpsPpsStrategy, UsageType,
};
use openh264::formats::YUVSlices;
use openh264::{OpenH264API, Timestamp};

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
    /// (see [`super::VideoSpec::default_bitrate_bps`]).
    #[must_use]
    pub fn new(width: usize, height: usize, fps: f64) -> Self {
        let spec = super::VideoSpec {
            width: u32::try_from(width).unwrap_or(u32::MAX),
            height: u32::try_from(height).unwrap_or(u32::MAX),
            fps,
        };
        Self { width, height, fps, bitrate_bps: spec.default_bitrate_bps(), keyframe_interval_s: Some(1.0) }
    }

    /// Pictures from keyframe to keyframe; 0 for no limit.
    fn period(&self) -> u32 {
        self.keyframe_interval_s.map_or(0, |s| (self.fps * s).floor().max(1.0) as u32)
    }

    fn check(&self) -> Result<(), LinkError> {
        let Self { width, height, fps, .. } = *self;
        let reason = if width % 2 == 1 || height % 2 == 1 {
            "width and height must be even"
        } else if !(16..=3840).contains(&width) || !(16..=2160).contains(&height) {
            "16x16 to 3840x2160 are possible"
        } else if !(1.0..=240.0).contains(&fps) {
            "1 to 240 frames/s are possible"
        } else if !self.keyframe_interval_s.is_none_or(|s| (0.03..=60.0).contains(&s)) {
            "the keyframe interval must be 0.03 to 60 s"
        } else {
            return Ok(());
        };
        Err(LinkError::VideoSpec { width, height, fps, reason })
    }
}

const MIN_BPS: u32 = 50_000;
const MAX_BPS: u32 = 50_000_000;

fn check_bitrate(bps: u32) -> Result<u32, LinkError> {
    if (MIN_BPS..=MAX_BPS).contains(&bps) {
        Ok(bps)
    } else {
        Err(LinkError::Bitrate { bps, min: MIN_BPS, max: MAX_BPS })
    }
}

/// Constrained-baseline H.264 by OpenH264: one thread, no B-frames, one reference, parameter sets in each keyframe.
///
/// Never leaves a picture out to hold its bitrate: the operator would see the vehicle stand still.
pub struct H264Encoder {
    config: H264Config,
    encoder: Encoder,
    running: bool,
}

impl std::fmt::Debug for H264Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("H264Encoder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl H264Encoder {
    /// Makes an encoder.
    ///
    /// # Errors
    /// When the size, rate or bitrate cannot be encoded.
    pub fn new(config: H264Config) -> Result<Self, LinkError> {
        config.check()?;
        check_bitrate(config.bitrate_bps)?;
        Ok(Self { encoder: make(&config)?, config, running: false })
    }
}

fn make(config: &H264Config) -> Result<Encoder, LinkError> {
    let settings = EncoderConfig::new()
        .bitrate(BitRate::from_bps(config.bitrate_bps))
        .max_frame_rate(FrameRate::from_hz(config.fps as f32))
        .rate_control_mode(RateControlMode::Bitrate)
        .usage_type(UsageType::CameraVideoRealTime)
        .profile(Profile::Baseline)
        .complexity(Complexity::Low)
        .sps_pps_strategy(SpsPpsStrategy::ConstantId)
        .intra_frame_period(IntraFramePeriod::from_num_frames(config.period()))
        .num_threads(1)
        .skip_frames(false)
        .scene_change_detect(false);
    let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), settings)
        .map_err(|source| LinkError::Codec { what: "encoder", source })?;
    raw::silence(&mut encoder)?;
    Ok(encoder)
}

impl VideoEncoder for H264Encoder {
    fn encode(
        &mut self,
        picture: I420<'_>,
        capture_us: u64,
        reference: Reference,
    ) -> Result<Option<EncodedFrame>, LinkError> {
        if (picture.width, picture.height) != (self.config.width, self.config.height) {
            let (width, height, fps) = (picture.width, picture.height, self.config.fps);
            return Err(LinkError::VideoSpec { width, height, fps, reason: "the encoder was made for another size" });
        }
        picture.check()?;
        // Before the first picture there is nothing to force: it is a keyframe anyway.
        if reference != Reference::Previous && self.running {
            self.encoder.force_intra_frame();
        }
        let half = picture.width / 2;
        let source = YUVSlices::new(
            (picture.y, picture.u, picture.v),
            (picture.width, picture.height),
            (picture.width, half, half),
        );
        let stream = self
            .encoder
            .encode_at(&source, Timestamp::from_millis(capture_us / 1000))
            .map_err(|source| LinkError::Codec { what: "encoding", source })?;
        self.running = true;
        let keyframe = stream.frame_type() == FrameType::IDR;
        let data = stream.to_vec();
        Ok((!data.is_empty()).then(|| EncodedFrame {
            data: Bytes::from(data),
            capture_us,
            keyframe,
            ..Default::default()
        }))
    }

    fn acknowledge(&mut self, _capture_us: u64) {}

    fn set_bitrate(&mut self, bps: u32) -> Result<(), LinkError> {
        let old = self.config.bitrate_bps;
        self.config.bitrate_bps = check_bitrate(bps)?;
        if self.running {
            raw::change_bitrate(&mut self.encoder, old, bps)
        } else {
            self.encoder = make(&self.config)?;
            Ok(())
        }
    }

    fn set_frame_rate(&mut self, fps: f64) -> Result<(), LinkError> {
        let config = H264Config { fps, ..self.config };
        config.check()?;
        self.config = config;
        if self.running {
            raw::change_frame_rate(&mut self.encoder, fps as f32)?;
            raw::change_keyframe_period(&mut self.encoder, self.config.period())
        } else {
            self.encoder = make(&self.config)?;
            Ok(())
        }
    }

    fn set_keyframe_interval(&mut self, seconds: Option<f64>) -> Result<(), LinkError> {
        let config = H264Config { keyframe_interval_s: seconds, ..self.config };
        config.check()?;
        self.config = config;
        if self.running {
            raw::change_keyframe_period(&mut self.encoder, self.config.period())
        } else {
            self.encoder = make(&self.config)?;
            Ok(())
        }
    }

    fn bitrate_bps(&self) -> u32 {
        self.config.bitrate_bps
    }

    fn size(&self) -> (usize, usize) {
        (self.config.width, self.config.height)
    }
}
