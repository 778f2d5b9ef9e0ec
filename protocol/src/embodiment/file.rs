//! Embodiments as TOML files, and what is wrong with one that is not valid.

use super::check::Checker;
use super::{Actuator, Body, CameraSensor, Channel, Channels, Embodiment, Kinematics, LidarSensor, TrackingBands};
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest file that is read, bytes.
pub(super) const MAX_BYTES: u64 = 1 << 18;

/// Why an embodiment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmbodimentError {
    /// Neither built in nor a file.
    #[error("{name:?} is neither a file nor a built-in embodiment; built in are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names of the built-in ones.
        known: String,
    },
    /// The file cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Larger than any embodiment.
    #[error("{file} is larger than {MAX_BYTES} bytes: that is not an embodiment")]
    TooLarge {
        /// The file.
        file: String,
    },
    /// The text is not TOML, or names something unknown, or lacks something.
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
    /// A value does not fit.
    #[error("{file}, line {line}: {key} is {value}: {why}")]
    Value {
        /// The file.
        file: String,
        /// Line of the value, from 1.
        line: usize,
        /// The key, with the tables around it.
        key: String,
        /// Its value.
        value: String,
        /// What would do.
        why: String,
    },
}

/// The file, before its values are checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub body: Body,
    pub kinematics: Kinematics,
    pub limits: Limits,
    pub tracking: Option<TrackingBands>,
    #[serde(default)]
    pub observation: Vec<Channel>,
    #[serde(default)]
    pub action: Vec<Channel>,
    #[serde(default)]
    pub actuator: Vec<Actuator>,
    #[serde(default)]
    pub camera: Vec<CameraSensor>,
    pub lidar: Option<LidarSensor>,
}

/// The table `[limits]`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub stop_decel_mps2: f64,
    pub emergency_decel_mps2: f64,
    pub lateral_max_mps2: f64,
}

impl Embodiment {
    /// Reads and checks `text`; `file` is what errors call it.
    ///
    /// # Errors
    /// [`EmbodimentError`] with file, line and value of the first mistake.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, EmbodimentError> {
        let draft: Draft = toml::from_str(text).map_err(|error| form(file, text, &error))?;
        let tree = toml::de::DeTable::parse(text).map_err(|error| form(file, text, &error))?;
        Checker::new(file, text, tree.get_ref()).check(&draft)?;
        let Draft {
            name,
            description,
            body,
            kinematics,
            limits,
            tracking,
            observation,
            action,
            actuator,
            camera,
            lidar,
        } = draft;
        let position = |a: &Actuator| action.iter().position(|channel| channel.name == a.channel);
        let mut actuators = actuator;
        actuators.sort_by_key(position);
        let channels = Channels::of(&observation, &action, &kinematics);
        let steering_max = channels.steer.and_then(|index| action.get(index)).map_or(0.0, |channel| channel.max);
        Ok(Self {
            channels,
            name,
            description,
            body,
            kinematics,
            observation,
            action,
            actuators,
            cameras: camera,
            lidar,
            stop_decel_mps2: limits.stop_decel_mps2,
            emergency_decel_mps2: limits.emergency_decel_mps2,
            lateral_max_mps2: limits.lateral_max_mps2,
            tracking: tracking.unwrap_or_else(|| TrackingBands::usual(&limits, steering_max)),
            source: text.into(),
        })
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// As [`Embodiment::from_toml`], or when it cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, EmbodimentError> {
        let file = path.display().to_string();
        let read_error = |source| EmbodimentError::Read { file: file.clone(), source };
        let mut text = String::new();
        File::open(path).map_err(read_error)?.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(read_error)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(EmbodimentError::TooLarge { file });
        }
        Self::from_toml(&file, &text)
    }
}

/// The line, from 1, in which byte `at` of `text` is.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn form(file: &str, text: &str, error: &toml::de::Error) -> EmbodimentError {
    let line = line_of(text, error.span().map_or(0, |span| span.start));
    let shown = text.lines().nth(line - 1).unwrap_or_default().trim().chars().take(120).collect();
    EmbodimentError::Form { file: file.to_owned(), line, why: error.message().to_owned(), text: shown }
}
