//! The one error type of this crate.

/// What can go wrong when a link is set up or a picture is coded. What goes wrong later on the network is not an error
/// but an event ([`crate::FromSeat`], [`crate::FromVehicle`]): the link keeps trying.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The control plane's address cannot be used.
    #[error(transparent)]
    ControlPlane(#[from] control_plane_client::ControlPlaneAddressError),
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
    /// A picture cannot be encoded or decoded.
    #[error(transparent)]
    Video(#[from] video::VideoError),
    /// The audio codec refused.
    #[error("Opus {what}: {reason}")]
    Audio {
        /// Which step.
        what: &'static str,
        /// As the codec says it.
        reason: String,
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
