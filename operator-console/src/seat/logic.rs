//! The seat without its thread: what to send for what the person does and the vehicle says.

use super::{
    AuthorityTracker, Check, Connection, Estop, EstopPhase, EstopSend, Facts, Holder, Level, Notices, PathChoice,
    PictureTimes, Purpose, Requests, SeatView, checklist, failures,
};
use crate::input::{Action, Drive, Mapping, Ramp, Rates, Sample};
use link::Deadman;
use protocol::v1::seat_request::Request;
use protocol::{ClockEstimate, Embodiment, v1};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Inputs repeated in each datagram, so that a lost one costs nothing.
const REPEATED_INPUTS: usize = 4;
/// Below this speed for [`STUCK_US`] a takeover counts as getting the vehicle unstuck.
const STANDING_MPS: f64 = 0.3;
const STUCK_US: u64 = 5_000_000;
/// A car that is faster does not stand: it rounds to a speed that people read.
const STOPPED_MPS: f64 = 0.14;

/// What one tick is handed besides the time.
#[derive(Debug, Clone, Default)]
pub struct TickInputs {
    /// The seat's clock, microseconds.
    pub now_us: u64,
    /// Since the last tick, seconds.
    pub dt_s: f64,
    /// What the person does.
    pub sample: Sample,
    /// The two clocks.
    pub clock: Option<ClockEstimate>,
}

/// What one tick wants sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs {
    /// For the command channel; `None` while there is no session or the seat only watches.
    pub command: Option<v1::CommandDatagram>,
    /// For the reliable channel.
    pub requests: Vec<v1::SeatRequest>,
}

/// One seat's state.
pub struct SeatLogic {
    seat_id: String,
    watch_only: bool,
    connection: Connection,
    authority: AuthorityTracker,
    mapping: Option<Mapping>,
    embodiment: Option<String>,
    /// What the robot is made of, where that is known here.
    robot: Option<Arc<Embodiment>>,
    /// What was last asked of its action channels.
    asked: Vec<f64>,
    vehicle: v1::StateDatagram,
    state_at_us: Option<u64>,
    moving_at_us: u64,
    help: Option<v1::HelpRequest>,
    question: Option<Arc<PathChoice>>,
    deadman: Deadman,
    estop: Estop,
    estop_request: Option<v1::SeatRequest>,
    requests: Requests,
    notices: Notices,
    /// Times of the pictures; the shell tells it what is shown.
    pub pictures: PictureTimes,
    ramp: Ramp,
    drives: bool,
    /// The vehicle considers this seat's commands; the first valid one makes it drive.
    granted: bool,
    sequence: u64,
    sent: VecDeque<v1::OperatorInput>,
    last: Sample,
    clock: Option<ClockEstimate>,
    warned_deadman: bool,
}

impl SeatLogic {
    /// A seat that is not in session. `first_id` starts the sequence of inputs and requests: it must grow from one run
    /// of the program to the next (a wall clock in microseconds does), so that a vehicle that remembers this seat does
    /// not take the new run's commands for old ones.
    #[must_use]
    pub fn new(seat_id: &str, watch_only: bool, first_id: u64) -> Self {
        Self {
            seat_id: seat_id.to_owned(),
            watch_only,
            connection: Connection::Connecting,
            authority: AuthorityTracker::default(),
            mapping: None,
            embodiment: None,
            robot: None,
            asked: Vec::new(),
            vehicle: v1::StateDatagram::default(),
            state_at_us: None,
            moving_at_us: 0,
            help: None,
            question: None,
            deadman: Deadman::default(),
            estop: Estop::default(),
            estop_request: None,
            requests: Requests::new(seat_id, first_id),
            notices: Notices::default(),
            pictures: PictureTimes::default(),
            ramp: Ramp::default(),
            drives: false,
            granted: false,
            sequence: first_id,
            sent: VecDeque::new(),
            last: Sample::default(),
            clock: None,
            warned_deadman: false,
        }
    }

    /// The session stands.
    pub fn on_connected(&mut self, now_us: u64) {
        self.connection = Connection::Connected;
        // A vehicle that restarted counts its time from zero: nothing of the last session compares with it.
        self.authority = AuthorityTracker::default();
        self.state_at_us = None;
        self.moving_at_us = now_us;
        self.sent.clear();
        self.notices.say(now_us, Level::Info, "connected");
    }

    /// The session ended. Requests under way are dropped, never sent again behind the person's back; a pressed
    /// emergency stop alone stays pressed.
    pub fn on_lost(&mut self, now_us: u64, reason: &str) {
        if self.connection == Connection::Connected {
            self.notices.say(now_us, Level::Alarm, format!("link lost: {reason}"));
        }
        self.connection = Connection::Lost(reason.to_owned());
        for purpose in self.requests.forget() {
            self.notices.say(now_us, Level::Warning, format!("{} was not answered", purpose.label()));
        }
        self.authority = AuthorityTracker::default();
        self.drives = false;
        self.granted = false;
        self.help = None;
        self.question = None;
        self.sent.clear();
        self.pictures.on_lost();
    }

    /// A datagram of the vehicle; parts it does not carry keep their last value.
    pub fn on_state(&mut self, now_us: u64, datagram: v1::StateDatagram) {
        if let Some(state) = datagram.state {
            let newer = self.vehicle.state.as_ref().is_none_or(|s| state.monotonic_us >= s.monotonic_us);
            if newer || self.state_at_us.is_none() {
                self.vehicle.state = Some(state);
                self.state_at_us = Some(now_us);
            }
        }
        if let Some(authority) = &datagram.authority {
            self.on_authority(now_us, authority);
        }
        let known = &mut self.vehicle;
        known.vehicle_id = datagram.vehicle_id;
        known.command = datagram.command.or(known.command.take());
        known.proposal = datagram.proposal.or(known.proposal.take());
        known.surroundings = datagram.surroundings.or(known.surroundings.take());
        known.link = datagram.link.or(known.link.take());
        known.policy = datagram.policy.or(known.policy.take());
        if self.speed_mps().is_none_or(|v| v.abs() > STANDING_MPS) {
            self.moving_at_us = now_us;
        }
    }

    /// A message on the reliable channel.
    pub fn on_event(&mut self, now_us: u64, event: v1::VehicleEvent) {
        use v1::vehicle_event::Event;
        match event.event {
            Some(Event::Response(response)) => self.on_response(now_us, &response),
            Some(Event::Help(help)) => {
                self.notices.say(now_us, Level::Warning, format!("the vehicle asks for help: {}", help.text));
                self.help = Some(help);
            }
            Some(Event::Takeover(takeover)) => self.on_takeover(now_us, &takeover),
            Some(Event::Hello(hello)) => {
                self.mapping = Mapping::new(&hello);
                self.robot = Embodiment::told(&hello.embodiment, &hello.embodiment_file).map(Arc::new);
                self.embodiment = Some(hello.embodiment);
            }
            None => self.notices.say(now_us, Level::Warning, "the vehicle sent an event this console does not know"),
        }
    }

    fn on_authority(&mut self, now_us: u64, authority: &v1::AuthorityState) {
        if self.authority.take(authority) {
            self.estop.on_latch(now_us, authority.estop_latched);
            self.help.clone_from(&authority.help);
            self.on_question(authority.question.as_deref());
        }
        let drives = self.authority.holder(&self.seat_id) == Holder::Me;
        let granted = self.authority.is_granted(&self.seat_id);
        if granted && !self.granted {
            let steer = match (&self.mapping, &self.vehicle.command) {
                (Some(mapping), Some(c)) => mapping.steer_of(&c.action, self.speed_mps().unwrap_or(0.0)),
                _ => 0.0,
            };
            self.ramp = Ramp::seeded(steer);
        }
        self.granted = granted;
        if drives && !self.drives {
            self.notices.say(now_us, Level::Info, "you drive");
        } else if self.drives && !drives {
            let level = if authority.author() == v1::Author::Fallback { Level::Alarm } else { Level::Info };
            self.notices.say(now_us, level, format!("you no longer drive: {}", authority.reason().label()));
        }
        self.drives = drives;
    }

    /// The vehicle's open question; it keeps the surroundings that it was asked in.
    fn on_question(&mut self, question: Option<&v1::PathQuestion>) {
        if question.map(|q| q.id) == self.question.as_ref().map(|c| c.question.id) {
            return;
        }
        let (surroundings, robot) = (self.vehicle.surroundings.clone(), self.robot.clone());
        self.question = question.map(|q| Arc::new(PathChoice { question: q.clone(), surroundings, robot }));
    }

    fn on_response(&mut self, now_us: u64, response: &v1::SeatResponse) {
        if response.accepted && self.estop_request.as_ref().is_some_and(|r| r.id == response.id) {
            self.estop.acknowledged(now_us);
            self.estop_request = None;
        }
        if let Some(authority) = &response.authority {
            self.on_authority(now_us, authority);
        }
        let Some(purpose) = self.requests.on_response(response) else { return };
        let (what, why) = (purpose.label(), response.reason().label());
        if response.accepted {
            self.notices.say(now_us, Level::Info, format!("{what}: accepted by the vehicle"));
        } else {
            self.notices.say(now_us, Level::Warning, format!("{what}: refused by the vehicle, {why}"));
        }
    }

    fn on_takeover(&mut self, now_us: u64, takeover: &v1::TakeoverEvent) {
        let text = if takeover.end_us == 0 {
            format!("takeover {} begins: {}", takeover.takeover_id, takeover.cause().label())
        } else {
            let s = takeover.end_us.saturating_sub(takeover.start_us) as f64 / 1e6;
            format!("takeover {} ended after {s:.1} s, recorded", takeover.takeover_id)
        };
        self.notices.say(now_us, Level::Info, text);
    }

    /// One tick.
    pub fn tick(&mut self, inputs: TickInputs) -> Outputs {
        let TickInputs { now_us, dt_s, sample, clock } = inputs;
        self.clock = clock;
        self.last = sample;
        self.last.deadman = self.deadman.sample(now_us, self.last.deadman);
        let mut requests = Vec::new();
        for action in self.last.pressed.clone() {
            requests.extend(self.act(now_us, action));
        }
        requests.extend(self.tick_estop(now_us));
        for purpose in self.requests.overdue(now_us) {
            self.notices.say(now_us, Level::Warning, format!("{}: no answer from the vehicle", purpose.label()));
        }
        self.warn_deadman(now_us);
        let command = self.command(now_us, dt_s.clamp(0.0, 0.1));
        Outputs { command, requests }
    }

    /// Whether an emergency stop was pressed here that the vehicle has not acknowledged.
    #[must_use]
    pub fn estop_is_pressed(&self) -> bool {
        matches!(self.estop.phase(), EstopPhase::Sent { .. })
    }

    /// Presses the emergency stop. No condition stands before it: not the link, not the mode, not who drives.
    pub fn press_estop(&mut self, now_us: u64) {
        self.estop.press(now_us);
    }

    fn connected(&self) -> bool {
        self.connection == Connection::Connected
    }

    fn act(&mut self, now_us: u64, action: Action) -> Option<v1::SeatRequest> {
        if action == Action::Estop {
            self.press_estop(now_us);
            return None;
        }
        let path = Action::PATHS.iter().position(|way| *way == action);
        if path.is_some() || action == Action::Decline {
            return self.answer(now_us, path);
        }
        let purpose = Purpose::Action(action);
        if self.requests.awaits(purpose) {
            return None;
        }
        if !self.connected() {
            self.notices.say(now_us, Level::Warning, format!("{}: not connected", action.label()));
            return None;
        }
        let request = match action {
            Action::TakeOver => self.takeover(now_us, None)?,
            Action::TakeOverSafety => self.takeover(now_us, Some(v1::TakeoverCause::Safety))?,
            Action::HandBack => Request::HandBack(v1::HandBackRequest { mode: v1::Mode::Monitor.into() }),
            Action::Engage => Request::Engage(v1::EngageRequest {}),
            Action::Bookmark => Request::Bookmark(v1::BookmarkRequest { note: String::new() }),
            Action::Assist => {
                let assists = self.authority.latest().is_some_and(|a| a.mode() == v1::Mode::Assist);
                let mode = if assists { v1::Mode::Monitor } else { v1::Mode::Assist };
                Request::HandBack(v1::HandBackRequest { mode: mode.into() })
            }
            _ => return None,
        };
        Some(self.requests.issue(now_us, purpose, request))
    }

    /// Answers the vehicle's question with the way of that place, or with none; without a question the keys mean nothing.
    fn answer(&mut self, now_us: u64, path: Option<usize>) -> Option<v1::SeatRequest> {
        let question = &self.question.as_ref()?.question;
        if !self.connected() || self.requests.awaits(Purpose::Answer) {
            return None;
        }
        let mut answer = v1::PathAnswer { question_id: question.id, declined: path.is_none(), ..Default::default() };
        if let Some(place) = path {
            answer.path_id = question.paths.get(place)?.id;
        }
        Some(self.requests.issue(now_us, Purpose::Answer, Request::PathAnswer(answer)))
    }

    fn takeover(&mut self, now_us: u64, cause: Option<v1::TakeoverCause>) -> Option<Request> {
        if let Some(why) = failures(&self.checklist(now_us)) {
            self.notices.say(now_us, Level::Warning, format!("cannot take over: {why}"));
            return None;
        }
        let cause = cause.unwrap_or_else(|| self.cause(now_us));
        Some(Request::Takeover(v1::TakeoverRequest { cause: cause.into(), note: String::new() }))
    }

    /// The cause of a takeover that the person did not name.
    fn cause(&self, now_us: u64) -> v1::TakeoverCause {
        if self.help.is_some() {
            v1::TakeoverCause::PolicyAsked
        } else if self.holder() == Holder::Fallback {
            v1::TakeoverCause::Fault
        } else if now_us.saturating_sub(self.moving_at_us) > STUCK_US {
            v1::TakeoverCause::Stuck
        } else {
            v1::TakeoverCause::Precaution
        }
    }

    fn tick_estop(&mut self, now_us: u64) -> Option<v1::SeatRequest> {
        match self.estop.tick(now_us, self.last.reset_held, self.connected())? {
            EstopSend::Stop => {
                // A stop that was acknowledged and released is another stop: it needs its own id.
                if matches!(self.estop.phase(), EstopPhase::Sent { sends: 1, .. }) {
                    self.estop_request = None;
                }
                let requests = &mut self.requests;
                let request = self.estop_request.get_or_insert_with(|| {
                    requests.issue(now_us, Purpose::Action(Action::Estop), Request::Estop(v1::EstopRequest {}))
                });
                Some(request.clone())
            }
            EstopSend::Holding(held_ms) => {
                Some(self.requests.aside(Request::EstopReset(v1::EstopResetRequest { held_ms })))
            }
            EstopSend::Reset(held_ms) => {
                let reset = Request::EstopReset(v1::EstopResetRequest { held_ms });
                Some(self.requests.issue(now_us, Purpose::EstopReset, reset))
            }
        }
    }

    fn warn_deadman(&mut self, now_us: u64) {
        let released = self.drives && !self.last.deadman;
        if released && !self.warned_deadman {
            self.notices.say(now_us, Level::Alarm, "deadman released: the vehicle stops");
        }
        self.warned_deadman = released;
    }

    fn command(&mut self, now_us: u64, dt_s: f64) -> Option<v1::CommandDatagram> {
        let stopping = matches!(self.estop.phase(), EstopPhase::Sent { .. });
        // The deadman is a second way to the stop, on another channel.
        let deadman = self.last.deadman && !stopping;
        let target = if deadman {
            self.last.drive
        } else {
            // A released deadman lets go of everything but the brake.
            Drive { brake: self.last.drive.brake, ..Drive::default() }
        };
        let drive = self.ramp.step(&target, &Rates::of(self.last.device), dt_s);
        if self.watch_only || !self.connected() {
            self.asked.clear();
            return None;
        }
        let action = match &self.mapping {
            Some(mapping) if self.granted => mapping.action(&drive, self.speed_mps().unwrap_or(0.0)),
            _ => Vec::new(),
        };
        self.asked.clone_from(&action);
        self.sequence += 1;
        self.sent.push_back(v1::OperatorInput {
            sequence: self.sequence,
            epoch: self.authority.epoch(),
            seat_us: now_us,
            deadman,
            action,
            shown_frame_us: self.pictures.shown_capture_us(),
            trajectory: None,
        });
        if self.sent.len() > REPEATED_INPUTS {
            self.sent.pop_front();
        }
        Some(v1::CommandDatagram {
            seat_id: self.seat_id.clone(),
            inputs: self.sent.iter().cloned().collect(),
            ..Default::default()
        })
    }

    fn speed_mps(&self) -> Option<f64> {
        let observation = &self.vehicle.state.as_ref()?.observation;
        self.robot.as_ref()?.speed_mps(observation).filter(|v| v.is_finite())
    }

    /// Who drives. The vehicle's mode is "stopped" from the beginning of its manoeuvre; while it still moves it stops itself.
    fn holder(&self) -> Holder {
        match self.authority.holder(&self.seat_id) {
            Holder::Stopped if self.speed_mps().is_some_and(|v| v.abs() > STOPPED_MPS) => Holder::Fallback,
            holder => holder,
        }
    }

    fn state_age_us(&self, now_us: u64) -> Option<u64> {
        Some(now_us.saturating_sub(self.state_at_us?))
    }

    fn checklist(&self, now_us: u64) -> Vec<Check> {
        let undrivable = match (&self.embodiment, &self.mapping) {
            (None, _) => Some("the vehicle has not introduced itself".to_owned()),
            (Some(name), None) => Some(format!("{name:?} is not known here, or has nothing to drive by")),
            (Some(_), Some(_)) => None,
        };
        checklist(&Facts {
            connected: self.connected(),
            watch_only: self.watch_only,
            state_age_us: self.state_age_us(now_us),
            has_picture: self.pictures.counts().0 > 0,
            stale_us: self.pictures.stale_us(now_us),
            clock_uncertainty_us: self.clock.map(|c| c.uncertainty_us),
            deadman: self.last.deadman,
            neutral: self.last.drive.is_neutral(),
            estopped: self.estop.phase() != EstopPhase::Clear,
            other_seat: match self.authority.holder(&self.seat_id) {
                Holder::OtherSeat(seat) => Some(seat),
                _ => None,
            },
            undrivable,
        })
    }

    /// Everything the window draws.
    pub fn view(&mut self, now_us: u64, vehicle_id: &str, gamepad: Option<String>) -> SeatView {
        SeatView {
            at: Instant::now(),
            seat_id: self.seat_id.clone(),
            vehicle_id: vehicle_id.to_owned(),
            watch_only: self.watch_only,
            connection: self.connection.clone(),
            holder: self.holder(),
            authority: self.authority.latest().cloned(),
            vehicle: self.vehicle.clone(),
            robot: self.robot.clone(),
            asked: self.asked.clone(),
            speed_mps: self.speed_mps(),
            state_age_us: self.state_age_us(now_us),
            estop: self.estop.phase(),
            reset_progress: self.estop.reset_progress(now_us),
            checklist: self.checklist(now_us),
            notices: self.notices.current(now_us),
            help: self.help.clone(),
            question: self.question.clone(),
            clock: self.clock,
            wall_clock: Vec::new(),
            has_picture: self.pictures.counts().0 > 0,
            picture_age_us: self.pictures.age_us(now_us),
            stale_us: self.pictures.stale_us(now_us),
            picture_latency_ms: self.pictures.latency_ms(),
            pictures: self.pictures.counts(),
            gamepad,
            device: self.last.device,
            drive: self.ramp.drive,
            deadman: self.last.deadman,
        }
    }
}

#[cfg(test)]
#[path = "logic_tests.rs"]
mod tests;
