//! Recordings of others that are folders: the input takes the place of one file of a LeRobot dataset or of a comma2k19
//! segment.

use crate::input::{Input, folder};
use crate::seeds;
use protocol::EpisodeId;
use recorder::EpisodeReader;
use recorder::exchange::{comma2k19, lerobot, parquet, silent};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Files with their places in the folder.
type Folder = Vec<(PathBuf, Vec<u8>)>;

fn kept(dir: &Path) -> Result<Folder, Box<dyn Error>> {
    let entry = |path: PathBuf| Ok((path.strip_prefix(dir)?.to_owned(), fs::read(&path)?));
    seeds::files(dir).into_iter().map(entry).collect()
}

fn exported() -> Result<Folder, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let episode = seeds::episode(dir.path(), "e", &seeds::pictures()?, "h264")?;
    let dataset = dir.path().join("dataset");
    lerobot::export(&[episode], &dataset, None, None, &mut silent)?;
    kept(&dataset)
}

fn recorded() -> Result<Folder, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    seeds::segment(dir.path())?;
    kept(dir.path())
}

/// A dataset of one short episode.
pub static DATASET: LazyLock<Folder> = LazyLock::new(|| exported().unwrap_or_default());
/// A segment of a few rows.
pub static SEGMENT: LazyLock<Folder> = LazyLock::new(|| recorded().unwrap_or_default());

/// First bytes from here on choose a file of [`SEGMENT`].
pub const SEGMENT_FROM: u8 = 128;

/// The folder, with `bytes` in the place of its file `chosen`.
fn write(dir: &Path, template: &Folder, chosen: usize, bytes: &[u8]) -> std::io::Result<PathBuf> {
    for (number, (place, content)) in template.iter().enumerate() {
        let path = dir.join(place);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, if number == chosen { bytes } else { content })?;
    }
    Ok(template.get(chosen).map(|(place, _)| dir.join(place)).unwrap_or_default())
}

pub fn run(bytes: &[u8]) {
    let Some(folder) = folder() else { return };
    let mut input = Input(bytes);
    let choice = input.u8();
    let is_segment = choice >= SEGMENT_FROM;
    let template = if is_segment { &*SEGMENT } else { &*DATASET };
    assert!(!template.is_empty(), "the trial's own files could not be made");
    let source = folder.path().join("source");
    let out = folder.path().join("out");
    let chosen = usize::from(choice % SEGMENT_FROM) % template.len();
    let Ok(changed) = write(&source, template, chosen, input.0) else { return };
    if fs::create_dir(&out).is_err() {
        return;
    }
    let made = if is_segment {
        let Ok(id) = EpisodeId::new("c") else { return };
        comma2k19::import(&source, id, &out, &mut silent).map(|made| vec![made])
    } else {
        if changed.extension().is_some_and(|ending| ending == "parquet") {
            let _ = parquet::read(&changed, |_| true);
        }
        lerobot::import(&source, &out, &mut silent)
    };
    for episode in made.unwrap_or_default() {
        let reader = EpisodeReader::open(&out.join(&episode.episode.file));
        let sound = reader.as_ref().is_ok_and(|reader| reader.messages().all(|message| message.is_ok()));
        assert!(sound, "what was imported cannot be read: {:?}", reader.err());
    }
}
