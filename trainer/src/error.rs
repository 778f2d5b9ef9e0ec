//! What can go wrong between episode files and a policy.

use protocol::EpisodeId;
use std::path::PathBuf;

/// Why there is no dataset, no network or no artefact.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// An episode file cannot be read.
    #[error("cannot read episode {path}: {source}", path = path.display())]
    Episode {
        /// Which file.
        path: PathBuf,
        /// The recorder's reason.
        source: recorder::RecorderError,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An episode was recorded by another kind of robot.
    #[error("episode {episode} is of embodiment {found:?}, the dataset of {expected:?}: keep them apart")]
    Embodiment {
        /// Which episode.
        episode: EpisodeId,
        /// What it says.
        found: String,
        /// What the dataset is for.
        expected: String,
    },
    /// A frame of an episode makes no sense.
    #[error("episode {episode} at {time_ns} ns: {why}")]
    Frame {
        /// Which episode.
        episode: EpisodeId,
        /// Log time of the frame.
        time_ns: u64,
        /// What is wrong.
        why: String,
    },
    /// There is nothing to learn from.
    #[error("no frame to learn from in {episodes} episodes: none has an operator's or demonstrator's driving")]
    NoFrames {
        /// How many episodes there are.
        episodes: usize,
    },
    /// A setting is out of its range.
    #[error("{setting} is {value}: {need}")]
    Config {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        need: &'static str,
    },
    /// Training left the finite numbers.
    #[error("training diverged at step {step}: the loss is {loss}; lower the learning rate of {learning_rate}")]
    Diverged {
        /// At which step.
        step: usize,
        /// The loss.
        loss: f64,
        /// The setting.
        learning_rate: f64,
    },
    /// The policy crate refused.
    #[error(transparent)]
    Policy(#[from] policy::PolicyError),
    /// The tensor library failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A thread could not be started.
    #[error("cannot start the training thread: {0}")]
    Thread(String),
}
