//! Into the 8-bit form in which policies drive, and never into a worse one.

use super::report::{Report, report};
use super::train::TrainedNet;
use crate::{Dataset, Split, TrainError};
use policy::{FEATURES, LayerKind, Network, action_unit};
use std::time::Instant;

/// Greatest mean change of an action, in output units, for which a layer may be rounded.
const MEAN_CHANGE: f64 = 0.02;
/// Greatest growth of the loss on the episodes held out.
const LOSS_GROWTH: f64 = 1.02;
/// Loss growth below this is noise whatever the ratio.
const LOSS_NOISE: f64 = 1e-4;
/// Frames that agreement is taken over and passes that are timed.
const FRAMES: usize = 4_096;

/// How a rounded network compares with the one it was made from, on recorded frames held out.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Kinds of the hidden layers.
    pub kinds: [LayerKind; 2],
    /// Mean absolute change of each action channel, in its own unit.
    pub mean: Vec<f64>,
    /// Greatest change of each action channel, in its own unit.
    pub max: Vec<f64>,
    /// Loss of the rounded network.
    pub report: Report,
    /// Median time of one pass, microseconds. Differs from run to run: nothing that is kept may hang on it.
    pub microseconds: f64,
}

/// A network ready to ship.
#[derive(Clone)]
pub struct Quantized {
    /// The weights.
    pub network: Network,
    /// What was tried, from the smallest on; the last was taken.
    pub tried: Vec<Agreement>,
    /// Median time of one pass of the `f32` network, microseconds.
    pub f32_microseconds: f64,
}

impl Quantized {
    /// The form that was taken.
    #[must_use]
    pub fn agreement(&self) -> Option<&Agreement> {
        self.tried.last()
    }
}

/// Rounds the hidden layers to Q8_0; a layer that would change the actions or the loss too much stays `f32`. The choice
/// hangs on the numbers only and not on timings, so that it is the same on every run; times are stated beside it.
///
/// # Errors
/// [`TrainError::Policy`] when a weight is too large for the 8-bit form.
pub fn quantize(trained: &TrainedNet, dataset: &Dataset) -> Result<Quantized, TrainError> {
    quantize_network(&trained.network, dataset, &trained.config.weighting)
}

/// [`quantize`] for any `f32` network.
///
/// # Errors
/// As [`quantize`].
pub fn quantize_network(
    network: &Network,
    dataset: &Dataset,
    weighting: &super::Weighting,
) -> Result<Quantized, TrainError> {
    use LayerKind::{F32, Q8_0};
    let frames: Vec<[f32; FEATURES]> = dataset
        .frames(Split::Validation)
        .iter()
        .filter(|(frame, _)| !frame.perturbed)
        .map(|(frame, _)| frame.features)
        .take(FRAMES)
        .collect();
    let before = report(network, dataset, Split::Validation, weighting);
    let mut tried = Vec::new();
    for kinds in [[Q8_0, Q8_0], [F32, Q8_0], [Q8_0, F32], [F32, F32]] {
        let rounded = network.with_kinds(kinds)?;
        let (mean, max) = changes(network, &rounded, &frames, dataset);
        let after = report(&rounded, dataset, Split::Validation, weighting);
        let units = dataset.embodiment().action.iter().map(action_unit);
        let close = mean.iter().zip(units).all(|(change, unit)| *change <= MEAN_CHANGE * unit);
        let as_good = after.loss <= before.loss * LOSS_GROWTH + LOSS_NOISE;
        let microseconds = median_microseconds(&rounded, &frames);
        tried.push(Agreement { kinds, mean, max, report: after, microseconds });
        if (close && as_good) || kinds == [F32, F32] {
            return Ok(Quantized { network: rounded, tried, f32_microseconds: median_microseconds(network, &frames) });
        }
    }
    Ok(Quantized { network: network.clone(), tried, f32_microseconds: median_microseconds(network, &frames) })
}

fn changes(a: &Network, b: &Network, frames: &[[f32; FEATURES]], dataset: &Dataset) -> (Vec<f64>, Vec<f64>) {
    let channels = dataset.channels();
    let (mut sum, mut max) = (vec![0.0; channels], vec![0.0f64; channels]);
    let (mut first, mut second) = (a.evaluator(), b.evaluator());
    let (mut one, mut other) = (vec![0.0; a.outputs()], vec![0.0; b.outputs()]);
    for features in frames {
        first(features, &mut one);
        second(features, &mut other);
        for (i, channel) in dataset.embodiment().action.iter().enumerate() {
            let unit = action_unit(channel);
            let clamp = |v: f32| (f64::from(v) * unit).clamp(channel.min, channel.max);
            let change = (clamp(one[i]) - clamp(other[i])).abs();
            sum[i] += change / frames.len() as f64;
            max[i] = max[i].max(change);
        }
    }
    (sum, max)
}

fn median_microseconds(network: &Network, frames: &[[f32; FEATURES]]) -> f64 {
    let mut evaluate = network.evaluator();
    let mut outputs = vec![0.0; network.outputs()];
    let mut times: Vec<f64> = frames
        .iter()
        .map(|features| {
            let start = Instant::now();
            evaluate(std::hint::black_box(features), &mut outputs);
            std::hint::black_box(&mut outputs);
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}
