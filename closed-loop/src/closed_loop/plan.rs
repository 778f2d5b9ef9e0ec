//! What a closed loop is built from.

use super::{EmptySeat, LinkModel, ModelledLink, NoFaults, VIRTUAL_EPOCH_NS};
use policy::{Policy, PolicyError};
use protocol::{IdError, VehicleId};
use sim::operator::ScriptedOperator;
use sim::road::{RoadError, RoadNetwork};
use sim::world::WorldConfig;
use std::sync::Arc;
use vehicle_core::camera::CameraModel;
use vehicle_core::{CoreConfig, CoreError};

/// What a loop is built from.
#[derive(Debug, Clone)]
pub struct LoopPlan {
    /// Start of its takeovers' identifiers.
    pub id: String,
    /// Who drives.
    pub vehicle: VehicleId,
    /// Where.
    pub network: Arc<RoadNetwork>,
    /// Traffic, difficulties, seed.
    pub world: WorldConfig,
    /// Settings of the vehicle core. Whether it runs its policy is the loop's business: the loop runs what drives, as
    /// the bridge's policy runner does, and hands its results over.
    pub core: CoreConfig,
    /// The last epoch that the vehicle granted before.
    pub epoch: u64,
    /// The vehicle's clock before the first tick, microseconds.
    pub begins_us: u64,
    /// Virtual time at which that clock read zero, nanoseconds since 1970.
    pub wall_ns: u64,
    /// The robot's cameras, in the order of their streams.
    pub cameras: Vec<CameraModel>,
    /// The vehicle sends its state to the seat at every tick whose number is a multiple of this.
    pub state_every: u64,
    /// Whether the vehicle's answers to requests are sent to the seat; otherwise they stay in
    /// [`vehicle_core::Tick::responses`].
    pub sends_answers: bool,
}

impl LoopPlan {
    /// A vehicle that starts at [`VIRTUAL_EPOCH_NS`], without cameras, and tells its seat what the bridge would: its
    /// state 25 times a second, and its answers.
    #[must_use]
    pub fn new(id: &str, vehicle: VehicleId, network: Arc<RoadNetwork>, world: WorldConfig) -> Self {
        Self {
            id: id.to_owned(),
            vehicle,
            network,
            world,
            core: CoreConfig::default(),
            epoch: 0,
            begins_us: 0,
            wall_ns: VIRTUAL_EPOCH_NS,
            cameras: Vec::new(),
            state_every: 2,
            sends_answers: true,
        }
    }
}

/// What differs from loop to loop; owned by the loop and open to whoever runs it.
#[derive(Debug, Clone)]
pub struct LoopParts<S = ScriptedOperator, D = Policy, L = ModelledLink, F = NoFaults> {
    /// The operator's seat.
    pub seat: S,
    /// What drives in the policy's place.
    pub driver: D,
    /// The link between the two.
    pub link: L,
    /// What breaks.
    pub faults: F,
}

impl<D> LoopParts<EmptySeat, D> {
    /// Nobody at a seat and nothing that breaks: whoever runs the loop speaks at the vehicle's own ear
    /// ([`super::ClosedLoop::hear`]), and no link loses or delays anything of that.
    #[must_use]
    pub fn without_seat(driver: D) -> Self {
        Self { seat: EmptySeat, driver, link: ModelledLink::new(&LinkModel::default(), 0), faults: NoFaults }
    }
}

/// Why a loop cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// The road network has no route, or the robot does not drive.
    #[error(transparent)]
    Road(#[from] RoadError),
    /// The core refuses the embodiment.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// An identifier does not fit.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The policy does not fit the embodiment.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}
