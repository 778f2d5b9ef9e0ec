//! What an importer left out, changed or repaired: told to people, and kept in the episode.

use crate::file::IMPORT;
use crate::{EpisodeReader, RecorderError};
use protocol::api;
use serde::Serialize;

/// Most notes of an episode.
const MAX_NOTES: usize = 200;

/// An imported episode.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imported {
    /// Its row in the catalogue.
    #[serde(flatten)]
    pub episode: api::Episode,
    /// What was left out, changed or repaired, for people; empty when the episode has all that the source had. The
    /// episode's metadata record `import` has the same.
    pub notes: Vec<String>,
}

/// What is wrong with a source and does not keep it from being imported.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    notes: Vec<String>,
    more: usize,
}

impl Notes {
    /// Notes it, once.
    pub fn say(&mut self, note: impl Into<String>) {
        let note = note.into();
        if self.notes.contains(&note) {
            return;
        }
        if self.notes.len() < MAX_NOTES { self.notes.push(note) } else { self.more += 1 }
    }

    /// Notes that `count` of something are so; nothing when there are none.
    pub fn count(&mut self, count: usize, one: &str, many: &str, so: impl std::fmt::Display) {
        match count {
            0 => {}
            1 => self.say(format!("1 {one} {so}")),
            _ => self.say(format!("{count} {many} {so}")),
        }
    }

    pub fn into_vec(mut self) -> Vec<String> {
        if self.more > 0 {
            self.notes.push(format!("and {} more of this kind", self.more));
        }
        self.notes
    }
}

/// What an episode says of its import; `None` for one that was recorded.
///
/// # Errors
/// Those of reading the record.
pub fn import_notes(episode: &EpisodeReader) -> Result<Option<Vec<String>>, RecorderError> {
    if !episode.metadata_names().any(|name| name == IMPORT) {
        return Ok(None);
    }
    let record = episode.metadata(IMPORT)?;
    let notes = record.get("notes").and_then(|notes| serde_json::from_str(notes).ok());
    Ok(Some(notes.unwrap_or_default()))
}
