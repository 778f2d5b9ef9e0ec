//! What a vehicle core is made of and what it tells.

use super::action::{Action, MAX_CHANNELS};
use super::assist::Assistant;
use super::authority::Authority;
use super::fallback::StoppingPath;
use super::gate::Validated;
use super::gate::admission::{Admission, Input};
use super::gate::limits::Motion;
use super::geofence::Geofence;
use super::governor::Governor;
use super::handover::Handover;
use super::health::{ActuatorMonitor, SensorWatch};
use super::reset_hold::ResetHold;
use super::tally::Tally;
use super::{CoreConfig, InferenceResult, Tick};
use policy::Policy;
use protocol::v1::{Author, OperatorInput, PolicyProposal, PolicyStatus, Reason};
use protocol::{Embodiment, PolicyVersion};
use std::sync::Arc;

/// The core of one vehicle. A clone goes on from the same state by itself.
#[derive(Clone)]
pub struct VehicleCore {
    pub(super) embodiment: Arc<Embodiment>,
    pub(super) config: CoreConfig,
    pub(super) authority: Authority,
    pub(super) admission: Admission,
    pub(super) governor: Governor,
    pub(super) handover: Handover,
    pub(super) reset_hold: ResetHold,
    pub(super) motion: Motion,
    pub(super) sensors: SensorWatch,
    pub(super) actuators: ActuatorMonitor,
    pub(super) policy: Policy,
    pub(super) previous: Option<PolicyVersion>,
    pub(super) policy_healthy: bool,
    pub(super) policy_suspended: bool,
    pub(super) stopping: StoppingPath,
    pub(super) assistant: Assistant,
    pub(super) operator: Option<Validated<Input>>,
    /// The newest result of a policy that runs elsewhere, since the last tick.
    pub(super) received_inference: Option<InferenceResult>,
    /// The policy's newest proposal and when it was made.
    pub(super) proposal: Option<(Action, u64)>,
    /// What keeps the robot from moving at all.
    pub(super) unfit: Option<Reason>,
    pub(super) last_surroundings_us: Option<u64>,
    pub(super) unsure_since_us: Option<u64>,
    pub(super) last_tick_us: Option<u64>,
    pub(super) sequence: u64,
    pub(super) accelerate: usize,
    pub(super) steer: Option<usize>,
    pub(super) tally: Tally,
    /// Messages of earlier ticks, whose memory is used again.
    pub(super) spare_proposal: PolicyProposal,
    pub(super) spare_operator: OperatorInput,
}

/// Why a core cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The embodiment has no channel that slows it.
    #[error("embodiment {0:?} has no action channel \"acceleration_mps2\"; the core needs it to stop the robot")]
    NoAcceleration(String),
    /// More action channels than the core handles.
    #[error("embodiment {0:?} has {1} action channels; at most {max} are supported", max = MAX_CHANNELS)]
    TooManyChannels(String, usize),
}

impl VehicleCore {
    /// A stopped vehicle with `policy` loaded. `epoch` is the last one that this vehicle ever granted.
    ///
    /// # Errors
    /// [`CoreError`] when the core cannot stop such an embodiment.
    pub fn new(embodiment: Embodiment, config: CoreConfig, policy: Policy, epoch: u64) -> Result<Self, CoreError> {
        let channels = embodiment.channels();
        let (accelerate, steer) = (channels.accelerate, channels.steer);
        let accelerate = accelerate.ok_or_else(|| CoreError::NoAcceleration(embodiment.name.clone()))?;
        let zeros = [0.0; MAX_CHANNELS];
        let channels = embodiment.action.len();
        let too_many = || CoreError::TooManyChannels(embodiment.name.clone(), channels);
        let rest = zeros.get(..channels).and_then(Action::new).ok_or_else(too_many)?;
        Ok(Self {
            steer,
            authority: Authority::new(epoch, config.self_check_us),
            embodiment: Arc::new(embodiment),
            admission: Admission::default(),
            governor: Governor::default(),
            handover: Handover::default(),
            reset_hold: ResetHold::default(),
            motion: Motion::at(rest),
            sensors: SensorWatch::new(config.expects),
            config,
            actuators: ActuatorMonitor::default(),
            policy,
            previous: None,
            policy_healthy: true,
            policy_suspended: false,
            stopping: StoppingPath::default(),
            assistant: Assistant::default(),
            operator: None,
            received_inference: None,
            proposal: None,
            unfit: None,
            last_surroundings_us: None,
            unsure_since_us: None,
            last_tick_us: None,
            sequence: 0,
            accelerate,
            tally: Tally::default(),
            spare_proposal: PolicyProposal::default(),
            spare_operator: OperatorInput::default(),
        })
    }

    /// Puts another policy into use from the next look on, a newer one or, after a withdrawal, an older one.
    pub fn take_policy(&mut self, policy: Policy) {
        let before = std::mem::replace(&mut self.policy, policy);
        self.previous = Some(before.manifest().version.clone());
        self.policy_healthy = true;
    }

    /// The policy in use.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A policy that is suspended makes no proposals: for a shell that finds it hung or late.
    pub fn suspend_policy(&mut self, suspended: bool) {
        self.policy_suspended = suspended;
    }

    /// Hands over the result of a policy that runs elsewhere ([`CoreConfig::runs_policy`]); the next tick takes it in. It
    /// counts from when its surroundings were seen.
    pub fn receive_inference(&mut self, inference: InferenceResult) {
        if !self.policy_suspended {
            self.received_inference = Some(inference);
        }
    }

    /// Tells whether a person, not a script, sits at a seat that may drive.
    pub fn set_person_present(&mut self, present: bool) {
        self.authority.set_person_present(present);
    }

    /// The authority machine.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The latency governor.
    #[must_use]
    pub fn governor(&self) -> &Governor {
        &self.governor
    }

    /// What passed the gate and what it refused.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many inputs were refused so far for `reason`.
    #[must_use]
    pub fn refused(&self, reason: Reason) -> u64 {
        self.tally.refused(reason)
    }

    /// How many inputs were refused so far, whatever for. Each datagram repeats earlier inputs on purpose; those are no
    /// attack and no fault and count only as [`Reason::OutOfSequence`].
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.tally.all_refused().map(|(_, count)| count).sum::<u64>() - self.refused(Reason::OutOfSequence)
    }

    /// How long ago the operator's newest valid command arrived, with what it was delayed beyond the quickest; `None`
    /// when nobody drives.
    #[must_use]
    pub fn command_age_us(&self, now_us: u64) -> Option<u64> {
        let newest = self.operator.filter(|_| self.authority.author() == Author::Operator)?;
        let input = newest.get();
        Some(now_us.saturating_sub(input.received_us) + input.queued_us)
    }

    /// The input by which the operator drives; `None` when nobody does.
    #[must_use]
    pub fn operator_input(&self) -> Option<&Input> {
        self.operator.as_ref().map(Validated::get)
    }

    /// The policy's health, for people and the recorder. `inference_us` is the caller's measurement.
    #[must_use]
    pub fn policy_status(&self, now_us: u64, inference_us: f64, missed_deadlines: u64) -> PolicyStatus {
        let version = |p: &Policy| p.manifest().version.to_string();
        PolicyStatus {
            monotonic_us: now_us,
            policy_version: version(&self.policy),
            previous_version: self.previous.as_ref().map(ToString::to_string).unwrap_or_default(),
            healthy: self.policy_healthy && !self.policy_suspended,
            inference_us,
            missed_deadlines,
        }
    }

    /// The vehicle's own emergency button.
    pub fn press_estop(&mut self, out: &mut Tick) {
        self.authority.press_estop(&mut out.changes);
    }

    /// From now on the vehicle may drive there; without one, everywhere.
    pub fn set_geofence(&mut self, geofence: Option<Geofence>) {
        self.config.geofence = geofence;
    }

    /// The robot hit something or left the road: it stops, and only an explicit act sets it going again.
    pub fn note_collision(&mut self, out: &mut Tick) {
        self.authority.fall_back(Reason::CollisionAhead, &mut out.changes);
    }
}
