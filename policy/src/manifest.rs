//! What an artefact says about itself: `manifest.json`.

use crate::{FEATURE_VERSION, FEATURES, LayerKind, PolicyError};
use protocol::{EpisodeId, PolicyVersion};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The artefact's format.
pub const FORMAT: &str = "takeover-policy/1";

/// One episode that a policy learnt from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainedOn {
    /// The episode.
    pub episode: EpisodeId,
    /// SHA-256 of its file, hex.
    pub sha256: String,
}

/// Sizes of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkShape {
    /// Inputs.
    pub features: usize,
    /// Widths of the hidden layers.
    pub hidden: [usize; 2],
    /// Action channels and the confidence.
    pub outputs: usize,
    /// Between the layers.
    pub activation: String,
    /// How each hidden layer's weights are held.
    pub hidden_kinds: [LayerKind; 2],
}

/// Describes a policy version. What [`crate::Policy::new`] works out by itself is marked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`]. Worked out.
    pub format: String,
    /// This version.
    pub version: PolicyVersion,
    /// The version it was trained from.
    pub parent: Option<PolicyVersion>,
    /// Name of the embodiment it drives. Worked out.
    pub embodiment: String,
    /// [`crate::FEATURE_VERSION`] it was trained with. Worked out.
    pub feature_version: u32,
    /// Sizes of the network. Worked out.
    pub network: NetworkShape,
    /// Size of an output unit, an action channel each, in the channel's unit. Worked out.
    pub action_units: Vec<f64>,
    /// Seed of whatever was random in its making.
    pub seed: u64,
    /// What it learnt from, in the order of the ids.
    pub episodes: Vec<TrainedOn>,
    /// How many frames it learnt from.
    pub frames: u64,
    /// Figures of training and evaluation by name.
    pub metrics: BTreeMap<String, f64>,
    /// SHA-256 of `weights.safetensors`, hex. Worked out.
    pub weights_sha256: String,
}

impl Manifest {
    /// A manifest with nothing learnt yet; [`crate::Policy::new`] fills in the rest.
    #[must_use]
    pub fn new(version: PolicyVersion, parent: Option<PolicyVersion>, seed: u64) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version,
            parent,
            embodiment: String::new(),
            feature_version: FEATURE_VERSION,
            network: NetworkShape {
                features: FEATURES,
                hidden: [0; 2],
                outputs: 0,
                activation: String::new(),
                hidden_kinds: [LayerKind::F32; 2],
            },
            action_units: Vec::new(),
            seed,
            episodes: Vec::new(),
            frames: 0,
            metrics: BTreeMap::new(),
            weights_sha256: String::new(),
        }
    }

    /// The bytes of `manifest.json`; equal manifests give equal bytes.
    ///
    /// # Errors
    /// [`PolicyError::ManifestContent`] when a metric is not finite: JSON has no such number.
    pub fn to_json(&self) -> Result<Vec<u8>, PolicyError> {
        if let Some((name, value)) = self.metrics.iter().find(|(_, v)| !v.is_finite()) {
            return Err(PolicyError::ManifestContent(format!("metric {name} is {value}")));
        }
        let mut json = serde_json::to_vec_pretty(self).map_err(|e| PolicyError::ManifestContent(e.to_string()))?;
        json.push(b'\n');
        Ok(json)
    }

    /// SHA-256 of `manifest.json`, hex; as it covers the hash of the weights, it identifies the policy.
    ///
    /// # Errors
    /// As [`Manifest::to_json`].
    pub fn sha256(&self) -> Result<String, PolicyError> {
        Ok(sha256_hex(&self.to_json()?))
    }
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
