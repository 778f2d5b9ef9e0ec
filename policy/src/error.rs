//! What can go wrong between an observation or a folder and a proposal.

use std::path::PathBuf;

/// Why there is no proposal, no policy or no artefact.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The observation lacks what the features need.
    #[error("the observation lacks {what}")]
    Missing {
        /// What is lacking.
        what: String,
    },
    /// The observation holds a value that no sensor can mean.
    #[error("{what} is {value}: features need finite numbers of a magnitude below {limit}")]
    OutOfRange {
        /// Which value.
        what: String,
        /// The value.
        value: f64,
        /// The magnitude that it must stay below.
        limit: f64,
    },
    /// The corridor's stations do not run forward.
    #[error("corridor station {index} lies at {s_m} m, not beyond the one before at {before_m} m")]
    CorridorOrder {
        /// Which station.
        index: usize,
        /// Its distance.
        s_m: f32,
        /// The distance of the one before.
        before_m: f32,
    },
    /// The embodiment is not one that this build knows, or lacks a channel.
    #[error("embodiment {embodiment:?} {why}")]
    Embodiment {
        /// Its name.
        embodiment: String,
        /// What is wrong with it.
        why: String,
    },
    /// Reading or writing an artefact failed.
    #[error("cannot {doing} {path}: {source}", path = path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of the artefact is larger than any real one.
    #[error("{path} is larger than {limit} bytes: not a policy artefact", path = path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// The manifest cannot be understood.
    #[error("the manifest {path} is not valid: {why}", path = path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The manifest holds something that cannot be written.
    #[error("the manifest cannot be written: {0}")]
    ManifestContent(String),
    /// The weights are not those that the manifest was written for.
    #[error("the weights have SHA-256 {found}, the manifest says {expected}: restore the artefact or train again")]
    Hash {
        /// What the manifest says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The artefact was trained on features that this build does not compute.
    #[error(
        "policy {policy:?} was trained on feature version {found} with {found_count} features, this build computes version \
         {expected} with {expected_count}: train it again from its episodes (`takeover train`)"
    )]
    FeatureVersion {
        /// The policy's version.
        policy: String,
        /// Version in the manifest.
        found: u32,
        /// Number of features in the manifest.
        found_count: usize,
        /// Version of this build.
        expected: u32,
        /// Number of features of this build.
        expected_count: usize,
    },
    /// A tensor or the network's shape is not what it must be.
    #[error("the weights are not valid: {0}")]
    Weights(String),
}
