//! Proofs that tests run in a short form and `make bench` in full: kills at random moments, and takeovers that
//! overlap. And what fuzzing and its twin among the tests feed to the reader.

mod hostile;
mod kill;
mod overlap;
mod random;

pub use hostile::read_hostile;
pub use kill::{Killed, MAY_BE_LOST_NS, kill_once, record_until_killed};
pub use overlap::{Overlapped, TrialFrame, overlapping_takeovers};
pub(crate) use random::Random;

/// Why a proof failed; says what was found.
#[derive(Debug, thiserror::Error)]
pub enum RecorderTrialError {
    /// The recorder did not do what it promises.
    #[error("{0}")]
    Broken(String),
    /// The recorder failed.
    #[error(transparent)]
    Recorder(#[from] crate::RecorderError),
    /// A file or process of the trial itself.
    #[error("{0}: {1}")]
    Io(&'static str, std::io::Error),
    /// A name is not an identifier.
    #[error(transparent)]
    Id(#[from] protocol::IdError),
}

impl RecorderTrialError {
    fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io(what, error)
    }
}
