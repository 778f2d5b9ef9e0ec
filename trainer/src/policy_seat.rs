//! Who can be put into the policy's seat: a learned policy, the scripted operator, the reference driver.

use closed_loop::driver::Driver;
use policy::{FEATURES, Layer, Manifest, Network, Policy, PolicyError, action_unit, feature_index, output_count};
use protocol::api::EvaluationRole;
use protocol::{Embodiment, PolicyVersion};

/// A driver in the policy's seat.
#[derive(Clone)]
pub struct PolicySeat {
    /// The policy, or who lends the operator a name and a robot.
    pub policy: Policy,
    /// Who drives.
    pub driver: Driver,
    /// As reports name it.
    pub role: EvaluationRole,
}

impl From<Policy> for PolicySeat {
    fn from(policy: Policy) -> Self {
        Self { policy, driver: Driver::Policy, role: EvaluationRole::Policy }
    }
}

/// Weight of the reference driver's pure pursuit, rad: the size of the feature's unit.
const STEERING_RAD: f64 = 0.1;
/// Weight of its acceleration and of its braking for people, m/s^2: the size of the features' unit.
const ACCELERATION_MPS2: f64 = 2.0;
/// The reference driver never asks for help: logit of a confidence that is all but certain.
const CERTAIN: f32 = 8.0;
/// Width of the hidden layers that say nothing: the narrowest there is.
const NARROW: usize = 32;

impl PolicySeat {
    /// The scripted operator's own driving.
    ///
    /// # Errors
    /// [`PolicyError`] when the embodiment has no or too many action channels.
    pub fn operator(robot: &Embodiment) -> Result<Self, PolicyError> {
        let silent = vec![0.0; FEATURES * output_count(robot)];
        let policy = linear(robot, EvaluationRole::Operator, silent)?;
        Ok(Self { policy, driver: Driver::Operator, role: EvaluationRole::Operator })
    }

    /// The reference driver, three weights set by hand: acceleration is 2 m/s^2 times the intelligent driver model on the own
    /// path less braking for people, steering is 0.1 rad times pure pursuit of the lane 1.5 s ahead. It keeps its lane, its
    /// distance and to the limit, and passes nobody.
    ///
    /// # Errors
    /// [`PolicyError::Embodiment`] when the robot does not steer by an angle.
    pub fn reference(robot: &Embodiment) -> Result<Self, PolicyError> {
        let unfit = |why: &str| PolicyError::Embodiment { embodiment: robot.name.clone(), why: why.to_owned() };
        let outputs = output_count(robot);
        let mut weights = vec![0.0f32; FEATURES * outputs];
        let rules = [
            ("acceleration_mps2", "idm_own_path", ACCELERATION_MPS2),
            ("acceleration_mps2", "pedestrian_braking", -ACCELERATION_MPS2),
            ("steering_rad", "pure_pursuit_1.5s", STEERING_RAD),
        ];
        for (channel, feature, weight) in rules {
            let missing = || unfit(&format!("has no action channel {channel}, which the reference driver drives by"));
            let output = robot.action_index(channel).ok_or_else(missing)?;
            let input = feature_index(feature).ok_or_else(|| unfit(&format!("features lack {feature}")))?;
            let unit = robot.action.get(output).map_or(1.0, action_unit);
            weights[output * FEATURES + input] = (weight / unit) as f32;
        }
        let policy = linear(robot, EvaluationRole::Reference, weights)?;
        Ok(Self { policy, driver: Driver::Policy, role: EvaluationRole::Reference })
    }
}

/// A policy that is its skip layer alone, named as its role.
fn linear(robot: &Embodiment, role: EvaluationRole, weights: Vec<f32>) -> Result<Policy, PolicyError> {
    let outputs = output_count(robot);
    let nothing =
        |inputs: usize, outputs: usize| Layer::new(inputs, outputs, vec![0.0; inputs * outputs], vec![0.0; outputs]);
    let mut bias = vec![0.0; outputs];
    bias[outputs - 1] = CERTAIN;
    let output = Layer::new(NARROW, outputs, vec![0.0; NARROW * outputs], bias)?;
    let skip = Layer::new(FEATURES, outputs, weights, vec![0.0; outputs])?;
    let network = Network::new([nothing(FEATURES, NARROW)?, nothing(NARROW, NARROW)?], output, skip)?;
    let named = PolicyVersion::new(role.label());
    let version = named.map_err(|e| PolicyError::ManifestContent(e.to_string()))?;
    Policy::new(robot, Manifest::new(version, None, 0), network)
}
