//! Files that anybody may have made.

use super::RecorderTrialError;
use crate::{EpisodeReader, recover_all, scan};
use std::fs;
use std::path::Path;

/// Reads `bytes` as a finished file and recovers them as one that a crash left, in the empty folder `dir`. Errors of
/// the reader are as good as content; what recovery makes must be readable, and recovering again must change nothing.
///
/// # Errors
/// [`RecorderTrialError::Broken`] when it is not so.
pub fn read_hostile(dir: &Path, bytes: &[u8]) -> Result<(), RecorderTrialError> {
    let path = dir.join("hostile.mcap");
    fs::write(&path, bytes).map_err(RecorderTrialError::io("write"))?;
    if let Ok(reader) = EpisodeReader::open(&path) {
        let _ = reader.messages().map_while(Result::ok).count();
        for name in reader.attachment_names() {
            let _ = reader.attachment(name);
        }
        let _ = reader.metadata("clock");
        let _ = reader.topics();
    }
    fs::rename(&path, path.with_extension("mcap.part")).map_err(RecorderTrialError::io("rename"))?;
    let recovery = recover_all(dir)?;
    if recovery.episodes.len() + recovery.broken.len() != 1 {
        return Err(RecorderTrialError::Broken(format!("recovery answers {recovery:?} for one file")));
    }
    for episode in &recovery.episodes {
        let reader = EpisodeReader::open(&dir.join(&episode.file))?;
        if reader.info().recovered.is_some() {
            reader.messages().try_for_each(|message| message.map(drop))?;
        }
    }
    if !recover_all(dir)?.episodes.is_empty() || scan(dir)?.len() != recovery.episodes.len() {
        return Err(RecorderTrialError::Broken("recovering again changes something".to_owned()));
    }
    Ok(())
}
