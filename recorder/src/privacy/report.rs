//! What was taken out of an episode.

use super::{Kind, Policy, PrivacyError};
use crate::RecorderError;
use crate::exchange::{ExchangeError, Progress};
use crate::signature::{Signature, SigningKey};
use protocol::api;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was taken out of an episode, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RedactionReport {
    /// The redacted file.
    pub path: PathBuf,
    /// Its catalogue row: name, size, SHA-256.
    pub episode: api::Episode,
    /// SHA-256 of the file that it was made from, hex.
    pub source_sha256: String,
    /// Name and version of what looked for regions; empty when nothing was to be blurred.
    pub detector: String,
    /// Topics that were left out.
    pub omitted: Vec<String>,
    /// Blurred regions (one in one picture) by camera and kind.
    pub regions: BTreeMap<String, BTreeMap<Kind, u64>>,
    /// Pictures that were decoded and encoded again.
    pub pictures: u64,
}

impl RedactionReport {
    /// Signs the redacted file; the source's signature does not fit it.
    ///
    /// # Errors
    /// When the signature cannot be written beside it.
    pub fn sign(&self, key: &SigningKey) -> Result<Signature, RecorderError> {
        let signature = key.sign(&self.episode.file, self.episode.bytes, &self.episode.sha256);
        crate::signature::write_beside(&self.path, &signature)?;
        Ok(signature)
    }
}

/// Writes the episode `input` as `policy` wants it into `output_dir`, under its own name; there must be none yet.
///
/// # Errors
/// [`PrivacyError`].
pub fn redact(
    input: &Path,
    output_dir: &Path,
    policy: &Policy,
    progress: &mut Progress<'_>,
) -> Result<RedactionReport, PrivacyError> {
    let _ = (output_dir, policy, progress);
    Err(ExchangeError::unfit(input, "redaction is being built").into())
}
