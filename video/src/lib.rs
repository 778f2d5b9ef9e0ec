//! Pictures: I420 in memory, H.264 without B-frames (one access unit a picture, Annex B), the timecode in the picture, and
//! one video track in an MP4 file.
//!
//! - [`I420`] is a picture that somebody else holds, [`I420Buffer`] one that is held; [`DecodedPicture`] says besides when
//!   it was taken. [`timecode`] puts that into the picture itself.
//! - `H264Encoder` and `H264Decoder` (feature `codec`) code a live stream that repairs losses from long-term references;
//!   `GstEncoder` (feature `gstreamer`) is a hardware encoder behind the same [`VideoEncoder`]. [`transcode`] codes the
//!   pictures of recorded files again.
//! - [`h264`] takes access units apart, [`mp4`] writes and reads files, both without touching a picture.
//!
//! ```
//! use video::{I420Buffer, timecode};
//!
//! let (width, height) = (320, 180);
//! let chroma = vec![128; width * height / 4];
//! let mut picture = I420Buffer { width, height, y: vec![100; width * height], u: chroma.clone(), v: chroma };
//! assert!(timecode::stamp(&mut picture.y, width, height, 7, 1_234_567));
//! let code = timecode::read(&picture.y, width, height).expect("it was just written");
//! assert_eq!((code.sequence, code.capture_us), (7, 1_234_567));
//! ```
//!
//! What it does not do: it sends nothing and knows no packets; these are the link's.

#[cfg(feature = "codec")]
mod bits;
#[cfg(feature = "codec")]
mod budget;
#[cfg(feature = "codec")]
mod config;
#[cfg(feature = "codec")]
mod continuity;
mod decoded;
#[cfg(feature = "codec")]
mod decoder;
#[cfg(feature = "codec")]
mod encoder;
mod error;
mod frame;
mod frame_times;
#[cfg(feature = "gstreamer")]
mod gst;
#[cfg(feature = "gstreamer")]
mod gst_elements;
pub mod h264;
#[cfg(feature = "codec")]
mod long_term;
pub mod mp4;
mod picture;
#[cfg(feature = "codec")]
mod raw;
#[cfg(feature = "codec")]
mod slice_header;
pub mod timecode;
#[cfg(feature = "codec")]
pub mod transcode;

#[cfg(feature = "codec")]
pub use config::{H264Config, nearest_bitrate};
pub use decoded::DecodedPicture;
#[cfg(feature = "codec")]
pub use decoder::H264Decoder;
#[cfg(feature = "codec")]
pub use encoder::H264Encoder;
pub use error::VideoError;
#[cfg(feature = "codec")]
pub use frame::VideoEncoder;
pub use frame::{EncodedFrame, Reference, VideoSpec};
pub use frame_times::FrameTimes;
#[cfg(feature = "gstreamer")]
pub use gst::GstEncoder;
pub use picture::{I420, I420Buffer};
