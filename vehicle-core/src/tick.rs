//! One control tick.

use super::action::Action;
use super::assist::{AssistSetpoint, Look, News, hold_back};
use super::authority::{COMMAND_TIMEOUT_US, RequestContext};
use super::fallback::{OPERATOR_DEGRADATION, POLICY_DEGRADATION};
use super::gate::actuation::{self, Command, Scene};
use super::gate::admission::{Holder, Input, Setpoint};
use super::gate::{Untrusted, Validated};
use super::health::ActuatorFeedback;
use super::tally::{Passed, wants_nothing};
use super::{FromSeat, HELP_THRESHOLD, InferenceResult, SeatBody, Sensors, Tick, VehicleCore};
use policy::Observation;
use protocol::v1::seat_request::Request;
use protocol::v1::{Author, OperatorInput, PathAnswer, Reason, SeatRequest, SeatResponse, Surroundings, VehicleState};

impl VehicleCore {
    /// One control tick at `now_us`. `inbox` is emptied; `out` is cleared and filled.
    pub fn tick(&mut self, now_us: u64, sensors: &Sensors, inbox: &mut Vec<FromSeat>, out: &mut Tick) {
        self.begin(now_us, out);
        self.look(now_us, sensors, out);
        self.check(now_us, sensors, out);
        for message in inbox.drain(..) {
            self.hear(now_us, &message, sensors, out);
        }
        // The next tick may begin a whole tick late before it has missed its deadline.
        self.authority.expire(2 * self.tick_us(), &mut out.changes);
        let (command, gate) = self.actuate(now_us, sensors, out);
        self.report(now_us, sensors, &command, gate, out);
    }

    fn tick_us(&self) -> u64 {
        (1e6 / self.config.rate_hz) as u64
    }

    fn begin(&mut self, now_us: u64, out: &mut Tick) {
        out.responses.clear();
        out.changes.clear();
        out.bookmark = None;
        if let Some(proposal) = out.proposal.take() {
            self.spare_proposal = proposal;
        }
        if let Some(operator) = out.operator.take() {
            self.spare_operator = operator;
        }
        let dt_us = self.last_tick_us.map_or(0, |last| now_us.saturating_sub(last));
        self.last_tick_us = Some(now_us);
        self.authority.advance(dt_us);
        if dt_us > self.config.stall_us {
            self.authority.fall_back(Reason::DeadlineMissed, &mut out.changes);
        }
    }

    /// Takes in new surroundings: the stopping path and the policy's proposal.
    fn look(&mut self, now_us: u64, sensors: &Sensors, out: &mut Tick) {
        if let Some(inference) = self.received_inference.take() {
            let at_us = inference.seen_us.min(now_us);
            self.take_in(at_us, now_us, inference, out);
        }
        let fresh = sensors.surroundings.as_ref().filter(|s| Some(s.monotonic_us) != self.last_surroundings_us);
        let Some(surroundings) = fresh else { return };
        self.last_surroundings_us = Some(surroundings.monotonic_us);
        if let Some(pose) = &sensors.state.world_from_vehicle {
            self.stopping.refresh(pose, surroundings);
        }
        if self.config.runs_policy && !self.policy_suspended {
            let inference = InferenceResult::of(&mut self.policy, &Observation { state: &sensors.state, surroundings });
            self.take_in(now_us, now_us, inference, out);
        }
        self.assist(now_us, sensors, surroundings);
    }

    /// In `Assist`, what stands in the way is asked about.
    fn assist(&mut self, now_us: u64, sensors: &Sensors, surroundings: &Surroundings) {
        let pose = sensors.state.world_from_vehicle.as_ref().filter(|_| self.authority.is_assisted());
        let Some(pose) = pose else { return };
        let (speed_mps, geofence) = (self.speed(&sensors.state), self.config.geofence.as_ref());
        let embodiment = &self.embodiment;
        match self.assistant.look(&Look { now_us, pose, speed_mps, surroundings, geofence, embodiment }) {
            News::None => {}
            News::Asked => self.authority.ask_for_help(Reason::PathBlocked, 1, "the lane is blocked: which way?"),
            News::NoWay => {
                self.authority.ask_for_help(Reason::PathBlocked, 2, "the lane is blocked and no way round it fits");
            }
            News::Settled => self.authority.withdraw_help_for(Reason::PathBlocked),
        }
    }

    fn hear_answer(
        &mut self,
        now_us: u64,
        from: &FromSeat,
        answer: &PathAnswer,
        sensors: &Sensors,
    ) -> Result<(), Reason> {
        self.authority.may_answer(&from.seat, from.kind)?;
        let pose = sensors.state.world_from_vehicle.as_ref().ok_or(Reason::SensorsLost)?;
        self.assistant.answer(now_us, pose, answer, &self.embodiment, self.config.geofence.as_ref())?;
        self.authority.withdraw_help_for(Reason::PathBlocked);
        Ok(())
    }

    /// Whatever has failed ends all driving: sensors, actuators, the policy while it drives; the button on the vehicle.
    fn check(&mut self, now_us: u64, sensors: &Sensors, out: &mut Tick) {
        if sensors.estop_pressed {
            self.reset_hold.let_go();
            self.authority.press_estop(&mut out.changes);
        }
        let timeout_us = self.config.sensor_timeout_us.saturating_sub(self.tick_us());
        let senses = self.sensors.is_healthy(now_us, sensors, timeout_us);
        let feedback = ActuatorFeedback::of(&sensors.state.observation, &self.embodiment);
        let dt_s = 1.0 / self.config.rate_hz;
        let tracks = self.actuators.is_tracking(self.motion.action(), &self.embodiment, &feedback, dt_s);
        self.unfit = match (senses, tracks) {
            (false, _) => Some(Reason::SensorsLost),
            (true, false) => Some(Reason::ActuatorFault),
            (true, true) => None,
        };
        if let Some(reason) = self.unfit {
            self.authority.fall_back(reason, &mut out.changes);
        }
        if self.authority.author() == Author::Policy && !self.policy_is_ready(now_us) {
            self.authority.fall_back(Reason::PolicyFailed, &mut out.changes);
        }
    }

    /// Whether the policy's proposal can be driven by until the next tick.
    fn policy_is_ready(&self, now_us: u64) -> bool {
        let lasts = |(_, at_us): (Action, u64)| now_us.saturating_sub(at_us) + self.tick_us() <= COMMAND_TIMEOUT_US;
        self.policy_healthy && self.proposal.is_some_and(lasts)
    }

    /// Takes in the policy's result for what it saw at `at_us`.
    fn take_in(&mut self, at_us: u64, now_us: u64, inference: InferenceResult, out: &mut Tick) {
        self.policy_healthy = inference.proposal.is_some();
        let Some((action, confidence)) = inference.proposal else { return };
        self.proposal = Some((action, at_us));
        self.consider_help(now_us, confidence);
        let mut message = std::mem::take(&mut self.spare_proposal);
        message.monotonic_us = at_us;
        message.observation_sequence = inference.observation_sequence;
        message.action.clear();
        message.action.extend_from_slice(action.as_slice());
        message.confidence = confidence;
        message.policy_version.clear();
        message.policy_version.push_str(self.policy.manifest().version.as_str());
        out.proposal = Some(message);
    }

    fn consider_help(&mut self, now_us: u64, confidence: f64) {
        let below = self.policy.manifest().metrics.get(HELP_THRESHOLD).copied().unwrap_or(0.0);
        if self.authority.author() != Author::Policy || confidence >= below {
            self.unsure_since_us = None;
            return;
        }
        let since = *self.unsure_since_us.get_or_insert(now_us);
        if now_us - since >= self.config.help_after_us {
            self.authority.ask_for_help(Reason::PolicyAsked, 2, "the policy is unsure how to go on");
        }
    }

    fn hear(&mut self, now_us: u64, message: &FromSeat, sensors: &Sensors, out: &mut Tick) {
        match &message.body {
            SeatBody::Command(datagram) => {
                for input in &datagram.inputs {
                    self.hear_input(now_us, message, input, sensors, out);
                }
            }
            SeatBody::Request(request) => self.hear_request(now_us, message, request, sensors, out),
            SeatBody::Connected => self.admission.new_session(&message.seat),
            SeatBody::Gone => self.authority.seat_gone(&message.seat, &mut out.changes),
        }
    }

    fn hear_request(&mut self, now_us: u64, from: &FromSeat, request: &SeatRequest, sensors: &Sensors, out: &mut Tick) {
        let seat = from.seat.as_str();
        if let Some(Request::PathAnswer(answer)) = &request.request {
            let verdict = self.hear_answer(now_us, from, answer, sensors);
            return self.respond(now_us, seat, request, verdict, out);
        }
        if matches!(request.request, Some(Request::EstopReset(_)))
            && !self.authority.estop_latched()
            && self.reset_hold.has_released(now_us, seat)
        {
            return self.respond(now_us, seat, request, Ok(()), out);
        }
        let mut request = request.clone();
        seat.clone_into(&mut request.seat_id);
        match &mut request.request {
            Some(Request::EstopReset(reset)) if self.authority.estop_latched() => {
                reset.held_ms = self.reset_hold.measure(now_us, seat, reset.held_ms);
            }
            // A hold that began before the press releases nothing.
            Some(Request::EstopReset(_) | Request::Estop(_)) => self.reset_hold.let_go(),
            _ => {}
        }
        let situation = RequestContext {
            seat_kind: from.kind,
            speed_mps: self.speed(&sensors.state),
            unfit: self.unfit,
            policy_ready: self.policy_is_ready(now_us),
            estop_pressed: sensors.estop_pressed,
        };
        let answer = self.authority.request(now_us, &request, &situation, &mut out.changes);
        self.tally.answer(request.request.as_ref(), answer.reason());
        match request.request.filter(|_| answer.accepted) {
            Some(Request::Bookmark(b)) => out.bookmark = Some(b.note),
            Some(Request::EstopReset(_)) => self.reset_hold.release(now_us),
            _ => {}
        }
        out.responses.push((seat.to_owned(), answer));
    }

    /// Answers what the authority machine is not asked.
    fn respond(&mut self, now_us: u64, seat: &str, request: &SeatRequest, verdict: Result<(), Reason>, out: &mut Tick) {
        let reason = verdict.err().unwrap_or(Reason::Ok);
        self.tally.answer(request.request.as_ref(), reason);
        let (accepted, reason) = (verdict.is_ok(), reason.into());
        let authority = Some(self.authority.state(now_us));
        out.responses.push((seat.to_owned(), SeatResponse { id: request.id, accepted, reason, authority }));
    }

    fn hear_input(
        &mut self,
        now_us: u64,
        message: &FromSeat,
        input: &OperatorInput,
        sensors: &Sensors,
        out: &mut Tick,
    ) {
        let holder = Holder { seat: self.authority.granted_seat(), epoch: self.authority.epoch() };
        let place = (sensors.state.world_from_vehicle.as_ref(), &*self.embodiment);
        match self.admission.admit(Untrusted(input), &message.seat, message.received_us, holder, place) {
            Ok(admitted) => {
                let age_us = now_us.saturating_sub(message.received_us);
                self.operator = Some(admitted);
                self.tally.pass(Passed::Input);
                self.authority.valid_command(age_us, &mut out.changes);
                let mut operator = out.operator.take().unwrap_or_else(|| std::mem::take(&mut self.spare_operator));
                copy_input(input, &mut operator);
                out.operator = Some(operator);
            }
            Err(Reason::DeadmanReleased) => {
                self.tally.pass(Passed::Release);
                self.authority.deadman_released(&mut out.changes);
            }
            Err(_) if wants_nothing(input) => self.tally.pass(Passed::Watching),
            Err(reason) => self.tally.refuse(reason),
        }
    }

    /// The setpoint of whoever drives; the stopping trajectory when nobody does.
    fn choose(&self, now_us: u64, sensors: &Sensors, stop: Action) -> Command {
        let author = self.authority.author();
        let (mut action, degradation, at_us) = match (author, &self.operator, &self.proposal) {
            (Author::Operator, Some(input), _) => {
                (self.setpoint(now_us, sensors, input.get()), OPERATOR_DEGRADATION, input.get().received_us)
            }
            (Author::Policy, _, Some((action, at_us))) => (self.assisted(sensors, *action), POLICY_DEGRADATION, *at_us),
            _ => return Command { action: stop, author: Author::Fallback },
        };
        let acceleration = &mut action.as_mut_slice()[self.accelerate];
        *acceleration = degradation.apply(*acceleration, now_us.saturating_sub(at_us));
        Command { action, author }
    }

    fn setpoint(&self, now_us: u64, sensors: &Sensors, input: &Input) -> Action {
        match &input.setpoint {
            Setpoint::Action(action) => *action,
            Setpoint::Trajectory(trajectory) => {
                let (pose, speed) = (sensors.state.world_from_vehicle.as_ref(), self.speed(&sensors.state));
                let setpoint = trajectory.follow(now_us, pose, speed, self.embodiment.stop_decel_mps2);
                self.action(setpoint.acceleration_mps2, setpoint.curvature_per_m, speed)
            }
        }
    }

    /// What the policy wants, or the path that it was told instead.
    fn assisted(&self, sensors: &Sensors, mut proposed: Action) -> Action {
        let speed = self.speed(&sensors.state);
        match self.assistant.setpoint(sensors.state.world_from_vehicle.as_ref(), speed) {
            AssistSetpoint::Free => {}
            AssistSetpoint::AtMost(limit) => {
                let acceleration = &mut proposed.as_mut_slice()[self.accelerate];
                *acceleration = acceleration.min(hold_back(speed, limit));
            }
            AssistSetpoint::Path(acceleration, curvature) => return self.action(acceleration, curvature, speed),
        }
        proposed
    }

    /// The channels that the core knows, the others as they are.
    fn action(&self, acceleration_mps2: f64, curvature_per_m: Option<f64>, speed_mps: f64) -> Action {
        let mut action = *self.motion.action();
        action.as_mut_slice()[self.accelerate] = acceleration_mps2;
        if let Some(steer) = self.steer {
            let (kinematics, steering) = (&self.embodiment.kinematics, &mut action.as_mut_slice()[steer]);
            *steering = match curvature_per_m.filter(|c| c.is_finite()) {
                Some(curvature) => kinematics.steering(curvature, speed_mps),
                None => kinematics.held(*steering, speed_mps),
            };
        }
        action
    }

    fn stop(&self, sensors: &Sensors) -> Action {
        let (pose, speed) = (sensors.state.world_from_vehicle.as_ref(), self.speed(&sensors.state));
        let trajectory = self.stopping.trajectory(pose, speed, self.embodiment.stop_decel_mps2);
        self.action(trajectory.acceleration_mps2, trajectory.curvature_per_m, speed)
    }

    fn actuate(&mut self, now_us: u64, sensors: &Sensors, out: &mut Tick) -> (Validated<Command>, Reason) {
        let dt_s = 1.0 / self.config.rate_hz;
        if !self.authority.is_assisted() {
            self.assistant.rest();
        }
        match (self.authority.author(), &self.operator) {
            (Author::Operator, Some(input)) => self.governor.observe(now_us, dt_s, input.get().shown_us),
            _ => {
                self.operator = None;
                self.governor.rest();
            }
        }
        let stop = self.stop(sensors);
        let command = self.choose(now_us, sensors, stop);
        let share = self.handover.share(command.author, &command.action, self.motion.action(), &self.embodiment, dt_s);
        let scene = Scene {
            embodiment: &self.embodiment,
            accelerate: self.accelerate,
            steer: self.steer,
            speed_mps: self.speed(&sensors.state),
            steering: self.steering(&sensors.state),
            pose: sensors.state.world_from_vehicle.as_ref(),
            scan: sensors.scan.as_deref(),
            limit_mps: self.governor.limit_mps(),
            geofence: self.config.geofence.as_ref(),
            dt_s,
            share,
            stop,
        };
        let (validated, reason) = actuation::validate(Untrusted(command), &scene, &mut self.motion);
        if matches!(reason, Reason::Malformed | Reason::NotFinite) {
            self.authority.fall_back(reason, &mut out.changes);
        }
        (validated, reason)
    }

    fn speed(&self, state: &VehicleState) -> f64 {
        self.embodiment.speed_mps(&state.observation).unwrap_or(0.0)
    }

    fn steering(&self, state: &VehicleState) -> f64 {
        let index = self.embodiment.channels().steering;
        index.and_then(|index| state.observation.get(index)).copied().unwrap_or(0.0)
    }

    fn report(&mut self, now_us: u64, sensors: &Sensors, validated: &Validated<Command>, gate: Reason, out: &mut Tick) {
        self.sequence += 1;
        let command = &mut out.command;
        command.monotonic_us = now_us;
        command.sequence = self.sequence;
        command.author = self.authority.author().into();
        command.epoch = self.authority.epoch();
        command.action.clear();
        command.action.extend_from_slice(validated.get().action.as_slice());
        command.observation_sequence = sensors.state.sequence;
        command.gate = gate.into();
        self.authority.show(now_us, &mut out.authority);
        out.authority.not_ready = self.authority.not_ready(self.unfit).unwrap_or_default().into();
        out.authority.speed_limit = self.governor.limit(now_us);
        self.assistant.show(&mut out.authority);
    }
}

/// Copies without giving up the memory of the copy.
fn copy_input(input: &OperatorInput, copy: &mut OperatorInput) {
    let mut action = std::mem::take(&mut copy.action);
    action.clone_from(&input.action);
    let mut trajectory = copy.trajectory.take();
    match (&mut trajectory, &input.trajectory) {
        (Some(own), Some(new)) => own.points.clone_from(&new.points),
        (own, new) => own.clone_from(new),
    }
    *copy = OperatorInput {
        sequence: input.sequence,
        epoch: input.epoch,
        seat_us: input.seat_us,
        deadman: input.deadman,
        shown_frame_us: input.shown_frame_us,
        action,
        trajectory,
    };
}
