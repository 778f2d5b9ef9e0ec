//! Reading a dataset: every episode becomes a file.

use super::films::{Film, camera_topic, films};
use super::listing::{Entry, data_file, entries, tasks};
use super::meta::{Feature, Info, read_json};
use super::rows::{Holds, Rows, format_of};
use super::{ACTION, AUTHOR, DEFAULT, FOREIGN, INTERVENTION, LOG_TIME, POSE, PROPOSAL, RECORD, STATE, is_ours};
use crate::exchange::output::{Kind, Output};
use crate::exchange::parquet::read;
use crate::exchange::report::{Imported, Notes};
use crate::exchange::{ExchangeError, ExchangeProgress};
use protocol::{EpisodeId, EpisodeInfo, EpisodeSource, PolicyVersion, Trigger, VehicleId, foxglove, topics, v1};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Schema of the topics of features that are none of ours.
const FEATURE_SCHEMA: &str = r#"{"type":"object","properties":{"value":{"type":"array","items":{"type":["number","boolean","string","null"]}}}}"#;
/// Where a row's task is told when the episode has several.
const TASK_TOPIC: &str = "/lerobot/task";

#[derive(Default, Deserialize)]
struct Described {
    episodes: Vec<Value>,
}

/// Reads the dataset in `dataset` and writes its episodes into `dir`, all or none. Times are those that were recorded,
/// or, for a dataset of somebody else, begin at zero. What cannot be kept of an episode is in its notes.
///
/// # Errors
/// Naming the file and the place in it that cannot be used; [`crate::RecorderError::Exists`] for an episode that is there.
pub fn import(dataset: &Path, dir: &Path, progress: &mut ExchangeProgress<'_>) -> Result<Vec<Imported>, ExchangeError> {
    let mut written: Vec<Imported> = Vec::new();
    let done = all(dataset, dir, &mut written, progress);
    if done.is_err() {
        // What is there could not be imported again.
        written.iter().for_each(|imported| drop(std::fs::remove_file(dir.join(&imported.episode.file))));
    }
    done.map(|()| written)
}

fn all(
    dataset: &Path,
    dir: &Path,
    written: &mut Vec<Imported>,
    progress: &mut ExchangeProgress<'_>,
) -> Result<(), ExchangeError> {
    let mut common = Notes::default();
    let info = Info::read(&dataset.join("meta/info.json"), &mut common)?;
    let beside = dataset.join("meta/takeover.json");
    let described: Described = if beside.exists() { read_json(&beside)? } else { Described::default() };
    let tasks = tasks(&dataset.join("meta/tasks.parquet"), &mut common);
    let entries = entries(dataset, &mut common)?;
    if ![entries.len(), usize::MAX].contains(&info.total_episodes) {
        common.say(format!("info.json says {} episodes, {} are there", info.total_episodes, entries.len()));
    }
    let is_empty = |entry: &&Entry| entry.number("length").is_ok_and(|length| length == 0);
    let empty: Vec<String> = entries.iter().filter(is_empty).map(|entry| entry.episode.to_string()).collect();
    if !empty.is_empty() {
        common.say(format!("episodes without rows are left out: {}", empty.join(", ")));
    }
    let mut data: Option<((i64, i64), Rows, Notes)> = None;
    for (number, entry) in entries.iter().filter(|entry| !is_empty(entry)).enumerate() {
        let file = (entry.number("data/chunk_index")?, entry.number("data/file_index")?);
        if data.as_ref().is_none_or(|(known, ..)| *known != file) {
            // One data file at a time.
            drop(data.take());
            let path = data_file(dataset, &info, file)?;
            let wanted = |name: &str| info.features.contains_key(name) || DEFAULT.contains(&name);
            let table = read(&path, wanted)?;
            let mut notes = common.clone();
            let rows = Rows::new(path, table, &info, &mut notes);
            data = Some((file, rows, notes));
        }
        let Some((_, rows, notes)) = &data else { break };
        let mut notes = notes.clone();
        let range = rows.of_episode(entry.episode, entry.number("length").ok(), &mut notes)?;
        let said = usize::try_from(entry.episode).ok().and_then(|index| described.episodes.get(index));
        let episode = Episode { dataset, info: &info, rows, entry, range, tasks: &tasks };
        written.push(episode.write(dir, said, notes)?);
        progress(number as u64 + 1, entries.len() as u64);
    }
    if written.is_empty() {
        return Err(ExchangeError::unfit(dataset, "there is no episode with rows in this dataset"));
    }
    Ok(())
}

struct Episode<'a> {
    dataset: &'a Path,
    info: &'a Info,
    rows: &'a Rows,
    entry: &'a Entry,
    range: Range<usize>,
    tasks: &'a BTreeMap<i64, String>,
}

/// What was left out of an episode's rows.
#[derive(Default)]
struct Lost {
    /// By feature: rows whose values are no numbers, and rows of another length than the first.
    odd: BTreeMap<String, usize>,
    uneven: BTreeMap<String, usize>,
    /// By feature: rows without a value.
    bare: BTreeMap<String, usize>,
    /// By feature: rows without a picture, and rows with one of an unknown format.
    blank: BTreeMap<String, usize>,
    unknown: BTreeMap<String, usize>,
}

impl Lost {
    fn tell(&self, notes: &mut Notes) {
        for (list, so) in [
            (&self.odd, "not kept: they hold values that are not numbers"),
            (&self.uneven, "not kept: they have another length than the first one"),
            (&self.bare, "without a value"),
            (&self.blank, "without a picture"),
            (&self.unknown, "not kept: they hold no PNG, JPEG or WebP"),
        ] {
            for (name, count) in list {
                notes.count(*count, "row", "rows", format!("of {name} {so}"));
            }
        }
    }
}

impl Episode<'_> {
    /// The texts of what was to be done, the first row's first.
    fn tasks(&self) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for number in self.range.clone().filter_map(|row| self.rows.task(row)) {
            if let Some(text) = self.tasks.get(&number).filter(|text| !texts.contains(text)) {
                texts.push(text.clone());
            }
        }
        if texts.is_empty() {
            texts.clone_from(&self.entry.tasks);
        }
        if texts.is_empty() { vec!["drive".to_owned()] } else { texts }
    }

    fn describe(&self, task: &str, described: Option<&Value>, notes: &mut Notes) -> Result<EpisodeInfo, ExchangeError> {
        if let Some(info) = described.and_then(|value| serde_json::from_value(value.clone()).ok()) {
            return Ok(info);
        }
        let name = self.dataset.file_name().map_or_else(|| "dataset".to_owned(), |n| n.to_string_lossy().into_owned());
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(36).collect();
        let bad = |error: protocol::IdError| ExchangeError::unfit(self.dataset, error.to_string());
        let id = EpisodeId::new(format!("lerobot-{plain}-{:06}", self.entry.episode)).map_err(bad)?;
        let vehicle = VehicleId::new("lerobot").map_err(bad)?;
        let mut info = EpisodeInfo::new(id, vehicle, PolicyVersion::new("unknown").map_err(bad)?);
        info.source = EpisodeSource::Virtual;
        info.trigger = Trigger::Import;
        info.reason = task.to_owned();
        info.embodiment = self.info.robot_type.clone().unwrap_or_default();
        if info.embodiment.is_empty() {
            notes.say("it does not say which robot it was");
        }
        Ok(info)
    }

    /// The features that the episode's rows hold, with the lengths that they have.
    fn features(&self, notes: &mut Notes) -> BTreeMap<String, Feature> {
        let mut features = BTreeMap::new();
        for (name, holds) in self.rows.holds.iter().filter(|(_, holds)| **holds != Holds::Pictures) {
            let Some(feature) = self.info.features.get(name) else { continue };
            if name == LOG_TIME && self.rows.whole(name).is_none() {
                notes.say(format!("{name} is left out: it does not hold one whole number in every row"));
                continue;
            }
            let mut feature = feature.clone();
            if *holds == Holds::Texts {
                feature.dtype = "string".to_owned();
            } else {
                if feature.is_text() {
                    feature.dtype = "float64".to_owned();
                }
                let first = self.range.clone().map(|row| self.rows.numbers(name, row).len()).find(|length| *length > 0);
                let length = first.unwrap_or(feature.width());
                if length != feature.width() {
                    notes.say(format!("{name} has {length} values a row, its description says {:?}", feature.shape));
                    feature.shape = vec![length];
                }
            }
            features.insert(name.clone(), feature);
        }
        features
    }

    fn write(&self, dir: &Path, described: Option<&Value>, mut notes: Notes) -> Result<Imported, ExchangeError> {
        let tasks = self.tasks();
        let task = tasks.first().cloned().unwrap_or_default();
        let info = self.describe(&task, described, &mut notes)?;
        let features = self.features(&mut notes);
        let mut times = self.rows.times(&self.range, self.info.fps, &mut notes);
        let mut output = Output::create(dir, &info)?;
        output.describe(&info, "taken over from a LeRobot dataset, nanoseconds")?;
        let record = [
            ("task", task),
            ("tasks", json!(tasks).to_string()),
            ("fps", self.info.fps.to_string()),
            ("features", json!(features).to_string()),
        ];
        output.metadata(RECORD, &record.map(|(key, value)| (key.to_owned(), value)).into())?;
        let mut films = films(self.dataset, self.info, self.entry, &mut notes);
        self.lead_in(&mut output, &mut films, &mut times)?;
        let mut lost = Lost::default();
        for (frame, (row, &at)) in self.range.clone().zip(&times).enumerate() {
            for film in &mut films {
                film.write(&mut output, film.from.saturating_add(frame), at)?;
            }
            self.write_row(&mut output, &features, (row, at), &mut lost)?;
            self.pictures(&mut output, (row, at), &mut lost)?;
            if tasks.len() > 1 {
                self.write_task(&mut output, (row, at))?;
            }
        }
        lost.tell(&mut notes);
        films.into_iter().for_each(|film| film.conclude(&mut notes));
        output.finish_import(info, ("lerobot", self.dataset), notes)
    }

    /// Writes what the first rows' pictures build on, the oldest first, and makes room for it before the first row.
    fn lead_in(&self, output: &mut Output, films: &mut [Film], times: &mut [u64]) -> Result<(), ExchangeError> {
        let period_ns = (1e9 / self.info.fps) as u64;
        let lead = films.iter().map(|film| film.from - film.first).max().unwrap_or(0);
        let room_ns = period_ns.saturating_mul(lead as u64);
        let begin = times.first().copied().unwrap_or(0).max(room_ns);
        let later = begin - times.first().copied().unwrap_or(begin);
        times.iter_mut().for_each(|at| *at = at.saturating_add(later));
        for before in (1..=lead).rev() {
            for film in films.iter_mut().filter(|film| film.from - film.first >= before) {
                let at = begin.saturating_sub(period_ns.saturating_mul(before as u64));
                film.write(output, film.from - before, at)?;
            }
        }
        Ok(())
    }

    /// A row's numbers of a feature of ours, if they can be used.
    fn usable(
        &self,
        features: &BTreeMap<String, Feature>,
        name: &str,
        row: usize,
        lost: &mut Lost,
    ) -> Option<Vec<f64>> {
        let feature = features.get(name).filter(|feature| is_ours(name, feature))?;
        let values = self.rows.numbers(name, row);
        if values.is_empty() {
            *lost.bare.entry(name.to_owned()).or_default() += 1;
            return None;
        }
        if values.len() != feature.width() {
            *lost.uneven.entry(name.to_owned()).or_default() += 1;
            return None;
        }
        // Where there is no proposal or place we write so.
        let may_lack = [PROPOSAL, POSE].contains(&name) && values.iter().all(|value| value.is_nan());
        if values.iter().all(|value| value.is_finite()) {
            return Some(values);
        }
        if !may_lack {
            *lost.odd.entry(name.to_owned()).or_default() += 1;
        }
        None
    }

    fn write_row(
        &self,
        output: &mut Output,
        features: &BTreeMap<String, Feature>,
        (row, at): (usize, u64),
        lost: &mut Lost,
    ) -> Result<(), ExchangeError> {
        let mut get = |name: &str| self.usable(features, name, row, lost);
        let has = |name: &str| features.get(name).is_some_and(|feature| is_ours(name, feature));
        let number = row as u64;
        let (state, pose) = (get(STATE), get(POSE));
        // A row without a state in a dataset with states is one that cannot be used.
        if state.is_some() || !has(STATE) {
            let state = v1::VehicleState {
                monotonic_us: at / 1000,
                sequence: number,
                world_from_vehicle: pose.as_ref().map(|p| v1::Pose2 { x_m: p[0], y_m: p[1], heading_rad: p[2] }),
                observation: state.unwrap_or_default(),
                odometer_m: pose.map_or(0.0, |pose| pose[3]),
                ..Default::default()
            };
            output.proto(topics::VEHICLE_STATE.name, at, at, &state)?;
        }
        let taken = get(INTERVENTION).is_some_and(|value| value.first() == Some(&1.0));
        let by_flag = if taken { v1::Author::Operator } else { v1::Author::Policy } as i32;
        let author = get(AUTHOR).and_then(|value| value.first().map(|author| *author as i32)).unwrap_or(by_flag);
        let action = get(ACTION);
        if action.is_some() || !has(ACTION) {
            let command = v1::ControlCommand {
                monotonic_us: at / 1000,
                sequence: number,
                author,
                action: action.unwrap_or_default(),
                observation_sequence: number,
                gate: v1::Reason::Ok as i32,
                ..Default::default()
            };
            output.proto(topics::CONTROL_COMMAND.name, at, at, &command)?;
        }
        if let Some(action) = get(PROPOSAL) {
            let proposal = v1::PolicyProposal {
                monotonic_us: at / 1000,
                observation_sequence: number,
                action,
                ..Default::default()
            };
            output.proto(topics::CONTROL_PROPOSAL.name, at, at, &proposal)?;
        }
        for (name, _) in features.iter().filter(|(name, feature)| !is_ours(name, feature)) {
            let value = self.rows.json(name, row);
            if value.as_array().is_none_or(Vec::is_empty) {
                *lost.bare.entry(name.clone()).or_default() += 1;
                continue;
            }
            write_json(output, &format!("{FOREIGN}{name}"), at, &value)?;
        }
        Ok(())
    }

    fn pictures(&self, output: &mut Output, (row, at): (usize, u64), lost: &mut Lost) -> Result<(), ExchangeError> {
        for (name, _) in self.rows.holds.iter().filter(|(_, holds)| **holds == Holds::Pictures) {
            let Some(data) = self.rows.picture(self.dataset, name, row) else {
                *lost.blank.entry(name.clone()).or_default() += 1;
                continue;
            };
            let Some(format) = format_of(&data) else {
                *lost.unknown.entry(name.clone()).or_default() += 1;
                continue;
            };
            let camera = camera_topic(name);
            let image = foxglove::CompressedImage {
                timestamp: Some(prost_types::Timestamp {
                    seconds: (at / 1_000_000_000) as i64,
                    nanos: (at % 1_000_000_000) as i32,
                }),
                frame_id: camera.trim_start_matches('/').replace('/', "_"),
                data,
                format: format.to_owned(),
            };
            // Beside the camera's film, which this is none of.
            output.proto(&format!("{camera}/image"), at, at, &image)?;
        }
        Ok(())
    }

    /// Tells the row's task when it is another than that of the row before.
    fn write_task(&self, output: &mut Output, (row, at): (usize, u64)) -> Result<(), ExchangeError> {
        let text = |row: usize| self.rows.task(row).and_then(|number| self.tasks.get(&number));
        let is_new = row == self.range.start || text(row) != text(row - 1);
        match text(row).filter(|_| is_new) {
            Some(text) => write_json(output, TASK_TOPIC, at, &json!([text])),
            None => Ok(()),
        }
    }
}

fn write_json(output: &mut Output, topic: &str, at: u64, value: &Value) -> Result<(), ExchangeError> {
    let kind = Kind {
        topic,
        schema: "lerobot.Feature",
        schema_encoding: "jsonschema",
        schema_data: FEATURE_SCHEMA.as_bytes(),
        message_encoding: "json",
    };
    output.raw(&kind, at, json!({ "value": value }).to_string().as_bytes())
}
