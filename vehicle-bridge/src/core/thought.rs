//! What a policy answers, wherever it runs.

use super::action::Action;
use policy::{Observation, Policy};

/// A policy's answer to one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thought {
    /// When the surroundings were seen that it answers, on the vehicle's clock.
    pub seen_us: u64,
    /// `VehicleState.sequence` that it answers.
    pub observation_sequence: u64,
    /// What it would do and how sure it is; `None` when it fails or answers nonsense.
    pub proposal: Option<(Action, f64)>,
}

impl Thought {
    /// Asks `policy`.
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
