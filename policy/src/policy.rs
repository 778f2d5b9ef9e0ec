//! A policy in use.

use crate::manifest::{Manifest, sha256_hex};
use crate::network::{Network, Scratch, action_unit, output_count};
use crate::{FORMAT, LayerKind, Observation, PolicyError, artefact, features};
use protocol::{Embodiment, PolicyVersion};
use std::path::Path;
use std::sync::Arc;

/// Most action channels of an embodiment.
pub const MAX_CHANNELS: usize = protocol::MAX_ACTION_CHANNELS;

/// What the policy would do, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proposal {
    /// The embodiment's action channels, within their limits; the rest is zero.
    pub action: [f64; MAX_CHANNELS],
    /// How many of `action` count.
    pub channels: usize,
    /// Probability by its own estimate that no takeover will be needed within the next three seconds.
    pub confidence: f64,
}

impl Proposal {
    /// One value an action channel.
    #[must_use]
    pub fn action(&self) -> &[f64] {
        &self.action[..self.channels]
    }
}

/// A network with all that belongs to it, ready to drive. Clones share the weights.
pub struct Policy {
    manifest: Arc<Manifest>,
    embodiment: Arc<Embodiment>,
    network: Arc<Network>,
    scratch: Scratch,
    outputs: [f32; MAX_CHANNELS + 1],
}

impl Policy {
    /// Makes a policy of a network; works out the manifest's parts that follow from it.
    ///
    /// # Errors
    /// [`PolicyError::Embodiment`] or [`PolicyError::Weights`] when network and embodiment do not fit.
    pub fn new(embodiment: &Embodiment, mut manifest: Manifest, network: Network) -> Result<Self, PolicyError> {
        manifest.format = FORMAT.to_owned();
        manifest.embodiment = embodiment.name.clone();
        manifest.network = network.shape();
        manifest.feature_version = crate::FEATURE_VERSION;
        manifest.action_units = embodiment.action.iter().map(action_unit).collect();
        manifest.weights_sha256 = sha256_hex(&artefact::weights_to_bytes(&network)?);
        Self::assemble(embodiment.clone(), manifest, network)
    }

    pub(crate) fn assemble(embodiment: Embodiment, manifest: Manifest, network: Network) -> Result<Self, PolicyError> {
        if embodiment.action.is_empty() || embodiment.action.len() > MAX_CHANNELS {
            return Err(PolicyError::Embodiment {
                embodiment: embodiment.name.clone(),
                why: format!("has {} action channels, policies take 1 to {MAX_CHANNELS}", embodiment.action.len()),
            });
        }
        if network.outputs() != output_count(&embodiment) {
            return Err(PolicyError::Weights(format!(
                "{} outputs do not fit embodiment {:?} with {} action channels and a confidence",
                network.outputs(),
                embodiment.name,
                embodiment.action.len()
            )));
        }
        let scratch = Scratch::new(&network);
        let (manifest, embodiment, network) = (Arc::new(manifest), Arc::new(embodiment), Arc::new(network));
        Ok(Self { manifest, embodiment, network, scratch, outputs: [0.0; MAX_CHANNELS + 1] })
    }

    /// A policy that has learnt nothing: random weights from `seed`, already in the form in which policies drive.
    ///
    /// # Errors
    /// [`PolicyError::Embodiment`] when it has no or too many action channels.
    pub fn untrained(embodiment: &Embodiment, version: PolicyVersion, seed: u64) -> Result<Self, PolicyError> {
        let network = Network::random(output_count(embodiment), seed)?.with_kinds([LayerKind::Q8_0; 2])?;
        Self::new(embodiment, Manifest::new(version, None, seed), network)
    }

    /// Reads and checks the folder of one version: sizes, format, feature version, embodiment, hash, shapes, numbers.
    ///
    /// # Errors
    /// [`PolicyError`] that names what is wrong; never panics, whatever the files hold.
    pub fn load(dir: &Path) -> Result<Self, PolicyError> {
        artefact::load(dir, None)
    }

    /// As [`Policy::load`], for a robot that is `embodiment`: one that is not built in, or of which the file says more than
    /// its name.
    ///
    /// # Errors
    /// As [`Policy::load`]; [`PolicyError::Embodiment`] also when the policy drives another robot.
    pub fn load_for(embodiment: &Embodiment, dir: &Path) -> Result<Self, PolicyError> {
        artefact::load(dir, Some(embodiment))
    }

    /// Writes the folder of one version, all or nothing: a temporary folder beside it, synced, then renamed. Equal
    /// policies write equal bytes. A folder that already holds exactly this policy is left as it is.
    ///
    /// # Errors
    /// [`PolicyError::Io`] when it cannot be written or `dir` already holds something else: versions do not change.
    pub fn save(&self, dir: &Path) -> Result<(), PolicyError> {
        artefact::save(dir, &self.manifest, &self.network)
    }

    /// What it says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The robot it drives.
    #[must_use]
    pub fn embodiment(&self) -> &Embodiment {
        &self.embodiment
    }

    /// Its weights.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What to do now.
    ///
    /// # Errors
    /// As [`features`].
    pub fn propose(&mut self, observation: &Observation) -> Result<Proposal, PolicyError> {
        let features = features(&self.embodiment, observation)?;
        let channels = self.embodiment.action.len();
        let outputs = &mut self.outputs[..=channels];
        self.network.forward(&features, &mut self.scratch, outputs);
        if let Some(value) = outputs.iter().find(|v| !v.is_finite()) {
            return Err(PolicyError::Weights(format!("the network answers {value}")));
        }
        let mut action = [0.0; MAX_CHANNELS];
        for ((action, channel), output) in action.iter_mut().zip(&self.embodiment.action).zip(outputs.iter()) {
            *action = (f64::from(*output) * action_unit(channel)).clamp(channel.min, channel.max);
        }
        Ok(Proposal { action, channels, confidence: sigmoid(f64::from(outputs[channels])) })
    }
}

impl Clone for Policy {
    fn clone(&self) -> Self {
        Self {
            manifest: Arc::clone(&self.manifest),
            embodiment: Arc::clone(&self.embodiment),
            network: Arc::clone(&self.network),
            scratch: Scratch::new(&self.network),
            outputs: self.outputs,
        }
    }
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}
