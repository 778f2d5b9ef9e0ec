//! What can go wrong with a picture.

/// Why a picture cannot be encoded or decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VideoError {
    /// A picture's size or rate cannot be encoded.
    #[error("video of {width}x{height} at {fps} frames/s cannot be encoded: {reason}")]
    VideoSpec {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
        /// Frames per second.
        fps: f64,
        /// Why not.
        reason: &'static str,
    },
    /// A plane of a picture has the wrong length.
    #[error("plane {plane} of a {width}x{height} picture has {got} bytes instead of {want}")]
    Plane {
        /// `y`, `u` or `v`.
        plane: &'static str,
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
        /// Bytes given.
        got: usize,
        /// Bytes expected.
        want: usize,
    },
    /// A bitrate outside what the encoder takes.
    #[error("bitrate {bps} bit/s is outside {min} to {max}")]
    Bitrate {
        /// As asked for.
        bps: u32,
        /// Least.
        min: u32,
        /// Most.
        max: u32,
    },
    /// The codec refused.
    #[cfg(feature = "codec")]
    #[error("H.264 {what}: {source}")]
    Codec {
        /// Which step.
        what: &'static str,
        /// As the codec says it.
        source: openh264::Error,
    },
    /// A picture refers to one that was not decoded. A picture that recovers from a long-term reference or a keyframe
    /// helps; the decoder is none the worse.
    #[error("picture with frame number {frame_num} cannot be decoded: {reason}")]
    MissingReference {
        /// As coded, counts references since the keyframe.
        frame_num: u32,
        /// What is missing.
        reason: &'static str,
    },
    /// A GStreamer encoder cannot be used.
    #[cfg(feature = "gstreamer")]
    #[error("GStreamer element {element}: {reason}")]
    Gstreamer {
        /// Its factory's name.
        element: String,
        /// As GStreamer says it.
        reason: String,
    },
    /// The codec library returned an error code.
    #[error("H.264 encoder: {what} refused with code {code}")]
    CodecCode {
        /// Which step or option.
        what: &'static str,
        /// As the codec says it.
        code: i32,
    },
}
