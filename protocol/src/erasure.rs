//! Proof that episodes were erased: a signed statement of what was asked, what was removed and what was found
//! afterwards. Each statement names the hash of the one before, so that none can be dropped without a trace.

use crate::signing::{PublicKey, SigningKey, sha256_hex};
use crate::{EpisodeId, PolicyVersion, SeatId, VehicleId};
use serde::{Deserialize, Serialize};

/// The statement's format.
pub const FORMAT: &str = "takeover-erasure/1";
/// `previous` of the first statement.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Signed before the statement, so that no other signature of the same key is taken for one.
const CONTEXT: &[u8] = b"takeover erasure 1\n";

/// `POST /api/v1/erasures`: whose episodes shall go; exactly one of `vehicle`, `person` and `ids`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Every episode of this vehicle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<VehicleId>,
    /// Every episode in which this seat held a vehicle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<SeatId>,
    /// These episodes, whether they have arrived or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<EpisodeId>,
    /// Why, for people.
    pub reason: String,
    /// Only say what would go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// An episode that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removed {
    /// Its identity.
    pub id: EpisodeId,
    /// SHA-256 of its file, hex.
    pub sha256: String,
    /// Size of its file.
    pub bytes: u64,
    /// Names in the storage under which parts of it lay: the file, previews, signatures.
    pub objects: Vec<String>,
}

/// What would go, without anything being done: the answer to a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasurePlan {
    /// The episodes.
    pub remove: Vec<Removed>,
    /// Takeovers that stay in the count without vehicle, time and place.
    pub disengagements: u64,
    /// Policy versions that learnt from these episodes.
    pub policies: Vec<PolicyVersion>,
}

/// What was looked at after the removal, and what was still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Names that the storage listed.
    pub listed: u64,
    /// Those among them that belong to erased episodes.
    pub left: Vec<String>,
    /// Rows of the catalogue that still answer to the request.
    pub rows: u64,
    /// Policy manifests that could not be read.
    pub unread: Vec<String>,
}

impl Verification {
    /// Whether nothing remains.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.left.is_empty() && self.rows == 0
    }
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`FORMAT`].
    pub format: String,
    /// Erasures of a control plane are numbered from 1.
    pub number: u64,
    /// [`Statement::sha256`] of the statement before; [`NOTHING`] for the first.
    pub previous: String,
    /// The key that signs.
    pub key: String,
    /// What was asked.
    pub asked: Asked,
    /// When it was asked, milliseconds since 1970.
    pub started_ms: i64,
    /// When everything was gone.
    pub finished_ms: i64,
    /// What went.
    pub removed: Vec<Removed>,
    /// Takeovers that stay in the count without vehicle, time and place.
    pub disengagements: u64,
    /// Policy versions that learnt from these episodes; they are not changed.
    pub policies: Vec<PolicyVersion>,
    /// How it was checked.
    pub verification: Verification,
}

impl Statement {
    /// What is signed and hashed: the statement in JSON without spaces, fields in their order.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // Names, numbers and texts always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Identifies it; the next statement names it.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256_hex(&self.bytes())
    }
}

/// A statement with its signature; the answer of `POST /api/v1/erasures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// What is said.
    pub statement: Statement,
    /// Ed25519, hex.
    pub signature: String,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Another format.
    #[error("format {0:?} is not known here: this is {FORMAT}")]
    Format(String),
    /// Somebody else signed.
    #[error("erasure {number} is signed with key {found}, not with {expected}")]
    Key {
        /// The proof's number.
        number: u64,
        /// The key that it names.
        found: String,
        /// The control plane's.
        expected: String,
    },
    /// It was changed, or the key's owner did not sign it.
    #[error("the signature of erasure {0} does not hold: it was changed")]
    Signature(u64),
    /// Something remained.
    #[error("erasure {0} was not complete: {1}")]
    Incomplete(u64, String),
    /// A proof is missing or out of order.
    #[error("erasure {number} does not follow the one before: {problem}")]
    Chain {
        /// The proof's number.
        number: u64,
        /// What does not fit.
        problem: String,
    },
}

impl Proof {
    /// Signs `statement`.
    #[must_use]
    pub fn sign(statement: Statement, key: &SigningKey) -> Self {
        let signature = hex::encode(key.sign(&[CONTEXT, &statement.bytes()].concat()));
        Self { statement, signature }
    }

    /// Checks that `key`'s owner said so and that nothing remained.
    ///
    /// # Errors
    /// [`ProofError`] saying what does not hold.
    pub fn verify(&self, key: &PublicKey) -> Result<(), ProofError> {
        let Statement { format, number, key: found, verification, .. } = &self.statement;
        if format != FORMAT {
            return Err(ProofError::Format(format.clone()));
        }
        if *found != key.to_string() {
            return Err(ProofError::Key { number: *number, found: found.clone(), expected: key.to_string() });
        }
        let signature = hex::decode(&self.signature).map_err(|_| ProofError::Signature(*number))?;
        if !key.verifies(&[CONTEXT, &self.statement.bytes()].concat(), &signature) {
            return Err(ProofError::Signature(*number));
        }
        if !verification.is_complete() {
            let left = format!("{} rows and {:?} remained", verification.rows, verification.left);
            return Err(ProofError::Incomplete(*number, left));
        }
        Ok(())
    }
}

/// Checks all proofs of a control plane, from the first to the last: each holds and follows the one before.
///
/// # Errors
/// [`ProofError`] of the first that does not.
pub fn verify_chain(proofs: &[Proof], key: &PublicKey) -> Result<(), ProofError> {
    let mut previous = NOTHING.to_owned();
    for (proof, expected) in proofs.iter().zip(1..) {
        proof.verify(key)?;
        let number = proof.statement.number;
        if number != expected {
            return Err(ProofError::Chain { number, problem: format!("erasure {expected} is missing") });
        }
        if proof.statement.previous != previous {
            let problem =
                format!("it names {}, which is not the hash of erasure {}", proof.statement.previous, number - 1);
            return Err(ProofError::Chain { number, problem });
        }
        previous = proof.statement.sha256();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(number: u64, previous: &str, key: &SigningKey) -> Statement {
        Statement {
            format: FORMAT.into(),
            number,
            previous: previous.into(),
            key: key.public().to_string(),
            asked: Asked {
                vehicle: VehicleId::new("car").ok(),
                person: None,
                ids: Vec::new(),
                reason: "asked to".into(),
                dry_run: false,
            },
            started_ms: 1,
            finished_ms: 2,
            removed: vec![Removed {
                id: EpisodeId::new("e").unwrap(),
                sha256: NOTHING.into(),
                bytes: 3,
                objects: vec!["e.mcap".into()],
            }],
            disengagements: 1,
            policies: Vec::new(),
            verification: Verification { listed: 9, left: Vec::new(), rows: 0, unread: Vec::new() },
        }
    }

    fn chain(key: &SigningKey) -> Vec<Proof> {
        let mut previous = NOTHING.to_owned();
        (1..=3)
            .map(|number| {
                let statement = statement(number, &previous, key);
                previous = statement.sha256();
                Proof::sign(statement, key)
            })
            .collect()
    }

    #[test]
    fn a_proof_survives_json_and_no_change() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let text = serde_json::to_string_pretty(&chain(&key)[0]).unwrap();
        let proof: Proof = serde_json::from_str(&text).unwrap();
        proof.verify(&key.public()).unwrap();
        for (from, to) in [("\"car\"", "\"van\""), ("\"bytes\": 3", "\"bytes\": 4"), ("\"listed\": 9", "\"listed\": 8")]
        {
            assert!(text.contains(from));
            let changed: Proof = serde_json::from_str(&text.replace(from, to)).unwrap();
            assert_eq!(changed.verify(&key.public()), Err(ProofError::Signature(1)), "{from}");
        }
        let other = SigningKey::from_seed(&[8; 32]).unwrap().public();
        assert!(matches!(proof.verify(&other), Err(ProofError::Key { .. })));
    }

    #[test]
    fn a_dropped_or_reordered_proof_breaks_the_chain() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let whole = chain(&key);
        verify_chain(&whole, &key.public()).unwrap();
        let mut dropped = whole.clone();
        dropped.remove(1);
        assert!(matches!(verify_chain(&dropped, &key.public()), Err(ProofError::Chain { number: 3, .. })));
        let mut forged = whole.clone();
        forged[1] = Proof::sign(statement(2, NOTHING, &key), &key);
        assert!(matches!(verify_chain(&forged, &key.public()), Err(ProofError::Chain { number: 2, .. })));
    }

    #[test]
    fn what_remained_is_no_proof() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let mut incomplete = statement(1, NOTHING, &key);
        incomplete.verification.left = vec!["e.mcap".into()];
        let error = Proof::sign(incomplete, &key).verify(&key.public()).unwrap_err().to_string();
        assert!(error.contains("e.mcap"), "{error}");
    }
}
