//! The shell around [`Access`]: its file, its clock, its two threads.

use super::sleep::Sleep;
use super::{Access, GrantRefusal};
use crate::audit::{AuditEvent, AuditHandle};
use link::Guard;
use protocol::grant::{Grant, MaxMode, new_challenge};
use protocol::signalling::Signal;
use protocol::signing::PublicKey;
use protocol::{Failure, SeatKind, VehicleId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Why the gatekeeper cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Its file.
    #[error("cannot use {path}: {reason}", path = .0.display(), reason = .1)]
    File(PathBuf, String),
}

/// What outlives the process.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    control_plane_key: Option<String>,
    serial: u64,
}

impl Kept {
    fn of(access: &Access) -> Self {
        Self { control_plane_key: access.key().map(ToString::to_string), serial: access.mark() }
    }
}

struct Inner {
    access: Access,
    refused: BTreeMap<&'static str, u64>,
}

/// Answers the link's questions about seats and the control thread's about sessions.
pub struct Gatekeeper {
    inner: Mutex<Inner>,
    path: PathBuf,
    origin: Instant,
    sleep: Sleep,
    audit: AuditHandle,
}

impl Gatekeeper {
    /// The gatekeeper of `vehicle`, which remembers in `folder`. `key` is trusted instead of the first one seen.
    /// `origin` is the zero of the vehicle's clock.
    ///
    /// # Errors
    /// [`AccessError`] when its file cannot be read: without it, grants could be replayed.
    pub fn open(
        vehicle: &VehicleId,
        key: Option<PublicKey>,
        folder: &Path,
        origin: Instant,
        audit: AuditHandle,
    ) -> Result<Self, AccessError> {
        let path = folder.join("access.json");
        let failed = |reason: String| AccessError::File(path.clone(), reason);
        let kept: Kept = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| failed(e.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(failed(error.to_string())),
        };
        let pinned = kept.control_plane_key.as_deref().map(str::parse).transpose();
        let pinned = pinned.map_err(|e: protocol::signing::KeyError| failed(e.to_string()))?;
        let access = Access::new(vehicle.clone(), key.or(pinned), kept.serial);
        Ok(Self {
            inner: Mutex::new(Inner { access, refused: BTreeMap::new() }),
            path,
            origin,
            sleep: Sleep::new(),
            audit,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The vehicle's clock and the time that it slept: a grant runs out meanwhile.
    fn awake_or_not_us(&self, now_us: u64) -> u64 {
        now_us.saturating_add(self.sleep.slept_us())
    }

    /// Who sits at a session's seat, as its grant says.
    #[must_use]
    pub fn seat_kind(&self, session: &str) -> SeatKind {
        self.lock().access.seat_kind(session)
    }

    /// What a session may do at `now_us` of the vehicle's clock.
    #[must_use]
    pub fn max_mode(&self, now_us: u64, session: &str) -> MaxMode {
        let now_us = self.awake_or_not_us(now_us);
        self.lock().access.max_mode(now_us, session)
    }

    /// The control plane's key, once it is known: what it signs is believed.
    #[must_use]
    pub fn control_plane_key(&self) -> Option<PublicKey> {
        self.lock().access.key().copied()
    }

    /// Grants refused so far, by reason.
    #[must_use]
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.lock().refused.clone()
    }

    /// The link's task alone comes here; the lock is not held, as the control thread wants it at every tick.
    fn keep(&self, kept: &Kept) {
        let part = self.path.with_extension("part");
        // In the page cache when this returns, which a killed process keeps. The audit log, which names the serial, is
        // brought to the disk at once.
        let written = serde_json::to_vec(kept)
            .map_err(std::io::Error::other)
            .and_then(|text| std::fs::write(&part, text))
            .and_then(|()| std::fs::rename(&part, &self.path));
        if let Err(error) = written {
            tracing::error!(%error, path = %self.path.display(), "a restart would forget which grants were used");
        }
    }

    fn refuse(&self, session: &str, seat: &str, refusal: &GrantRefusal) {
        *self.lock().refused.entry(refusal.label()).or_default() += 1;
        tracing::warn!(%session, %seat, %refusal, "grant refused");
        self.audit.note(
            self.now_us(),
            AuditEvent::GrantRefused {
                seat: seat.to_owned(),
                session: session.to_owned(),
                reason: refusal.to_string(),
            },
        );
    }

    fn accepted(&self, kept: &Kept, grant: Grant) {
        self.keep(kept);
        self.audit.note(
            self.now_us(),
            AuditEvent::GrantAccepted {
                seat: grant.seat.to_string(),
                seat_kind: grant.seat_kind,
                session: grant.session,
                max_mode: grant.max_mode,
                serial: grant.serial,
                lasts_ms: grant.lasts_ms,
            },
        );
    }
}

impl Guard for Gatekeeper {
    fn control_plane(&self, is_up: bool) {
        self.lock().access.set_alone(!is_up);
    }

    fn key(&self, grant_key: Option<&str>) {
        let Some(text) = grant_key else {
            tracing::warn!("the control plane gives no grants: no seat will be let in");
            return;
        };
        let key = match text.parse::<PublicKey>() {
            Ok(key) => key,
            Err(error) => return tracing::error!(%error, "the control plane names no usable key"),
        };
        let (first, kept) = {
            let access = &mut self.lock().access;
            (access.offer_key(key), Kept::of(access))
        };
        if first {
            self.keep(&kept);
            tracing::info!(%key, "this control plane's grants are trusted from now on");
        } else if kept.control_plane_key != Some(key.to_string()) {
            tracing::error!(%key, "the control plane's key is not the trusted one: no seat will be let in");
        }
    }

    fn challenge(&self, session: &str) -> Option<String> {
        let Some(text) = new_challenge() else {
            tracing::error!(%session, "the system gives no randomness: no grant can be asked for");
            return None;
        };
        let now_us = self.awake_or_not_us(self.now_us());
        self.lock().access.challenge(now_us, session, text.clone());
        Some(text)
    }

    fn grant(&self, session: &str, seat: &str, grant: &str) {
        let accepted = {
            let now_us = self.awake_or_not_us(self.now_us());
            let access = &mut self.lock().access;
            access.accept(now_us, session, seat, grant).map(|grant| (grant, Kept::of(access)))
        };
        match accepted {
            Ok((grant, kept)) => self.accepted(&kept, grant),
            Err(refusal) => self.refuse(session, seat, &refusal),
        }
    }

    fn answer(&self, session: &str, description: &str) -> Result<(), String> {
        let admitted = self.lock().access.admits(session, description);
        admitted.map_err(|refusal| {
            self.refuse(session, "", &refusal);
            refusal.to_string()
        })
    }

    fn questions(&self) -> Vec<Signal> {
        let now_us = self.awake_or_not_us(self.now_us());
        let (due, lapsed) = {
            let access = &mut self.lock().access;
            (access.due(now_us), access.lapsed(now_us))
        };
        let renew = |(session, grant): (String, String)| {
            let challenge = self.challenge(&session)?;
            Some(Signal::Renew { session, grant, challenge })
        };
        let goodbye = |session| Signal::Bye {
            session,
            reason: "the grant ran out too long ago to be renewed: call again".to_owned(),
            code: Some(Failure::NotGranted),
        };
        due.into_iter().filter_map(renew).chain(lapsed.into_iter().map(goodbye)).collect()
    }

    fn ended(&self, session: &str) {
        self.lock().access.forget(session);
    }
}
