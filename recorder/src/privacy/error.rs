//! Why an episode could not be redacted.

use super::RegionKind;
use crate::RecorderError;
use crate::exchange::ExchangeError;
use std::path::PathBuf;

/// Why an episode could not be redacted. Nothing is left behind under the episode's name.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyError {
    /// The episode could not be read or the new one written.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// What looks for regions is not installed.
    #[error(
        "cannot blur {kind}: the model {file} is not installed; \
         run: apt-get install -y --no-install-recommends opencv-data"
    )]
    NoModel {
        /// What was to be blurred.
        kind: RegionKind,
        /// The missing file.
        file: &'static str,
    },
    /// A model is not what it should be.
    #[error("the model {path} cannot be used: {problem}", path = path.display())]
    Model {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A picture cannot be decoded, looked at or encoded.
    #[error("{path}: the picture of {topic} at {log_time_ns} ns: {problem}", path = path.display())]
    Picture {
        /// Which episode.
        path: PathBuf,
        /// Which camera.
        topic: String,
        /// When, log time.
        log_time_ns: u64,
        /// What is wrong.
        problem: String,
    },
    /// Something in the episode shows pictures that nothing can be blurred in.
    #[error("{path}: {what} cannot be blurred: {problem}; leave it out (omit) or send nothing", path = path.display())]
    NotBlurred {
        /// Which episode.
        path: PathBuf,
        /// A topic or an attachment.
        what: String,
        /// Why not.
        problem: String,
    },
}

impl From<RecorderError> for PrivacyError {
    fn from(error: RecorderError) -> Self {
        Self::Exchange(error.into())
    }
}
