//! What the measuring commands found, kept beside the documents: `docs/measured/NAME.json`.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The machine in words.
    pub machine: String,
    /// Each command with what it found.
    pub runs: Vec<Run>,
    /// Small forms of the same in virtual time, which a test runs again: they change when the large ones do.
    #[serde(default)]
    pub small: Vec<Small>,
}

/// One command's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// As a person repeats it.
    pub command: String,
    /// Day, UTC.
    pub date: String,
    /// How long it took, seconds.
    pub took_s: f64,
    /// The command's own JSON, as far as tables need it.
    pub result: Value,
}

/// A small form's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Small {
    /// The lines for `bash`.
    pub run: String,
    /// The processor on which it is the same to the last bit.
    pub processor: String,
    /// The command's own JSON.
    pub result: Value,
}

/// Where a part's file lies.
#[must_use]
pub fn path(root: &Path, part: &str) -> PathBuf {
    root.join("docs/measured").join(format!("{part}.json"))
}

impl Measured {
    /// Reads a part's file.
    ///
    /// # Errors
    /// When it is not there or not whole, with the command that makes it.
    pub fn read(root: &Path, part: &str) -> anyhow::Result<Self> {
        let path = path(root, part);
        let again = || format!("{}; make it with `scripts/measure.sh {part}`", path.display());
        let text = std::fs::read(&path).with_context(again)?;
        serde_json::from_slice(&text).with_context(again)
    }

    /// Writes a part's file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, root: &Path, part: &str) -> anyhow::Result<()> {
        let path = path(root, part);
        std::fs::create_dir_all(path.parent().context("no folder")?)?;
        std::fs::write(&path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Takes a result that the part's command left elsewhere, as `make fuzz` does, for one that was measured today on
    /// this machine.
    ///
    /// # Errors
    /// When it cannot be read or is not JSON.
    pub fn taken(command: &str, result: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(result).with_context(|| format!("cannot read {}", result.display()))?;
        let result: Value =
            serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", result.display()))?;
        let seconds = result.as_array().into_iter().flatten().filter_map(|row| row["seconds"].as_f64());
        let took_s = seconds.sum();
        let run = Run { command: command.into(), date: today()?, took_s, result };
        Ok(Self { machine: machine(), runs: vec![run], small: Vec::new() })
    }

    /// When and where, for below a table: `30 November ...`.
    #[must_use]
    pub fn caption(&self) -> String {
        let times = |run: &Run| format!("`{}` ({}, {})", run.command, run.date, time(run.took_s));
        let runs: Vec<String> = self.runs.iter().map(times).collect();
        format!("{}; {}.", runs.join(", "), self.machine)
    }
}

/// A duration for people.
#[must_use]
pub fn time(seconds: f64) -> String {
    if seconds < 100.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

/// This machine in words: cores, processor, memory, system.
#[must_use]
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let field = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let kib = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let memory = kib.map_or(String::new(), |kib| format!(", {:.0} GiB", kib / 1024.0 / 1024.0));
    format!("{cores} cores of {processor}{memory}, {}", std::env::consts::OS)
}

/// What of the processor decides the last bit of arithmetic.
#[must_use]
pub fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let has = |name: &&&str| flags.split_whitespace().any(|flag| flag == **name);
    let wide: Vec<&str> = ["fma", "avx2", "avx512f"].iter().filter(has).copied().collect();
    format!("{} {}", std::env::consts::ARCH, wide.join(" ")).trim().to_owned()
}

/// Today, UTC.
///
/// # Errors
/// When the system has no `date`.
pub fn today() -> anyhow::Result<String> {
    Ok(crate::run(Command::new("date").args(["-u", "+%F"]))?.trim().to_owned())
}
