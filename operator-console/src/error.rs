//! What can go wrong before there is a window to say it in.

/// Errors of the console.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The control plane could not be asked.
    #[error(
        "the control plane {url} does not answer: {reason}; start it with `make demo` or name another with --control-plane"
    )]
    ControlPlane {
        /// What was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The control plane answered something else than a list of vehicles.
    #[error("{url} answered what is not a list of vehicles: {reason}")]
    VehicleList {
        /// What was asked.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The list holds no vehicle to connect to.
    #[error("no live vehicle is signed up at {0}")]
    NoVehicle(String),
    /// A thread could not be started.
    #[error("cannot start the seat's thread: {0}")]
    Thread(#[source] std::io::Error),
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
