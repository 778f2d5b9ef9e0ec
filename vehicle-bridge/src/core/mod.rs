//! The vehicle core: observation, policy, arbitration, gate, actuation. Sans-IO: [`VehicleCore::tick`] is handed the
//! time, the sensors and what seats sent, and returns the command for the actuators. The bridge calls it in real time,
//! the simulator's fleet in virtual time; there is no second copy.

pub mod authority;
pub mod braking;
pub mod fallback;
pub mod gate;

use authority::{Authority, Change};
use fallback::StoppingPath;
use gate::{Action, OperatorGate, Untrusted};
use policy::{Observation, Policy};
use protocol::Embodiment;
use protocol::foxglove::LaserScan;
use protocol::v1::{
    Author, AuthorityState, CommandDatagram, ControlCommand, OperatorInput, PolicyProposal, PolicyStatus, Reason,
    SeatRequest, SeatResponse, Surroundings, VehicleState,
};
use std::sync::Arc;

/// Settings of a vehicle core.
#[derive(Debug, Clone, PartialEq)]
pub struct CoreConfig {
    /// Ticks a second.
    pub rate_hz: f64,
    /// Time after start in which the vehicle checks itself and fills its recorder before it accepts a driver: with a
    /// pre-roll of ten seconds, every takeover then has one.
    pub self_check_us: u64,
    /// The policy asks for help when its confidence stays below its own threshold ([`HELP_THRESHOLD`]) this long.
    pub help_after_us: u64,
    /// Sensors older than this are lost.
    pub sensor_timeout_us: u64,
}

/// Metric of a policy's manifest below which confidence it asks for help; without it, it never asks.
pub const HELP_THRESHOLD: &str = "help_threshold";

impl Default for CoreConfig {
    fn default() -> Self {
        Self { rate_hz: 50.0, self_check_us: 10_200_000, help_after_us: 500_000, sensor_timeout_us: 500_000 }
    }
}

/// What the sensors say at a tick. `surroundings` and `scan` are the latest, shared and replaced when new.
#[derive(Debug, Clone)]
pub struct Sensors {
    /// The robot's own state now.
    pub state: VehicleState,
    /// Route and objects as of `Surroundings.monotonic_us`.
    pub surroundings: Option<Arc<Surroundings>>,
    /// Lidar.
    pub scan: Option<Arc<LaserScan>>,
}

/// Something that arrived from a seat.
#[derive(Debug, Clone, PartialEq)]
pub struct FromSeat {
    /// Authenticated name of the seat.
    pub seat: String,
    /// Arrival by the vehicle's clock.
    pub received_us: u64,
    /// What.
    pub body: SeatBody,
}

/// See [`FromSeat`].
#[derive(Debug, Clone, PartialEq)]
pub enum SeatBody {
    /// A datagram of the command channel.
    Command(CommandDatagram),
    /// A request.
    Request(SeatRequest),
    /// The session ended.
    Gone,
}

/// What a tick decided.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// For the actuators.
    pub command: ControlCommand,
    /// For people and the recorder.
    pub authority: AuthorityState,
    /// The policy's proposal, when it made a new one.
    pub proposal: Option<PolicyProposal>,
    /// The newest operator input that passed the gate this tick.
    pub operator: Option<OperatorInput>,
    /// Answers to requests, by seat.
    pub responses: Vec<(String, SeatResponse)>,
    /// Changes of hands.
    pub changes: Vec<Change>,
    /// The note of a bookmark that an operator set.
    pub bookmark: Option<String>,
}

/// The core of one vehicle.
pub struct VehicleCore {
    embodiment: Embodiment,
    config: CoreConfig,
    authority: Authority,
    gate: OperatorGate,
    policy: Policy,
    previous: Option<Policy>,
    stopping: StoppingPath,
    operator: Option<gate::Validated>,
    proposal: Option<Action>,
    last_action: Action,
    last_surroundings_us: Option<u64>,
    unsure_since_us: Option<u64>,
    started_us: Option<u64>,
    sequence: u64,
    refused: [u64; 32],
    policy_healthy: bool,
    accelerate: usize,
    steer: Option<usize>,
}

/// Why a core cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The embodiment has no channel that slows it.
    #[error("embodiment {0:?} has no action channel \"acceleration_mps2\"; the core needs it to stop the robot")]
    NoAcceleration(&'static str),
    /// More action channels than the core handles.
    #[error("embodiment {0:?} has {1} action channels; at most {max} are supported", max = gate::MAX_CHANNELS)]
    TooManyChannels(&'static str, usize),
}

impl VehicleCore {
    /// A stopped vehicle with `policy` loaded. `epoch` is the last one that this vehicle ever granted.
    ///
    /// # Errors
    /// [`CoreError`] when the core cannot stop such an embodiment.
    pub fn new(embodiment: Embodiment, config: CoreConfig, policy: Policy, epoch: u64) -> Result<Self, CoreError> {
        let accelerate =
            embodiment.action_index("acceleration_mps2").ok_or(CoreError::NoAcceleration(embodiment.name))?;
        let zeros = [0.0; gate::MAX_CHANNELS];
        let channels = embodiment.action.len();
        let last_action =
            zeros.get(..channels).and_then(Action::new).ok_or(CoreError::TooManyChannels(embodiment.name, channels))?;
        Ok(Self {
            steer: embodiment.action_index("steering_rad"),
            authority: Authority::new(epoch, u64::MAX),
            embodiment,
            config,
            gate: OperatorGate::default(),
            policy,
            previous: None,
            stopping: StoppingPath::default(),
            operator: None,
            proposal: None,
            last_action,
            last_surroundings_us: None,
            unsure_since_us: None,
            started_us: None,
            sequence: 0,
            refused: [0; 32],
            policy_healthy: true,
            accelerate,
        })
    }

    /// Puts a new policy into use from the next tick on and keeps the old one to go back to.
    pub fn take_policy(&mut self, policy: Policy) {
        self.previous = Some(std::mem::replace(&mut self.policy, policy));
        self.policy_healthy = true;
        self.proposal = None;
    }

    /// Goes back to the policy before the last update; false when there is none.
    pub fn roll_back(&mut self) -> bool {
        let Some(previous) = self.previous.take() else { return false };
        self.take_policy(previous);
        true
    }

    /// The policy in use.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
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

    /// How many commands were refused so far for `reason`.
    #[must_use]
    pub fn refused(&self, reason: Reason) -> u64 {
        self.refused.get(reason as usize).copied().unwrap_or(0)
    }

    /// How long ago the operator's newest valid command arrived, with what it was delayed beyond the quickest; `None`
    /// when nobody drives.
    #[must_use]
    pub fn command_age_us(&self, now_us: u64) -> Option<u64> {
        let newest = self.operator.filter(|_| self.authority.author() == Author::Operator)?;
        Some(now_us.saturating_sub(newest.received_us()) + newest.age_us())
    }

    /// How many commands were refused so far, whatever for.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// The policy's health, for people and the recorder. `inference_us` is the caller's measurement.
    #[must_use]
    pub fn policy_status(&self, now_us: u64, inference_us: f64, missed_deadlines: u64) -> PolicyStatus {
        let version = |p: &Policy| p.manifest().version.to_string();
        PolicyStatus {
            monotonic_us: now_us,
            policy_version: version(&self.policy),
            previous_version: self.previous.as_ref().map(version).unwrap_or_default(),
            healthy: self.policy_healthy,
            inference_us,
            missed_deadlines,
        }
    }

    /// The vehicle's own emergency button.
    pub fn press_estop(&mut self, out: &mut Tick) {
        self.authority.press_estop(&mut out.changes);
    }

    /// The robot hit something or left the road: it stops, and only an explicit act sets it going again.
    pub fn note_collision(&mut self, out: &mut Tick) {
        self.authority.fall_back(Reason::CollisionAhead, &mut out.changes);
    }

    /// One control tick at `now_us`. `inbox` is emptied; `out` is cleared and filled.
    pub fn tick(&mut self, now_us: u64, sensors: &Sensors, inbox: &mut Vec<FromSeat>, out: &mut Tick) {
        self.begin_tick(now_us, out);
        self.look(now_us, sensors, out);
        for message in inbox.drain(..) {
            self.hear(now_us, &message, sensors, out);
        }
        self.authority.expire(now_us, &mut out.changes);
        let (wanted, why) = self.choose(sensors);
        let wanted = self.brake_for_obstacles(wanted, sensors);
        let (wanted, why) = match wanted {
            Ok(action) => (action, why),
            Err(action) => (action, Reason::CollisionAhead),
        };
        let wanted = self.hold_lateral_limit(wanted, sensors);
        let action = gate::limit_rate(wanted, &self.last_action, &self.embodiment, 1.0 / self.config.rate_hz);
        self.last_action = action;
        self.sequence += 1;
        self.report(now_us, sensors, action, why, out);
    }

    fn begin_tick(&mut self, now_us: u64, out: &mut Tick) {
        if self.started_us.is_none() {
            self.started_us = Some(now_us);
            self.authority = Authority::new(self.authority.epoch(), now_us + self.config.self_check_us);
        }
        out.responses.clear();
        out.changes.clear();
        out.proposal = None;
        out.operator = None;
        out.bookmark = None;
    }

    /// Takes in the sensors: the stopping path, and the policy's proposal when the surroundings are new.
    fn look(&mut self, now_us: u64, sensors: &Sensors, out: &mut Tick) {
        let fresh = sensors.surroundings.as_ref().filter(|s| Some(s.monotonic_us) != self.last_surroundings_us);
        if let Some(surroundings) = fresh {
            self.last_surroundings_us = Some(surroundings.monotonic_us);
            if let Some(pose) = &sensors.state.world_from_vehicle {
                self.stopping.refresh(pose, surroundings);
            }
            self.think(now_us, &sensors.state, surroundings, out);
        }
        let lost = self.last_surroundings_us.is_none_or(|at| now_us.saturating_sub(at) > self.config.sensor_timeout_us);
        if lost && self.authority.author() == Author::Policy {
            self.authority.fall_back(Reason::SensorsLost, &mut out.changes);
        }
    }

    fn think(&mut self, now_us: u64, state: &VehicleState, surroundings: &Surroundings, out: &mut Tick) {
        let observation = Observation { state, surroundings };
        let proposal = self.policy.propose(&observation).ok().filter(|p| p.action().iter().all(|v| v.is_finite()));
        let Some((proposal, action)) = proposal.and_then(|p| Action::new(p.action()).map(|a| (p, a))) else {
            self.policy_healthy = false;
            self.proposal = None;
            if self.authority.author() == Author::Policy {
                self.authority.fall_back(Reason::PolicyFailed, &mut out.changes);
            }
            return;
        };
        self.policy_healthy = true;
        self.proposal = Some(action);
        self.consider_help(now_us, proposal.confidence);
        out.proposal = Some(PolicyProposal {
            monotonic_us: now_us,
            observation_sequence: state.sequence,
            action: action.as_slice().to_vec(),
            confidence: proposal.confidence,
            policy_version: self.policy.manifest().version.to_string(),
        });
    }

    fn consider_help(&mut self, now_us: u64, confidence: f64) {
        if self.authority.author() != Author::Policy || confidence >= self.help_below() {
            self.unsure_since_us = None;
            return;
        }
        let since = *self.unsure_since_us.get_or_insert(now_us);
        if now_us - since >= self.config.help_after_us {
            self.authority.ask_for_help(Reason::PolicyAsked, 2, "the policy is unsure how to go on");
        }
    }

    fn help_below(&self) -> f64 {
        self.policy.manifest().metrics.get(HELP_THRESHOLD).copied().unwrap_or(0.0)
    }

    fn hear(&mut self, now_us: u64, message: &FromSeat, sensors: &Sensors, out: &mut Tick) {
        match &message.body {
            SeatBody::Command(datagram) => {
                for input in &datagram.inputs {
                    self.hear_input(message, input, out);
                }
            }
            SeatBody::Request(request) => {
                let epoch = self.authority.epoch();
                let mut request = request.clone();
                request.seat_id.clone_from(&message.seat);
                let speed = self.speed(&sensors.state);
                let answer = self.authority.request(now_us, &request, speed, &mut out.changes);
                if self.authority.epoch() != epoch {
                    self.gate.new_grant();
                    self.operator = None;
                }
                if let (true, Some(protocol::v1::seat_request::Request::Bookmark(b))) =
                    (answer.accepted, &request.request)
                {
                    out.bookmark = Some(b.note.clone());
                }
                out.responses.push((message.seat.clone(), answer));
            }
            SeatBody::Gone => self.authority.seat_gone(&message.seat, &mut out.changes),
        }
    }

    fn hear_input(&mut self, message: &FromSeat, input: &OperatorInput, out: &mut Tick) {
        if input.action.is_empty() && !input.deadman {
            return;
        }
        if self.authority.granted_seat() != Some(message.seat.as_str()) {
            self.count_refusal(Reason::NotInControl);
            return;
        }
        let epoch = self.authority.epoch();
        match self.gate.validate(Untrusted(input), message.received_us, epoch, &self.embodiment) {
            Ok(validated) => {
                self.operator = Some(validated);
                self.authority.valid_command(message.received_us, &mut out.changes);
                out.operator = Some(input.clone());
            }
            Err(reason) => {
                if reason == Reason::DeadmanReleased {
                    self.authority.deadman_released(&mut out.changes);
                }
                // Each datagram repeats earlier inputs on purpose; those are no attack and no fault.
                if reason != Reason::OutOfSequence {
                    self.count_refusal(reason);
                }
            }
        }
    }

    fn count_refusal(&mut self, reason: Reason) {
        if let Some(count) = self.refused.get_mut(reason as usize) {
            *count += 1;
        }
    }

    fn choose(&self, sensors: &Sensors) -> (Action, Reason) {
        match self.authority.author() {
            Author::Policy => match self.proposal {
                Some(action) => (action, Reason::Ok),
                None => (self.stop(sensors), Reason::PolicyFailed),
            },
            Author::Operator => match self.operator {
                Some(validated) => (validated.action(), Reason::Ok),
                None => (self.stop(sensors), Reason::LinkLost),
            },
            _ => (self.stop(sensors), Reason::Ok),
        }
    }

    fn stop(&self, sensors: &Sensors) -> Action {
        let mut action = self.last_action;
        let speed = self.speed(&sensors.state);
        action.as_mut_slice()[self.accelerate] = fallback::stopping_acceleration_mps2(self.embodiment.stop_decel_mps2);
        if let (Some(steer), Some(pose)) = (self.steer, &sensors.state.world_from_vehicle)
            && speed > fallback::STANDSTILL_MPS
            && let Some(angle) = self.stopping.steering_rad(pose, speed)
        {
            action.as_mut_slice()[steer] = angle;
        }
        action
    }

    /// `Err` holds the action when emergency braking changed it.
    fn brake_for_obstacles(&self, mut action: Action, sensors: &Sensors) -> Result<Action, Action> {
        let (Some(scan), Some(steer)) = (&sensors.scan, self.steer) else { return Ok(action) };
        let speed = self.speed(&sensors.state);
        let now = self.embodiment.observation(&sensors.state.observation, "steering_rad").unwrap_or(0.0);
        // Both where the wheels point and where they will point must be blocked, or an evasion could not begin.
        let free = braking::free_distance_m(scan, now, fallback::WHEELBASE_M).max(braking::free_distance_m(
            scan,
            action.as_slice()[steer],
            fallback::WHEELBASE_M,
        ));
        if !braking::must_brake(speed, free) {
            return Ok(action);
        }
        let brake = &mut action.as_mut_slice()[self.accelerate];
        *brake = brake.min(braking::emergency_acceleration_mps2());
        Err(action)
    }

    fn hold_lateral_limit(&self, mut action: Action, sensors: &Sensors) -> Action {
        if let Some(steer) = self.steer {
            let angle = &mut action.as_mut_slice()[steer];
            *angle = gate::limit_lateral(*angle, self.speed(&sensors.state), fallback::WHEELBASE_M);
        }
        action
    }

    fn speed(&self, state: &VehicleState) -> f64 {
        self.embodiment.observation(&state.observation, "speed_mps").unwrap_or(0.0)
    }

    fn report(&self, now_us: u64, sensors: &Sensors, action: Action, gate: Reason, out: &mut Tick) {
        let command = &mut out.command;
        command.monotonic_us = now_us;
        command.sequence = self.sequence;
        command.author = self.authority.author().into();
        command.epoch = self.authority.epoch();
        command.action.clear();
        command.action.extend_from_slice(action.as_slice());
        command.observation_sequence = sensors.state.sequence;
        command.gate = gate.into();
        out.authority = self.authority.state(now_us);
    }
}
