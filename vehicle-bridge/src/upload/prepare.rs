//! What is done to an episode before it leaves: what the privacy policy wants left out or blurred, hashes; and its preview.
//!
//! A redacted copy lies in a folder of its own with the policy it was made by; a later run takes it up again when the
//! policy is still the same.

use super::queue::OutFile;
use protocol::EpisodeId;
use protocol::api::{Episode, UploadKind};
use recorder::privacy::{self, RedactionPolicy};
use recorder::{EpisodeReader, RecorderError, SigningKey, preview, signature};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Beside a redacted copy: what it was made by.
const POLICY_FILE: &str = "policy.json";

/// Why an episode is not ready to leave.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The recorder removed it to make room, or somebody else did.
    #[error("{} is gone: removed to make room", .0.display())]
    Gone(PathBuf),
    /// It could not be redacted, so it stays here.
    #[error("{} is not uploaded, for it could not be redacted: {problem}", path.display())]
    Redaction {
        /// The episode.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// It cannot be read.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The folder of outgoing files cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// How episodes are made ready.
#[derive(Debug, Clone)]
pub struct Preparation {
    /// What may not leave.
    pub policy: RedactionPolicy,
    /// Folder for copies and previews; each episode has one in it.
    pub dir: PathBuf,
    /// Signs redacted copies; without it they have no signature.
    pub key: Option<Arc<SigningKey>>,
}

impl Preparation {
    /// Makes `file` ready. Returns the catalogue's row of what will be uploaded, and the files without a preview.
    ///
    /// # Errors
    /// [`PrepareError`]; nothing of the episode may leave then.
    pub fn prepare(&self, file: &Path, row: &Episode) -> Result<(Episode, Vec<OutFile>), PrepareError> {
        if !file.exists() {
            return Err(PrepareError::Gone(file.to_owned()));
        }
        let dir = self.dir.join(row.id.as_str());
        let (path, row) = if self.policy.is_empty() {
            self.forget(&row.id);
            (file.to_owned(), row.clone())
        } else {
            self.redacted(file, &dir)?
        };
        let mut files = Vec::new();
        let signature = signature::path_beside(&path);
        if signature.exists() {
            files.push(out_file(UploadKind::Signature, signature)?);
        }
        files.push(out_file(UploadKind::Episode, path)?);
        let whole = files.last().map(|file| (file.bytes, file.sha256.clone()));
        let (bytes, sha256) = whole.unwrap_or((row.bytes, row.sha256.clone()));
        Ok((Episode { bytes, sha256, ..row }, files))
    }

    /// The copy that may leave, and its row.
    fn redacted(&self, file: &Path, dir: &Path) -> Result<(PathBuf, Episode), PrepareError> {
        let failed = |problem: String| PrepareError::Redaction { path: file.to_owned(), problem };
        let policy = serde_json::to_vec(&self.policy).map_err(|e| failed(e.to_string()))?;
        let copy = dir.join(file.file_name().unwrap_or_default());
        if std::fs::read(dir.join(POLICY_FILE)).is_ok_and(|made_by| made_by == policy)
            && let Ok(reader) = EpisodeReader::open(&copy)
        {
            let (bytes, sha256) = signature::sum(&copy)?;
            let name = copy.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok((copy, reader.info().to_api(name, bytes, sha256)));
        }
        remove(dir)?;
        std::fs::create_dir_all(dir).map_err(|source| PrepareError::Folder { path: dir.to_owned(), source })?;
        let report = privacy::redact(file, dir, &self.policy, &mut |_, _| {}).map_err(|e| failed(e.to_string()))?;
        self.key.as_ref().map(|key| report.sign(key)).transpose()?;
        let noted = std::fs::write(dir.join(POLICY_FILE), policy);
        noted.map_err(|source| PrepareError::Folder { path: dir.to_owned(), source })?;
        Ok((report.path, report.episode))
    }

    /// Whether making an episode ready takes more than a look at each of its bytes.
    #[must_use]
    pub fn redacts(&self) -> bool {
        !self.policy.is_empty()
    }

    /// Previews of episode `id` from `path`, which [`Self::prepare`] found ready; it goes without them when they cannot be
    /// made.
    #[must_use]
    pub fn previews(&self, path: &Path, id: &EpisodeId) -> Vec<OutFile> {
        let dir = self.dir.join(id.as_str());
        let made = std::fs::create_dir_all(&dir).map_err(|e| e.to_string());
        let made = made.and_then(|()| preview::make(path, &dir).map_err(|e| e.to_string()));
        let preview = match made {
            Ok(preview) => preview,
            Err(error) => {
                tracing::warn!(%error, file = %path.display(), "no preview");
                return Vec::new();
            }
        };
        if let Some(why) = &preview.no_video {
            tracing::debug!(%why, file = %path.display(), "a preview without a film");
        }
        let video = preview.video.map(|path| (UploadKind::PreviewVideo, path));
        let parts = video.into_iter().chain([(UploadKind::PreviewState, preview.state)]);
        parts.filter_map(|(kind, path)| out_file(kind, path).ok()).collect()
    }

    /// Removes what was made for an episode.
    pub fn forget(&self, id: &EpisodeId) {
        if let Err(error) = remove(&self.dir.join(id.as_str())) {
            tracing::warn!(%error, "files of an uploaded episode stay");
        }
    }

    /// Removes what was made for episodes other than these.
    pub fn keep_only(&self, ids: &[&EpisodeId]) {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if !ids.iter().any(|id| name.to_str() == Some(id.as_str())) {
                remove(&entry.path()).unwrap_or_else(|error| tracing::warn!(%error, "a leftover stays"));
            }
        }
    }
}

fn remove(dir: &Path) -> Result<(), PrepareError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(PrepareError::Folder { path: dir.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// A file with its size and hash.
///
/// # Errors
/// When it cannot be read.
pub fn out_file(kind: UploadKind, path: PathBuf) -> Result<OutFile, RecorderError> {
    let (bytes, sha256) = signature::sum(&path)?;
    Ok(OutFile { kind, path, sha256, bytes, offset: None, done: false })
}
