//! What the safe wrapper around the encoder does not offer; the one unsafe call of this crate.
//!
//! - The bitrate of a running encoder: the wrapper sets it only when it makes one, and making a new one costs a keyframe,
//!   which is what a weak network can bear least.
//! - Silence: the wrapper quietens the codec only after it has written its first warnings to standard error.
#![allow(unsafe_code)]

use crate::LinkError;
use openh264::encoder::Encoder;
use std::ffi::c_int;

/// `SBitrateInfo` of OpenH264's `codec_app_def.h`.
#[repr(C)]
struct BitrateInfo {
    layer: u32,
    bitrate: c_int,
}

/// `SPATIAL_LAYER_ALL`.
const ALL_LAYERS: u32 = 4;
/// The only spatial layer there is, `SPATIAL_LAYER_0`.
const FIRST_LAYER: u32 = 0;

/// `ENCODER_OPTION_BITRATE`, `ENCODER_OPTION_MAX_BITRATE` and `ENCODER_OPTION_TRACE_LEVEL` of `codec_app_def.h`.
const IDR_INTERVAL: i32 = 1;
const FRAME_RATE: i32 = 4;
const BITRATE: i32 = 5;
const MAX_BITRATE: i32 = 6;
const TRACE_LEVEL: i32 = 25;
/// `WELS_LOG_QUIET`.
const QUIET: c_int = 0;

fn set<T>(encoder: &mut Encoder, option: i32, mut value: T) -> Result<(), LinkError> {
    // SAFETY: the callers below pair each option with the type that the codec's interface documents for it (BITRATE and
    // MAX_BITRATE: SBitrateInfo, FRAME_RATE: float, IDR_INTERVAL and TRACE_LEVEL: int). The callee copies the value before it returns and keeps no pointer.
    // The exclusive borrow keeps every other call to this encoder away meanwhile.
    let code = unsafe { encoder.raw_api().set_option(option, (&raw mut value).cast()) };
    if code == 0 { Ok(()) } else { Err(LinkError::CodecOption { option, code }) }
}

/// Stops the codec from writing to standard error; allowed before it is initialized.
pub(super) fn silence(encoder: &mut Encoder) -> Result<(), LinkError> {
    set(encoder, TRACE_LEVEL, QUIET)
}

fn set_bitrate(encoder: &mut Encoder, option: i32, layer: u32, bps: u32) -> Result<(), LinkError> {
    set(encoder, option, BitrateInfo { layer, bitrate: c_int::try_from(bps).unwrap_or(c_int::MAX) })
}

/// Sets target and peak (a quarter above) of an encoder that has encoded at least one picture.
///
/// The peak may never lie below the target in between, so the order depends on the direction.
pub(super) fn change_bitrate(encoder: &mut Encoder, old_bps: u32, new_bps: u32) -> Result<(), LinkError> {
    let peak = new_bps + new_bps / 4;
    if new_bps > old_bps {
        set_bitrate(encoder, MAX_BITRATE, FIRST_LAYER, peak)?;
        set_bitrate(encoder, BITRATE, ALL_LAYERS, new_bps)
    } else {
        set_bitrate(encoder, BITRATE, ALL_LAYERS, new_bps)?;
        set_bitrate(encoder, MAX_BITRATE, FIRST_LAYER, peak)
    }
}

/// Frames per second of an encoder that has encoded at least one picture.
pub(super) fn change_frame_rate(encoder: &mut Encoder, fps: f32) -> Result<(), LinkError> {
    set(encoder, FRAME_RATE, fps)
}

/// Pictures from keyframe to keyframe, 0 for no limit, of an encoder that has encoded at least one picture.
pub(super) fn change_keyframe_period(encoder: &mut Encoder, pictures: u32) -> Result<(), LinkError> {
    set(encoder, IDR_INTERVAL, c_int::try_from(pictures).unwrap_or(0))
}
