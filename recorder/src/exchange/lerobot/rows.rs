//! A dataset's rows: what its columns hold of each feature.

use super::super::ExchangeError;
use super::super::parquet::{Column, Table, Values};
use super::super::report::Notes;
use super::meta::{Feature, Info};
use super::{DEFAULT, LOG_TIME};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Largest picture that lies in a file of its own.
const MAX_PICTURE_BYTES: u64 = 64 << 20;

/// A column with where each of its rows begins.
struct Track {
    column: Column,
    /// One more than rows; empty for a column without lists.
    begins: Vec<usize>,
}

impl Track {
    fn new(mut column: Column) -> Self {
        // Lists of one value each are as good as values.
        if column.lengths.as_ref().is_some_and(|lengths| lengths.iter().all(|length| *length == 1)) {
            column.lengths = None;
        }
        let mut begins = Vec::new();
        if let Some(lengths) = &column.lengths {
            begins.push(0);
            begins.extend(lengths.iter().scan(0, |sum, length| {
                *sum += length;
                Some(*sum)
            }));
        }
        Self { column, begins }
    }

    /// The places of a row's values; empty when it has none.
    fn places(&self, row: usize) -> Range<usize> {
        match (self.begins.is_empty(), self.begins.get(row), self.begins.get(row + 1)) {
            (true, ..) if row < self.column.rows() && !self.column.is_null(row) => row..row + 1,
            (false, Some(from), Some(to)) => *from..*to,
            _ => 0..0,
        }
    }
}

/// What a feature's column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Numbers,
    Texts,
    Pictures,
}

/// A data file in memory.
pub(super) struct Rows {
    pub path: PathBuf,
    tracks: BTreeMap<String, Track>,
    /// By feature.
    pub holds: BTreeMap<String, Holds>,
}

impl Rows {
    /// Sorts the columns of the file at `path` by the features of `info`, and notes what has no place.
    pub fn new(path: PathBuf, table: Table, info: &Info, notes: &mut Notes) -> Self {
        for column in &table.unread {
            notes.say(format!("column {column} is left out: it cannot be read"));
        }
        for name in table.others.iter().filter(|name| !DEFAULT.contains(&name.as_str())) {
            notes.say(format!("column {name} is left out: info.json does not describe it"));
        }
        let tracks = table.columns.into_iter().map(|column| (column.name.clone(), Track::new(column)));
        let mut rows = Self { path, tracks: tracks.collect(), holds: BTreeMap::new() };
        for (name, feature) in info.features.iter().filter(|(name, _)| !DEFAULT.contains(&name.as_str())) {
            match rows.kind(name, feature, notes) {
                Ok(Some(holds)) => {
                    rows.holds.insert(name.clone(), holds);
                }
                Ok(None) => {}
                Err(problem) => notes.say(format!("feature {name:?} is left out: {problem}")),
            }
        }
        rows
    }

    fn kind(&self, name: &str, feature: &Feature, notes: &mut Notes) -> Result<Option<Holds>, String> {
        const NUMBERS: [&str; 14] = [
            "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
            "float64", "float", "int",
        ];
        let of = |name: &str| self.tracks.get(name).map(|track| &track.column.values);
        let dtype = feature.dtype.as_str();
        match dtype {
            "video" => return Ok(None),
            "image" => {
                let bytes = of(&format!("{name}/bytes")).or(of(name));
                let paths = of(&format!("{name}/path"));
                let is_there = matches!(bytes, Some(Values::Bytes(_))) || matches!(paths, Some(Values::Text(_)));
                return if is_there {
                    Ok(Some(Holds::Pictures))
                } else {
                    Err("no column holds its pictures".to_owned())
                };
            }
            _ => {}
        }
        let holds = match of(name) {
            Some(Values::Text(_)) => Holds::Texts,
            Some(Values::Bytes(_)) => return Err(format!("its column holds bytes, its dtype is {dtype:?}")),
            Some(_) => Holds::Numbers,
            None => return Err("no column of this name holds values that can be read".to_owned()),
        };
        let expected = match holds {
            Holds::Texts => dtype == "string",
            _ => NUMBERS.contains(&dtype),
        };
        if !expected {
            let what = if holds == Holds::Texts { "texts" } else { "numbers" };
            notes.say(format!("feature {name:?} has dtype {dtype:?}; its column holds {what} and is kept as these"));
        }
        Ok(Some(holds))
    }

    /// A column of one whole number in every row.
    pub fn whole(&self, name: &str) -> Option<&[i64]> {
        match &self.tracks.get(name)?.column {
            Column { values: Values::I64(all), lengths: None, nulls, .. } if nulls.is_empty() => Some(all.as_slice()),
            _ => None,
        }
    }

    /// The rows of an episode, which its description says are `length`.
    pub fn of_episode(
        &self,
        episode: i64,
        length: Option<i64>,
        notes: &mut Notes,
    ) -> Result<Range<usize>, ExchangeError> {
        let unfit = |problem: String| ExchangeError::unfit(&self.path, problem);
        let episodes = self.whole("episode_index");
        let episodes =
            episodes.ok_or_else(|| unfit("there is no column \"episode_index\" of whole numbers".to_owned()))?;
        let begin = episodes.iter().position(|one| *one == episode);
        let begin = begin.ok_or_else(|| unfit(format!("there is no row of episode {episode}")))?;
        let count = episodes[begin..].iter().take_while(|one| **one == episode).count();
        if length != Some(count as i64) {
            let said = length.map_or_else(|| "nothing".to_owned(), |length| length.to_string());
            notes.say(format!("the episode has {count} rows, its description says {said}"));
        }
        let apart = episodes[begin + count..].iter().filter(|one| **one == episode).count();
        notes.count(apart, "row", "rows", "left out: they do not follow the episode's others");
        Ok(begin..begin + count)
    }

    /// The task of each row, where there are numbers.
    pub fn task(&self, row: usize) -> Option<i64> {
        self.whole("task_index")?.get(row).copied()
    }

    /// A row's numbers; what is not a number is NaN.
    pub fn numbers(&self, name: &str, row: usize) -> Vec<f64> {
        let Some(track) = self.tracks.get(name) else { return Vec::new() };
        track.places(row).map(|place| track.column.values.number(place).unwrap_or(f64::NAN)).collect()
    }

    /// A row's values in JSON, whole numbers with all their digits.
    pub fn json(&self, name: &str, row: usize) -> Value {
        let Some(track) = self.tracks.get(name) else { return json!([]) };
        let one = |place: usize| match &track.column.values {
            Values::Bool(all) => json!(all.get(place)),
            Values::I64(all) => json!(all.get(place)),
            Values::Text(all) => json!(all.get(place)),
            other => json!(other.number(place)),
        };
        track.places(row).map(one).collect()
    }

    /// A row's picture as a file of its format; `None` when there is none.
    pub fn picture(&self, dataset: &Path, name: &str, row: usize) -> Option<Bytes> {
        let bytes = self.tracks.get(&format!("{name}/bytes")).or(self.tracks.get(name));
        let held = bytes.and_then(|track| match &track.column.values {
            Values::Bytes(all) => all.get(track.places(row).next()?).filter(|bytes| !bytes.is_empty()).cloned(),
            _ => None,
        });
        held.or_else(|| {
            let track = self.tracks.get(&format!("{name}/path"))?;
            let Values::Text(all) = &track.column.values else { return None };
            let path = Path::new(all.get(track.places(row).next()?)?);
            let is_inside = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
            let path = dataset.join(path);
            let is_small = std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= MAX_PICTURE_BYTES);
            if is_inside && is_small { std::fs::read(path).ok().map(Bytes::from) } else { None }
        })
    }

    /// When each row was, nanoseconds: as recorded by us, else by their own timestamps where these go forward, else at
    /// an even rate.
    pub fn times(&self, rows: &Range<usize>, fps: f64, notes: &mut Notes) -> Vec<u64> {
        if let Some(times) = self.whole(LOG_TIME).and_then(|times| times.get(rows.clone())) {
            if times.is_sorted() && times.first().is_none_or(|first| *first >= 0) {
                return times.iter().map(|at| *at as u64).collect();
            }
            notes.say(format!("{LOG_TIME} goes back or below 0: its times are not used"));
        }
        let even = |frame: usize| frame as f64 / fps;
        let said: Vec<f64> =
            rows.clone().map(|row| self.numbers("timestamp", row).first().copied().unwrap_or(f64::NAN)).collect();
        let ns = |seconds: f64| (seconds * 1e9).round() as u64;
        let evenly = || -> Vec<u64> { (0..said.len()).map(|frame| ns(even(frame))).collect() };
        // Single precision, and what people make of a rate such as 29.97.
        let near = |(frame, at): (usize, &f64)| (at - even(frame)).abs() <= 1e-3 + 0.02 / fps;
        if said.iter().enumerate().all(near) {
            return evenly();
        }
        let forward = said.windows(2).all(|pair| pair[0] < pair[1]);
        if forward && said.iter().all(|at| (0.0..1e9).contains(at)) {
            notes.say(format!("the rows are not {fps} a second apart: their own timestamps are kept"));
            return said.iter().map(|at| ns(*at)).collect();
        }
        notes.say(format!("the timestamps do not go forward or are no numbers: the rows are put {fps} a second"));
        evenly()
    }
}

/// A picture's format by its first bytes.
pub(super) fn format_of(picture: &[u8]) -> Option<&'static str> {
    match picture {
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        [0xff, 0xd8, 0xff, ..] => Some("jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_in_a_list_of_one_is_found_at_once_for_each_of_two_million_rows() {
        const COUNT: i64 = 2_000_000;
        let column = Column::lists("task_index", Values::I64((0..COUNT).collect()), 1);
        let table = Table { columns: vec![column], ..Table::default() };
        let rows = Rows::new(PathBuf::from("x.parquet"), table, &Info::new("", 1), &mut Notes::default());
        let sum: i64 = (0..COUNT as usize).map(|row| rows.task(row).unwrap()).sum();
        assert_eq!(sum, COUNT * (COUNT - 1) / 2);
        assert_eq!((rows.json("task_index", 7), rows.numbers("task_index", 9)), (json!([7]), vec![9.0]));
    }
}
