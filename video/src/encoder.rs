//! H.264 encoding on the CPU with OpenH264.

use super::budget::{Budget, KEYFRAME_LIMIT};
use super::long_term::{LongTerms, Plan};
use super::raw::RawEncoder;
use super::slice_header::{self, Sequence, SliceHeader};
use super::{EncodedFrame, I420, Reference, VideoEncoder};
use crate::VideoError;
use bytes::Bytes;
use openh264_sys2::{
    CAMERA_VIDEO_REAL_TIME, CONSTANT_ID, LOW_COMPLEXITY, PRO_BASELINE, RC_TIMESTAMP_MODE, SEncParamExt, SM_SINGLE_SLICE,
};
use std::ffi::c_int;

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

    /// Whether the keyframe interval ends with this picture: within half a picture, since cameras are not punctual.
    pub(super) fn keyframe_due(&self, keyframe_us: Option<u64>, capture_us: u64) -> bool {
        let Some(keyframe_us) = keyframe_us else { return true };
        let passed_s = capture_us.saturating_sub(keyframe_us) as f64 * 1e-6;
        self.keyframe_interval_s.is_some_and(|interval_s| passed_s + 0.5 / self.fps >= interval_s)
    }

    /// Whether `picture` can be encoded with it.
    pub(super) fn check_picture(&self, picture: &I420<'_>) -> Result<(), VideoError> {
        if (picture.width, picture.height) != (self.width, self.height) {
            let (width, height, fps) = (picture.width, picture.height, self.fps);
            return Err(VideoError::VideoSpec { width, height, fps, reason: "the encoder was made for another size" });
        }
        picture.check()
    }

    pub(super) fn check(&self) -> Result<(), VideoError> {
        check_bitrate(self.bitrate_bps)?;
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
        Err(VideoError::VideoSpec { width, height, fps, reason })
    }
}

const MIN_BPS: u32 = 50_000;
const MAX_BPS: u32 = 50_000_000;
/// The codec's own limit is lower still.
const LEAST_TOLD_BPS: u32 = 10_000;

/// The nearest rate that an encoder takes: a path may have room for less than a picture needs, and what is too much
/// waits and is left out before it is encoded.
#[must_use]
pub fn nearest_bitrate(bps: u32) -> u32 {
    bps.clamp(MIN_BPS, MAX_BPS)
}

pub(super) fn check_bitrate(bps: u32) -> Result<u32, VideoError> {
    if (MIN_BPS..=MAX_BPS).contains(&bps) {
        Ok(bps)
    } else {
        Err(VideoError::Bitrate { bps, min: MIN_BPS, max: MAX_BPS })
    }
}

/// Constrained-baseline H.264 by OpenH264: one thread, no B-frames, one reference, parameter sets in each keyframe.
///
/// Never leaves a picture out to hold its bitrate: the operator would see the vehicle stand still.
pub struct H264Encoder {
    config: H264Config,
    encoder: RawEncoder,
    /// Bits per second last told to the codec.
    rate_bps: u32,
    budget: Budget,
    /// Capture time of the last keyframe.
    keyframe_us: Option<u64>,
    sequence: Option<Sequence>,
    references: LongTerms,
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
    pub fn new(config: H264Config) -> Result<Self, VideoError> {
        config.check()?;
        let encoder = RawEncoder::new(|parameters| fill(parameters, &config))?;
        Ok(Self {
            config,
            encoder,
            rate_bps: config.bitrate_bps,
            budget: Budget::default(),
            keyframe_us: None,
            sequence: None,
            references: LongTerms::default(),
        })
    }

    fn follow(&mut self, plan: &Plan) -> Result<(), VideoError> {
        let idr_pic_id = self.references.idr_pic_id;
        if plan.keyframe {
            self.encoder.force_keyframe()?;
        }
        if let Some((frame_num, arrived)) = plan.settle {
            self.encoder.confirm_long_term(idr_pic_id, frame_num, arrived)?;
        }
        if let Some(reference) = plan.recover {
            self.encoder.recover_from(idr_pic_id, reference.frame_num)?;
        }
        Ok(())
    }

    fn tell_rate(&mut self, bps: u32) -> Result<(), VideoError> {
        let bps = bps.max(LEAST_TOLD_BPS);
        if bps != self.rate_bps {
            self.encoder.set_bitrate(bps > self.rate_bps, bps, bps + bps / 4)?;
            self.rate_bps = bps;
        }
        Ok(())
    }

    fn encode_by(
        &mut self,
        plan: &Plan,
        picture: &I420<'_>,
        capture_us: u64,
    ) -> Result<Option<(Vec<u8>, SliceHeader)>, VideoError> {
        self.follow(plan)?;
        let (bps, fps) = (self.config.bitrate_bps, self.config.fps);
        let rate = self.budget.rate(capture_us, bps, fps, plan.keyframe);
        self.tell_rate(rate)?;
        let coded = self.encode_once(picture, capture_us)?;
        let pictures = |data: &Vec<u8>| data.len() as f64 * 8.0 * fps / f64::from(bps);
        match coded {
            // Nobody has seen it yet. The codec's model of its size is better now, and a lower rate lets it go coarser.
            Some((data, _)) if plan.keyframe && pictures(&data) > KEYFRAME_LIMIT => {
                self.tell_rate((f64::from(rate) * 0.75 * KEYFRAME_LIMIT / pictures(&data)) as u32)?;
                self.follow(plan)?;
                self.encode_once(picture, capture_us)
            }
            coded => Ok(coded),
        }
    }

    fn encode_once(
        &mut self,
        picture: &I420<'_>,
        capture_us: u64,
    ) -> Result<Option<(Vec<u8>, SliceHeader)>, VideoError> {
        let data = self.encoder.encode(picture, capture_us)?;
        if data.is_empty() {
            return Ok(None);
        }
        let header = slice_header::read(&data, &mut self.sequence);
        let header = header.ok_or(VideoError::CodecCode { what: "a readable slice header", code: 0 })?;
        Ok(Some((data, header)))
    }
}

fn fill(parameters: &mut SEncParamExt, config: &H264Config) {
    let side = |pixels: usize| c_int::try_from(pixels).unwrap_or(0);
    let bitrate = c_int::try_from(config.bitrate_bps).unwrap_or(c_int::MAX);
    parameters.iUsageType = CAMERA_VIDEO_REAL_TIME;
    parameters.iPicWidth = side(config.width);
    parameters.iPicHeight = side(config.height);
    parameters.iTargetBitrate = bitrate;
    parameters.fMaxFrameRate = config.fps as f32;
    // Of the codec's rate controls the one that knows when pictures were captured, and the one with the steadiest sizes.
    parameters.iRCMode = RC_TIMESTAMP_MODE;
    parameters.bEnableFrameSkip = false;
    parameters.iComplexityMode = LOW_COMPLEXITY;
    parameters.uiIntraPeriod = 0;
    parameters.eSpsPpsIdStrategy = CONSTANT_ID;
    parameters.iMultipleThreadIdc = 1;
    parameters.bEnableSceneChangeDetect = false;
    // They look at every picture twice and make none better here (`encode_speed`: 0.02 dB, 3 to 5 % of the time).
    parameters.bEnableBackgroundDetection = false;
    parameters.bEnableAdaptiveQuant = false;
    parameters.bEnableDenoise = false;
    parameters.iSpatialLayerNum = 1;
    parameters.iTemporalLayerNum = 1;
    parameters.bEnableLongTermReference = true;
    // As soon as the one before is confirmed: the nearer a reference, the smaller the picture that goes back to it.
    parameters.iLtrMarkPeriod = 1;
    let layer = &mut parameters.sSpatialLayers[0];
    layer.uiProfileIdc = PRO_BASELINE;
    layer.iVideoWidth = side(config.width);
    layer.iVideoHeight = side(config.height);
    layer.fFrameRate = config.fps as f32;
    layer.iSpatialBitrate = bitrate;
    layer.iMaxSpatialBitrate = bitrate;
    layer.sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
    layer.sSliceArgument.uiSliceNum = 1;
}

impl VideoEncoder for H264Encoder {
    fn encode(
        &mut self,
        picture: I420<'_>,
        capture_us: u64,
        reference: Reference,
    ) -> Result<Option<EncodedFrame>, VideoError> {
        self.config.check_picture(&picture)?;
        let reference =
            if self.config.keyframe_due(self.keyframe_us, capture_us) { Reference::Keyframe } else { reference };
        let mut plan = self.references.plan(reference);
        let Some((mut data, mut header)) = self.encode_by(&plan, &picture, capture_us)? else { return Ok(None) };
        if !self.references.fulfils(&plan, &header) {
            // Nobody has seen that picture, so that a keyframe may take its place.
            plan = self.references.plan(Reference::Keyframe);
            match self.encode_by(&plan, &picture, capture_us)? {
                Some(second) => (data, header) = second,
                None => return Ok(None),
            }
        }
        let recovers_from_us = self.references.coded(&plan, capture_us, &header);
        let (data, keyframe) = (Bytes::from(data), header.idr_pic_id.is_some());
        self.budget.spend(data.len());
        if keyframe {
            self.keyframe_us = Some(capture_us);
        }
        Ok(Some(EncodedFrame { data, capture_us, keyframe, recovers_from_us, ..Default::default() }))
    }

    fn acknowledge(&mut self, capture_us: u64) {
        self.references.acknowledge(capture_us);
    }

    fn set_bitrate(&mut self, bps: u32) -> Result<(), VideoError> {
        self.config.bitrate_bps = check_bitrate(bps)?;
        Ok(())
    }

    fn set_frame_rate(&mut self, fps: f64) -> Result<(), VideoError> {
        let config = H264Config { fps, ..self.config };
        config.check()?;
        self.encoder.set_frame_rate(fps as f32)?;
        self.config = config;
        Ok(())
    }

    fn set_keyframe_interval(&mut self, seconds: Option<f64>) -> Result<(), VideoError> {
        let config = H264Config { keyframe_interval_s: seconds, ..self.config };
        config.check()?;
        self.config = config;
        Ok(())
    }

    fn bitrate_bps(&self) -> u32 {
        self.config.bitrate_bps
    }

    fn size(&self) -> (usize, usize) {
        (self.config.width, self.config.height)
    }
}
