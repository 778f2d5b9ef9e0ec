//! A scripted remote operator: sits in the same seat as a person, sees only what the vehicle sends, answers with the
//! same messages, and needs a reaction time.
//!
//! It watches while the policy drives, takes over when the car asks, does not get on or is about to do harm, drives on
//! by its own eyes ([`drive`]), and hands back when the road is calm. Sans-IO: the shell passes messages and the time.

mod assist;
mod control;
mod judge;
mod planner;
mod predict;
mod request_backoff;
mod trajectory;
mod view;

use judge::{Judge, Verdict};
use protocol::Embodiment;
use protocol::v1::{
    Author, AuthorityState, CommandDatagram, EngageRequest, HandBackRequest, Mode, OperatorInput, Reason, SeatRequest,
    StateDatagram, Surroundings, TakeoverCause, TakeoverRequest, VehicleEvent, VehicleState, seat_request::Request,
    vehicle_event,
};
use request_backoff::{RequestBackoff, is_free_for};
use std::collections::VecDeque;
use std::sync::Arc;

pub use control::drive;
pub use planner::{Plan, Planner};
pub use predict::Predictor;
pub use trajectory::trajectory;
pub use view::{Believed, Own, View};

/// Settings of a scripted operator.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorConfig {
    /// Seat that it sits in.
    pub seat_id: String,
    /// From seeing a reason to acting on it, microseconds. Green (2000) gives 0.7 to 0.75 s for expected signals, half of
    /// which is moving the foot; here the hands rest on the stick.
    pub reaction_us: u64,
    /// Period of its inputs, microseconds.
    pub input_period_us: u64,
    /// Whether it starts the policy when the vehicle stands ready.
    pub engages: bool,
    /// Least time at the wheel after a takeover, microseconds.
    pub min_drive_us: u64,
    /// Whether it lets the policy drive in `Assist` and answers its questions, rather than take over for them.
    pub assists: bool,
}

impl Default for OperatorConfig {
    fn default() -> Self {
        Self {
            seat_id: "scripted".into(),
            reaction_us: 350_000,
            input_period_us: 20_000,
            engages: true,
            min_drive_us: 5_000_000,
            assists: false,
        }
    }
}

/// What the operator sends at a poll.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbox {
    /// For the reliable channel.
    pub requests: Vec<SeatRequest>,
    /// For the command channel.
    pub command: Option<CommandDatagram>,
}

/// How many of the last inputs each datagram repeats.
const REPEATS: usize = 4;
/// A request unanswered for this long is sent again.
const RETRY_US: u64 = 1_000_000;
/// Nothing arrived for this long: the picture is dead, hands off.
const BLIND_US: u64 = 1_000_000;

/// See the module.
#[derive(Debug, Clone)]
pub struct ScriptedOperator {
    config: OperatorConfig,
    embodiment: Arc<Embodiment>,
    /// Newest state and when it arrived, seat's clock.
    state: Option<(u64, StateDatagram)>,
    /// Newest surroundings with the vehicle state that they were seen from.
    scene: Option<(Surroundings, VehicleState)>,
    /// The script's picture is the vehicle's state: when that was true, vehicle's clock.
    shown_us: u64,
    one_way_us: u64,
    planner: Planner,
    judge: Judge,
    inputs: VecDeque<OperatorInput>,
    sequence: u64,
    next_input_us: u64,
    next_request: u64,
    pending: Option<(u64, u64)>,
    request_backoff: RequestBackoff,
    /// Of the last poll.
    now_us: u64,
    driving_since_us: Option<u64>,
    calm_since_us: Option<u64>,
    reason: Option<(u64, Verdict)>,
    /// The question that it sees and since when.
    question: Option<(u64, u64)>,
}

impl ScriptedOperator {
    /// An operator at an empty seat, who expects `embodiment` until the robot introduces itself.
    #[must_use]
    pub fn new(config: OperatorConfig, embodiment: Embodiment) -> Self {
        Self {
            config,
            embodiment: Arc::new(embodiment),
            state: None,
            scene: None,
            shown_us: 0,
            one_way_us: 0,
            planner: Planner::default(),
            judge: Judge::default(),
            inputs: VecDeque::new(),
            sequence: 0,
            next_input_us: 0,
            next_request: 1,
            pending: None,
            request_backoff: RequestBackoff::default(),
            now_us: 0,
            driving_since_us: None,
            calm_since_us: None,
            reason: None,
            question: None,
        }
    }

    /// The seat that it sits in.
    #[must_use]
    pub fn seat_id(&self) -> &str {
        &self.config.seat_id
    }

    /// Tells what the seat measures of the link: half of the round trip, microseconds.
    pub fn set_one_way_us(&mut self, one_way_us: u64) {
        self.one_way_us = one_way_us;
    }

    /// A datagram of the vehicle arrived at seat time `now_us`.
    pub fn receive(&mut self, now_us: u64, datagram: &StateDatagram) {
        let Some(state) = &datagram.state else { return };
        let known = self.state.as_ref().and_then(|(_, d)| d.state.as_ref()).map_or(0, |s| s.monotonic_us);
        if state.monotonic_us + 2_000_000 > known && state.monotonic_us < known {
            return;
        }
        if let Some(surroundings) = &datagram.surroundings {
            self.scene = Some((surroundings.clone(), state.clone()));
        }
        self.shown_us = state.monotonic_us;
        self.state = Some((now_us, datagram.clone()));
    }

    /// An event of the vehicle arrived.
    pub fn receive_event(&mut self, event: &VehicleEvent) {
        if let Some(vehicle_event::Event::Hello(hello)) = &event.event
            && let Some(told) = Embodiment::told(&hello.embodiment, &hello.embodiment_file)
        {
            self.embodiment = Arc::new(told);
        }
        if let Some(vehicle_event::Event::Response(answer)) = &event.event
            && self.pending.is_some_and(|(id, _)| id == answer.id)
        {
            self.pending = None;
            self.request_backoff.answered(self.now_us, answer);
        }
    }

    /// Lets the operator act at seat time `now_us`.
    pub fn poll(&mut self, now_us: u64) -> Outbox {
        let mut out = Outbox::default();
        self.now_us = now_us;
        let Some((received_us, datagram)) = self.state.take() else { return out };
        if now_us.saturating_sub(received_us) < BLIND_US {
            self.act(now_us, received_us, &datagram, &mut out);
        } else {
            self.driving_since_us = None;
            self.reason = None;
        }
        self.state = Some((received_us, datagram));
        out
    }

    fn act(&mut self, now_us: u64, received_us: u64, datagram: &StateDatagram, out: &mut Outbox) {
        let Some(authority) = &datagram.authority else { return };
        self.request_backoff.look(authority);
        let mine = authority.seat_id == self.config.seat_id;
        // The grant is known by its epoch; inputs start with it, which makes the takeover effective.
        let granted = mine && authority.lease_left_ms > 0 && !authority.estop_latched;
        let view = self.look(now_us, received_us, datagram);
        match (authority.mode(), authority.author()) {
            (Mode::Drive, Author::Operator) if mine => self.at_the_wheel(now_us, authority, view.as_ref(), out),
            (Mode::Stopped, _) => self.beside_a_stopped_car(now_us, authority, out),
            _ => self.watch(now_us, datagram, view.as_ref(), out),
        }
        if granted {
            self.steer(now_us, authority.epoch, view.as_ref(), out);
        }
    }

    fn look(&self, now_us: u64, received_us: u64, datagram: &StateDatagram) -> Option<View> {
        let (surroundings, seen_from) = self.scene.as_ref()?;
        let age_us = now_us.saturating_sub(received_us) + self.one_way_us;
        View::new(&self.embodiment, surroundings, seen_from, datagram.state.as_ref()?, age_us)
    }

    /// Stopped: start the policy once; a car that fell back is first taken over, then driven out of its trouble.
    fn beside_a_stopped_car(&mut self, now_us: u64, authority: &AuthorityState, out: &mut Outbox) {
        self.driving_since_us = None;
        self.reason = None;
        if !self.config.engages || !self.is_free(authority) {
            return;
        }
        let request = match authority.reason() {
            Reason::NotArmed | Reason::RouteDone => Request::Engage(EngageRequest {}),
            reason => take_over(TakeoverCause::Fault, reason.label()),
        };
        self.ask(now_us, authority, request, out);
    }

    fn watch(&mut self, now_us: u64, datagram: &StateDatagram, view: Option<&View>, out: &mut Outbox) {
        self.driving_since_us = None;
        let (Some(view), Some(authority)) = (view, &datagram.authority) else { return };
        let plan = self.planner.plan(view);
        let verdict = match authority {
            authority if self.config.assists && self.assist(now_us, authority, &plan, out) => {
                // What stands was looked at when the path was offered; who moves was not.
                let moving = |o: &&view::Object| authority.chosen_path.is_none() || !o.is_static();
                let view = View { objects: view.objects.iter().filter(moving).copied().collect(), ..view.clone() };
                self.judge.consider(now_us, &view, &plan).filter(|verdict| *verdict == Verdict::Collision)
            }
            authority if authority.help.is_some() => Some(Verdict::Asked),
            _ => self.judge.consider(now_us, view, &plan),
        };
        self.reason = match (self.reason, verdict) {
            (_, None) => None,
            (None, Some(v)) => Some((now_us, v)),
            (Some((since, _)), Some(v)) => Some((since, v)),
        };
        if let Some((since, verdict)) = self.reason
            && now_us - since >= self.config.reaction_us
            && self.is_free(authority)
        {
            self.ask(now_us, authority, take_over(verdict.cause(), verdict.note()), out);
        }
    }

    /// Switches the questions on, answers the open one after the time that a reaction takes, and says whether the vehicle
    /// waits for an answer or drives one: it is then only kept from collisions.
    fn assist(&mut self, now_us: u64, authority: &AuthorityState, plan: &Plan, out: &mut Outbox) -> bool {
        if authority.mode() == Mode::Monitor && authority.author() == Author::Policy && self.is_free(authority) {
            self.ask(now_us, authority, Request::HandBack(HandBackRequest { mode: Mode::Assist.into() }), out);
        }
        let Some(question) = &authority.question else {
            self.question = None;
            return authority.chosen_path.is_some();
        };
        let since = self.question.filter(|(id, _)| *id == question.id).map_or(now_us, |(_, since)| since);
        self.question = Some((question.id, since));
        if now_us - since >= self.config.reaction_us && self.is_free(authority) {
            self.ask(now_us, authority, Request::PathAnswer(assist::answer(question, Some(plan))), out);
        }
        true
    }

    fn at_the_wheel(&mut self, now_us: u64, authority: &AuthorityState, view: Option<&View>, out: &mut Outbox) {
        self.reason = None;
        self.judge.reset();
        let since = *self.driving_since_us.get_or_insert(now_us);
        let calm = view.is_some_and(|v| planner::is_calm(v, &self.planner));
        if !calm {
            self.calm_since_us = None;
            return;
        }
        let calm_since = *self.calm_since_us.get_or_insert(now_us);
        if now_us - since >= self.config.min_drive_us && now_us - calm_since >= 1_000_000 {
            let mode = if self.config.assists { Mode::Assist } else { Mode::Monitor };
            self.ask(now_us, authority, Request::HandBack(HandBackRequest { mode: mode.into() }), out);
        }
    }

    /// Whether the vehicle would let this seat set it going or take it over.
    fn is_free(&self, authority: &AuthorityState) -> bool {
        is_free_for(&self.config.seat_id, authority)
    }

    fn ask(&mut self, now_us: u64, authority: &AuthorityState, request: Request, out: &mut Outbox) {
        if !self.request_backoff.may_ask(now_us, authority) {
            return;
        }
        if self.pending.is_some_and(|(_, at)| now_us.saturating_sub(at) < RETRY_US) {
            return;
        }
        let id = self.next_request;
        self.next_request += 1;
        self.pending = Some((id, now_us));
        out.requests.push(SeatRequest {
            id,
            seat_id: self.config.seat_id.clone(),
            request: Some(request),
            ..SeatRequest::default()
        });
    }

    fn steer(&mut self, now_us: u64, epoch: u64, view: Option<&View>, out: &mut Outbox) {
        if now_us < self.next_input_us {
            return;
        }
        self.next_input_us = now_us + self.config.input_period_us;
        let Some(view) = view else { return };
        let plan = self.planner.plan(view);
        self.sequence += 1;
        self.inputs.push_back(OperatorInput {
            sequence: self.sequence,
            epoch,
            seat_us: now_us,
            deadman: true,
            action: drive(view, &plan, &self.embodiment),
            shown_frame_us: self.shown_us,
            trajectory: None,
        });
        while self.inputs.len() > REPEATS {
            self.inputs.pop_front();
        }
        out.command = Some(CommandDatagram {
            seat_id: self.config.seat_id.clone(),
            inputs: self.inputs.iter().cloned().collect(),
            ..Default::default()
        });
    }
}

fn take_over(cause: TakeoverCause, note: &str) -> Request {
    Request::Takeover(TakeoverRequest { cause: cause.into(), note: note.to_owned() })
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
