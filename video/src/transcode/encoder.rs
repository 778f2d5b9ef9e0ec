//! Encoding pictures as episodes have them.

use crate::I420Buffer;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, QpRange, RateControlMode, UsageType,
};
use openh264::{OpenH264API, Timestamp};
use openh264_sys2::{ENCODER_OPTION_TRACE_LEVEL, WELS_LOG_QUIET};

/// Longest time between keyframes, ns: episodes can be cut at them only.
const KEYFRAME_NS: u64 = 1_000_000_000;

/// How to encode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderSpec {
    /// Bits per second.
    pub bitrate_bps: u32,
    /// Pictures per second.
    pub fps: f32,
}

impl EncoderSpec {
    /// Nearest to these that the codec takes.
    #[must_use]
    pub fn new(bitrate_bps: u32, fps: f64) -> Self {
        let fps = if fps.is_finite() { fps.clamp(1.0, 240.0) as f32 } else { 30.0 };
        Self { bitrate_bps: bitrate_bps.clamp(50_000, 50_000_000), fps }
    }
}

/// H.264 in Annex B: no B-frames, every picture one access unit, parameter sets in each keyframe.
pub struct PictureEncoder {
    encoder: Encoder,
    spec: EncoderSpec,
    size: (usize, usize),
    first_ns: u64,
    keyframe_ns: Option<u64>,
}

impl PictureEncoder {
    /// For pictures of this size.
    ///
    /// # Errors
    /// When the codec refuses.
    pub fn new(spec: EncoderSpec, size: (usize, usize)) -> Result<Self, String> {
        let config = EncoderConfig::new()
            .bitrate(BitRate::from_bps(spec.bitrate_bps))
            .max_frame_rate(FrameRate::from_hz(spec.fps))
            .rate_control_mode(RateControlMode::Bitrate)
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Low)
            .skip_frames(false)
            .scene_change_detect(false)
            .background_detection(false)
            .adaptive_quantization(false)
            .qp(QpRange::new(10, 42))
            .num_threads(1);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config);
        let mut encoder = encoder.map_err(|error| format!("no encoder can be made: {error}"))?;
        be_quiet(&mut encoder);
        Ok(Self { encoder, spec, size, first_ns: 0, keyframe_ns: None })
    }

    /// Width and height of its pictures.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Encodes the picture of time `at_ns`, as a keyframe when that is wanted or due. Returns the access unit.
    ///
    /// # Errors
    /// When the codec refuses the picture or leaves it out.
    pub fn encode(&mut self, picture: &I420Buffer, at_ns: u64, keyframe: bool) -> Result<Vec<u8>, String> {
        // Rather a picture early than late.
        let picture_ns = (1e9 / f64::from(self.spec.fps)) as u64;
        let next_ns = at_ns.saturating_add(picture_ns);
        let due = self.keyframe_ns.is_none_or(|last| next_ns.saturating_sub(last) > KEYFRAME_NS);
        if self.keyframe_ns.is_none() {
            self.first_ns = at_ns;
        }
        if keyframe || due {
            self.encoder.force_intra_frame();
        }
        let at = Timestamp::from_millis(at_ns.saturating_sub(self.first_ns) / 1_000_000);
        let coded = self.encoder.encode_at(picture, at).map_err(|error| format!("it cannot be encoded: {error}"))?;
        if matches!(coded.frame_type(), FrameType::IDR) {
            self.keyframe_ns = Some(at_ns);
        }
        let data = coded.to_vec();
        if data.is_empty() { Err("the encoder left it out".to_owned()) } else { Ok(data) }
    }
}

/// The library writes warnings to standard error while it is set up at the first picture (that rates are held loosely when
/// no picture may be left out), and only takes the order to be quiet afterwards from its wrapper.
#[allow(unsafe_code)]
fn be_quiet(encoder: &mut Encoder) {
    let mut level = WELS_LOG_QUIET;
    // SAFETY: this option takes a pointer to an integer, which is read during the call; the encoder exists, and the option
    // is one that may be set before it is set up. Whether it is taken changes nothing but the noise.
    let _ = unsafe { encoder.raw_api().set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut level).cast()) };
}
