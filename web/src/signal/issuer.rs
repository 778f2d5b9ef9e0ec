//! Issues session grants.

use protocol::grant::{Grant, LIFE_MS, MaxMode};
use protocol::signalling::announced_fingerprints;
use protocol::signing::{KeyError, PublicKey, SigningKey};
use protocol::{SeatId, SeatKind, VehicleId};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The signing key's file in the data folder.
pub const KEY: &str = "grants.key";
/// Serials up to the number in this file may have been issued.
const SERIAL: &str = "grants.serial";
/// So many serials are set aside at a time: an hour of microseconds.
const RESERVE: u64 = 3_600_000_000;

/// Signs grants with serials that only grow, also when the clock was set back between two lives. The clock is a label
/// and a good start for serials; nothing is decided by it.
#[derive(Debug)]
pub struct Issuer {
    key: SigningKey,
    serial_path: PathBuf,
    last: u64,
    reserved: u64,
}

/// Which session of whom.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The vehicle called.
    pub vehicle: &'a VehicleId,
    /// The seat that calls.
    pub seat: &'a SeatId,
    /// Who sits there.
    pub seat_kind: SeatKind,
    /// Their session.
    pub session: &'a str,
    /// What the seat may do in it.
    pub max_mode: MaxMode,
    /// What the vehicle sent to have a grant.
    pub challenge: &'a str,
}

impl Issuer {
    /// The issuer of a data folder; made at the first start.
    ///
    /// # Errors
    /// When its files cannot be read or written.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let key = SigningKey::load_or_make(&folder.join(KEY))?;
        let serial_path = folder.join(SERIAL);
        let reserved = match std::fs::read_to_string(&serial_path) {
            Ok(text) => text.trim().parse().map_err(|e: std::num::ParseIntError| {
                KeyError::File(serial_path.clone(), format!("{text:?} is not a number: {e}"))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(KeyError::File(serial_path, error.to_string())),
        };
        Ok(Self { key, serial_path, last: reserved, reserved })
    }

    /// What vehicles check grants with.
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// A grant for a seat that answers with this description; `None` when the description names no certificate, or the
    /// serials cannot be kept.
    pub fn issue(&mut self, now_ms: u64, scope: Scope<'_>, description: &str) -> Option<String> {
        self.sign(now_ms, scope, announced_fingerprints(description)?)
    }

    /// A new grant for the session of `old`, a grant of this issuer, that answers `challenge`. How old that one is, is
    /// the vehicle's to know: it asks for sessions that run, and not for long after their grant ran out.
    ///
    /// # Errors
    /// When the serials cannot be kept.
    pub fn renew(&mut self, now_ms: u64, old: &Grant, challenge: &str) -> Result<String, String> {
        let Grant { vehicle, seat, seat_kind, session, max_mode, fingerprints, .. } = old;
        let scope = Scope { vehicle, seat, seat_kind: *seat_kind, session, max_mode: *max_mode, challenge };
        self.sign(now_ms, scope, fingerprints.clone()).ok_or_else(|| "the control plane's disk refuses".to_owned())
    }

    fn sign(&mut self, now_ms: u64, scope: Scope<'_>, fingerprints: Vec<String>) -> Option<String> {
        let serial = now_ms.saturating_mul(1_000).max(self.last + 1);
        if serial >= self.reserved {
            let reserved = serial.saturating_add(RESERVE);
            if let Err(error) = keep(&self.serial_path, reserved) {
                tracing::error!(%error, path = %self.serial_path.display(), "no grant: its serial cannot be kept");
                return None;
            }
            self.reserved = reserved;
        }
        self.last = serial;
        let Scope { vehicle, seat, seat_kind, session, max_mode, challenge } = scope;
        let grant = Grant {
            vehicle: vehicle.clone(),
            seat: seat.clone(),
            seat_kind,
            session: session.to_owned(),
            max_mode,
            fingerprints,
            serial,
            challenge: challenge.to_owned(),
            lasts_ms: LIFE_MS,
            issued_ms: now_ms,
        };
        Some(grant.sign(&self.key))
    }
}

/// Whole or not at all.
fn keep(path: &Path, reserved: u64) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    writeln!(file, "{reserved}")?;
    file.sync_all()?;
    std::fs::rename(part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\na=fingerprint:sha-256 ab:cd\r\n";

    fn scope<'a>(vehicle: &'a VehicleId, seat: &'a SeatId) -> Scope<'a> {
        Scope { vehicle, seat, seat_kind: SeatKind::Scripted, session: "x", max_mode: MaxMode::Drive, challenge: "c" }
    }

    #[test]
    fn serials_grow_also_when_the_clock_was_set_back_between_two_lives() {
        let folder = tempfile::tempdir().unwrap();
        let (car, desk) = (VehicleId::new("car").unwrap(), SeatId::new("desk").unwrap());
        let mut before = 0;
        for now_ms in [5_000, 5_000, 1_000, 1_000] {
            let mut issuer = Issuer::open(folder.path()).unwrap();
            for _ in 0..3 {
                let text = issuer.issue(now_ms, scope(&car, &desk), SDP).unwrap();
                let grant = Grant::open(&text, &issuer.public()).unwrap();
                assert!(grant.serial > before, "{} after {before}", grant.serial);
                assert_eq!(grant.fingerprints, ["sha-256 AB:CD"]);
                before = grant.serial;
            }
        }
    }

    #[test]
    fn a_description_without_a_certificate_gets_no_grant() {
        let folder = tempfile::tempdir().unwrap();
        let (car, desk) = (VehicleId::new("car").unwrap(), SeatId::new("desk").unwrap());
        let mut issuer = Issuer::open(folder.path()).unwrap();
        assert_eq!(issuer.issue(0, scope(&car, &desk), "v=0"), None);
    }

    #[test]
    fn a_grant_is_renewed_for_another_challenge_whatever_the_clock_says_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let (car, desk) = (VehicleId::new("car").unwrap(), SeatId::new("desk").unwrap());
        let mut issuer = Issuer::open(folder.path()).unwrap();
        let hour_ms = 3_600_000;
        let text = issuer.issue(9 * hour_ms, scope(&car, &desk), SDP).unwrap();
        let mut old = Grant::open(&text, &issuer.public()).unwrap();
        assert_eq!((old.challenge.as_str(), old.lasts_ms), ("c", LIFE_MS));
        // Six hours on, then six hours back.
        for (now_ms, challenge) in [(15 * hour_ms, "d"), (3 * hour_ms, "e")] {
            let text = issuer.renew(now_ms, &old, challenge).unwrap();
            let new = Grant::open(&text, &issuer.public()).unwrap();
            assert_eq!((new.issued_ms, new.session.as_str(), new.challenge.as_str()), (now_ms, "x", challenge));
            assert!(new.serial > old.serial && new.lasts_ms == LIFE_MS);
            assert_eq!(new.seat_kind, SeatKind::Scripted);
            old = new;
        }
    }
}
