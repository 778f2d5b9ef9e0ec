//! How each command that a document names is tried: the table `tests/documents.toml`.

use super::markdown::{Code, Kind};
use anyhow::Context;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// One for each command, or for several that are tried by the same line.
    pub entry: Vec<Entry>,
    /// Names that no source of ours has, with whose they are.
    pub foreign: BTreeMap<String, String>,
    /// Words in capitals that are names and abbreviations.
    pub capitals: Vec<String>,
}

/// How one command is tried.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The command as documents write it, in each way that they do.
    pub named: Vec<String>,
    /// Lines for `bash`, with the site's variables; see [`super::stage`].
    #[serde(default)]
    pub run: String,
    /// What it has to print, each of them.
    #[serde(default)]
    pub says: Vec<String>,
    /// A program that runs until it is ended: it gets an interrupt once it has printed this, and has to end well.
    pub until: Option<String>,
    /// Requests to the control plane, in order: method, path, and what is sent.
    #[serde(default)]
    pub requests: Vec<String>,
    /// Why the command itself is not run, and what stands in for it.
    pub instead: Option<String>,
    /// What a machine may lack, so that the command says so instead.
    pub needs: Option<Need>,
    /// Runs after all others, in the table's order: it takes away what those look at.
    #[serde(default)]
    pub last: bool,
}

/// What not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Rights to make network namespaces.
    Namespaces,
}

impl Table {
    /// Reads the table.
    ///
    /// # Errors
    /// When it cannot be read or an entry says nothing.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let table: Self = toml::from_str(&text).with_context(|| format!("cannot use {}", path.display()))?;
        let tries_nothing = |e: &&Entry| e.run.is_empty() && e.requests.is_empty() && e.instead.is_none();
        let empty = table.entry.iter().find(tries_nothing);
        anyhow::ensure!(empty.is_none(), "an entry that tries nothing: {empty:?}");
        Ok(table)
    }

    /// Commands and blocks of the documents without an entry, entries that no document names, and files below `root`
    /// that stand in for a command and are not there.
    #[must_use]
    pub fn differences(&self, code: &[Code], root: &Path) -> Vec<String> {
        let listed: BTreeSet<&str> = self.entry.iter().flat_map(|e| &e.named).map(String::as_str).collect();
        let named = code.iter().filter(|c| c.kind != Kind::Name);
        let missing = named.clone().filter(|c| !listed.contains(c.text.as_str()));
        let missing = missing.map(|c| format!("{}: `{}` has no entry in tests/documents.toml", c.place, c.text));
        let used: BTreeSet<&str> = named.map(|c| c.text.as_str()).collect();
        let stale = listed.iter().filter(|text| !used.contains(*text));
        let stale = stale.map(|text| format!("tests/documents.toml: no document names `{text}`"));
        let paths = self.entry.iter().filter_map(|e| e.instead.as_deref()).flat_map(paths);
        let gone = paths.filter(|path| !root.join(path).exists());
        let gone = gone.map(|path| format!("tests/documents.toml: there is no {path}, which stands in for a command"));
        missing.chain(stale).chain(gone).collect()
    }
}

/// The words of a text that are paths in the repository.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let words =
        text.split_whitespace().map(|word| word.trim_matches([',', ';', ':', '(', ')', '`']).trim_end_matches('.'));
    words.filter(|word| word.contains('/') && !word.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_stands_in_for_a_command_has_to_be_there() {
        let entry = |instead: &str| {
            let text = format!("entry = [{{ named = [], instead = {instead:?} }}]\ncapitals = []\n[foreign]\n");
            toml::from_str::<Table>(&text).unwrap()
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let of = |instead: &str| entry(instead).differences(&[], root);
        assert_eq!(of("half of it; src/lib.rs, `src/documents/entry.rs`: all; s3://a/b"), Vec::<String>::new());
        let gone = of("src/nowhere.rs does it");
        assert!(gone.len() == 1 && gone[0].contains("there is no src/nowhere.rs"), "{gone:?}");
    }
}
