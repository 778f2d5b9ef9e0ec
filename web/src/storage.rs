//! Where an episode's parts lie, by name: objects by their content (`sha256/..`), files of the episodes folder
//! (`episodes/..`), and what is on its way (`uploads/..`).

use crate::app::App;
use crate::objects::ObjectKey;
use crate::reply::ApiResult;
use futures_util::TryStreamExt;
use protocol::EpisodeId;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

/// Folders of the data folder that hold parts of episodes by name.
const FOLDERS: [&str; 2] = ["episodes", "uploads"];

/// The names in the episodes folder that belong to an episode's `file`: itself, its signature, and what a copy that was
/// cut off leaves.
pub fn names(file: &str) -> Vec<String> {
    if file.is_empty() {
        return Vec::new();
    }
    let stem = file.strip_suffix(".mcap").unwrap_or(file);
    let all = [file.to_owned(), format!("{file}.sig"), format!("{file}.sig.part"), format!("{stem}.copying")];
    all.into_iter().map(|name| format!("episodes/{name}")).collect()
}

/// The SHA-256 that a name is made of.
pub fn content(name: &str) -> Option<&str> {
    let last = name.rsplit('/').next()?.split('.').next()?;
    crate::objects::is_sha256(last).then_some(last)
}

/// Everything that lies there.
pub async fn list(app: &App) -> ApiResult<BTreeSet<String>> {
    let objects = app.uploads.objects().list().map_ok(|(key, _)| key.to_string());
    let mut names: BTreeSet<String> = objects.try_collect().await?;
    for folder in FOLDERS {
        let mut entries = tokio::fs::read_dir(app.data_dir.join(folder)).await?;
        while let Some(entry) = entries.next_entry().await? {
            names.insert(format!("{folder}/{}", entry.file_name().to_string_lossy()));
        }
    }
    Ok(names)
}

/// Removes an episode's parts: its objects and the files that its `file` names; those that another episode has too
/// only if told so.
/// What is gone already is no error. The files are gone for good when this returns, also after a power cut.
pub async fn remove(app: &App, id: &EpisodeId, file: &str, objects: &[String], shared_too: bool) -> ApiResult<()> {
    for object in objects {
        let Ok(key) = ObjectKey::parse(object) else { continue };
        if shared_too || !app.store.is_shared(object, id).await? {
            app.uploads.objects().delete(&key).await?;
        }
    }
    if file.is_empty() || (!shared_too && app.store.is_file_shared(file, id).await?) {
        return Ok(());
    }
    for name in names(file) {
        delete(&app.data_dir.join(name)).await?;
    }
    let folder = app.data_dir.join("episodes");
    Ok(tokio::task::spawn_blocking(move || std::fs::File::open(folder)?.sync_all())
        .await
        .map_err(std::io::Error::other)??)
}

async fn delete(path: &Path) -> std::io::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_names_are_its_own() {
        assert_eq!(names("e.mcap")[..2], ["episodes/e.mcap", "episodes/e.mcap.sig"]);
        assert!(names("").is_empty());
        let hash = "ab".repeat(32);
        assert_eq!(content(&format!("sha256/ab/{hash}.mp4")), Some(&*hash));
        assert_eq!(content(&format!("uploads/{hash}.part")), Some(&*hash));
        assert_eq!(content("episodes/e.mcap"), None);
    }
}
