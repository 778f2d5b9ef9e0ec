//! Session grants: the control plane's signed word that one seat may take part in one session with one vehicle, for a
//! minute and up to a mode. The vehicle believes the signature and nothing else that comes by signalling.
//!
//! No wall clock is compared with another: the vehicle sends a challenge ([`new_challenge`]), the grant repeats it, and
//! its life counts on the vehicle's own monotonic clock from when the challenge was sent. So a grant is younger than its
//! challenge, whatever the control plane's clock says, and nobody can use it a second time.
//!
//! As text a grant is a [`crate::signed_text`] with the context `takeover grant 1\0`.

use crate::signed_text::{self, SignedTextError};
use crate::signing::{PublicKey, SigningKey};
use crate::{SeatId, SeatKind, VehicleId};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// Longest life of a grant, milliseconds; a vehicle refuses those that last longer.
pub const LIFE_MS: u64 = 60_000;
/// Longest challenge, bytes; a vehicle's own have 32.
pub const MAX_CHALLENGE: usize = 128;
/// A grant longer than this as text is none.
pub const MAX_TEXT: usize = 4_096;
/// Keeps a signature from meaning anything else.
const CONTEXT: &[u8] = b"takeover grant 1\0";

/// The highest mode that a seat may bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxMode {
    /// See, and stop it in an emergency.
    Monitor,
    /// Answer its questions, set it going.
    Assist,
    /// Drive it.
    Drive,
}

impl MaxMode {
    /// As it stands in JSON.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Assist => "assist",
            Self::Drive => "drive",
        }
    }
}

/// What the control plane says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Which vehicle.
    pub vehicle: VehicleId,
    /// Which seat.
    pub seat: SeatId,
    /// Who sits there, as the seat announced it with its call; absent for a person, as in earlier releases.
    #[serde(default, skip_serializing_if = "SeatKind::is_human")]
    pub seat_kind: SeatKind,
    /// Which session of theirs.
    pub session: String,
    /// What it may do.
    #[serde(rename = "ceiling")]
    pub max_mode: MaxMode,
    /// The certificates that the seat announced, as [`crate::signalling::announced_fingerprints`] lists them: the session
    /// must be made with exactly these.
    pub fingerprints: Vec<String>,
    /// Greater than that of every grant before, also of earlier lives of the control plane: each is accepted once.
    pub serial: u64,
    /// What the vehicle sent to have this grant, unchanged: proof that it is not older than that.
    pub challenge: String,
    /// How long it lasts from when the vehicle sent the challenge, milliseconds; at most [`LIFE_MS`].
    pub lasts_ms: u64,
    /// When it was issued, milliseconds since 1970 by the control plane's clock: a label for people.
    pub issued_ms: u64,
}

/// A challenge that was never used before and that nobody can guess: 128 random bits in hexadecimal; `None` when the
/// system gives no randomness.
#[must_use]
pub fn new_challenge() -> Option<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(hex::encode(bytes))
}

impl Grant {
    /// The grant as text, signed by `key`.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        signed_text::sign(CONTEXT, self, key)
    }

    /// The grant in `text`, if `key`'s owner signed it. It proves who said so, not that it holds now.
    ///
    /// # Errors
    /// [`SignedTextError`] when it is not made like a grant or signed by somebody else.
    pub fn open(text: &str, key: &PublicKey) -> Result<Self, SignedTextError> {
        signed_text::open(CONTEXT, text, MAX_TEXT, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32]).unwrap()
    }

    fn grant() -> Grant {
        Grant {
            vehicle: VehicleId::new("car").unwrap(),
            seat: SeatId::new("desk").unwrap(),
            seat_kind: SeatKind::Scripted,
            session: "x".into(),
            max_mode: MaxMode::Drive,
            fingerprints: vec!["sha-256 AA".into()],
            serial: 7,
            challenge: "c0ffee".into(),
            lasts_ms: LIFE_MS,
            issued_ms: 1_000,
        }
    }

    #[test]
    fn a_grant_is_read_back_by_whoever_has_the_public_key() {
        assert_eq!(Grant::open(&grant().sign(&key(1)), &key(1).public()).unwrap(), grant());
        assert_eq!(Grant::open(&grant().sign(&key(1)), &key(2).public()), Err(SignedTextError::Signature));
    }

    #[test]
    fn a_grant_without_a_kind_of_seat_is_a_persons_and_one_for_a_person_names_none() {
        let person = Grant { seat_kind: SeatKind::Human, ..grant() };
        let old = serde_json::to_string(&person).unwrap();
        assert!(!old.contains("seat_kind"), "{old}");
        assert_eq!(serde_json::from_str::<Grant>(&old).unwrap(), person);
        assert!(serde_json::to_string(&grant()).unwrap().contains(r#""seat_kind":"scripted""#));
    }

    #[test]
    fn no_changed_or_cut_off_text_is_a_grant() {
        let text = grant().sign(&key(1));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last digit of base64 may carry bits that mean nothing; the decoder refuses those.
            assert!(Grant::open(&changed, &key(1).public()).is_err(), "{at}");
            assert!(Grant::open(&text[..at], &key(1).public()).is_err(), "cut at {at}");
        }
        for odd in ["", ".", "..", "é.é", &"A".repeat(MAX_TEXT + 1)] {
            assert!(Grant::open(odd, &key(1).public()).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn no_challenge_comes_twice() {
        let all: std::collections::BTreeSet<_> = (0..100).map(|_| new_challenge().unwrap()).collect();
        assert_eq!(all.len(), 100);
        assert!(all.iter().all(|text| text.len() == 32 && text.len() <= MAX_CHALLENGE));
    }

    #[test]
    fn a_signature_of_something_else_is_no_grant() {
        let claims = serde_json::to_vec(&grant()).unwrap();
        let text = format!("{}.{}", BASE64.encode(&claims), BASE64.encode(key(1).sign(&claims)));
        assert_eq!(Grant::open(&text, &key(1).public()), Err(SignedTextError::Signature));
    }
}
