//! H.264 encoding on the CPU with OpenH264.

use super::budget::{Budget, KEYFRAME_LIMIT};
use super::long_term::{LongTerms, Plan};
use super::raw::RawEncoder;
use super::slice_header::{self, Sequence, SliceHeader};
use super::{EncodedFrame, H264Config, I420, Reference, VideoEncoder};
use crate::VideoError;
use bytes::Bytes;
use openh264_sys2::{
    CAMERA_VIDEO_REAL_TIME, CONSTANT_ID, LOW_COMPLEXITY, PRO_BASELINE, RC_TIMESTAMP_MODE, SEncParamExt, SM_SINGLE_SLICE,
};
use std::ffi::c_int;

/// Least that the codec is told, bits per second: its own limit is lower still.
const LEAST_TOLD_BPS: u32 = 10_000;

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
        let config = config.checked()?;
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

    fn config(&self) -> &H264Config {
        &self.config
    }

    fn reconfigure(&mut self, config: H264Config) -> Result<(), VideoError> {
        if config.fps != self.config.fps {
            self.encoder.set_frame_rate(config.fps as f32)?;
        }
        self.config = config;
        Ok(())
    }
}
