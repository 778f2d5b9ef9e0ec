//! How well a network imitates, and how well it knows itself.

use super::sample::{Table, Weighting};
use crate::{Dataset, Split};
use policy::{FEATURES, Network, action_unit};

/// Bins of the calibration error.
const BINS: usize = 10;
/// False alarms that are put up with when recall is stated.
const FALSE_ALARMS: f64 = 0.05;

/// Figures on recorded frames; perturbed ones are left out where episodes are held out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Huber's loss of the actions in output units, frames weighted as in training.
    pub loss: f64,
    /// Mean absolute error of each action channel in its own unit, frames weighted as in training.
    pub action_error: Vec<f64>,
    /// Frames that these two are over.
    pub frames: usize,
    /// Cross entropy of the confidence; zero without frames to judge by.
    pub confidence_loss: f64,
    /// Expected calibration error of the confidence over ten bins (Guo et al. 2017).
    pub calibration_error: f64,
    /// Share of the frames before a needed takeover at which the confidence is below the level that one in twenty of
    /// the other frames falls below.
    pub recall_at_5_percent: f64,
    /// That level of confidence; 0 when no frame is known to need no help.
    pub level_at_5_percent: f64,
    /// Frames whose need for help is known, and how many needed it.
    pub judged: (usize, usize),
}

/// Judges a network by a part of a dataset.
#[must_use]
pub fn report(network: &Network, dataset: &Dataset, split: Split, weighting: &Weighting) -> Report {
    report_table(network, &Table::new(dataset, split, weighting), dataset, usize::MAX)
}

pub(super) fn report_table(network: &Network, table: &Table, dataset: &Dataset, most: usize) -> Report {
    let channels = dataset.channels();
    let mut report = Report { action_error: vec![0.0; channels], ..Report::default() };
    let mut evaluate = network.evaluator();
    let mut outputs = vec![0.0f32; network.outputs()];
    for (frame, weight) in table.spread(most) {
        evaluate(&frame.features, &mut outputs);
        for ((sum, output), target) in report.action_error.iter_mut().zip(&outputs).zip(&frame.target) {
            let error = f64::from((output - target).abs());
            *sum += weight * error;
            let bent = error.min(1.0);
            report.loss += weight * bent * (error - 0.5 * bent) / channels as f64;
        }
        report.frames += 1;
    }
    for (error, channel) in report.action_error.iter_mut().zip(&dataset.embodiment().action) {
        *error *= action_unit(channel);
    }
    let logit = |features: &[f32; FEATURES]| {
        evaluate(features, &mut outputs);
        f64::from(outputs[channels])
    };
    confidence(&mut report, table, logit);
    report
}

fn confidence(report: &mut Report, table: &Table, mut logit: impl FnMut(&[f32; FEATURES]) -> f64) {
    let mut judged: Vec<(f64, bool)> =
        table.judged().map(|frame| (logit(&frame.features), frame.help == Some(true))).collect();
    if judged.is_empty() {
        return;
    }
    let count = judged.len() as f64;
    let entropy = |(z, help): &(f64, bool)| (-z.abs()).exp().ln_1p() + z.max(0.0) - if *help { 0.0 } else { *z };
    report.confidence_loss = judged.iter().map(entropy).sum::<f64>() / count;
    let mut bins = [(0.0, 0.0); BINS];
    for (z, help) in &mut judged {
        *z = 1.0 / (1.0 + (-*z).exp());
        let bin = &mut bins[((*z * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + *z, bin.1 + f64::from(u8::from(!*help)));
    }
    report.calibration_error = bins.iter().map(|(said, was)| (said - was).abs()).sum::<f64>() / count;
    let mut calm: Vec<f64> = judged.iter().filter(|(_, help)| !help).map(|(p, _)| *p).collect();
    calm.sort_by(f64::total_cmp);
    let needed = judged.len() - calm.len();
    report.judged = (judged.len(), needed);
    if let Some(level) = calm.get((calm.len() as f64 * FALSE_ALARMS) as usize) {
        report.level_at_5_percent = *level;
        let found = judged.iter().filter(|(p, help)| *help && p < level).count();
        report.recall_at_5_percent = found as f64 / needed.max(1) as f64;
    }
}
