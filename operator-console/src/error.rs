//! What can go wrong before there is a window to say it in.

use std::path::PathBuf;

/// Errors of the console.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The control plane could not be asked.
    #[error(transparent)]
    ControlPlane(#[from] control_plane_client::ClientError),
    /// The list holds no vehicle to connect to.
    #[error("no live vehicle is connected to {0}")]
    NoVehicle(String),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The episode cannot be read.
    #[error(transparent)]
    Episode(#[from] recorder::RecorderError),
    /// The episode has no message.
    #[error("{} holds no message: there is nothing to play", path.display())]
    EmptyEpisode {
        /// The file.
        path: PathBuf,
    },
    /// The episode is too long to look at as a whole.
    #[error("{} holds more than {limit} messages: cut a piece out with `takeover episode cut`", path.display())]
    LongEpisode {
        /// The file.
        path: PathBuf,
        /// What is possible.
        limit: u64,
    },
    /// A place outside of the episode.
    #[error("{at_s} s is not a place in an episode of {length_s:.1} s")]
    Place {
        /// What was asked for.
        at_s: f64,
        /// Its length.
        length_s: f64,
    },
    /// The video decoder cannot be set up.
    #[error("cannot set up the video decoder: {0}")]
    Decoder(#[source] video::VideoError),
    /// There is no screen to open a window on.
    #[error("no screen: neither DISPLAY nor WAYLAND_DISPLAY is set; on a machine without one, run under `xvfb-run`")]
    NoDisplay,
    /// The window or the renderer could not be set up.
    #[error("cannot open the window: {reason}{hint}")]
    Window {
        /// What was reported.
        reason: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The screenshot was not written.
    #[error("cannot write the screenshot {path}: {reason}")]
    Screenshot {
        /// Where to.
        path: String,
        /// What happened.
        reason: String,
    },
}
