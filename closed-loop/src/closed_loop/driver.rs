//! What drives in the policy's place.

use policy::{Observation, Policy};
use protocol::Embodiment;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vehicle_core::InferenceResult;

/// Whatever drives in the policy's place, asked once for each look at the surroundings.
pub trait LoopDriver {
    /// What it would do; `None` when it has no answer, as one that hangs.
    fn infer(&mut self, observation: &Observation) -> Option<InferenceResult>;
}

impl LoopDriver for Policy {
    fn infer(&mut self, observation: &Observation) -> Option<InferenceResult> {
        Some(InferenceResult::of(self, observation))
    }
}

/// Nothing drives but seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoDriver;

impl LoopDriver for NoDriver {
    fn infer(&mut self, _: &Observation) -> Option<InferenceResult> {
        None
    }
}

/// Disturbs what a driver proposes: each channel by a normal deviate of its own, within the channel's limits.
#[derive(Debug, Clone)]
pub struct ActionNoise {
    share: f64,
    rng: ChaCha8Rng,
}

impl ActionNoise {
    /// With a standard deviation of this share of half of each channel's range.
    #[must_use]
    pub fn new(share: f64, seed: u64) -> Self {
        Self { share, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    pub(super) fn reseed(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
    }

    pub(super) fn disturb(&mut self, embodiment: &Embodiment, inference: &mut InferenceResult) {
        let Some((action, _)) = &mut inference.proposal else { return };
        for (value, channel) in action.as_mut_slice().iter_mut().zip(&embodiment.action) {
            let deviation = self.share * (channel.max - channel.min) / 2.0;
            *value = (*value + deviation * self.normal()).clamp(channel.min, channel.max);
        }
    }

    /// A normal deviate (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.rng.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.rng.random::<f64>()).cos()
    }
}
