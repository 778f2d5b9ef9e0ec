//! What can go wrong with an episode.

use protocol::MetadataError;
use std::path::{Path, PathBuf};

/// Why an episode could not be written, read or recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The file system refused.
    #[error("cannot {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A key to sign with cannot be had.
    #[error(transparent)]
    Key(#[from] protocol::signing::KeyError),
    /// A file and the signature beside it do not fit.
    #[error("the signature of {path} does not hold: {problem}", path = path.display())]
    Signature {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file is not what it should be.
    #[error("{path} is damaged at byte {offset}: {problem}", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
    /// A sound MCAP file that nobody described as an episode.
    #[error(
        "{path} is an MCAP file, but no episode: it has no metadata \"episode\"; \
         `takeover episode import FILE --format rosbag2 --output FOLDER` makes one of it",
        path = path.display()
    )]
    NoEpisode {
        /// Which file.
        path: PathBuf,
    },
    /// A file of this name is there already.
    #[error("episode file {path} exists already", path = path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// An entry of the `episode` metadata has no sense.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// No message of this name is known.
    #[error("topic {topic} names schema {schema:?}, which protocol does not define")]
    UnknownSchema {
        /// The topic.
        topic: String,
        /// Its schema.
        schema: String,
    },
    /// A message or attachment is larger than what readers accept.
    #[error("{what} has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Topic or attachment.
        what: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A message was asked for as another type than the one it was written as.
    #[error("{topic} holds {schema}, not {wanted}")]
    WrongType {
        /// The topic.
        topic: String,
        /// What the file says.
        schema: String,
        /// What was asked for.
        wanted: String,
    },
    /// A message's bytes are not of its type.
    #[error("message of {topic} at {log_time_ns} ns is no {schema}: {source}")]
    Decode {
        /// The topic.
        topic: String,
        /// Its log time.
        log_time_ns: u64,
        /// What it should have been.
        schema: String,
        /// What the decoder said.
        source: prost::DecodeError,
    },
    /// The input of a file that must be in order is not.
    #[error("message of {topic} at {log_time_ns} ns comes after one at {previous_ns} ns")]
    OutOfOrder {
        /// The topic.
        topic: &'static str,
        /// Its log time.
        log_time_ns: u64,
        /// The one before.
        previous_ns: u64,
    },
}

impl RecorderError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn damaged(path: &Path, offset: u64, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), offset, problem: problem.into() }
    }
}
