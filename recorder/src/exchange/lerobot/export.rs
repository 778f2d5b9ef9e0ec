//! Writing a dataset.

use super::frames::{Frames, camera_key};
use super::meta::{Feature, Info, write_json};
use super::pairing::Strip;
use super::stats::Stats;
use super::{AUTHOR, LOG_TIME};
use crate::EpisodeReader;
use crate::exchange::draft::Draft;
use crate::exchange::parquet::{Column, Values, write};
use crate::exchange::{ExchangeError, ExchangeProgress};
use protocol::{EpisodeId, EpisodeInfo, foxglove};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use video::mp4::{Format, Mp4Writer};

/// Rows of a data file, about 100 MB at a car's features.
const MAX_ROWS: usize = 500_000;
const MAX_VIDEO_BYTES: u64 = 200 << 20;
const FILES_A_CHUNK: usize = 1000;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Exported {
    /// Episodes.
    pub episodes: usize,
    /// Rows.
    pub frames: usize,
    /// Rows whose action an operator gave.
    pub interventions: usize,
    /// Seconds of recording.
    pub seconds: f64,
    /// Cameras that could not be paired with the rows, by episode file.
    pub left_out: Vec<String>,
    /// Pictures without a row, as another camera missed its own, or one of them is of another size.
    pub unpaired: usize,
    /// Whole numbers and truth values that an episode lacks and that are null in the dataset, by feature.
    pub nulls: BTreeMap<String, usize>,
}

/// Decodes a keyframe (an access unit of H.264, Annex B) and returns some of its pixels, evenly spread: red, green,
/// blue.
pub type KeyframeSampler<'a> = dyn FnMut(&[u8]) -> Option<Vec<[u8; 3]>> + 'a;

/// Writes `sources` as one dataset into `dir`, which must be empty or not there. `keyframe_sampler` looks at the
/// keyframes for the statistics of the pictures; without one there are none.
///
/// # Errors
/// [`ExchangeError::Unfit`] naming the episode that lacks states or commands, or differs from the first one in rate or
/// features; those of reading and writing.
pub fn export(
    sources: &[PathBuf],
    dir: &Path,
    task: Option<&str>,
    mut keyframe_sampler: Option<&mut KeyframeSampler<'_>>,
    progress: &mut ExchangeProgress<'_>,
) -> Result<Exported, ExchangeError> {
    if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(ExchangeError::unfit(dir, "the folder is not empty"));
    }
    // Until it is whole it has another name.
    let draft = Draft::of(dir);
    let mut dataset: Option<Dataset> = None;
    for (number, path) in sources.iter().enumerate() {
        let source = EpisodeReader::open(path)?;
        let sizes = dataset.as_ref().map(Dataset::sizes).unwrap_or_default();
        for (piece, frames) in Frames::read(&source, task, &sizes)?.iter().enumerate() {
            let dataset = match &mut dataset {
                Some(dataset) => dataset,
                None => dataset.insert(Dataset::new(draft.path(), &source.info().embodiment, frames)?),
            };
            dataset.add(&source, piece, frames, &mut keyframe_sampler)?;
        }
        progress(number as u64 + 1, sources.len() as u64);
    }
    let done = dataset.ok_or_else(|| ExchangeError::Asked("there is nothing to export".to_owned()))?.finish()?;
    if dir.exists() {
        std::fs::remove_dir(dir).map_err(ExchangeError::io("replace the empty folder", dir))?;
    }
    draft.keep(dir)?;
    Ok(done)
}

/// A camera's open film.
struct OpenVideo {
    writer: Option<Mp4Writer>,
    file: usize,
}

struct Dataset {
    dir: PathBuf,
    info: Info,
    fps: u32,
    columns: BTreeMap<String, Column>,
    data_file: usize,
    stats: BTreeMap<String, Stats>,
    tasks: Vec<String>,
    rows: Vec<EpisodeRow>,
    open_videos: BTreeMap<String, OpenVideo>,
    described: Vec<Value>,
    report: Exported,
}

#[derive(Default)]
struct EpisodeRow {
    task: String,
    length: usize,
    data_file: usize,
    from: usize,
    /// By camera: file, first and last timestamp.
    videos: BTreeMap<String, (usize, f64, f64)>,
}

/// The episode's description; a further piece has a name of its own.
fn described(source: &EpisodeReader, piece: usize) -> Result<EpisodeInfo, ExchangeError> {
    let mut info = source.info().clone();
    if piece > 0 {
        let id = EpisodeId::new(format!("{}.{}", info.id, piece + 1));
        let id = id.map_err(|error| ExchangeError::unfit(source.path(), error.to_string()))?;
        info.continues = Some(std::mem::replace(&mut info.id, id));
    }
    Ok(info)
}

fn numbered(file: usize) -> (usize, usize) {
    (file / FILES_A_CHUNK, file % FILES_A_CHUNK)
}

fn place(dir: &Path, folder: &str, file: usize, ending: &str) -> Result<PathBuf, ExchangeError> {
    let (chunk, file) = numbered(file);
    let folder = dir.join(folder).join(format!("chunk-{chunk:03}"));
    std::fs::create_dir_all(&folder).map_err(ExchangeError::io("make the folder", &folder))?;
    Ok(folder.join(format!("file-{file:03}.{ending}")))
}

/// The type of which a feature is written: numbers of another type than these keep their fractions.
fn stored_as(dtype: &str) -> &str {
    const KEPT: [&str; 12] =
        ["string", "bool", "float32", "int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"];
    if KEPT.contains(&dtype) { dtype } else { "float64" }
}

impl Dataset {
    fn new(dir: &Path, robot: &str, first: &Frames) -> Result<Self, ExchangeError> {
        let meta = dir.join("meta");
        std::fs::create_dir_all(&meta).map_err(ExchangeError::io("make the folder", &meta))?;
        let mut info = Info::new(if robot.is_empty() { "unknown" } else { robot }, first.fps);
        info.features =
            first.features.iter().filter(|(_, f)| !f.is_picture()).map(|(n, f)| (n.clone(), f.clone())).collect();
        for feature in info.features.values_mut() {
            // Readers go by it.
            feature.dtype = stored_as(&feature.dtype).to_owned();
        }
        info.features.insert("timestamp".to_owned(), Feature::single("float32"));
        for name in ["frame_index", "episode_index", "index", "task_index"] {
            info.features.insert(name.to_owned(), Feature::single("int64"));
        }
        let numeric = info.features.iter().filter(|(_, feature)| !feature.is_text());
        let stats = numeric.map(|(name, feature)| (name.clone(), Stats::new(feature.width()))).collect();
        Ok(Self {
            dir: dir.to_owned(),
            info,
            fps: first.fps,
            columns: BTreeMap::new(),
            data_file: 0,
            stats,
            tasks: Vec::new(),
            rows: Vec::new(),
            open_videos: first.films.iter().map(|s| (s.topic.clone(), OpenVideo { writer: None, file: 0 })).collect(),
            described: Vec::new(),
            report: Exported::default(),
        })
    }

    /// Width and height of its films' pictures, by feature.
    fn sizes(&self) -> BTreeMap<String, (u32, u32)> {
        let films = self.info.features.iter().filter(|(_, feature)| feature.is_picture());
        let size = |feature: &Feature| Some((*feature.shape.get(1)? as u32, *feature.shape.first()? as u32));
        films.filter_map(|(name, feature)| Some((name.clone(), size(feature)?))).collect()
    }

    fn add(
        &mut self,
        source: &EpisodeReader,
        piece: usize,
        frames: &Frames,
        keyframe_sampler: &mut Option<&mut KeyframeSampler<'_>>,
    ) -> Result<(), ExchangeError> {
        let unfit = |problem: String| Err(ExchangeError::unfit(source.path(), problem));
        // Rows are numbered, and their true times are beside them; cameras that miss a picture now and then are one rate.
        if frames.fps.abs_diff(self.fps) * 10 > self.fps {
            return unfit(format!("it has {} pictures a second, the first episode {}", frames.fps, self.fps));
        }
        for (name, feature) in &frames.features {
            let first = self.info.features.get(name).map(|first| (&first.shape, &*first.dtype));
            if !feature.is_picture() && first != Some((&feature.shape, stored_as(&feature.dtype))) {
                return unfit(format!("feature {name} is not as in the first episode"));
            }
        }
        let topics: Vec<&String> = frames.films.iter().map(|strip| &strip.topic).collect();
        if topics != self.open_videos.keys().collect::<Vec<_>>() {
            return unfit(format!("its cameras {topics:?} are not those of the first episode"));
        }
        let task = match self.tasks.iter().position(|task| *task == frames.task) {
            Some(index) => index,
            None => {
                self.tasks.push(frames.task.clone());
                self.tasks.len() - 1
            }
        };
        let mut row = EpisodeRow {
            task: frames.task.clone(),
            length: frames.times.len(),
            data_file: self.data_file,
            from: self.report.frames,
            videos: BTreeMap::new(),
        };
        self.film(source, frames, &mut row, keyframe_sampler)?;
        self.columns(frames, task);
        self.report.frames += row.length;
        if piece == 0 {
            self.report.seconds += source.info().duration_s();
        }
        self.report.unpaired += frames.unpaired;
        self.report.left_out.extend(frames.left_out.iter().map(|t| format!("{}: {t}", source.path().display())));
        self.rows.push(row);
        self.described.push(json!(described(source, piece)?));
        if self.columns.values().next().map_or(0, Column::rows) >= MAX_ROWS { self.write_data() } else { Ok(()) }
    }

    /// Takes over the pictures.
    fn film(
        &mut self,
        source: &EpisodeReader,
        frames: &Frames,
        row: &mut EpisodeRow,
        keyframe_sampler: &mut Option<&mut KeyframeSampler<'_>>,
    ) -> Result<(), ExchangeError> {
        let (fps, rows) = (self.fps, frames.times.len());
        for Strip { topic, first, row0 } in &frames.films {
            let Some(open_video) = self.open_videos.get_mut(topic) else { continue };
            let (mut index, mut from) = (None, 0);
            for message in source.select(Some([topic.as_str()]), ..) {
                let message = message?;
                let picture: foxglove::CompressedVideo = message.decode()?;
                if picture.format != "h264" {
                    let problem = format!("{topic} is {:?}; H.264 can be taken over", picture.format);
                    return Err(ExchangeError::unfit(source.path(), problem));
                }
                let keyframe = video::h264::is_keyframe(&picture.data);
                index = index.map(|index: usize| index + 1).or_else(|| keyframe.then_some(0));
                let Some(here) = index.filter(|here| here >= first) else { continue };
                if here == *first {
                    let format = Format::of(&picture.data).ok_or_else(|| {
                        let at = message.log_time_ns;
                        ExchangeError::unfit(
                            source.path(),
                            format!("the keyframe of {topic} at {at} ns makes no sense"),
                        )
                    })?;
                    let key = camera_key(topic);
                    self.info
                        .features
                        .entry(key.clone())
                        .or_insert_with(|| Feature::video(format.width, format.height, fps));
                    open_video.prepare(&self.dir, &key, format, fps)?;
                    from = open_video.writer.as_ref().map_or(0, Mp4Writer::frames);
                }
                if here == row0 + rows {
                    break;
                }
                if let Some(writer) = &mut open_video.writer {
                    writer.add(&picture.data)?;
                }
                if keyframe
                    && let Some(pixels) =
                        keyframe_sampler.as_mut().and_then(|keyframe_sampler| keyframe_sampler(&picture.data))
                {
                    let stats = self.stats.entry(camera_key(topic)).or_insert_with(Stats::of_pictures);
                    stats.add_picture(&pixels);
                }
            }
            // What the first picture builds on lies before it.
            let from = from + row0 - first;
            let at = |frame: usize| frame as f64 / f64::from(fps);
            row.videos.insert(camera_key(topic), (open_video.file, at(from), at(from + rows)));
        }
        Ok(())
    }

    fn columns(&mut self, frames: &Frames, task: usize) {
        let (rows, episode, from) = (frames.times.len(), self.rows.len() as i64, self.report.frames as i64);
        let constant = |value: i64| Values::I64(vec![value; rows]);
        let mut columns = vec![
            Column::plain(
                "timestamp",
                Values::F32((0..rows).map(|n| (n as f64 / f64::from(self.fps)) as f32).collect()),
            ),
            Column::plain("frame_index", Values::I64((0..rows as i64).collect())),
            Column::plain("episode_index", constant(episode)),
            Column::plain("index", Values::I64((from..from + rows as i64).collect())),
            Column::plain("task_index", constant(task as i64)),
        ];
        for (name, all) in &frames.values {
            let Some(feature) = self.info.features.get(name) else { continue };
            let values = match feature.dtype.as_str() {
                _ if name == LOG_TIME => Values::I64(frames.times.iter().map(|at| *at as i64).collect()),
                "bool" => Values::Bool(all.iter().map(|value| *value != 0.0).collect()),
                "float32" => Values::F32(all.iter().map(|value| *value as f32).collect()),
                "float64" => Values::F64(all.clone()),
                _ => Values::I64(all.iter().map(|value| *value as i64).collect()),
            };
            let width = feature.width();
            // Floating point has a value for what is not there.
            let has_nulls =
                matches!(values, Values::Bool(_) | Values::I64(_)) && all.iter().any(|value| value.is_nan());
            let mut column = if width == 1 { Column::plain(name, values) } else { Column::lists(name, values, width) };
            if has_nulls {
                column.nulls = all.iter().map(|value| value.is_nan()).collect();
                let count = column.nulls.iter().filter(|is_null| **is_null).count();
                *self.report.nulls.entry(name.clone()).or_default() += count;
            }
            columns.push(column);
        }
        let texts = frames.texts.iter().filter(|(name, _)| self.info.features.contains_key(*name));
        columns.extend(texts.map(|(name, texts)| Column::plain(name, Values::Text(texts.clone()))));
        if let Some(authors) = frames.values.get(AUTHOR) {
            let operator = f64::from(protocol::v1::Author::Operator as i32);
            self.report.interventions += authors.iter().filter(|author| **author == operator).count();
        }
        for column in columns {
            if let Some(stats) = self.stats.get_mut(&column.name) {
                let width = column.lengths.as_ref().and_then(|lengths| lengths.first()).copied().unwrap_or(1);
                for row in 0..column.rows() {
                    let value = |place: usize| column.values.number(place).filter(|_| !column.is_null(place));
                    stats.add((row * width..(row + 1) * width).map(|place| value(place).unwrap_or(f64::NAN)));
                }
            }
            match self.columns.get_mut(&column.name) {
                Some(known) => known.append(column),
                None => {
                    self.columns.insert(column.name.clone(), column);
                }
            }
        }
    }

    fn write_data(&mut self) -> Result<(), ExchangeError> {
        let columns: Vec<Column> = std::mem::take(&mut self.columns).into_values().collect();
        write(&place(&self.dir, "data", self.data_file, "parquet")?, &columns, &[])?;
        self.data_file += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<Exported, ExchangeError> {
        if !self.columns.is_empty() {
            self.write_data()?;
        }
        for open_video in self.open_videos.values_mut() {
            open_video.writer.take().map_or(Ok(()), Mp4Writer::finish)?;
        }
        let meta = self.dir.join("meta");
        write(&place(&meta, "episodes", 0, "parquet")?, &self.episodes(), &[])?;
        self.write_tasks(&meta.join("tasks.parquet"))?;
        self.info.total_episodes = self.rows.len();
        self.info.total_frames = self.report.frames;
        self.info.total_tasks = self.tasks.len();
        self.info.splits.insert("train".to_owned(), format!("0:{}", self.rows.len()));
        write_json(&meta.join("info.json"), &self.info.to_json())?;
        let stats: BTreeMap<&String, Value> = self.stats.iter().map(|(name, stats)| (name, stats.to_json())).collect();
        write_json(&meta.join("stats.json"), &json!(stats))?;
        write_json(&meta.join("takeover.json"), &json!({ "episodes": self.described }))?;
        self.report.episodes = self.rows.len();
        Ok(self.report)
    }

    /// The table of pandas, whose index is the task's text.
    fn write_tasks(&self, path: &Path) -> Result<(), ExchangeError> {
        let text = |name: &str, kind: &str, numpy: &str| json!({"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": null});
        let pandas = json!({
            "index_columns": ["task"], "column_indexes": [], "pandas_version": "2.2.0",
            "columns": [text("task_index", "int64", "int64"), text("task", "unicode", "object")],
            "creator": {"library": "takeover", "version": env!("CARGO_PKG_VERSION")},
        });
        let columns = [
            Column::plain("task_index", Values::I64((0..self.tasks.len() as i64).collect())),
            Column::plain("task", Values::Text(self.tasks.clone())),
        ];
        write(path, &columns, &[("pandas", pandas.to_string())])
    }

    fn episodes(&self) -> Vec<Column> {
        let numbers =
            |of: &dyn Fn(&EpisodeRow) -> usize| Values::I64(self.rows.iter().map(|row| of(row) as i64).collect());
        let zeros = || Values::I64(vec![0; self.rows.len()]);
        let tasks = Values::Text(self.rows.iter().map(|row| row.task.clone()).collect());
        let mut columns = vec![
            Column::plain("episode_index", Values::I64((0..self.rows.len() as i64).collect())),
            Column::lists("tasks", tasks, 1),
            Column::plain("length", numbers(&|row| row.length)),
            Column::plain("data/chunk_index", numbers(&|row| numbered(row.data_file).0)),
            Column::plain("data/file_index", numbers(&|row| numbered(row.data_file).1)),
            Column::plain("dataset_from_index", numbers(&|row| row.from)),
            Column::plain("dataset_to_index", numbers(&|row| row.from + row.length)),
            Column::plain("meta/episodes/chunk_index", zeros()),
            Column::plain("meta/episodes/file_index", zeros()),
        ];
        for key in self.open_videos.keys().map(|topic| camera_key(topic)) {
            let video = |row: &EpisodeRow| row.videos.get(&key).copied().unwrap_or_default();
            let times =
                |of: &dyn Fn((usize, f64, f64)) -> f64| Values::F64(self.rows.iter().map(|r| of(video(r))).collect());
            columns.extend([
                Column::plain(format!("videos/{key}/chunk_index"), numbers(&|row| numbered(video(row).0).0)),
                Column::plain(format!("videos/{key}/file_index"), numbers(&|row| numbered(video(row).0).1)),
                Column::plain(format!("videos/{key}/from_timestamp"), times(&|video| video.1)),
                Column::plain(format!("videos/{key}/to_timestamp"), times(&|video| video.2)),
            ]);
        }
        columns
    }
}

impl OpenVideo {
    /// Makes sure that pictures of this format fit into the open film.
    fn prepare(&mut self, dir: &Path, key: &str, format: Format, fps: u32) -> Result<(), ExchangeError> {
        let full = |writer: &Mp4Writer| *writer.format() != format || writer.bytes() > MAX_VIDEO_BYTES;
        if self.writer.as_ref().is_some_and(full) {
            self.writer.take().map_or(Ok(()), Mp4Writer::finish)?;
            self.file += 1;
        }
        if self.writer.is_none() {
            let path = place(dir, &format!("videos/{key}"), self.file, "mp4")?;
            self.writer = Some(Mp4Writer::create(&path, format, fps)?);
        }
        Ok(())
    }
}
