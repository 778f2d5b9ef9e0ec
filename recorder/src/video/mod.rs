//! Pictures of an episode, decoded and encoded: H.264 in Annex B, one picture a message, no B-frames.

mod decoder;
mod encoder;
mod picture;

pub(crate) use decoder::PictureDecoder;
pub(crate) use encoder::{EncoderSpec, PictureEncoder};
pub(crate) use picture::Picture;

/// Full protobuf name of video messages.
pub(crate) const SCHEMA: &str = "foxglove.CompressedVideo";
