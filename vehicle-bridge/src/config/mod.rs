//! The bridge's configuration file: TOML with a key for each option of the command line, which wins over the file.
//!
//! A key is called as its option is, with `_` for `-`; the options that belong to one kind of robot stand in its table. The
//! options stay defined in one place, the command line's: [`parse`] turns the keys of `--config` into options that were not
//! given, and the command line's own parsers judge their values. [`default_file`] writes the file that changes nothing.
//!
//! A path in the file is relative to the file's folder.

mod error;
mod file;
mod key;
mod origin;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use error::ConfigError;
pub use key::{ConfigFormat, ConfigKey, KeyKind};
pub use origin::{Origin, Origins};
pub use parse::{load, parse};
pub use print::default_file;

use std::path::PathBuf;

/// Writes or checks a configuration file of the bridge.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub struct ConfigArgs {
    /// Prints a file with every key, its meaning and its default; given back by `--config` as it is, it changes nothing.
    #[arg(long)]
    pub print_default: bool,
    /// Checks a file and what it names; says file, line, key and value of the first mistake and ends with status 1 if there is
    /// any.
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}
