//! What was taken out of an episode.

use super::RegionKind;
use crate::{EpisodeSignature, RecorderError};
use protocol::api;
use protocol::signing::SigningKey;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How much of a kind one camera showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Regions {
    /// Regions that were followed over time.
    pub followed: u64,
    /// Blurred places in pictures: a region counts once a picture.
    pub blurred: u64,
}

/// What was taken out of an episode, and its outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RedactionReport {
    /// The redacted file.
    #[serde(serialize_with = "protocol::serialize_path")]
    pub path: PathBuf,
    /// Its catalogue row: name, size, SHA-256.
    pub episode: api::Episode,
    /// SHA-256 of the file that it was made from, hex.
    pub source_sha256: String,
    /// Name and version of what looked for regions; empty when nothing was to be blurred.
    pub detector: String,
    /// Topics that were left out.
    pub omitted: Vec<String>,
    /// By camera and kind, what was found.
    pub regions: BTreeMap<String, BTreeMap<RegionKind, Regions>>,
    /// Pictures that were decoded and encoded again.
    pub pictures: u64,
}

impl RedactionReport {
    /// Signs the redacted file; the source's signature does not fit it.
    ///
    /// # Errors
    /// When the signature cannot be written beside it.
    pub fn sign(&self, key: &SigningKey) -> Result<EpisodeSignature, RecorderError> {
        let signature = EpisodeSignature::new(key, &self.episode.file, self.episode.bytes, &self.episode.sha256);
        crate::signature::write_beside(&self.path, &signature)?;
        Ok(signature)
    }
}
