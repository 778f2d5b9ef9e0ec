//! `meta/info.json`: which features there are.

use super::{ACTION, AUTHOR, INTERVENTION, LOG_TIME, POSE, PROPOSAL, STATE, VERSION};
use crate::exchange::ExchangeError;
use protocol::Embodiment;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const MAX_JSON_BYTES: u64 = 64 << 20;

/// A column or a film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Feature {
    pub dtype: String,
    pub shape: Vec<usize>,
    #[serde(default)]
    pub names: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub info: Value,
}

impl Feature {
    pub fn new(dtype: &str, names: &[String]) -> Self {
        Self { dtype: dtype.to_owned(), shape: vec![names.len()], names: json!(names), info: Value::Null }
    }

    pub fn single(dtype: &str) -> Self {
        Self { dtype: dtype.to_owned(), shape: vec![1], names: Value::Null, info: Value::Null }
    }

    pub fn video(width: u32, height: u32, fps: u32) -> Self {
        let info = json!({
            "video.height": height, "video.width": width, "video.codec": "h264", "video.pix_fmt": "yuv420p",
            "video.is_depth_map": false, "video.fps": fps, "video.channels": 3, "has_audio": false,
        });
        let names = json!(["height", "width", "channels"]);
        Self { dtype: "video".to_owned(), shape: vec![height as usize, width as usize, 3], names, info }
    }

    /// Values a row.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_picture(&self) -> bool {
        ["video", "image"].contains(&self.dtype.as_str())
    }
}

/// The file as we write and read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Info {
    pub codebase_version: String,
    pub robot_type: Option<String>,
    pub total_episodes: usize,
    pub total_frames: usize,
    pub total_tasks: usize,
    pub chunks_size: usize,
    pub data_files_size_in_mb: u64,
    pub video_files_size_in_mb: u64,
    pub fps: f64,
    pub splits: BTreeMap<String, String>,
    pub data_path: String,
    pub video_path: Option<String>,
    pub features: BTreeMap<String, Feature>,
}

impl Info {
    pub fn new(robot_type: &str, fps: u32) -> Self {
        Self {
            codebase_version: VERSION.to_owned(),
            robot_type: Some(robot_type.to_owned()),
            total_episodes: 0,
            total_frames: 0,
            total_tasks: 0,
            chunks_size: 1000,
            data_files_size_in_mb: 100,
            video_files_size_in_mb: 200,
            fps: f64::from(fps),
            splits: BTreeMap::new(),
            data_path: "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet".to_owned(),
            video_path: Some("videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4".to_owned()),
            features: BTreeMap::new(),
        }
    }

    /// With the rate as a whole number, which readers take for an index.
    pub fn to_json(&self) -> Value {
        let mut value = json!(self);
        value["fps"] = json!(self.fps as u64);
        value
    }

    pub fn read(path: &Path) -> Result<Self, ExchangeError> {
        let info: Self = read_json(path)?;
        if info.codebase_version != VERSION {
            let problem = format!("codebase_version is {:?}, {VERSION:?} can be read", info.codebase_version);
            return Err(ExchangeError::unfit(path, problem));
        }
        if !(0.1..=1000.0).contains(&info.fps) {
            return Err(ExchangeError::unfit(path, format!("fps {} makes no sense", info.fps)));
        }
        for (name, feature) in &info.features {
            let sound = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !name.contains("..");
            let width = feature.shape.iter().try_fold(1_usize, |all, one| all.checked_mul(*one));
            if !sound || width.is_none_or(|width| width > 1 << 28) {
                let problem = format!("feature {name:?} of shape {:?} makes no sense", feature.shape);
                return Err(ExchangeError::unfit(path, problem));
            }
        }
        Ok(info)
    }
}

/// The features of an episode of ours, for states and actions of these widths.
pub(super) fn features(embodiment: &str, state: usize, action: usize) -> BTreeMap<String, Feature> {
    let known = Embodiment::by_name(embodiment);
    let names = |channels: Option<Vec<String>>, width: usize, name: &str| match channels {
        Some(channels) if channels.len() == width => channels,
        _ => (0..width).map(|n| format!("{name}_{n}")).collect(),
    };
    let list = |channels: &[protocol::Channel]| channels.iter().map(|channel| channel.name.to_owned()).collect();
    let states = names(known.as_ref().map(|e| list(&e.observation)), state, "state");
    let actions = names(known.as_ref().map(|e| list(&e.action)), action, "action");
    let pose = ["x_m", "y_m", "heading_rad", "odometer_m"].map(str::to_owned);
    let all = [
        (STATE, Feature::new("float32", &states)),
        (ACTION, Feature::new("float32", &actions)),
        (PROPOSAL, Feature::new("float32", &actions)),
        (POSE, Feature::new("float64", &pose)),
        (INTERVENTION, Feature::single("bool")),
        (AUTHOR, Feature::single("int64")),
        (LOG_TIME, Feature::single("int64")),
    ];
    all.map(|(name, feature)| (name.to_owned(), feature)).into()
}

/// Reads a JSON file of bounded size.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ExchangeError> {
    let bytes = std::fs::metadata(path).map_err(ExchangeError::io("look at", path))?.len();
    if bytes > MAX_JSON_BYTES {
        return Err(ExchangeError::unfit(path, format!("{bytes} bytes are more than {MAX_JSON_BYTES}")));
    }
    let text = std::fs::read(path).map_err(ExchangeError::io("read", path))?;
    serde_json::from_slice(&text).map_err(|error| {
        let lines = text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
        let offset = lines.map(<[u8]>::len).sum::<usize>() + error.column();
        ExchangeError::malformed(path, offset as u64, error.to_string())
    })
}

pub(super) fn write_json(path: &Path, value: &Value) -> Result<(), ExchangeError> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    std::fs::write(path, text).map_err(ExchangeError::io("write", path))
}
