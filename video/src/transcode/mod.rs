//! Pictures of recorded files, decoded and encoded again: H.264 in Annex B, one picture an access unit, no B-frames.
//! Errors say what is wrong with the data; the caller knows file and place.

mod decoder;
mod encoder;

pub use decoder::PictureDecoder;
pub use encoder::{EncoderSpec, PictureEncoder};
