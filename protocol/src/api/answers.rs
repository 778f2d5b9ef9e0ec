//! Answers that many routes share.

use crate::{Failure, PolicyVersion, VehicleId};
use serde::{Deserialize, Serialize};

/// Answer to every `POST` of something with an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Whether this request changed anything; `false` when it was known already.
    pub stored: bool,
}

/// Why something is changed that people will ask about later: the body of such a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeReason {
    /// For people.
    pub reason: String,
}

/// The body of every answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// What is wrong, for people: it names field and value.
    pub error: String,
    /// For programs, where signalling is refused; absent elsewhere and in answers of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Failure>,
}

/// `GET /api/v1/trips/ID`: a [`super::Trip`] without its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TripView {
    /// As the sender chose it.
    pub id: String,
    /// Who drove.
    pub vehicle: VehicleId,
    /// Which policy was loaded.
    pub policy: PolicyVersion,
    /// Metres with the policy in authority.
    pub autonomous_m: f64,
    /// Metres with anybody else in authority.
    pub manual_m: f64,
}
