//! From what the robot knows to what it should do: observation -> features -> quantized network -> action, confidence.
//!
//! - [`features`] is the one function that turns an [`Observation`] into numbers for a network, used when training and
//!   when driving. Its layout has a version, [`FEATURE_VERSION`]; an artefact of another version is refused.
//!   What the robot is made of is read from its embodiment.
//! - [`Policy`] is a loaded artefact: [`Policy::load`] trusts nothing in the folder, [`Policy::propose`] answers one
//!   observation in microseconds on one thread, without allocating.
//! - [`Network`] is the weights as such, which the trainer starts from and hands back.
//!
//! ```
//! use policy::{Observation, Policy};
//! use protocol::{Embodiment, PolicyVersion, v1};
//!
//! let car = Embodiment::ackermann_car();
//! let mut policy = Policy::untrained(&car, PolicyVersion::new("v0")?, 7)?;
//! let state = v1::VehicleState { observation: vec![8.0, 0.0, 0.0, 0.0], ..Default::default() };
//! let corridor = (0..41).map(|i| v1::CorridorPoint {
//!     s_m: 3.0 * i as f32, x_m: 3.0 * i as f32, lane_left_m: 1.75, lane_right_m: 1.75, drivable_left_m: 1.75,
//!     drivable_right_m: 1.75, road_left_m: 5.25, road_right_m: 1.75, speed_limit_mps: 13.9, ..Default::default()
//! });
//! let surroundings = v1::Surroundings {
//!     corridor: corridor.collect(), visibility_m: 120.0, friction: 0.9, route_left_m: 900.0, ..Default::default()
//! };
//! let proposal = policy.propose(&Observation { state: &state, surroundings: &surroundings })?;
//! assert_eq!(proposal.action().len(), car.action.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It does not train, keep a history of observations, or decide whether a proposal may be executed: the vehicle's gate
//! does that.

mod artefact;
mod corridor;
mod error;
mod features;
mod layer;
mod manifest;
mod network;
mod policy;

pub use artefact::{MANIFEST_FILE, MAX_MANIFEST_BYTES, MAX_WEIGHTS_BYTES, WEIGHTS_FILE};
pub use corridor::{Along, Corridor};
pub use error::PolicyError;
pub use features::{FEATURE_NAMES, FEATURE_VERSION, FEATURES, Observation, feature_index, features};
pub use layer::{Layer, LayerKind};
pub use manifest::{FORMAT, Manifest, NetworkShape, TrainedOn};
pub use network::{HIDDEN, Network, action_unit, output_count};
pub use policy::{MAX_CHANNELS, Policy, Proposal};
