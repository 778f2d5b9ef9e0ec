//! What leaves the control plane's storage: by retention rules and by erasures.

use crate::EpisodeId;
use crate::erasure::Proof;
use serde::{Deserialize, Serialize};

/// One row of `GET /api/v1/removals`: an episode that left the storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Its identity.
    pub id: EpisodeId,
    /// SHA-256 of its file, hex; empty when the file had not come.
    pub sha256: String,
    /// Size of its file.
    pub bytes: u64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Which rule said so, or that it was erased.
    pub why: String,
}

/// `POST /api/v1/retention`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRequest {
    /// Only say what would go.
    pub dry_run: bool,
    /// Rules to try, TOML; those in force without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionReport {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// How many episodes there were.
    pub episodes: u64,
    /// What went, or would.
    pub removed: Vec<Removal>,
}

/// `GET /api/v1/erasures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasures {
    /// The public key that the proofs are signed with.
    pub key: String,
    /// From the first on.
    pub proofs: Vec<Proof>,
    /// Erasures that still have something to remove.
    pub unfinished: u64,
}
