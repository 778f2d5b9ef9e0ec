//! What is wrong with a configuration file.

use super::Origin;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Larger than any configuration.
    #[error("{file} is larger than {most} bytes: that is not a bridge's configuration")]
    TooLarge {
        /// The file.
        file: String,
        /// The largest that is read.
        most: u64,
    },
    /// The text is not TOML.
    #[error("{file}, line {line}: {why} (the line reads {text:?})")]
    Form {
        /// The file.
        file: String,
        /// Line of the mistake, from 1.
        line: usize,
        /// What is wrong.
        why: String,
        /// The line.
        text: String,
    },
    /// A key that no option has.
    #[error("{at}: there is no such key; the nearest is {nearest} (`{program} config --print-default` has all)")]
    Unknown {
        /// Where it stands.
        at: Box<Origin>,
        /// The known key that it is most like.
        nearest: String,
        /// What prints all keys.
        program: &'static str,
    },
    /// A value that cannot be used.
    #[error("{at}: {why}")]
    Value {
        /// Where it stands.
        at: Box<Origin>,
        /// What is wrong with it.
        why: String,
    },
}
