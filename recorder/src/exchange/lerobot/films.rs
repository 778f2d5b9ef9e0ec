//! A dataset's films, taken over picture by picture.

use super::super::ExchangeError;
use super::super::output::Output;
use super::super::report::Notes;
use super::listing::{Entry, place};
use super::meta::Info;
use protocol::foxglove;
use std::path::Path;
use video::mp4::Mp4Reader;

/// One camera's film of one episode.
pub(super) struct Film {
    topic: String,
    reader: Mp4Reader,
    /// The keyframe that the first row's picture builds on.
    pub first: usize,
    /// The first row's picture.
    pub from: usize,
    /// Rows without a picture, and why the first of them has none.
    missing: usize,
    problem: Option<String>,
}

/// A camera's topic by its feature's name.
pub(super) fn camera_topic(key: &str) -> String {
    let name = key.strip_prefix("observation.images.").or(key.strip_prefix("observation.")).unwrap_or(key);
    format!("/camera/{name}")
}

/// The films of an episode that can be read; the others are noted.
pub(super) fn films(dataset: &Path, info: &Info, entry: &Entry, notes: &mut Notes) -> Vec<Film> {
    let mut films = Vec::new();
    for (key, _) in info.features.iter().filter(|(_, feature)| feature.dtype == "video") {
        match Film::open(dataset, info, entry, key) {
            Ok(film) => {
                if film.reader.codec() != "h264" {
                    let codec = film.reader.codec();
                    notes.say(format!("{key} is {codec} and kept as it is; the player and previews show H.264 only"));
                }
                films.push(film);
            }
            Err(error) => notes.say(format!("{key} is left out: {error}")),
        }
    }
    films
}

impl Film {
    fn open(dataset: &Path, info: &Info, entry: &Entry, key: &str) -> Result<Self, ExchangeError> {
        let number = |part: &str| entry.number(&format!("videos/{key}/{part}"));
        let template = info.video_path.as_deref().unwrap_or_default();
        let path = place(dataset, template, (number("chunk_index")?, number("file_index")?), key)?;
        let from = (entry.real(&format!("videos/{key}/from_timestamp"))? * info.fps).round().max(0.0) as usize;
        let reader = Mp4Reader::open(&path)?;
        if from >= reader.frames() {
            let problem = format!("the episode begins at picture {from} of {}", reader.frames());
            return Err(ExchangeError::unfit(&path, problem));
        }
        let first = reader.keyframe_before(from);
        Ok(Self { topic: camera_topic(key), reader, first, from, missing: 0, problem: None })
    }

    /// Writes picture `index`; rows whose picture cannot be read are counted.
    pub fn write(&mut self, output: &mut Output, index: usize, at: u64) -> Result<(), ExchangeError> {
        // After a picture that is missing the ones that build on it show nothing.
        let data = match self.problem {
            Some(_) => None,
            None => self.reader.frame(index).map_err(|error| self.problem = Some(error.to_string())).ok(),
        };
        let Some(data) = data else {
            // What comes before the first row's picture belongs to no row.
            self.missing += usize::from(index >= self.from);
            return Ok(());
        };
        let stamp = prost_types::Timestamp { seconds: (at / 1_000_000_000) as i64, nanos: (at % 1_000_000_000) as i32 };
        let picture = foxglove::CompressedVideo {
            timestamp: Some(stamp),
            frame_id: self.topic.trim_start_matches('/').replace('/', "_"),
            data: data.into(),
            format: self.reader.codec().to_owned(),
        };
        output.proto(&self.topic, at, at, &picture)
    }

    pub fn conclude(self, notes: &mut Notes) {
        if let Some(problem) = self.problem {
            let so = format!("no picture on {}: {problem}", self.topic);
            notes.count(self.missing, "row has", "rows have", so);
        }
    }
}
