//! The artefact of a new version.

use crate::learn::{Quantized, Report, TrainedNet};
use crate::{Dataset, TrainError};
use policy::{Manifest, Network, Policy};
use protocol::{Embodiment, PolicyVersion};
use std::path::Path;

/// What a version can say about how it was made. Only figures that the same seed and data give again are in it: times
/// are not.
#[must_use]
pub fn manifest_of(
    version: PolicyVersion,
    parent: Option<PolicyVersion>,
    dataset: &Dataset,
    trained: &TrainedNet,
    quantized: &Quantized,
) -> Manifest {
    let mut manifest = Manifest::new(version, parent, trained.config.seed);
    manifest.episodes = dataset.trained_on();
    manifest.frames = trained.frames as u64;
    let mut note = |name: &str, value: f64| {
        // A mean over nothing is no figure, and a number that JSON lacks could not be read again.
        if value.is_finite() {
            manifest.metrics.insert(name.to_owned(), value);
        }
    };
    note("train_steps", trained.config.steps as f64);
    note("best_step", trained.best_step as f64);
    for (name, count) in ["frames_rollout", "frames_pre_takeover", "frames_demonstration", "frames_takeover"]
        .iter()
        .zip(dataset.label_counts())
    {
        note(name, count as f64);
    }
    figures("validation_f32", &trained.validation, dataset.embodiment(), &mut note);
    if let Some(agreement) = quantized.agreement() {
        figures("validation", &agreement.report, dataset.embodiment(), &mut note);
        for (channel, (mean, max)) in dataset.embodiment().action.iter().zip(agreement.mean.iter().zip(&agreement.max))
        {
            note(&format!("quantization_mean_change_{}", channel.name), *mean);
            note(&format!("quantization_max_change_{}", channel.name), *max);
        }
    }
    manifest
}

fn figures(prefix: &str, report: &Report, embodiment: &Embodiment, note: &mut impl FnMut(&str, f64)) {
    note(&format!("{prefix}_loss"), report.loss);
    note(&format!("{prefix}_frames"), report.frames as f64);
    note(&format!("{prefix}_confidence_loss"), report.confidence_loss);
    note(&format!("{prefix}_calibration_error"), report.calibration_error);
    note(&format!("{prefix}_recall_at_5_percent"), report.recall_at_5_percent);
    note(&format!("{prefix}_level_at_5_percent"), report.level_at_5_percent);
    for (channel, error) in embodiment.action.iter().zip(&report.action_error) {
        note(&format!("{prefix}_mean_error_{}", channel.name), *error);
    }
}

/// Writes `policies_dir/<version>/`, all or nothing, and gives the policy that was written.
///
/// # Errors
/// [`TrainError::Policy`] when the network does not fit the embodiment, the folder cannot be written, or the version
/// exists with other content.
pub fn publish(
    policies_dir: &Path,
    embodiment: &Embodiment,
    manifest: Manifest,
    network: Network,
) -> Result<Policy, TrainError> {
    let policy = Policy::new(embodiment, manifest, network)?;
    policy.save(&policies_dir.join(policy.manifest().version.as_str()))?;
    Ok(policy)
}
