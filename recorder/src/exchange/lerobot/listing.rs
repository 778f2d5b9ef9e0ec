//! Which episodes a dataset has, and which tasks: `meta/episodes` and `meta/tasks.parquet`.

use super::super::ExchangeError;
use super::super::parquet::{Column, Values, read};
use super::super::report::Notes;
use super::meta::Info;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// One row of `meta/episodes`.
pub(super) struct Entry {
    pub path: PathBuf,
    /// `episode_index`.
    pub episode: i64,
    numbers: BTreeMap<String, f64>,
    pub tasks: Vec<String>,
}

impl Entry {
    pub fn real(&self, name: &str) -> Result<f64, ExchangeError> {
        let value = self.numbers.get(name).copied().filter(|value| value.is_finite() && value.abs() < 9e15);
        let episode = self.episode;
        value.ok_or_else(|| ExchangeError::unfit(&self.path, format!("episode {episode} has no usable {name:?}")))
    }

    pub fn number(&self, name: &str) -> Result<i64, ExchangeError> {
        Ok(self.real(name)? as i64)
    }
}

/// The episodes, by their numbers.
pub(super) fn entries(dataset: &Path, notes: &mut Notes) -> Result<Vec<Entry>, ExchangeError> {
    let folder = dataset.join("meta/episodes");
    let mut passed_over = Vec::new();
    let mut files = Vec::new();
    for chunk in inside(&folder)? {
        if !chunk.is_dir() || is_hidden(&chunk) {
            passed_over.push(chunk);
            continue;
        }
        for file in inside(&chunk)? {
            let is_table = file.extension().is_some_and(|ending| ending == "parquet") && file.is_file();
            if is_table && !is_hidden(&file) { files.push(file) } else { passed_over.push(file) }
        }
    }
    if !passed_over.is_empty() {
        let names = passed_over.iter().map(|path| path.strip_prefix(&folder).unwrap_or(path).display().to_string());
        notes.say(format!("passed over in meta/episodes: {}", names.collect::<Vec<_>>().join(", ")));
    }
    files.sort();
    let mut entries = Vec::new();
    let mut nameless = 0;
    for path in files {
        let columns = read(&path, |name| !name.starts_with("stats/"))?.columns;
        let rows = columns.iter().map(Column::rows).max().unwrap_or(0);
        let tasks = columns.iter().find(|column| column.name == "tasks");
        let mut tasks_at = 0;
        for row in 0..rows {
            let plain = columns.iter().filter_map(|column| Some((column.name.clone(), column.number(row)?)));
            let numbers: BTreeMap<String, f64> = plain.collect();
            let length =
                tasks.map_or(0, |column| column.lengths.as_ref().map_or(1, |all| all.get(row).copied().unwrap_or(0)));
            let texts = match tasks.map(|column| &column.values) {
                Some(Values::Text(texts)) => texts.get(tasks_at..tasks_at + length).unwrap_or_default().to_vec(),
                _ => Vec::new(),
            };
            tasks_at += length;
            let episode = numbers.get("episode_index").copied().filter(|n| (0.0..9e15).contains(n) && n.fract() == 0.0);
            match episode {
                Some(episode) => {
                    entries.push(Entry { path: path.clone(), episode: episode as i64, numbers, tasks: texts })
                }
                None => nameless += 1,
            }
        }
    }
    notes.count(nameless, "row", "rows", "of meta/episodes left out: no usable \"episode_index\"");
    entries.sort_by_key(|entry| entry.episode);
    let before = entries.len();
    entries.dedup_by_key(|entry| entry.episode);
    notes.count(
        before - entries.len(),
        "row",
        "rows",
        "of meta/episodes left out: another has the same \"episode_index\"",
    );
    Ok(entries)
}

fn inside(folder: &Path) -> Result<Vec<PathBuf>, ExchangeError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(ExchangeError::io("read folder", folder))? {
        paths.push(entry.map_err(ExchangeError::io("read folder", folder))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// What file managers and other systems leave behind.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Texts by number; none, with a note, when they cannot be had: the episodes have their own.
pub(super) fn tasks(path: &Path, notes: &mut Notes) -> BTreeMap<i64, String> {
    let read = read(path, |_| true).map(|table| table.columns);
    let columns = match &read {
        Ok(columns) => columns.as_slice(),
        Err(error) => {
            notes.say(format!("the tasks cannot be read, the episodes' own texts are kept: {error}"));
            return BTreeMap::new();
        }
    };
    let numbers = columns.iter().find(|column| column.name == "task_index").map(|column| &column.values);
    // The text is the index of pandas, whatever its name.
    let texts = columns.iter().find_map(|column| match &column.values {
        Values::Text(texts) => Some(texts),
        _ => None,
    });
    let (Some(Values::I64(numbers)), Some(texts)) = (numbers, texts) else {
        notes.say("meta/tasks.parquet has no task_index and text columns, the episodes' own texts are kept");
        return BTreeMap::new();
    };
    numbers.iter().copied().zip(texts.iter().cloned()).collect()
}

/// Where a file of the dataset is, by a path of `info.json` such as `data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet`.
pub(super) fn place(
    dataset: &Path,
    template: &str,
    (chunk, file): (i64, i64),
    video: &str,
) -> Result<PathBuf, ExchangeError> {
    let bad = |problem: String| ExchangeError::unfit(&dataset.join("meta/info.json"), problem);
    if chunk < 0 || file < 0 {
        return Err(bad(format!("there is no file {file} of chunk {chunk}")));
    }
    let (mut path, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let (field, after) = after.split_once('}').ok_or_else(|| bad(format!("{template:?} has an open bracket")))?;
        let (name, form) = field.split_once(':').unwrap_or((field, ""));
        let digits: usize = form.trim_end_matches('d').trim_start_matches('0').parse().unwrap_or(0);
        match name {
            "chunk_index" | "episode_chunk" => path.push_str(&format!("{chunk:0width$}", width = digits.min(20))),
            "file_index" => path.push_str(&format!("{file:0width$}", width = digits.min(20))),
            "video_key" => path.push_str(video),
            other => return Err(bad(format!("{template:?} names {other:?}, which is not known"))),
        }
        rest = after;
    }
    path.push_str(rest);
    let path = PathBuf::from(path);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(bad(format!("{} leads out of the dataset", path.display())));
    }
    Ok(dataset.join(path))
}

/// Where the rows of an episode are.
pub(super) fn data_file(dataset: &Path, info: &Info, file: (i64, i64)) -> Result<PathBuf, ExchangeError> {
    place(dataset, &info.data_path, file, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_dataset_are_filled_in_and_stay_within_it() {
        let at = |template: &str, file| place(Path::new("d"), template, file, "observation.images.front");
        let video = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4";
        let path = at(video, (12, 1234)).unwrap();
        assert_eq!(path, Path::new("d/videos/observation.images.front/chunk-012/file-1234.mp4"));
        assert_eq!(at("data/{chunk_index}.parquet", (7, 0)).unwrap(), Path::new("d/data/7.parquet"));
        for odd in ["../{file_index}", "/etc/passwd", "data/{file_index", "data/{else}"] {
            assert!(at(odd, (0, 0)).is_err(), "{odd}");
        }
        assert!(at(video, (-1, 0)).is_err());
        assert!(place(Path::new("d"), video, (0, 0), "../../x").is_err());
    }
}
