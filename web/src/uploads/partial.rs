//! The file in which an upload's bytes gather, and beside it what it will be.

use protocol::api::UploadStart;
use std::fs::{self, File};
use std::io::{Error, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest description that is read.
const MAX_DESCRIPTION: u64 = 4 << 10;

/// An upload's files. Both are named by the hash, `.part` and `.json`.
pub struct Partial {
    pub start: UploadStart,
    path: PathBuf,
}

impl Partial {
    /// Files of a new upload, empty and durable.
    pub fn create(dir: &Path, start: UploadStart) -> std::io::Result<Self> {
        Self::create_in(dir, start).map_err(of(dir))
    }

    fn create_in(dir: &Path, start: UploadStart) -> std::io::Result<Self> {
        let path = dir.join(format!("{}.part", start.sha256));
        File::create(&path)?.sync_all()?;
        let partial = Self { start, path };
        // The description last and whole: without it the other file is nothing.
        let (draft, description) = (partial.path.with_extension("draft"), partial.description());
        let text = serde_json::to_vec(&partial.start)?;
        let mut file = File::create(&draft)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&draft, &description)?;
        File::open(dir)?.sync_all()?;
        Ok(partial)
    }

    /// Those that an earlier run left; what is no upload is removed.
    pub fn all(dir: &Path) -> std::io::Result<Vec<Self>> {
        let mut partials = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("json") => match Self::read(&path) {
                    Some(partial) => partials.push(partial),
                    None => tracing::warn!(file = %path.display(), "describes no upload and is left alone"),
                },
                Some("part") if path.with_extension("json").exists() => {}
                Some("part" | "draft") => fs::remove_file(&path)?,
                _ => {}
            }
        }
        Ok(partials)
    }

    fn read(description: &Path) -> Option<Self> {
        let small = fs::metadata(description).ok()?.len() <= MAX_DESCRIPTION;
        let start: UploadStart = small.then(|| serde_json::from_slice(&fs::read(description).ok()?).ok())??;
        let path = description.with_extension("part");
        let fits = description.file_stem().and_then(|stem| stem.to_str()) == Some(start.sha256.as_str());
        (fits && path.is_file()).then_some(Self { start, path })
    }

    fn description(&self) -> PathBuf {
        self.path.with_extension("json")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file at its end; answers how many bytes it has, all of them on the disk.
    pub fn open(&self) -> std::io::Result<(File, u64)> {
        self.open_at_end().map_err(of(&self.path))
    }

    fn open_at_end(&self) -> std::io::Result<(File, u64)> {
        let mut file = File::options().write(true).open(&self.path)?;
        if file.metadata()?.len() > self.start.bytes {
            file.set_len(self.start.bytes)?;
        }
        file.sync_data()?;
        let end = file.seek(SeekFrom::End(0))?;
        Ok((file, end))
    }

    /// How many bytes are there for good.
    pub async fn settle(&self) -> std::io::Result<u64> {
        let again = Self { start: self.start.clone(), path: self.path.clone() };
        blocking(move || again.open().map(|(_, end)| end)).await
    }

    pub fn is_gone(&self) -> bool {
        !self.path.exists()
    }

    /// Since nothing came any more.
    pub fn idle(&self) -> Option<Duration> {
        fs::metadata(&self.path).and_then(|m| m.modified()).ok()?.elapsed().ok()
    }

    /// Removes both files, the bytes first: a description alone is no upload.
    pub fn remove(&self) {
        for path in [self.path.clone(), self.description()] {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, file = %path.display(), "the rest of an upload stays");
            }
        }
    }
}

/// Names `path` in an error, for the log.
fn of(path: &Path) -> impl FnOnce(Error) -> Error {
    let path = path.to_owned();
    move |error| Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Runs file work where it holds nobody up.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}
