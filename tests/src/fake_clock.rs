//! A process whose wall clock is not the machine's, by libfaketime.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// A wall clock that may be set while the process runs.
pub struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    /// Stands as `offset` says (`+6h`, `-90m`; `+6h x1.0002` gains 200 ppm from the process's start on); what it is set to is kept in `folder`. The monotonic clock stays the
    /// machine's: what waits by it hands its readings to the kernel, which knows of no other.
    ///
    /// # Errors
    /// When libfaketime is not installed.
    pub fn new(folder: &Path, offset: &str) -> anyhow::Result<Self> {
        let clock = Self { library: library()?, file: folder.join("clock") };
        clock.set(offset)?;
        Ok(clock)
    }

    /// Sets it; the process sees it within a second.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, offset: &str) -> anyhow::Result<()> {
        // Whole or not at all: the process may read at any time.
        let part = self.file.with_extension("part");
        std::fs::write(&part, format!("{offset}\n"))?;
        Ok(std::fs::rename(part, &self.file)?)
    }

    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.to_string_lossy().into_owned()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_string_lossy().into_owned()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            // Files keep the machine's times.
            ("NO_FAKE_STAT", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

fn library() -> anyhow::Result<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").context("there is no /usr/lib")?;
    let mut candidates = folders.flatten().map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    match candidates.find(|path| path.exists()) {
        Some(path) => Ok(path),
        None => bail!("libfaketime is missing; `make test` installs it (Debian's package faketime)"),
    }
}
