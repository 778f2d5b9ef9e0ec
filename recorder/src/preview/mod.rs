//! A small copy of an episode to look at before the episode is there: the front camera in 320 pixels and ten pictures a
//! second, the state once a second. Its size is bounded, whatever the episode's is.

mod film;
mod states;

use crate::exchange::ExchangeError;
use crate::{EpisodeReader, RecorderError, container};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The files of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// MP4 file with H.264, when the episode has pictures that decode.
    pub video: Option<PathBuf>,
    /// Why there is no video.
    pub no_video: Option<String>,
    /// JSON file: what the episode is, its state once a second, its events.
    pub state: PathBuf,
}

/// Writes `<id>.preview.mp4` and `<id>.preview.json` for an episode into `output_dir`; earlier ones are replaced.
///
/// Nothing is blurred or left out here: where a [`RedactionPolicy`](crate::privacy::RedactionPolicy) wants that, make the
/// preview of the redacted episode. An episode without pictures, or with pictures that do not decode, has a preview
/// without video that says why.
///
/// # Errors
/// [`ExchangeError`] when the episode cannot be opened or a file cannot be written.
pub fn make(episode: &Path, output_dir: &Path) -> Result<Preview, ExchangeError> {
    let source = EpisodeReader::open(episode)?;
    fs::create_dir_all(output_dir).map_err(ExchangeError::io("make the folder", output_dir))?;
    let place = |ending: &str| output_dir.join(format!("{}.preview.{ending}", source.info().id));
    let (video, state) = (place("mp4"), place("json"));
    let film = film::write(&source, &video)?;
    if film.is_err() && video.exists() {
        fs::remove_file(&video).map_err(ExchangeError::io("remove", &video))?;
    }
    let content = states::read(&source, film.as_ref().map_err(String::as_str));
    let text = serde_json::to_vec(&content).unwrap_or_default();
    write_whole(&state, &text)?;
    let no_video = film.as_ref().err().cloned();
    Ok(Preview { video: film.is_ok().then_some(video), no_video, state })
}

/// Under its name only when it is whole and on the disk.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ExchangeError> {
    let part = part_of(path);
    let written = File::create(&part).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(ExchangeError::io("write", &part))?;
    put_in_place(&part, path)
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn put_in_place(part: &Path, path: &Path) -> Result<(), ExchangeError> {
    fs::rename(part, path).map_err(RecorderError::io("rename to its final name", part))?;
    Ok(container::sync_folder(path)?)
}
