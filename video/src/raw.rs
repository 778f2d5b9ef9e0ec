//! OpenH264's encoder through its C interface; the one place of this crate with unsafe code.
//!
//! The safe wrapper around the library sets neither the bitrate of a running encoder nor anything about long-term
//! references, and lets nobody choose their period; making a new encoder instead costs a keyframe, which is what a weak
//! network can bear least.
#![allow(unsafe_code)]

use super::I420;
use crate::VideoError;
use openh264_sys2::source::APILoader;
use openh264_sys2::{
    ENCODER_LTR_MARKING_FEEDBACK, ENCODER_LTR_RECOVERY_REQUEST, ENCODER_OPTION, ENCODER_OPTION_BITRATE,
    ENCODER_OPTION_FRAME_RATE, ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_TRACE_LEVEL, ISVCEncoder, LTR_MARKING_FAILED,
    LTR_MARKING_SUCCESS, LTR_RECOVERY_REQUEST, SBitrateInfo, SEncParamExt, SFrameBSInfo, SLTRMarkingFeedback,
    SLTRRecoverRequest, SPATIAL_LAYER_0, SPATIAL_LAYER_ALL, SSourcePicture, WELS_LOG_QUIET, videoFormatI420,
};
use std::ffi::{c_int, c_longlong};
use std::ptr::null_mut;

/// An encoder of the library, initialized.
pub(super) struct RawEncoder {
    /// Not null; made by `WelsCreateSVCEncoder` and destroyed once, in `drop`.
    handle: *mut ISVCEncoder,
    initialized: bool,
    info: Box<SFrameBSInfo>,
}

// SAFETY: the handle belongs to this value alone, every use of it needs an exclusive borrow of the value, and the library
// ties an encoder to no thread.
unsafe impl Send for RawEncoder {}

/// Calls a function of the encoder's table; every function the library's table lacks is an error.
macro_rules! call {
    ($encoder:expr, $name:ident $(, $argument:expr)*) => {{
        let handle = $encoder.handle;
        // SAFETY: `handle` came from `WelsCreateSVCEncoder`, which succeeded, and lives until `drop`; it points to a table
        // of functions that the library never changes. What the arguments must be, the caller says.
        unsafe {
            match (**handle).$name {
                Some(function) => function(handle $(, $argument)*),
                None => -1,
            }
        }
    }};
}

fn checked(what: &'static str, code: c_int) -> Result<(), VideoError> {
    if code == 0 { Ok(()) } else { Err(VideoError::CodecCode { what, code }) }
}

impl RawEncoder {
    /// Makes an encoder whose default parameters `adapt` has changed.
    pub(super) fn new(adapt: impl FnOnce(&mut SEncParamExt)) -> Result<Self, VideoError> {
        let mut handle: *mut ISVCEncoder = null_mut();
        // SAFETY: the library writes a handle to the place given and keeps no pointer to that place.
        checked("encoder", unsafe { APILoader::WelsCreateSVCEncoder(&raw mut handle) })?;
        if handle.is_null() {
            return Err(VideoError::CodecCode { what: "encoder", code: -1 });
        }
        let mut encoder = Self { handle, initialized: false, info: Box::default() };
        // Before anything else, since the library writes its first warnings while it is initialized.
        encoder.set("trace level", ENCODER_OPTION_TRACE_LEVEL, WELS_LOG_QUIET)?;
        let mut parameters = SEncParamExt::default();
        checked("default parameters", call!(encoder, GetDefaultParams, &raw mut parameters))?;
        adapt(&mut parameters);
        checked("parameters", call!(encoder, InitializeExt, &raw const parameters))?;
        encoder.initialized = true;
        Ok(encoder)
    }

    /// Encodes a picture of the size that the encoder was made for, whose planes have been checked; the access unit.
    pub(super) fn encode(&mut self, picture: &I420<'_>, capture_us: u64) -> Result<Vec<u8>, VideoError> {
        let side = |pixels: usize| c_int::try_from(pixels).unwrap_or(0);
        let half = side(picture.width / 2);
        let source = SSourcePicture {
            iColorFormat: videoFormatI420,
            iStride: [side(picture.width), half, half, 0],
            pData: [
                picture.y.as_ptr().cast_mut(),
                picture.u.as_ptr().cast_mut(),
                picture.v.as_ptr().cast_mut(),
                null_mut(),
            ],
            iPicWidth: side(picture.width),
            iPicHeight: side(picture.height),
            uiTimeStamp: c_longlong::try_from(capture_us / 1000).unwrap_or(c_longlong::MAX),
            bPsnrY: false,
            bPsnrU: false,
            bPsnrV: false,
        };
        let info = &raw mut *self.info;
        // The planes are as long as stride times height (`I420::check`), the library only reads them (it copies them into
        // pictures of its own) and keeps no pointer to them.
        checked("encoding", call!(self, EncodeFrame, &raw const source, info))?;
        Ok(self.access_unit())
    }

    /// What the last call of `EncodeFrame` wrote.
    fn access_unit(&self) -> Vec<u8> {
        let layers = usize::try_from(self.info.iLayerNum).unwrap_or(0);
        let mut data = Vec::new();
        for layer in self.info.sLayerInfo.iter().take(layers) {
            let units = usize::try_from(layer.iNalCount).unwrap_or(0);
            if units == 0 || layer.pNalLengthInByte.is_null() || layer.pBsBuf.is_null() {
                continue;
            }
            // SAFETY: the library has written `iNalCount` lengths, and as many bytes as they add up to at `pBsBuf`; both
            // stay untouched until the next call to the encoder, which needs the borrow that `self` has here.
            unsafe {
                let lengths = std::slice::from_raw_parts(layer.pNalLengthInByte, units);
                let bytes = lengths.iter().map(|length| usize::try_from(*length).unwrap_or(0)).sum();
                data.extend_from_slice(std::slice::from_raw_parts(layer.pBsBuf, bytes));
            }
        }
        data
    }

    fn set<T>(&mut self, what: &'static str, option: ENCODER_OPTION, mut value: T) -> Result<(), VideoError> {
        // The callers below give each option the type that the library's header documents for it (`codec_app_def.h`); the
        // library copies the value before it returns.
        checked(what, call!(self, SetOption, option, (&raw mut value).cast()))
    }

    /// The next picture is a keyframe.
    pub(super) fn force_keyframe(&mut self) -> Result<(), VideoError> {
        checked("keyframe", call!(self, ForceIntraFrame, true))
    }

    /// Target and peak; the peak may never lie below the target in between, so the order depends on the direction.
    pub(super) fn set_bitrate(&mut self, rising: bool, target: u32, peak: u32) -> Result<(), VideoError> {
        let bits = |bps: u32| c_int::try_from(bps).unwrap_or(c_int::MAX);
        let target = SBitrateInfo { iLayer: SPATIAL_LAYER_ALL, iBitrate: bits(target) };
        let peak = SBitrateInfo { iLayer: SPATIAL_LAYER_0, iBitrate: bits(peak) };
        if rising {
            self.set("peak bitrate", ENCODER_OPTION_MAX_BITRATE, peak)?;
            self.set("bitrate", ENCODER_OPTION_BITRATE, target)
        } else {
            self.set("bitrate", ENCODER_OPTION_BITRATE, target)?;
            self.set("peak bitrate", ENCODER_OPTION_MAX_BITRATE, peak)
        }
    }

    /// Frames per second.
    pub(super) fn set_frame_rate(&mut self, fps: f32) -> Result<(), VideoError> {
        self.set("frame rate", ENCODER_OPTION_FRAME_RATE, fps)
    }

    /// Says whether the long-term reference `frame_num` of the sequence `idr_pic_id` has arrived.
    pub(super) fn confirm_long_term(
        &mut self,
        idr_pic_id: u32,
        frame_num: u32,
        arrived: bool,
    ) -> Result<(), VideoError> {
        let feedback = SLTRMarkingFeedback {
            uiFeedbackType: if arrived { LTR_MARKING_SUCCESS } else { LTR_MARKING_FAILED } as _,
            uiIDRPicId: idr_pic_id,
            iLTRFrameNum: c_int::try_from(frame_num).unwrap_or(-1),
            iLayerId: 0,
        };
        self.set("long-term confirmation", ENCODER_LTR_MARKING_FEEDBACK, feedback)
    }

    /// The next picture refers to nothing but the confirmed long-term reference `frame_num`.
    pub(super) fn recover_from(&mut self, idr_pic_id: u32, frame_num: u32) -> Result<(), VideoError> {
        let request = SLTRRecoverRequest {
            uiFeedbackType: LTR_RECOVERY_REQUEST as _,
            uiIDRPicId: idr_pic_id,
            iLastCorrectFrameNum: c_int::try_from(frame_num).unwrap_or(-1),
            // "Unknown": recover in any case.
            iCurrentFrameNum: -1,
            iLayerId: 0,
        };
        self.set("recovery", ENCODER_LTR_RECOVERY_REQUEST, request)
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        if self.initialized {
            call!(self, Uninitialize);
        }
        // SAFETY: the handle is valid and is used no more.
        unsafe { APILoader::WelsDestroySVCEncoder(self.handle) }
    }
}
