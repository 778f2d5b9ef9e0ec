//! H.264 decoding on the CPU with OpenH264.

use super::DecodedPicture;
use super::continuity::Continuity;
use crate::{I420Buffer, VideoError, timecode};
use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;
use std::time::Instant;

/// Decodes access units in order, without delay.
pub struct H264Decoder {
    decoder: Decoder,
    continuity: Continuity,
}

impl std::fmt::Debug for H264Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("H264Decoder").finish_non_exhaustive()
    }
}

impl H264Decoder {
    /// Makes a decoder.
    ///
    /// # Errors
    /// When the codec cannot be set up.
    pub fn new() -> Result<Self, VideoError> {
        // Flushing after each picture is for streams with B-frames; ours have none.
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|source| VideoError::Codec { what: "decoder", source })?;
        Ok(Self { decoder, continuity: Continuity::default() })
    }

    /// Decodes one access unit and reads the timecode; `None` when it held no picture. `decoded_us` is left 0.
    ///
    /// A picture comes out only when all that it refers to has been decoded without an error: nothing is concealed.
    ///
    /// # Errors
    /// - [`VideoError::MissingReference`] when the picture refers to one that was not decoded: any picture that does not
    ///   can be next.
    /// - [`VideoError::Codec`] when the data is damaged: the next can only be a keyframe.
    pub fn decode(&mut self, access_unit: &[u8]) -> Result<Option<DecodedPicture>, VideoError> {
        // The codec takes the length as an i32.
        if access_unit.is_empty() || i32::try_from(access_unit.len()).is_err() {
            return Ok(None);
        }
        let start = Instant::now();
        let header = self.continuity.check(access_unit)?;
        match self.decoder.decode(access_unit) {
            Ok(Some(yuv)) => {
                if let Some(header) = header {
                    self.continuity.decoded(&header);
                }
                let picture = copy(&yuv);
                Ok(Some(DecodedPicture { decode_took_us: start.elapsed().as_micros() as u64, ..picture }))
            }
            Ok(None) => Ok(None),
            Err(source) => {
                self.continuity.lost();
                Err(VideoError::Codec { what: "decoding", source })
            }
        }
    }
}

fn copy(yuv: &impl YUVSource) -> DecodedPicture {
    let mut picture = I420Buffer::default();
    picture.copy_from(yuv);
    let I420Buffer { width, height, y, u, v } = picture;
    let code = timecode::read(&y, width, height);
    DecodedPicture {
        width,
        height,
        y,
        u,
        v,
        capture_us: code.map_or(0, |c| c.capture_us),
        sequence: code.map_or(0, |c| c.sequence),
        ..Default::default()
    }
}
