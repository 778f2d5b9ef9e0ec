//! Which frames a step learns from.

use crate::dataset::{Dataset, Frame, FrameLabel, Split};
use policy::FEATURES;
use protocol::PolicyVersion;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// How often frames of each label are drawn: the probability mass of the labels together, before the classes that a
/// dataset lacks are left out and the rest is brought back to one.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighting {
    /// Mass of the frames that a person drove after taking over.
    pub takeover: f64,
    /// Mass of the frames before a takeover.
    pub pre_takeover: f64,
    /// Policies whose rollouts are not imitated and whose need for help says nothing about a successor, such as an
    /// untrained one.
    pub distrusted: Vec<PolicyVersion>,
}

impl Default for Weighting {
    /// Sirius' scheme (Liu et al. 2022): takeovers half, the moments before them next to nothing, demonstrations their
    /// natural share and rollouts what is left.
    fn default() -> Self {
        Self { takeover: 0.5, pre_takeover: 0.002, distrusted: Vec::new() }
    }
}

impl Weighting {
    /// Mass of each label, in the order of [`FrameLabel`], for a dataset with these numbers of frames; sums to one
    /// unless nothing is there.
    #[must_use]
    pub fn masses(&self, counts: [usize; 4]) -> [f64; 4] {
        let total: usize = counts.iter().sum();
        let [rollout, pre, demonstration, takeover] =
            [FrameLabel::Rollout, FrameLabel::PreTakeover, FrameLabel::Demonstration, FrameLabel::Takeover]
                .map(|l| l as usize);
        let mut masses = [0.0; 4];
        masses[takeover] = self.takeover;
        masses[pre] = self.pre_takeover;
        masses[demonstration] = counts[demonstration] as f64 / total.max(1) as f64;
        masses[rollout] = (1.0 - masses.iter().sum::<f64>()).max(0.0);
        for (mass, count) in masses.iter_mut().zip(counts) {
            *mass *= f64::from(u8::from(count > 0));
        }
        let sum: f64 = masses.iter().sum();
        masses.map(|mass| if sum > 0.0 { mass / sum } else { 0.0 })
    }
}

/// Frames in the form in which steps use them.
pub(super) struct Table {
    frames: Vec<Frame>,
    channels: usize,
    /// Frames to imitate, by label.
    imitate: [Vec<u32>; 4],
    masses: [f64; 4],
    /// Frames whose need for help is known.
    judge: Vec<u32>,
}

/// Some rows of a table, flat and row-major.
#[derive(Default)]
pub(super) struct Rows {
    pub features: Vec<f32>,
    /// Targets, `channels` a row.
    pub targets: Vec<f32>,
    /// 1 when no help will be needed.
    pub confident: Vec<f32>,
}

impl Table {
    pub(super) fn new(dataset: &Dataset, split: Split, weighting: &Weighting) -> Self {
        let mut imitate: [Vec<u32>; 4] = Default::default();
        let mut judge = Vec::new();
        let mut frames = Vec::new();
        for (index, (frame, policy)) in dataset.frames(split).into_iter().enumerate() {
            let policy_drove = matches!(frame.label, FrameLabel::Rollout | FrameLabel::PreTakeover);
            let is_distrusted = policy_drove && weighting.distrusted.contains(policy);
            let is_invented = frame.perturbed && split == Split::Validation;
            if !is_distrusted && !is_invented {
                imitate[frame.label as usize].push(index as u32);
                if frame.help.is_some() {
                    judge.push(index as u32);
                }
            }
            frames.push(frame);
        }
        let masses = weighting.masses(imitate.each_ref().map(Vec::len));
        Self { frames, channels: dataset.channels(), imitate, masses, judge }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.imitate.iter().all(Vec::is_empty)
    }

    /// How many frames there are to imitate or judge.
    pub(super) fn len(&self) -> usize {
        self.imitate.iter().map(Vec::len).sum()
    }

    /// Rows to imitate, drawn by the labels' masses, then evenly within a label.
    pub(super) fn draw(&self, count: usize, rng: &mut ChaCha8Rng, rows: &mut Rows) {
        for _ in 0..count {
            let mut at: f64 = rng.random_range(0.0..1.0);
            let mut chosen = self.imitate.iter().rposition(|class| !class.is_empty()).unwrap_or(0);
            for (class, mass) in self.masses.iter().enumerate() {
                if *mass > 0.0 && at < *mass {
                    chosen = class;
                    break;
                }
                at -= mass;
            }
            let class = &self.imitate[chosen];
            self.push(class[rng.random_range(0..class.len())], rows);
        }
    }

    /// Rows whose need for help is known, in their natural shares.
    pub(super) fn draw_judged(&self, count: usize, rng: &mut ChaCha8Rng, rows: &mut Rows) {
        for _ in 0..count.min(self.judge.len().saturating_mul(count)) {
            self.push(self.judge[rng.random_range(0..self.judge.len())], rows);
        }
    }

    /// At most `most` rows to imitate, evenly spread over the frames, each with the weight that drawing would give it.
    pub(super) fn spread(&self, most: usize) -> Vec<(&Frame, f64)> {
        let mut picked = Vec::new();
        for (class, mass) in self.imitate.iter().zip(self.masses) {
            let chosen: Vec<_> = class.iter().step_by((self.len() / most.max(1)).max(1)).collect();
            let weight = mass / chosen.len().max(1) as f64;
            picked.extend(chosen.into_iter().map(|i| (&self.frames[*i as usize], weight)));
        }
        picked
    }

    /// All frames whose need for help is known.
    pub(super) fn judged(&self) -> impl Iterator<Item = &Frame> {
        self.judge.iter().map(|i| &self.frames[*i as usize])
    }

    fn push(&self, index: u32, rows: &mut Rows) {
        let frame = &self.frames[index as usize];
        rows.features.extend_from_slice(&frame.features);
        rows.targets.extend_from_slice(&frame.target[..self.channels]);
        rows.confident.push(if frame.help == Some(true) { 0.0 } else { 1.0 });
    }
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.features.clear();
        self.targets.clear();
        self.confident.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.features.len() / FEATURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masses_are_those_of_the_paper_whatever_the_counts() {
        let weighting = Weighting::default();
        let masses = weighting.masses([5000, 300, 0, 1000]);
        assert!((masses[3] - 0.5).abs() < 1e-9 && (masses[1] - 0.002).abs() < 1e-9 && (masses[0] - 0.498).abs() < 1e-9);
        let masses = weighting.masses([100, 0, 9000, 900]);
        assert!(masses[0] == 0.0 && (masses.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{masses:?}");
        assert_eq!(weighting.masses([0, 0, 0, 10]), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(weighting.masses([0; 4]), [0.0; 4]);
    }
}
