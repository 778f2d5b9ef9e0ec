//! Who may move the robot. A plain state machine that is handed the time and what happened.
//!
//! - `Stopped` is the state at start, after a fault and after an e-stop; only an explicit act leaves it.
//! - Each grant to an operator carries a new epoch, the fencing token that the gate asks of every command.
//! - A granted operator gets authority with its first valid command, not before: until then whoever drove goes on.
//! - A holder that is silent for [`COMMAND_TIMEOUT_US`] loses authority to the minimal risk manoeuvre.

use protocol::v1::{
    Author, AuthorityState, HelpRequest, Mode, Reason, SeatRequest, SeatResponse, TakeoverCause, seat_request::Request,
};

/// No valid command for this long in `Drive` starts the minimal risk manoeuvre.
pub const COMMAND_TIMEOUT_US: u64 = 200_000;
/// A granted seat that sends nothing for this long loses the grant.
pub const LEASE_US: u64 = 500_000;
/// How long the reset of the e-stop must be held, milliseconds.
pub const ESTOP_RESET_HOLD_MS: u64 = 2_000;

#[derive(Debug, Clone, PartialEq)]
struct Grant {
    seat: String,
    since_us: u64,
    cause: TakeoverCause,
    note: String,
    /// Set by the first valid command.
    active: bool,
    last_valid_us: u64,
}

/// A change of hands that the rest of the vehicle must know.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The operator got authority.
    TakeoverBegan {
        /// Why.
        cause: TakeoverCause,
        /// The operator's words.
        note: String,
        /// Whether the policy had driven since the last takeover, which makes this a disengagement.
        disengagement: bool,
    },
    /// The operator's authority ended.
    TakeoverEnded,
    /// The minimal risk manoeuvre began.
    FallbackBegan(Reason),
}

/// Seats of this name's beginning are standby operators: scripts that give way to people.
pub const STANDBY_PREFIX: &str = "scripted";

fn is_standby_seat(seat: &str) -> bool {
    seat.starts_with(STANDBY_PREFIX)
}

/// The authority machine of one vehicle.
#[derive(Debug, Clone)]
pub struct Authority {
    mode: Mode,
    author: Author,
    epoch: u64,
    reason: Reason,
    estop: bool,
    grant: Option<Grant>,
    help: Option<HelpRequest>,
    help_count: u64,
    policy_drove: bool,
    last_seat: String,
    armed_from_us: u64,
    person_present: bool,
}

impl Authority {
    /// A stopped vehicle whose last epoch was `epoch`; it accepts nothing but an e-stop before `armed_from_us`, the
    /// time its self-check takes.
    #[must_use]
    pub fn new(epoch: u64, armed_from_us: u64) -> Self {
        Self {
            mode: Mode::Stopped,
            author: Author::Fallback,
            epoch,
            reason: Reason::NotArmed,
            estop: false,
            grant: None,
            help: None,
            help_count: 0,
            policy_drove: false,
            last_seat: String::new(),
            armed_from_us,
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

    /// What people see, at `now_us`.
    #[must_use]
    pub fn state(&self, now_us: u64) -> AuthorityState {
        let lease = |g: &Grant| (g.last_valid_us.max(g.since_us) + LEASE_US).saturating_sub(now_us) / 1000;
        AuthorityState {
            monotonic_us: now_us,
            mode: self.mode.into(),
            author: self.author.into(),
            epoch: self.epoch,
            seat_id: self.grant.as_ref().map_or(&self.last_seat, |g| &g.seat).clone(),
            lease_left_ms: self.grant.as_ref().map_or(0, lease),
            reason: self.reason.into(),
            estop_latched: self.estop,
            hazards_on: self.author == Author::Fallback,
            help: self.help.clone(),
        }
    }

    /// Answers a request of a seat. `speed_mps` is the robot's, `now_us` its clock.
    pub fn request(
        &mut self,
        now_us: u64,
        request: &SeatRequest,
        speed_mps: f64,
        changes: &mut Vec<Change>,
    ) -> SeatResponse {
        let verdict = match &request.request {
            Some(Request::Takeover(_) | Request::Engage(_))
                if self.person_present && is_standby_seat(&request.seat_id) =>
            {
                Err(Reason::HeldByOther)
            }
            Some(Request::Takeover(r)) => self.takeover(now_us, &request.seat_id, r.cause(), &r.note, changes),
            Some(Request::HandBack(r)) => self.hand_back(&request.seat_id, r.mode(), changes),
            Some(Request::Engage(_)) => self.engage(now_us),
            Some(Request::Estop(_)) => {
                self.estop(changes);
                Ok(())
            }
            Some(Request::EstopReset(r)) => self.reset_estop(r.held_ms, speed_mps),
            Some(Request::Bookmark(_)) => Ok(()),
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
        now_us: u64,
        seat: &str,
        cause: TakeoverCause,
        note: &str,
        changes: &mut Vec<Change>,
    ) -> Result<(), Reason> {
        self.may_leave_stopped(now_us)?;
        if seat.is_empty() {
            return Err(Reason::NotAuthenticated);
        }
        match &self.grant {
            Some(g) if g.seat == seat => return Ok(()),
            Some(g) if is_standby_seat(&g.seat) && !is_standby_seat(seat) => self.relieve(changes),
            Some(_) => return Err(Reason::HeldByOther),
            None => {}
        }
        self.epoch += 1;
        self.grant = Some(Grant {
            seat: seat.to_owned(),
            since_us: now_us,
            cause,
            note: note.to_owned(),
            active: false,
            last_valid_us: 0,
        });
        Ok(())
    }

    /// A person takes the wheel from a standby operator: until the person's first command the manoeuvre holds the
    /// robot, since nobody else is entitled to drive.
    fn relieve(&mut self, changes: &mut Vec<Change>) {
        let drove = self.grant.as_ref().is_some_and(|g| g.active);
        self.end_grant(changes);
        if drove {
            self.author = Author::Fallback;
            self.reason = Reason::OperatorRequest;
        }
    }

    fn may_leave_stopped(&self, now_us: u64) -> Result<(), Reason> {
        if self.estop {
            Err(Reason::EstopLatched)
        } else if now_us < self.armed_from_us {
            Err(Reason::NotArmed)
        } else {
            Ok(())
        }
    }

    fn hand_back(&mut self, seat: &str, mode: Mode, changes: &mut Vec<Change>) -> Result<(), Reason> {
        if !self.grant.as_ref().is_some_and(|g| g.seat == seat && g.active) {
            return Err(Reason::NotInControl);
        }
        self.end_grant(changes);
        self.policy_drives(if mode == Mode::Assist { mode } else { Mode::Monitor }, Reason::HandedBack);
        Ok(())
    }

    fn engage(&mut self, now_us: u64) -> Result<(), Reason> {
        self.may_leave_stopped(now_us)?;
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

    fn estop(&mut self, changes: &mut Vec<Change>) {
        if !self.estop {
            self.estop = true;
            self.fall_back(Reason::Estop, changes);
        }
    }

    /// The vehicle's own emergency button.
    pub fn press_estop(&mut self, changes: &mut Vec<Change>) {
        self.estop(changes);
    }

    fn reset_estop(&mut self, held_ms: u64, speed_mps: f64) -> Result<(), Reason> {
        if speed_mps.abs() > super::fallback::STANDSTILL_MPS {
            return Err(Reason::StillMoving);
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
        self.help = None;
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

    /// A valid command of the granted seat arrived.
    pub fn valid_command(&mut self, received_us: u64, changes: &mut Vec<Change>) {
        let Some(grant) = &mut self.grant else { return };
        grant.last_valid_us = received_us;
        if !grant.active {
            grant.active = true;
            changes.push(Change::TakeoverBegan {
                cause: grant.cause,
                note: grant.note.clone(),
                disengagement: std::mem::take(&mut self.policy_drove),
            });
            self.mode = Mode::Drive;
            self.author = Author::Operator;
            self.reason = Reason::OperatorRequest;
            self.help = None;
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
        if self.grant.as_ref().is_some_and(|g| g.active) {
            self.fall_back(Reason::LinkLost, changes);
        } else {
            self.grant = None;
            self.reason = Reason::LinkLost;
            if self.author == Author::Fallback && self.mode != Mode::Stopped {
                self.fall_back(Reason::LinkLost, changes);
            }
        }
    }

    /// Ends leases that ran out.
    pub fn expire(&mut self, now_us: u64, changes: &mut Vec<Change>) {
        let Some(grant) = &self.grant else { return };
        let silent = if grant.active {
            now_us.saturating_sub(grant.last_valid_us) > COMMAND_TIMEOUT_US
        } else {
            now_us.saturating_sub(grant.since_us) > LEASE_US
        };
        if silent {
            self.lose_seat(changes);
        }
    }

    /// The policy asks for help; repeated calls keep one request open.
    pub fn ask_for_help(&mut self, reason: Reason, urgency: u32, text: &str) {
        if self.help.is_none() && self.author == Author::Policy {
            self.help_count += 1;
            self.help =
                Some(HelpRequest { id: self.help_count, reason: reason.into(), urgency, text: text.to_owned() });
        }
    }

    /// The policy no longer needs help.
    pub fn withdraw_help(&mut self) {
        self.help = None;
    }

    /// The open request for help.
    #[must_use]
    pub fn help(&self) -> Option<&HelpRequest> {
        self.help.as_ref()
    }
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
