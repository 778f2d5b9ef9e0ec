//! Decoding an episode's pictures, none of which is taken on trust.

use crate::{I420Buffer, h264};
use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig};

/// Largest picture that is decoded: what the encoder can make again.
const MAX_SIDE: u32 = 3840;
const MAX_PIXELS: u32 = 3840 * 2160;

/// Decodes one camera's pictures in order. Errors say what is wrong with the data; the caller knows topic and time.
pub struct PictureDecoder {
    decoder: Decoder,
    size: Option<(u32, u32)>,
}

impl PictureDecoder {
    /// Makes a decoder.
    ///
    /// # Errors
    /// When the codec cannot be set up.
    pub fn new() -> Result<Self, String> {
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new());
        Ok(Self { decoder: decoder.map_err(|error| format!("no decoder can be made: {error}"))?, size: None })
    }

    /// Decodes one access unit into `picture`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(&mut self, access_unit: &[u8], picture: &mut I420Buffer) -> Result<(), String> {
        self.check(access_unit)?;
        match self.decoder.decode(access_unit) {
            Ok(Some(decoded)) => {
                picture.copy_from(&decoded);
                let size = (picture.width as u32, picture.height as u32);
                if self.size == Some(size) {
                    Ok(())
                } else {
                    Err(format!("a picture of {}x{} comes out, announced were {:?}", size.0, size.1, self.size))
                }
            }
            Ok(None) => Err(format!("no picture comes of its {} bytes", access_unit.len())),
            Err(error) => Err(format!("it cannot be decoded: {error}")),
        }
    }

    /// Sizes are looked at before the codec takes memory for them.
    fn check(&mut self, access_unit: &[u8]) -> Result<(), String> {
        for unit in h264::units(access_unit) {
            if h264::kind(unit) == h264::SPS {
                let (width, height) = h264::size(unit).ok_or("its parameter set makes no sense")?;
                if width.max(height) > MAX_SIDE || width * height > MAX_PIXELS || (width | height) % 2 == 1 {
                    return Err(format!("{width}x{height} pixels cannot be handled, 3840x2160 even ones at most"));
                }
                self.size = Some((width, height));
            }
            if h264::is_bidirectional(unit) {
                return Err("it has B-frames, which episodes do not hold".to_owned());
            }
        }
        if self.size.is_some() { Ok(()) } else { Err("no keyframe with parameter sets came before it".to_owned()) }
    }
}
