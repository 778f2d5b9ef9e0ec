//! What can go wrong between formats.

use crate::RecorderError;
use std::path::{Path, PathBuf};

/// Why an episode could not be exported, imported, edited or shown.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// An episode could not be read or written.
    #[error(transparent)]
    Episode(#[from] RecorderError),
    /// The file system or the network refused.
    #[error("cannot {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file, folder or address.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Nobody can listen at an address.
    #[error(transparent)]
    Listen(#[from] protocol::ListenError),
    /// A file is not what its format asks for.
    #[error("{path} cannot be used at byte {offset}: {problem}", path = path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
    /// A file is sound and yet does not fit what is asked.
    #[error("{path}: {problem}", path = path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// An MP4 file cannot be written or read.
    #[cfg(any(feature = "exchange", feature = "video"))]
    #[error(transparent)]
    Mp4(#[from] video::mp4::Mp4Error),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Asked(String),
}

impl ExchangeError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    #[cfg(feature = "exchange")]
    pub(crate) fn malformed(path: &Path, offset: u64, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), offset, problem: problem.into() }
    }

    #[cfg(feature = "exchange")]
    pub(crate) fn unfit(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unfit { path: path.to_owned(), problem: problem.into() }
    }
}
