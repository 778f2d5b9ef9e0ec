//! Which seats may take part: by grants that the control plane signed, and by nothing else that signalling says.
//!
//! [`Access`] is sans-IO; [`Gatekeeper`] is its shell between the link's task and the control thread. The rules:
//!
//! - The first key that a control plane names is kept for good (or given by a flag); grants of others are refused.
//! - Grants are accepted once and in the order of their serials. The greatest serial outlives the process.
//! - A grant is for one vehicle, seat, session and set of certificates, up to a mode, for at most a minute.
//! - A grant repeats a challenge that this vehicle sent for that session in this life, each once. Its time counts from when
//!   the challenge was sent, by the vehicle's own clock, which goes on while the vehicle sleeps. No wall clock is asked:
//!   not the vehicle's, not the control plane's.
//! - A grant that ran out leaves a session with picture and emergency stop and no more. While the control plane cannot be
//!   reached, it counts for [`GRACE_US`] longer.

mod gatekeeper;
mod sleep;

pub use gatekeeper::{AccessError, Gatekeeper};

use protocol::grant::{Grant, LIFE_MS, MaxMode};
use protocol::signalling::announced_fingerprints;
use protocol::signed_text::SignedTextError;
use protocol::signing::PublicKey;
use protocol::v1::SeatRequest;
use protocol::v1::seat_request::Request;
use protocol::{SeatKind, VehicleId};
use std::collections::{BTreeMap, VecDeque};

/// A session that runs outlives its grant by this when the control plane cannot be reached, microseconds.
pub const GRACE_US: u64 = 60_000_000;
/// A new grant is asked for when the old one has less than this left, microseconds.
pub const RENEW_US: u64 = 40_000_000;
/// And asked for again after this, microseconds.
const ASK_EVERY_US: u64 = 5_000_000;
/// A session whose grant ran out this long ago is not renewed any more: it ends, and the seat may call again.
const LATE_US: u64 = 600_000_000;
/// Challenges of one session that may be answered: as many as are sent within a grant's life, and some for offers.
const CHALLENGES: usize = 16;

/// Why a grant is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// No control plane has named its key yet.
    #[error("no control plane has named the key of its grants")]
    NoKey,
    /// No grant came.
    #[error("the control plane gave no grant for this session")]
    Missing,
    /// It is not made like a grant, or others signed it.
    #[error("the grant cannot be believed: {0}")]
    Unreadable(#[from] SignedTextError),
    /// It is for somebody or something else.
    #[error("the grant is for another {0}")]
    OtherScope(&'static str),
    /// It repeats no challenge that is open.
    #[error("the grant answers nothing that this vehicle has asked since it started, or was used before")]
    NotAsked,
    /// It was longer on its way than it lasts.
    #[error(
        "the grant ran out {0} ms ago, counted from when this vehicle asked for it: the control plane or the way to it is too slow"
    )]
    Expired(u64),
    /// It lasts longer than any control plane may say.
    #[error("the grant lasts {0} ms; {LIFE_MS} is the most")]
    TooLong(u64),
    /// One with this or a greater serial was accepted before.
    #[error("the grant's serial {0} is not after {1}: it was used before")]
    Replayed(u64, u64),
    /// The seat's certificates are others than those in its grant.
    #[error("the seat's certificate is not the one in its grant")]
    OtherCertificate,
}

impl GrantRefusal {
    /// The reason without its figures: refusals are counted by it.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoKey => "grant_no_key",
            Self::Missing => "grant_missing",
            Self::Unreadable(SignedTextError::Malformed(_)) => "grant_malformed",
            Self::Unreadable(SignedTextError::Signature) => "grant_signature",
            Self::OtherScope(_) => "grant_other_scope",
            Self::NotAsked => "grant_not_asked",
            Self::Expired(_) => "grant_expired",
            Self::TooLong(_) => "grant_too_long",
            Self::Replayed(..) => "grant_replayed",
            Self::OtherCertificate => "grant_other_certificate",
        }
    }
}

/// The grant of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    seat_kind: SeatKind,
    max_mode: MaxMode,
    fingerprints: Vec<String>,
    ends_us: u64,
    asked_us: u64,
    text: String,
}

/// What a grant must repeat.
#[derive(Debug)]
struct Challenge {
    text: String,
    sent_us: u64,
}

/// Who may take part.
///
/// Its clock is the caller's: microseconds that never go back and that go on while the machine sleeps.
#[derive(Debug)]
pub struct Access {
    vehicle: VehicleId,
    key: Option<PublicKey>,
    /// Greatest serial accepted.
    mark: u64,
    standings: BTreeMap<String, Standing>,
    /// By session, the oldest first.
    challenges: BTreeMap<String, VecDeque<Challenge>>,
    /// Why the last grant of a session without one was refused.
    refused: BTreeMap<String, GrantRefusal>,
    /// Since when the control plane cannot be reached, if it cannot.
    alone: bool,
}

impl Access {
    /// For `vehicle`, which trusts `key` and has accepted grants up to the serial `mark`.
    #[must_use]
    pub fn new(vehicle: VehicleId, key: Option<PublicKey>, mark: u64) -> Self {
        let (standings, challenges, refused) = Default::default();
        Self { vehicle, key, mark, standings, challenges, refused, alone: true }
    }

    /// The key that is trusted.
    #[must_use]
    pub fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// A control plane names its key. True when it is the first and taken for good.
    pub fn offer_key(&mut self, key: PublicKey) -> bool {
        let first = self.key.is_none();
        self.key.get_or_insert(key);
        first
    }

    /// Whether the control plane can be reached.
    pub fn set_alone(&mut self, alone: bool) {
        self.alone = alone;
    }

    /// Greatest serial accepted, also by earlier lives.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.mark
    }

    /// `text`, which was never used before, is sent for `session` at `now_us`: a grant may repeat it.
    pub fn challenge(&mut self, now_us: u64, session: &str, text: String) {
        let open = self.challenges.entry(session.to_owned()).or_default();
        open.push_back(Challenge { text, sent_us: now_us });
        if open.len() > CHALLENGES {
            open.pop_front();
        }
    }

    /// A grant for `session` of `seat` came at `now_us`.
    ///
    /// # Errors
    /// [`GrantRefusal`]; whatever was accepted before stays as it is.
    pub fn accept(&mut self, now_us: u64, session: &str, seat: &str, text: &str) -> Result<Grant, GrantRefusal> {
        let accepted = self.check(now_us, session, seat, text);
        match &accepted {
            Ok(_) => drop(self.refused.remove(session)),
            Err(refusal) => drop(self.refused.insert(session.to_owned(), refusal.clone())),
        }
        accepted
    }

    fn check(&mut self, now_us: u64, session: &str, seat: &str, text: &str) -> Result<Grant, GrantRefusal> {
        let grant = Grant::open(text, self.key.as_ref().ok_or(GrantRefusal::NoKey)?)?;
        let scope = [
            (grant.vehicle == self.vehicle, "vehicle"),
            (grant.seat.as_str() == seat, "seat"),
            (grant.session == session, "session"),
        ];
        if let Some((_, what)) = scope.into_iter().find(|(holds, _)| !holds) {
            return Err(GrantRefusal::OtherScope(what));
        }
        if grant.lasts_ms > LIFE_MS {
            return Err(GrantRefusal::TooLong(grant.lasts_ms));
        }
        if grant.serial <= self.mark {
            return Err(GrantRefusal::Replayed(grant.serial, self.mark));
        }
        let open = self.challenges.get_mut(session).ok_or(GrantRefusal::NotAsked)?;
        let asked = open.iter().position(|sent| sent.text == grant.challenge).ok_or(GrantRefusal::NotAsked)?;
        let ends_us = open[asked].sent_us.saturating_add(grant.lasts_ms * 1_000);
        if now_us >= ends_us {
            return Err(GrantRefusal::Expired((now_us - ends_us) / 1_000));
        }
        if self.standings.get(session).is_some_and(|s| s.fingerprints != grant.fingerprints) {
            return Err(GrantRefusal::OtherCertificate);
        }
        self.mark = grant.serial;
        // Each is answered once, and those before it not any more.
        open.drain(..=asked);
        let standing = Standing {
            seat_kind: grant.seat_kind,
            max_mode: grant.max_mode,
            fingerprints: grant.fingerprints.clone(),
            ends_us,
            asked_us: now_us,
            text: text.to_owned(),
        };
        self.standings.insert(session.to_owned(), standing);
        Ok(grant)
    }

    /// Whether a session may be set up with the seat's `description`.
    ///
    /// # Errors
    /// Why its grant was refused; [`GrantRefusal::Missing`] only when none came, [`GrantRefusal::OtherCertificate`].
    pub fn admits(&self, session: &str, description: &str) -> Result<(), GrantRefusal> {
        let why = || self.refused.get(session).cloned().unwrap_or(GrantRefusal::Missing);
        let standing = self.standings.get(session).ok_or_else(why)?;
        match announced_fingerprints(description) {
            Some(announced) if announced == standing.fingerprints => Ok(()),
            _ => Err(GrantRefusal::OtherCertificate),
        }
    }

    /// What a session may do at `now_us`.
    #[must_use]
    pub fn max_mode(&self, now_us: u64, session: &str) -> MaxMode {
        let grace_us = if self.alone { GRACE_US } else { 0 };
        match self.standings.get(session) {
            Some(standing) if now_us < standing.ends_us.saturating_add(grace_us) => standing.max_mode,
            _ => MaxMode::Monitor,
        }
    }

    /// Who sits at a session's seat, by its last grant, also when that ran out; a person where there never was one.
    #[must_use]
    pub fn seat_kind(&self, session: &str) -> SeatKind {
        self.standings.get(session).map_or(SeatKind::Human, |standing| standing.seat_kind)
    }

    /// The sessions that need a new grant at `now_us`, with the old one. Those that were asked for of late are left out.
    pub fn due(&mut self, now_us: u64) -> Vec<(String, String)> {
        if self.alone {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (session, standing) in &mut self.standings {
            let soon = now_us.saturating_add(RENEW_US) >= standing.ends_us;
            let late = now_us >= standing.ends_us.saturating_add(LATE_US);
            if soon && !late && now_us >= standing.asked_us.saturating_add(ASK_EVERY_US) {
                standing.asked_us = now_us;
                due.push((session.clone(), standing.text.clone()));
            }
        }
        due
    }

    /// The sessions that were without a grant for so long at `now_us` that they must end, now that the control plane is
    /// there again.
    #[must_use]
    pub fn lapsed(&self, now_us: u64) -> Vec<String> {
        let is_late = |standing: &Standing| now_us >= standing.ends_us.saturating_add(LATE_US);
        let late = self.standings.iter().filter(|(_, standing)| !self.alone && is_late(standing));
        late.map(|(session, _)| session.clone()).collect()
    }

    /// The session is over.
    pub fn forget(&mut self, session: &str) {
        self.standings.remove(session);
        self.challenges.remove(session);
        self.refused.remove(session);
    }
}

/// Whether a session with this maximum mode may ask for this. Whoever sees the vehicle may stop it and mark what was
/// seen.
#[must_use]
pub fn may_ask(max_mode: MaxMode, request: &SeatRequest) -> bool {
    let needed = match &request.request {
        Some(Request::Estop(_) | Request::Bookmark(_)) | None => MaxMode::Monitor,
        Some(Request::HandBack(_) | Request::Engage(_) | Request::PathAnswer(_)) => MaxMode::Assist,
        Some(Request::Takeover(_) | Request::EstopReset(_)) => MaxMode::Drive,
    };
    max_mode >= needed
}

#[cfg(test)]
mod tests;
