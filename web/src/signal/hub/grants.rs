//! Who is given grants, and when.

use super::super::issuer::{Issuer, Scope};
use super::{Hub, Party, Refusal, Session, State};
use axum::extract::ws::Utf8Bytes;
use protocol::grant::{Grant, MAX_CHALLENGE};
use protocol::signalling::Signal;
use protocol::{Failure, SeatId};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

impl Hub {
    /// A hub that gives every seat its grants, but those that are `revoked`.
    pub fn issuing(issuer: Issuer, revoked: Vec<SeatId>) -> Self {
        let revoked = revoked.into_iter().collect();
        Self(Mutex::new(State { issuer: Some(issuer), revoked, ..State::default() }))
    }

    /// The public key of the grants.
    pub fn grant_key(&self) -> Option<String> {
        self.state().issuer.as_ref().map(|issuer| issuer.public().to_string())
    }

    /// Gives a seat no more grants and ends its sessions at their vehicles.
    pub fn revoke(&self, seat: &SeatId) {
        let mut state = self.state();
        state.revoked.insert(seat.clone());
        let own: Vec<_> = state.sessions.extract_if(|_, session| session.seat == *seat).collect();
        for (session, Session { vehicle, .. }) in own {
            state.tell(&Party::Vehicle(vehicle), &revoked(session));
        }
    }

    /// Takes a revocation back.
    pub fn allow(&self, seat: &SeatId) {
        self.state().revoked.remove(seat);
    }
}

impl State {
    /// Keeps what the vehicle wants to see again in the grant ahead of the seat's answer.
    pub(super) fn challenge(&mut self, session: &str, challenge: &str) -> Result<(), Refusal> {
        if challenge.is_empty() || challenge.len() > MAX_CHALLENGE {
            let message = format!("a challenge of {} bytes: use 1 to {MAX_CHALLENGE}", challenge.len());
            return Err((Failure::Malformed, message));
        }
        if let Some(known) = self.sessions.get_mut(session) {
            known.challenge = Some(challenge.to_owned());
        }
        Ok(())
    }

    /// Gives the vehicle a grant for the seat that answers with `description`, ahead of the answer. An offer without a
    /// challenge wants none: it is of an additional path of a session.
    pub(super) fn grant(&mut self, vehicle: &Party, session: &str, description: &str) {
        let (Some(issuer), Some(known)) = (&mut self.issuer, self.sessions.get_mut(session)) else { return };
        if self.revoked.contains(&known.seat) {
            return;
        }
        let Some(challenge) = known.challenge.take() else { return };
        let max_mode = known.max_mode;
        let (seat, seat_kind) = (&known.seat, known.seat_kind);
        let scope = Scope { vehicle: &known.vehicle, seat, seat_kind, session, max_mode, challenge: &challenge };
        if let Some(grant) = issuer.issue(now_ms(), scope, description) {
            self.tell(vehicle, &Signal::Grant { session: session.to_owned(), grant });
        }
    }

    /// A vehicle's session goes on: it gets another grant, also from a control plane that has restarted meanwhile and
    /// knows the session by the grant alone. Else the session ends.
    pub(super) fn renew(&mut self, from: &Party, session: String, (old, challenge): (&str, &str)) -> Option<Signal> {
        let over = |session, reason| Some(Signal::Bye { session, reason, code: Some(Failure::NotGranted) });
        let Some(issuer) = &mut self.issuer else {
            return over(session, "this control plane gives no grants".to_owned());
        };
        let old = match Grant::open(old, &issuer.public()) {
            Ok(old) if *from == Party::Vehicle(old.vehicle.clone()) && old.session == session => old,
            Ok(_) => return over(session, "the grant is for another vehicle or session".to_owned()),
            Err(error) => return over(session, error.to_string()),
        };
        if self.revoked.contains(&old.seat) {
            return Some(revoked(session));
        }
        if challenge.is_empty() || challenge.len() > MAX_CHALLENGE {
            return over(session, format!("a challenge of {} bytes: use 1 to {MAX_CHALLENGE}", challenge.len()));
        }
        let grant = match issuer.renew(now_ms(), &old, challenge) {
            Ok(grant) => grant,
            Err(reason) => return over(session, reason),
        };
        let last_used = self.tick();
        let Grant { seat, seat_kind, vehicle, max_mode, .. } = old;
        let known = Session { seat, seat_kind, vehicle, max_mode, challenge: None, last_used };
        self.sessions.entry(session.clone()).or_insert(known).last_used = last_used;
        self.tell(from, &Signal::Grant { session, grant });
        None
    }

    /// Says something in the control plane's own name. Who cannot be reached asks again or misses nothing.
    fn tell(&mut self, to: &Party, signal: &Signal) {
        if let Ok(text) = serde_json::to_string(signal) {
            let _ = self.send(to, &Utf8Bytes::from(text));
        }
    }
}

fn revoked(session: String) -> Signal {
    let reason = "the seat was revoked at the control plane".to_owned();
    Signal::Bye { session, reason, code: Some(Failure::NotGranted) }
}

/// Wall time: a label in the grant, and where serials begin.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
