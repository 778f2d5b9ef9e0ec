//! Where options come from that the command line did not give.

use anyhow::Context;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

/// Where a value stands in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// The key, with its table.
    pub key: String,
    /// The value, as it is written.
    pub value: String,
    /// The value is the content of a file, as a table of the configuration.
    pub is_table: bool,
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: ", self.file.display(), self.line)?;
        match self.is_table {
            true => write!(f, "[{}]", self.key),
            false => write!(f, "{} = {}", self.key, self.value),
        }
    }
}

/// The options that come from a configuration file, by their names on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(pub(super) BTreeMap<&'static str, Origin>);

impl Origins {
    /// Adds to what is wrong with the value of `option` where it stands, if it stands in a file.
    ///
    /// # Errors
    /// That of `result`.
    pub fn explain<T>(&self, option: &str, result: anyhow::Result<T>) -> anyhow::Result<T> {
        match self.0.get(option) {
            Some(origin) => result.with_context(|| origin.to_string()),
            None => result,
        }
    }

    /// Whether the content of the file that `option` is to name stands in the configuration as a table; the option then names
    /// the configuration.
    #[must_use]
    pub fn is_table(&self, option: &str) -> bool {
        self.0.get(option).is_some_and(|origin| origin.is_table)
    }
}
