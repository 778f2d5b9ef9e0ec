//! The documents as something that can be true or not: the commands, names and tables in them.
//!
//! [`read_all`] takes out what stands in code type, [`entry`] says how each command is tried on a
//! [`stage`], [`names`] looks for what
//! is only named, [`measured`] keeps what the measuring commands found, and [`tables`] writes the documents' tables
//! from it.

pub mod cargo;
pub mod entry;
pub mod help;
pub mod markdown;
pub mod measured;
pub mod names;
pub mod parts;
pub mod stage;
pub mod tables;

pub use markdown::{Code, Place};

use anyhow::Context;
use std::path::{Path, PathBuf};

/// The repository's folder.
#[must_use]
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.parent().unwrap_or(folder).to_owned()
}

/// The documents that say how things are: all but the log of what changed, which speaks of what was.
///
/// # Errors
/// When a folder cannot be read.
pub fn documents(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for folder in [root.to_owned(), root.join("docs")] {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        all.extend(entries.flatten().map(|entry| entry.path()));
    }
    all.retain(|path| path.extension().is_some_and(|ending| ending == "md") && !path.ends_with("CHANGELOG.md"));
    all.sort();
    Ok(all)
}

/// Every piece of code in every document, and the commands that tables name.
///
/// # Errors
/// When one cannot be read.
pub fn read_all(root: &Path) -> anyhow::Result<Vec<Code>> {
    let mut all = parts::commands();
    for path in documents(root)? {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        all.extend(markdown::code(&name, &text));
    }
    Ok(all)
}
