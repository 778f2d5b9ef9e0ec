//! Who may move the robot. A plain state machine that is handed what happened and how much time went by.
//!
//! - `Stopped` is the state at start, after a fault and after an e-stop; only an explicit act leaves it.
//! - Each grant to an operator carries a new epoch, the fencing token that the gate asks of every command.
//! - A granted operator gets authority with its first valid command, not before: until then whoever drove goes on.
//! - A holder that is silent for [`COMMAND_TIMEOUT_US`] loses authority to the minimal risk manoeuvre.
//!
//! It keeps durations and no points in time, so that two machines in the same situation are equal: the exhaustive check
//! of the protocol explores this very code.

use protocol::SeatKind;
use protocol::v1::{
    Author, AuthorityState, HelpRequest, Mode, Reason, SeatRequest, SeatResponse, TakeoverCause, seat_request::Request,
};

/// The minimal risk manoeuvre begins at most this long after the last valid command in `Drive`.
pub const COMMAND_TIMEOUT_US: u64 = 200_000;
/// From a granted seat that has sent nothing for this long, another seat may take the grant.
pub const LEASE_US: u64 = 500_000;
/// A grant waits this long for its first command: as long as the oldest picture that anybody may drive by, so that a
/// seat can hear of its grant before it commands, however far away it may be.
pub const FIRST_COMMAND_US: u64 = 1_000_000;
/// How long the reset of the e-stop must be held, milliseconds, by the vehicle's own measure
/// ([`ResetHold`](super::reset_hold::ResetHold)).
pub const ESTOP_RESET_HOLD_MS: u64 = 2_000;

/// A vehicle begins each life with its epoch this far beyond the last one written down, as a power cut may have undone
/// the last second of writing.
pub const EPOCH_RESERVE: u64 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Grant {
    seat: String,
    kind: SeatKind,
    cause: TakeoverCause,
    note: String,
    /// Set by the first valid command.
    active: bool,
    /// Since the grant or the last valid command.
    silent_us: u64,
}

/// An open question to people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Help {
    id: u64,
    reason: Reason,
    urgency: u32,
    text: &'static str,
}

/// Questions that may be open at once.
const HELP_PLACES: usize = 3;

/// What the machine must know of the vehicle to answer a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestContext {
    /// Who sits at the seat that asks: a program that stands by gives way to people.
    pub seat_kind: SeatKind,
    /// The robot's speed, m/s.
    pub speed_mps: f64,
    /// What keeps the robot from moving at all, if anything.
    pub unfit: Option<Reason>,
    /// Whether the policy's proposals can be driven by.
    pub policy_ready: bool,
    /// Whether the vehicle's own emergency button is held down.
    pub estop_pressed: bool,
}

/// The epoch with which a vehicle begins its next life, when the last one written down was `written`.
#[must_use]
pub fn next_life(written: u64) -> u64 {
    written.saturating_add(EPOCH_RESERVE)
}

/// A change of hands that the rest of the vehicle must know.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The operator got authority.
    TakeoverBegan {
        /// The takeover's cause.
        cause: TakeoverCause,
        /// The operator's words.
        note: String,
        /// Who sits at the operator's seat.
        seat_kind: SeatKind,
        /// Whether the policy had driven since the last takeover, which makes this a disengagement.
        disengagement: bool,
    },
    /// The operator's authority ended.
    TakeoverEnded,
    /// The minimal risk manoeuvre began.
    FallbackBegan(Reason),
}

/// The authority machine of one vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    mode: Mode,
    author: Author,
    epoch: u64,
    reason: Reason,
    estop: bool,
    grant: Option<Grant>,
    /// One for each reason at most.
    help: [Option<Help>; HELP_PLACES],
    help_count: u64,
    policy_drove: bool,
    last_seat: String,
    arm_in_us: u64,
    person_present: bool,
}

impl Authority {
    /// A stopped vehicle whose last epoch was `epoch`; it accepts nothing but an e-stop for `arm_in_us`, the time that
    /// its self-check takes.
    #[must_use]
    pub fn new(epoch: u64, arm_in_us: u64) -> Self {
        Self {
            mode: Mode::Stopped,
            author: Author::Fallback,
            epoch,
            reason: Reason::NotArmed,
            estop: false,
            grant: None,
            help: Default::default(),
            help_count: 0,
            policy_drove: false,
            last_seat: String::new(),
            arm_in_us,
            person_present: false,
        }
    }

    /// Tells whether a person sits at a seat that may drive: standby operators then keep their hands off.
    pub fn set_person_present(&mut self, present: bool) {
        self.person_present = present;
    }

    /// The mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Who moves the robot.
    #[must_use]
    pub fn author(&self) -> Author {
        self.author
    }

    /// The fencing token in force.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the e-stop is latched.
    #[must_use]
    pub fn estop_latched(&self) -> bool {
        self.estop
    }

    /// The seat whose commands the gate may consider.
    #[must_use]
    pub fn granted_seat(&self) -> Option<&str> {
        self.grant.as_ref().map(|g| g.seat.as_str())
    }

    /// What people see, at `now_us`, written over `state`.
    pub fn show(&self, now_us: u64, state: &mut AuthorityState) {
        let lease_us = |g: &Grant| if g.active { LEASE_US } else { FIRST_COMMAND_US }.saturating_sub(g.silent_us);
        state.monotonic_us = now_us;
        state.mode = self.mode.into();
        state.author = self.author.into();
        state.epoch = self.epoch;
        state.seat_id.clone_from(self.grant.as_ref().map_or(&self.last_seat, |g| &g.seat));
        state.lease_left_ms = self.grant.as_ref().map_or(0, lease_us) / 1_000;
        state.reason = self.reason.into();
        state.estop_latched = self.estop;
        state.hazards_on = self.author == Author::Fallback;
        state.not_ready = self.not_ready(None).unwrap_or_default().into();
        state.person_present = self.person_present;
        let help = self.most_urgent();
        if state.help.as_ref().map(|h| h.id) != help.map(|h| h.id) {
            state.help = help.map(Help::message);
        }
    }

    /// What people see, at `now_us`.
    #[must_use]
    pub fn state(&self, now_us: u64) -> AuthorityState {
        let mut state = AuthorityState::default();
        self.show(now_us, &mut state);
        state
    }

    /// Answers a request of a seat at `now_us`.
    pub fn request(
        &mut self,
        now_us: u64,
        request: &SeatRequest,
        situation: &RequestContext,
        changes: &mut Vec<Change>,
    ) -> SeatResponse {
        let seat = request.seat_id.as_str();
        let verdict = match &request.request {
            Some(Request::Takeover(_) | Request::Engage(_))
                if self.person_present && !situation.seat_kind.is_human() =>
            {
                Err(Reason::HeldByOther)
            }
            Some(Request::Takeover(r)) => self.takeover(seat, r.cause(), &r.note, situation, changes),
            Some(Request::HandBack(r)) => self.hand_back(seat, r.mode(), situation, changes),
            Some(Request::Engage(_)) => self.engage(seat, situation),
            Some(Request::Estop(_)) => {
                self.press_estop(changes);
                Ok(())
            }
            Some(Request::EstopReset(r)) => self.reset_estop(r.held_ms, situation),
            Some(Request::Bookmark(_)) => Ok(()),
            // Questions are the assistant's, which answers before the request comes here.
            Some(Request::PathAnswer(_)) => Err(Reason::NoSuchQuestion),
            None => Err(Reason::Malformed),
        };
        let reason = verdict.err().unwrap_or(Reason::Ok);
        SeatResponse {
            id: request.id,
            accepted: verdict.is_ok(),
            reason: reason.into(),
            authority: Some(self.state(now_us)),
        }
    }

    fn takeover(
        &mut self,
        seat: &str,
        cause: TakeoverCause,
        note: &str,
        situation: &RequestContext,
        changes: &mut Vec<Change>,
    ) -> Result<(), Reason> {
        self.may_leave_stopped(situation)?;
        if seat.is_empty() {
            return Err(Reason::NotAuthenticated);
        }
        match &self.grant {
            Some(g) if g.seat == seat => return Ok(()),
            Some(g) if !g.kind.is_human() && situation.seat_kind.is_human() => self.relieve(changes),
            // One that drives has lost the grant long before.
            Some(g) if g.silent_us >= LEASE_US => self.end_grant(changes),
            Some(_) => return Err(Reason::HeldByOther),
            None => {}
        }
        self.epoch += 1;
        let (seat, kind, note) = (seat.to_owned(), situation.seat_kind, note.to_owned());
        self.grant = Some(Grant { seat, kind, cause, note, active: false, silent_us: 0 });
        Ok(())
    }

    /// A person takes the wheel from a standby operator: until the person's first command the manoeuvre holds the
    /// robot, since nobody else is entitled to drive.
    fn relieve(&mut self, changes: &mut Vec<Change>) {
        let drove = self.grant.as_ref().is_some_and(|g| g.active);
        self.end_grant(changes);
        if drove {
            self.author = Author::Fallback;
        }
    }

    fn may_leave_stopped(&self, situation: &RequestContext) -> Result<(), Reason> {
        self.not_ready(situation.unfit).map_or(Ok(()), Err)
    }

    /// Why nobody may set the vehicle going now, when `unfit` is what keeps the robot from moving at all.
    #[must_use]
    pub fn not_ready(&self, unfit: Option<Reason>) -> Option<Reason> {
        if self.estop {
            Some(Reason::EstopLatched)
        } else if self.arm_in_us > 0 {
            Some(Reason::NotArmed)
        } else {
            unfit
        }
    }

    fn hand_back(
        &mut self,
        seat: &str,
        mode: Mode,
        situation: &RequestContext,
        changes: &mut Vec<Change>,
    ) -> Result<(), Reason> {
        let watched = self.author == Author::Policy && self.grant.is_none();
        if watched && (mode == Mode::Assist || self.mode == Mode::Assist) {
            self.mode = if mode == Mode::Assist { mode } else { Mode::Monitor };
            return Ok(());
        }
        if !self.grant.as_ref().is_some_and(|g| g.seat == seat && g.active) {
            return Err(Reason::NotInControl);
        }
        // Hands stay on the wheel until somebody is there to take it.
        if !situation.policy_ready {
            return Err(Reason::PolicyFailed);
        }
        self.end_grant(changes);
        self.epoch += 1;
        self.policy_drives(if mode == Mode::Assist { mode } else { Mode::Monitor }, Reason::HandedBack);
        Ok(())
    }

    fn engage(&mut self, seat: &str, situation: &RequestContext) -> Result<(), Reason> {
        self.may_leave_stopped(situation)?;
        if self.grant.as_ref().is_some_and(|grant| grant.seat != seat) {
            return Err(Reason::HeldByOther);
        }
        if !situation.policy_ready {
            return Err(Reason::PolicyFailed);
        }
        if self.mode == Mode::Stopped && self.grant.is_none() {
            self.policy_drives(Mode::Monitor, Reason::OperatorRequest);
        }
        Ok(())
    }

    fn policy_drives(&mut self, mode: Mode, reason: Reason) {
        self.mode = mode;
        self.author = Author::Policy;
        self.reason = reason;
        self.policy_drove = true;
    }

    /// Somebody pressed an emergency button, at a seat or on the vehicle.
    pub fn press_estop(&mut self, changes: &mut Vec<Change>) {
        if !self.estop {
            self.estop = true;
            self.fall_back(Reason::Estop, changes);
        }
    }

    fn reset_estop(&mut self, held_ms: u64, situation: &RequestContext) -> Result<(), Reason> {
        if !self.estop {
            return Err(Reason::NothingToReset);
        }
        if situation.speed_mps.abs() > super::fallback::STANDSTILL_MPS {
            return Err(Reason::StillMoving);
        }
        if situation.estop_pressed {
            return Err(Reason::EstopLatched);
        }
        if held_ms < ESTOP_RESET_HOLD_MS {
            return Err(Reason::OutOfLimits);
        }
        self.estop = false;
        self.reason = Reason::NotArmed;
        Ok(())
    }

    /// The minimal risk manoeuvre begins; authority is revoked, and coming back needs an explicit act.
    pub fn fall_back(&mut self, reason: Reason, changes: &mut Vec<Change>) {
        if self.author == Author::Fallback && self.mode == Mode::Stopped && self.grant.is_none() {
            if reason == Reason::Estop {
                self.reason = reason;
            }
            return;
        }
        self.end_grant(changes);
        self.epoch += 1;
        self.mode = Mode::Stopped;
        self.author = Author::Fallback;
        self.reason = reason;
        self.help = Default::default();
        changes.push(Change::FallbackBegan(reason));
    }

    fn end_grant(&mut self, changes: &mut Vec<Change>) {
        if let Some(grant) = self.grant.take() {
            if grant.active {
                changes.push(Change::TakeoverEnded);
            }
            self.last_seat = grant.seat;
        }
    }

    /// A valid command of the granted seat arrived `age_us` ago.
    pub fn valid_command(&mut self, age_us: u64, changes: &mut Vec<Change>) {
        let Some(grant) = &mut self.grant else { return };
        grant.silent_us = age_us;
        if !grant.active {
            grant.active = true;
            changes.push(Change::TakeoverBegan {
                cause: grant.cause,
                note: grant.note.clone(),
                seat_kind: grant.kind,
                disengagement: std::mem::take(&mut self.policy_drove),
            });
            self.mode = Mode::Drive;
            self.author = Author::Operator;
            self.reason = Reason::OperatorRequest;
            self.help = Default::default();
        }
    }

    /// The granted seat let go of the deadman.
    pub fn deadman_released(&mut self, changes: &mut Vec<Change>) {
        if self.grant.as_ref().is_some_and(|g| g.active) {
            self.fall_back(Reason::DeadmanReleased, changes);
        }
    }

    /// The granted seat's session ended.
    pub fn seat_gone(&mut self, seat: &str, changes: &mut Vec<Change>) {
        if self.granted_seat() == Some(seat) {
            self.lose_seat(changes);
        }
    }

    fn lose_seat(&mut self, changes: &mut Vec<Change>) {
        let drives = self.grant.as_ref().is_some_and(|g| g.active);
        if drives || self.author == Author::Fallback && self.mode != Mode::Stopped {
            self.fall_back(Reason::LinkLost, changes);
            return;
        }
        self.end_grant(changes);
        self.epoch += 1;
        self.reason = Reason::LinkLost;
    }

    /// Time goes by.
    pub fn advance(&mut self, dt_us: u64) {
        self.arm_in_us = self.arm_in_us.saturating_sub(dt_us);
        if let Some(grant) = &mut self.grant {
            grant.silent_us = grant.silent_us.saturating_add(dt_us);
        }
    }

    /// Ends leases that run out before the next look, in `next_us`: late is never.
    pub fn expire(&mut self, next_us: u64, changes: &mut Vec<Change>) {
        let Some(grant) = &self.grant else { return };
        let timeout_us = if grant.active { COMMAND_TIMEOUT_US } else { FIRST_COMMAND_US };
        if grant.silent_us.saturating_add(next_us) > timeout_us {
            self.lose_seat(changes);
        }
    }

    /// The policy asks for help. Requests wait in order of urgency, then of time; one that is asked for the same reason
    /// again is the same, unless it has become more urgent. A vehicle that asks too much forgets what is least urgent.
    pub fn ask_for_help(&mut self, reason: Reason, urgency: u32, text: &'static str) {
        let same = self.help.iter().position(|h| h.as_ref().is_some_and(|h| h.reason == reason));
        let place = same.or_else(|| self.help.iter().position(Option::is_none)).unwrap_or_else(|| self.least_urgent());
        let waits = self.help[place].as_ref().is_some_and(|h| h.urgency >= urgency);
        if !waits && self.author == Author::Policy {
            self.help_count += 1;
            self.help[place] = Some(Help { id: self.help_count, reason, urgency, text });
        }
    }

    /// The policy no longer needs help for `reason`; another request takes its place.
    pub fn withdraw_help_for(&mut self, reason: Reason) {
        self.help.iter_mut().for_each(|help| *help = help.take().filter(|help| help.reason != reason));
    }

    /// Whether a request for help is open.
    #[must_use]
    pub fn needs_help(&self) -> bool {
        self.most_urgent().is_some()
    }

    fn most_urgent(&self) -> Option<&Help> {
        self.help.iter().flatten().max_by_key(|help| help.order())
    }

    fn least_urgent(&self) -> usize {
        let order = |place: &usize| self.help[*place].as_ref().map(Help::order);
        (0..HELP_PLACES).min_by_key(order).unwrap_or(0)
    }
}

impl Help {
    /// Greater is first.
    fn order(&self) -> (u32, std::cmp::Reverse<u64>) {
        (self.urgency, std::cmp::Reverse(self.id))
    }

    fn message(&self) -> HelpRequest {
        HelpRequest { id: self.id, reason: self.reason.into(), urgency: self.urgency, text: self.text.to_owned() }
    }
}

mod assist;
#[cfg(test)]
mod tests;
