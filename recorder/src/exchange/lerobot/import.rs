//! Reading a dataset: every episode becomes a file.

use super::meta::{Feature, Info, read_json};
use super::{ACTION, AUTHOR, DEFAULT, FOREIGN, INTERVENTION, LOG_TIME, POSE, PROPOSAL, RECORD, STATE};
use crate::exchange::mp4::Mp4Reader;
use crate::exchange::output::{Kind, Output, Stamp};
use crate::exchange::parquet::{Column, Values, read};
use crate::exchange::{ExchangeError, Progress};
use crate::{EpisodeInfo, Source, topics};
use protocol::{EpisodeId, PolicyVersion, VehicleId, api, foxglove, v1};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Schema of the topics of features that are none of ours.
const FEATURE_SCHEMA: &str = r#"{"type":"object","properties":{"value":{"type":"array","items":{"type":"number"}}}}"#;

#[derive(Default, Deserialize)]
struct Described {
    episodes: Vec<Value>,
}

/// Reads the dataset in `dataset` and writes its episodes into `dir`. Times are those that were recorded, or, for a
/// dataset of somebody else, begin at zero.
///
/// # Errors
/// Naming the file and the place in it that cannot be used; [`crate::RecorderError::Exists`] for an episode that is there.
pub fn import(dataset: &Path, dir: &Path, progress: &mut Progress<'_>) -> Result<Vec<api::Episode>, ExchangeError> {
    let info = Info::read(&dataset.join("meta/info.json"))?;
    let beside = dataset.join("meta/takeover.json");
    let described: Described = if beside.exists() { read_json(&beside)? } else { Described::default() };
    let tasks = tasks(&dataset.join("meta/tasks.parquet"))?;
    let entries = entries(dataset)?;
    let mut data: Option<((i64, i64), Table)> = None;
    let mut written = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let file = (entry.number("data/chunk_index")?, entry.number("data/file_index")?);
        let fits = data.as_ref().is_some_and(|(known, _)| *known == file);
        if !fits {
            // One data file at a time.
            drop(data.take());
            let path = numbered(&dataset.join("data"), file, "parquet")?;
            let columns = read(&path, |name| info.features.contains_key(name))?;
            data = Some((file, Table { path, columns: by_name(columns) }));
        }
        let Some((_, table)) = &data else { break };
        let task = tasks_of(entry, table, &tasks);
        let episode = Episode { dataset, info: &info, table, entry, task: &task };
        written.push(episode.write(dir, described.episodes.get(number))?);
        progress(number as u64 + 1, entries.len() as u64);
    }
    Ok(written)
}

fn by_name(columns: Vec<Column>) -> BTreeMap<String, Column> {
    columns.into_iter().map(|column| (column.name.clone(), column)).collect()
}

fn numbered(folder: &Path, (chunk, file): (i64, i64), ending: &str) -> Result<PathBuf, ExchangeError> {
    if chunk < 0 || file < 0 {
        return Err(ExchangeError::unfit(folder, format!("there is no file {file} of chunk {chunk}")));
    }
    Ok(folder.join(format!("chunk-{chunk:03}")).join(format!("file-{file:03}.{ending}")))
}

/// Texts by number.
fn tasks(path: &Path) -> Result<BTreeMap<i64, String>, ExchangeError> {
    let columns = by_name(read(path, |_| true)?);
    let numbers = columns.get("task_index").map(|column| &column.values);
    // The text is the index of pandas, whatever its name.
    let texts = columns.values().find_map(|column| match &column.values {
        Values::Text(texts) => Some(texts),
        _ => None,
    });
    let (Some(Values::I64(numbers)), Some(texts)) = (numbers, texts) else {
        return Err(ExchangeError::unfit(path, "there are no task_index and text columns"));
    };
    Ok(numbers.iter().copied().zip(texts.iter().cloned()).collect())
}

struct Table {
    path: PathBuf,
    columns: BTreeMap<String, Column>,
}

/// One row of `meta/episodes`.
struct Entry {
    path: PathBuf,
    numbers: BTreeMap<String, f64>,
    task: Option<String>,
}

impl Entry {
    fn real(&self, name: &str) -> Result<f64, ExchangeError> {
        let value = self.numbers.get(name).copied().filter(|value| value.is_finite() && value.abs() < 9e15);
        value.ok_or_else(|| ExchangeError::unfit(&self.path, format!("an episode has no usable {name:?}")))
    }

    fn number(&self, name: &str) -> Result<i64, ExchangeError> {
        Ok(self.real(name)? as i64)
    }
}

fn entries(dataset: &Path) -> Result<Vec<Entry>, ExchangeError> {
    let folder = dataset.join("meta/episodes");
    let mut files = Vec::new();
    for chunk in std::fs::read_dir(&folder).map_err(ExchangeError::io("read folder", &folder))? {
        let chunk = chunk.map_err(ExchangeError::io("read folder", &folder))?.path();
        for file in std::fs::read_dir(&chunk).map_err(ExchangeError::io("read folder", &chunk))? {
            files.push(file.map_err(ExchangeError::io("read folder", &chunk))?.path());
        }
    }
    files.retain(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    files.sort();
    let mut entries = Vec::new();
    for path in files {
        let columns = read(&path, |name| !name.starts_with("stats/"))?;
        let rows = columns.iter().map(Column::rows).max().unwrap_or(0);
        for row in 0..rows {
            let plain = columns.iter().filter(|column| column.lengths.is_none());
            let numbers = plain.filter_map(|column| Some((column.name.clone(), column.values.number(row)?))).collect();
            let task = columns.iter().find(|column| column.name == "tasks").and_then(|column| {
                let at = column.lengths.as_ref().map_or(row, |lengths| lengths[..row.min(lengths.len())].iter().sum());
                if let Values::Text(texts) = &column.values { texts.get(at).cloned() } else { None }
            });
            entries.push(Entry { path: path.clone(), numbers, task });
        }
    }
    Ok(entries)
}

fn tasks_of(entry: &Entry, table: &Table, tasks: &BTreeMap<i64, String>) -> String {
    let first = entry.numbers.get("dataset_from_index").copied().unwrap_or(0.0);
    let offset = table.columns.get("index").and_then(|column| column.values.number(0)).unwrap_or(0.0);
    let row = (first - offset).max(0.0) as usize;
    let number = table.columns.get("task_index").and_then(|column| column.values.number(row));
    let by_number = number.and_then(|number| tasks.get(&(number as i64)).cloned());
    by_number.or_else(|| entry.task.clone()).unwrap_or_else(|| "drive".to_owned())
}

struct Episode<'a> {
    dataset: &'a Path,
    info: &'a Info,
    table: &'a Table,
    entry: &'a Entry,
    task: &'a str,
}

impl Episode<'_> {
    /// Rows of the table that are this episode's.
    fn rows(&self) -> Result<std::ops::Range<usize>, ExchangeError> {
        let wanted = self.entry.number("episode_index")?;
        let unfit = |problem: String| ExchangeError::unfit(&self.table.path, problem);
        let Some(Column { values: Values::I64(episodes), .. }) = self.table.columns.get("episode_index") else {
            return Err(unfit("there is no column \"episode_index\"".to_owned()));
        };
        let begin = episodes.iter().position(|episode| *episode == wanted);
        let begin = begin.ok_or_else(|| unfit(format!("there is no row of episode {wanted}")))?;
        let length = episodes[begin..].iter().take_while(|episode| **episode == wanted).count();
        if length as i64 != self.entry.number("length")? {
            let said = self.entry.number("length")?;
            return Err(unfit(format!("episode {wanted} has {length} rows, its description says {said}")));
        }
        Ok(begin..begin + length)
    }

    fn row(&self, name: &str, feature: &Feature, row: usize) -> Result<Vec<f64>, ExchangeError> {
        let unfit =
            |problem: &str| ExchangeError::unfit(&self.table.path, format!("feature {name:?}, row {row}: {problem}"));
        let column = self.table.columns.get(name).ok_or_else(|| unfit("there is no such column"))?;
        let width = feature.width();
        let begin = match &column.lengths {
            // All rows before are as wide, which is checked as they are read.
            Some(lengths) if lengths.get(row) == Some(&width) => row * width,
            None if width == 1 => row,
            _ => return Err(unfit("it has another length than its description says")),
        };
        let values = (begin..begin + width).map(|index| column.values.number(index));
        values.collect::<Option<Vec<f64>>>().ok_or_else(|| unfit("it holds no numbers"))
    }

    fn times(&self, rows: &std::ops::Range<usize>) -> Vec<u64> {
        if let Some(Column { values: Values::I64(times), .. }) = self.table.columns.get(LOG_TIME)
            && let Some(times) = times.get(rows.clone())
            && times.is_sorted()
            && times.first().is_none_or(|first| *first >= 0)
        {
            return times.iter().map(|at| *at as u64).collect();
        }
        (0..rows.len()).map(|frame| (frame as f64 / self.info.fps * 1e9).round() as u64).collect()
    }

    fn describe(&self, described: Option<&Value>) -> Result<EpisodeInfo, ExchangeError> {
        if let Some(info) = described.and_then(|value| serde_json::from_value(value.clone()).ok()) {
            return Ok(info);
        }
        let name = self.dataset.file_name().map_or_else(|| "dataset".to_owned(), |n| n.to_string_lossy().into_owned());
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
        let bad = |error: protocol::IdError| ExchangeError::unfit(self.dataset, error.to_string());
        let number = self.entry.number("episode_index")?;
        let id = EpisodeId::new(format!("lerobot-{plain}-{number:06}")).map_err(bad)?;
        let vehicle = VehicleId::new("lerobot").map_err(bad)?;
        let mut info = EpisodeInfo::new(id, vehicle, PolicyVersion::new("unknown").map_err(bad)?);
        info.source = Source::Virtual;
        info.reason = self.task.to_owned();
        info.embodiment = self.info.robot_type.clone().unwrap_or_default();
        Ok(info)
    }

    fn write(&self, dir: &Path, described: Option<&Value>) -> Result<api::Episode, ExchangeError> {
        let rows = self.rows()?;
        let mut times = self.times(&rows);
        let info = self.describe(described)?;
        let mut output = Output::create(dir, &info)?;
        output.describe(&info, "taken over from a LeRobot dataset, nanoseconds")?;
        let numeric = self.info.features.iter().filter(|(name, f)| !f.is_picture() && !DEFAULT.contains(&&***name));
        let features: BTreeMap<&String, &Feature> = numeric.collect();
        let mut record = BTreeMap::new();
        record.insert("task".to_owned(), self.task.to_owned());
        record.insert("fps".to_owned(), self.info.fps.to_string());
        record.insert("features".to_owned(), json!(features).to_string());
        output.metadata(RECORD, &record)?;
        let mut films = self.films()?;
        let period_ns = (1e9 / self.info.fps) as u64;
        // What the first pictures build on comes before them, the oldest first.
        let lead = films.iter().map(|film| film.from - film.first).max().unwrap_or(0);
        let room_ns = period_ns.saturating_mul(lead as u64);
        let begin = times.first().copied().unwrap_or(0).max(room_ns);
        let later = begin - times.first().copied().unwrap_or(begin);
        times.iter_mut().for_each(|at| *at = at.saturating_add(later));
        for before in (1..=lead).rev() {
            for film in films.iter_mut().filter(|film| film.from - film.first >= before) {
                let at = begin.saturating_sub(period_ns.saturating_mul(before as u64));
                film.write(&mut output, film.from - before, at)?;
            }
        }
        for (frame, (row, &at)) in rows.clone().zip(&times).enumerate() {
            for film in &mut films {
                film.write(&mut output, film.from.saturating_add(frame), at)?;
            }
            self.write_row(&mut output, &features, row, at)?;
        }
        output.finish(info)
    }

    fn write_row(
        &self,
        output: &mut Output,
        features: &BTreeMap<&String, &Feature>,
        row: usize,
        at: u64,
    ) -> Result<(), ExchangeError> {
        let get = |name: &str| match features.get(&name.to_owned()) {
            Some(feature) => self.row(name, feature, row).map(Some),
            None => Ok(None),
        };
        let number = row as u64;
        let pose = get(POSE)?.filter(|pose| pose.len() == 4 && !pose.iter().any(|value| value.is_nan()));
        let state = v1::VehicleState {
            monotonic_us: at / 1000,
            sequence: number,
            world_from_vehicle: pose.as_ref().map(|p| v1::Pose2 { x_m: p[0], y_m: p[1], heading_rad: p[2] }),
            observation: get(STATE)?.unwrap_or_default(),
            odometer_m: pose.map_or(0.0, |pose| pose[3]),
            ..Default::default()
        };
        output.proto(topics::VEHICLE_STATE.name, at, at, &state)?;
        let taken = get(INTERVENTION)?.is_some_and(|value| value.first() == Some(&1.0));
        let by_flag = if taken { v1::Author::Operator } else { v1::Author::Policy } as i32;
        let author = get(AUTHOR)?.and_then(|value| value.first().map(|author| *author as i32)).unwrap_or(by_flag);
        let action = get(ACTION)?.unwrap_or_default();
        let command = v1::ControlCommand {
            monotonic_us: at / 1000,
            sequence: number,
            author,
            action,
            observation_sequence: number,
            gate: v1::Reason::Ok as i32,
            ..Default::default()
        };
        output.proto(topics::CONTROL_COMMAND.name, at, at, &command)?;
        if let Some(action) = get(PROPOSAL)? {
            let proposal = v1::PolicyProposal {
                monotonic_us: at / 1000,
                observation_sequence: number,
                action,
                ..Default::default()
            };
            output.proto(topics::CONTROL_PROPOSAL.name, at, at, &proposal)?;
        }
        let ours = [STATE, ACTION, INTERVENTION, AUTHOR, PROPOSAL, POSE, LOG_TIME];
        for (name, feature) in features.iter().filter(|(name, _)| !ours.contains(&name.as_str())) {
            let value = json!({ "value": self.row(name, feature, row)? }).to_string();
            let kind = Kind {
                topic: &format!("{FOREIGN}{name}"),
                schema: "lerobot.Feature",
                schema_encoding: "jsonschema",
                schema_data: FEATURE_SCHEMA.as_bytes(),
                message_encoding: "json",
            };
            output.raw(&kind, Stamp { sequence: number as u32, log_ns: at, publish_ns: at }, value.as_bytes())?;
        }
        Ok(())
    }

    fn films(&self) -> Result<Vec<Film>, ExchangeError> {
        let mut films = Vec::new();
        for (key, _) in self.info.features.iter().filter(|(_, feature)| feature.dtype == "video") {
            let number = |part: &str| self.entry.number(&format!("videos/{key}/{part}"));
            let folder = self.dataset.join("videos").join(key);
            let path = numbered(&folder, (number("chunk_index")?, number("file_index")?), "mp4")?;
            let from = self.entry.real(&format!("videos/{key}/from_timestamp"))? * self.info.fps;
            let name = key.strip_prefix("observation.images.").or(key.strip_prefix("observation.")).unwrap_or(key);
            let topic = format!("/camera/{name}");
            let (reader, from) = (Mp4Reader::open(&path)?, from.round().max(0.0) as usize);
            let first = reader.keyframe_before(from);
            films.push(Film { topic, reader, first, from });
        }
        Ok(films)
    }
}

struct Film {
    topic: String,
    reader: Mp4Reader,
    /// The keyframe that the first row's picture builds on.
    first: usize,
    /// The first row's picture.
    from: usize,
}

impl Film {
    fn write(&mut self, output: &mut Output, index: usize, at: u64) -> Result<(), ExchangeError> {
        let stamp = prost_types::Timestamp { seconds: (at / 1_000_000_000) as i64, nanos: (at % 1_000_000_000) as i32 };
        let picture = foxglove::CompressedVideo {
            timestamp: Some(stamp),
            frame_id: self.topic.trim_start_matches('/').replace('/', "_"),
            data: self.reader.frame(index)?.into(),
            format: self.reader.codec().to_owned(),
        };
        output.proto(&self.topic, at, at, &picture)
    }
}
