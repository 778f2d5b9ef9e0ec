//! The one error type of this crate.

/// What can go wrong when a link is set up or a picture is coded. What goes wrong later on the network is not an error
/// but an event ([`crate::FromSeat`], [`crate::FromVehicle`]): the link keeps trying.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The control plane's address cannot be used.
    #[error("control plane address {url:?} cannot be used: {reason} (expected something like http://127.0.0.1:8080)")]
    ControlPlane {
        /// As given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// Nobody answers at the control plane's address.
    #[error(
        "no control plane answers at {url}: {reason}; start one there with `takeover web`, or name another with \
         --control-plane"
    )]
    ControlPlaneSilent {
        /// As given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The file with the long-lived certificate.
    #[error("identity {}: {reason}; if the file is lost for good, move it away and free the name with --forget-identity", path.display())]
    Identity {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Network interfaces that cannot be used as paths.
    #[error("paths: {reason}")]
    Paths {
        /// What is wrong, with the interface.
        reason: String,
    },
    /// An identifier in a message is not valid.
    #[error(transparent)]
    Id(#[from] protocol::IdError),
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
    #[error("H.264 {what}: {source}")]
    Codec {
        /// Which step.
        what: &'static str,
        /// As the codec says it.
        source: openh264::Error,
    },
    /// The audio codec refused.
    #[error("Opus {what}: {reason}")]
    Audio {
        /// Which step.
        what: &'static str,
        /// As the codec says it.
        reason: String,
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
    /// Too few or too many cameras.
    #[error("{got} cameras; a vehicle sends 1 to {max}")]
    Cameras {
        /// As given.
        got: usize,
        /// Most.
        max: usize,
    },
    /// No such camera.
    #[error("camera {camera} does not exist: the link was started with {cameras} (counted from 0)")]
    NoCamera {
        /// As given.
        camera: usize,
        /// How many there are.
        cameras: usize,
    },
    /// The WebRTC stack refused.
    #[error("{what}: {source}")]
    WebRtc {
        /// Which step.
        what: &'static str,
        /// As the stack says it.
        source: webrtc::error::Error,
    },
    /// A thread could not be started.
    #[error("thread {name} could not be started: {source}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// As the system says it.
        source: std::io::Error,
    },
}
