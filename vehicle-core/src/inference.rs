//! The result of running a policy, wherever it runs.

use super::action::Action;
use policy::{Observation, Policy};

/// A policy's result for one observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InferenceResult {
    /// When the surroundings were seen, on the vehicle's clock.
    pub seen_us: u64,
    /// `VehicleState.sequence` of the observation.
    pub observation_sequence: u64,
    /// What it would do and how sure it is; `None` when it fails or answers nonsense.
    pub proposal: Option<(Action, f64)>,
}

impl InferenceResult {
    /// Runs `policy` on `observation`.
    pub fn of(policy: &mut Policy, observation: &Observation) -> Self {
        let proposed = policy.propose(observation).ok();
        let usable = proposed.filter(|p| p.action().iter().all(|v| v.is_finite()));
        Self {
            seen_us: observation.surroundings.monotonic_us,
            observation_sequence: observation.state.sequence,
            proposal: usable.and_then(|p| Action::new(p.action()).map(|action| (action, p.confidence))),
        }
    }
}
