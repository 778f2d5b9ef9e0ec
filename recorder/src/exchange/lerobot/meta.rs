//! `meta/info.json`: which features there are.

use super::{ACTION, AUTHOR, INTERVENTION, LOG_TIME, POSE, PROPOSAL, STATE, VERSION};
use crate::exchange::ExchangeError;
use crate::exchange::report::Notes;
use protocol::Embodiment;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
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

    /// A feature of another program's description.
    fn of(value: &Value) -> Result<Self, String> {
        const MOST: usize = 1 << 28;
        let dtype = value.get("dtype").and_then(Value::as_str).unwrap_or_default().to_owned();
        let said = value.get("shape").unwrap_or(&Value::Null);
        let one = |size: &Value| size.as_u64().and_then(|size| usize::try_from(size).ok());
        let shape: Option<Vec<usize>> = match said {
            Value::Null => Some(vec![1]),
            Value::Array(sizes) => sizes.iter().map(one).collect(),
            size => one(size).map(|size| vec![size]),
        };
        let width = shape.as_ref().and_then(|s| s.iter().try_fold(1_usize, |all, one| all.checked_mul(*one)));
        let shape = shape.filter(|_| width.is_some_and(|width| width <= MOST));
        let shape = shape.ok_or_else(|| format!("its shape is {said}"))?;
        let [names, info] = ["names", "info"].map(|key| value.get(key).cloned().unwrap_or_default());
        Ok(Self { dtype, shape, names, info })
    }

    pub fn is_text(&self) -> bool {
        self.dtype == "string"
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

    /// Reads the file of a dataset that anybody may have written: what does not matter may be missing or odd.
    pub fn read(path: &Path, notes: &mut Notes) -> Result<Self, ExchangeError> {
        let value: Value = read_json(path)?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let version = text("codebase_version").unwrap_or_default();
        if !version.starts_with("v3.") {
            let said = value.get("codebase_version").unwrap_or(&Value::Null);
            let problem = format!(
                "codebase_version is {said}; {VERSION:?} can be read, and LeRobot's \
                 `convert_dataset_v21_to_v30` makes it of \"v2.1\""
            );
            return Err(ExchangeError::unfit(path, problem));
        }
        if version != VERSION {
            notes.say(format!("it is of version {version}, and is read as {VERSION}"));
        }
        let said = value.get("fps").unwrap_or(&Value::Null);
        let fps = said.as_f64().filter(|fps| (0.1..=1000.0).contains(fps));
        let fps =
            fps.ok_or_else(|| ExchangeError::unfit(path, format!("fps is {said}; use a number from 0.1 to 1000")))?;
        let listed = value.get("features").and_then(Value::as_object);
        let listed = listed.ok_or_else(|| ExchangeError::unfit(path, "there are no \"features\""))?;
        let mut info = Self { codebase_version: version, fps, robot_type: text("robot_type"), ..Self::new("", 1) };
        for (name, feature) in listed {
            match Feature::of(feature) {
                Ok(feature) => drop(info.features.insert(name.clone(), feature)),
                Err(problem) => notes.say(format!("feature {name:?} is left out: {problem}")),
            }
        }
        if let Some(template) = text("data_path") {
            info.data_path = template;
        }
        info.video_path = text("video_path").or(info.video_path);
        info.total_episodes = value.get("total_episodes").and_then(Value::as_u64).map_or(usize::MAX, |n| n as usize);
        Ok(info)
    }
}

/// The features of an episode of ours, for states and actions of these widths.
pub(super) fn features(robot: Option<&Embodiment>, state: usize, action: usize) -> BTreeMap<String, Feature> {
    let names = |channels: Option<Vec<String>>, width: usize, name: &str| match channels {
        Some(channels) if channels.len() == width => channels,
        _ => (0..width).map(|n| format!("{name}_{n}")).collect(),
    };
    let list = |channels: &[protocol::Channel]| channels.iter().map(|channel| channel.name.clone()).collect();
    let states = names(robot.map(|e| list(&e.observation)), state, "state");
    let actions = names(robot.map(|e| list(&e.action)), action, "action");
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
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(ExchangeError::io("open", path))?;
    file.take(MAX_JSON_BYTES + 1).read_to_end(&mut text).map_err(ExchangeError::io("read", path))?;
    if text.len() as u64 > MAX_JSON_BYTES {
        return Err(ExchangeError::unfit(path, format!("it has more than {MAX_JSON_BYTES} bytes")));
    }
    // Some editors put a byte order mark before it.
    let json = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    serde_json::from_slice(json).map_err(|error| {
        let lines = text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
        let offset = lines.map(<[u8]>::len).sum::<usize>() + error.column();
        ExchangeError::malformed(path, offset as u64, error.to_string())
    })
}

pub(super) fn write_json(path: &Path, value: &Value) -> Result<(), ExchangeError> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    std::fs::write(path, text).map_err(ExchangeError::io("write", path))
}
