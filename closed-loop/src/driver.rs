//! Who drives in the policy's seat.

use crate::closed_loop::LoopDriver;
use policy::Observation;
use protocol::Embodiment;
use serde::{Deserialize, Serialize};
use sim::operator::{Planner, View, drive};
use vehicle_core::InferenceResult;
use vehicle_core::action::Action;

/// Who makes the proposals that the vehicle drives by while nobody has taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// The policy that the vehicle has loaded.
    #[default]
    Policy,
    /// The scripted operator's own driving, as good as it would be at the wheel: it looks when a policy does and at what a
    /// policy sees, without a link between. The loaded policy only lends its name.
    Operator,
}

/// The scripted operator in the policy's seat.
#[derive(Debug, Clone)]
pub(crate) struct OperatorInSeat {
    embodiment: Embodiment,
    planner: Planner,
}

impl OperatorInSeat {
    pub(crate) fn new(embodiment: Embodiment) -> Self {
        Self { embodiment, planner: Planner::default() }
    }
}

impl LoopDriver for OperatorInSeat {
    fn infer(&mut self, observation: &Observation) -> Option<InferenceResult> {
        let Observation { state, surroundings } = *observation;
        let view = View::new(&self.embodiment, surroundings, state, state, 0);
        let action = view.map(|view| drive(&view, &self.planner.plan(&view), &self.embodiment));
        Some(InferenceResult {
            seen_us: surroundings.monotonic_us,
            observation_sequence: state.sequence,
            proposal: action.and_then(|action| Action::new(&action)).map(|action| (action, 1.0)),
        })
    }
}
