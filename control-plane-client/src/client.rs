//! A method for each route that a program calls.

use crate::exchange::{Exchange, Sent, Timeouts};
use crate::{ClientError, ControlPlaneAddress, Retry};
use protocol::api::{
    ChangeReason, Disengagement, Episode, EpisodeView, Erasures, Evaluation, GeofenceRequest, GeofenceView, Mileage,
    Policy, Removal, RetentionReport, RetentionRequest, StatusAnswer, Stored, Trip, TripView, UploadStart, UploadState,
    VehicleRegistration, VehicleStatus, VehicleView, Verdict,
};
use protocol::erasure::{Asked, ErasurePlan, Proof};
use protocol::{EpisodeId, PolicyVersion, VehicleId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Read;
use ureq::{Agent, SendBody};

/// A client of one control plane; cheap to clone, and one for all threads is enough.
///
/// Unless a method says otherwise it is idempotent, hence repeated by the client's [`Retry`], and fails with
/// [`ClientError`].
#[derive(Debug, Clone)]
pub struct ControlPlaneClient {
    exchange: Exchange,
}

/// A refusal because there is no such thing, as nothing.
fn found<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Most of a request's address that filters may take, bytes: the HTTP library takes 65,534 for all of it.
const MAX_QUERY_BYTES: usize = 60_000;

/// Bytes of `value` in an address, where most characters that are neither letters nor digits take three for each of theirs.
fn escaped_bytes(value: &str) -> usize {
    value.bytes().map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 }).sum()
}

fn api(route: &str) -> String {
    format!("/api/v1/{route}")
}

impl ControlPlaneClient {
    /// A client of the control plane at `address`. Nobody is asked yet.
    #[must_use]
    pub fn new(address: &ControlPlaneAddress, retry: Retry) -> Self {
        Self { exchange: Exchange::new(address, retry, Timeouts::default()) }
    }

    /// Whose client it is.
    #[must_use]
    pub fn address(&self) -> &ControlPlaneAddress {
        &self.exchange.address
    }

    /// Registers a vehicle or renews its description.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn register(&self, vehicle: &VehicleRegistration) -> Result<Stored, ClientError> {
        self.post("vehicles", vehicle)
    }

    /// Every vehicle with its live state.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn vehicles(&self) -> Result<Vec<VehicleView>, ClientError> {
        self.get("vehicles", &[])
    }

    /// Reports a vehicle's live state; the answer tells the control plane's time.
    ///
    /// It is not repeated: the time would be that of another attempt.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn report_status(&self, status: &VehicleStatus) -> Result<StatusAnswer, ClientError> {
        self.post_once(&self.exchange.ordinary, "status", status)
    }

    /// Reports cumulative distance.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn report_mileage(&self, mileage: &Mileage) -> Result<Stored, ClientError> {
        self.post("mileage", mileage)
    }

    /// The newest order on where a vehicle may drive, if there ever was one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn geofence(&self, vehicle: &VehicleId) -> Result<Option<GeofenceView>, ClientError> {
        found(self.get(&format!("vehicles/{vehicle}/geofence"), &[]))
    }

    /// Orders a vehicle to stay inside an area.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is no such vehicle.
    pub fn set_geofence(&self, vehicle: &VehicleId, area: &GeofenceRequest) -> Result<GeofenceView, ClientError> {
        self.put(&format!("vehicles/{vehicle}/geofence"), area)
    }

    /// Takes the newest order on where a vehicle may drive back. Never repeated: the second time there is none.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is none.
    pub fn remove_geofence(&self, vehicle: &VehicleId, why: &ChangeReason) -> Result<GeofenceView, ClientError> {
        self.post_once(&self.exchange.ordinary, &format!("vehicles/{vehicle}/geofence/remove"), why)
    }

    /// Reports a takeover.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn report_disengagement(&self, disengagement: &Disengagement) -> Result<Stored, ClientError> {
        self.post("disengagements", disengagement)
    }

    /// Reports a finished trip.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn report_trip(&self, trip: &Trip) -> Result<Stored, ClientError> {
        self.post("trips", trip)
    }

    /// A trip that was reported before.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn find_trip(&self, id: &str) -> Result<Option<TripView>, ClientError> {
        found(self.get(&format!("trips/{id}"), &[]))
    }

    /// Enters an episode in the catalogue.
    ///
    /// # Errors
    /// [`ClientError`]; status 410 when it was erased.
    pub fn add_episode(&self, episode: &Episode) -> Result<Stored, ClientError> {
        self.post("episodes", episode)
    }

    /// An episode of the catalogue.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn find_episode(&self, id: &EpisodeId) -> Result<Option<EpisodeView>, ClientError> {
        found(self.get(&format!("episodes/{id}"), &[]))
    }

    /// Episodes to which all filters of `query` apply, newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn episodes(&self, query: &[(&str, String)]) -> Result<Vec<EpisodeView>, ClientError> {
        self.get("episodes", query)
    }

    /// Stores a reviewer's verdict and gives it as it was stored.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn judge(&self, id: &EpisodeId, verdict: &Verdict) -> Result<Verdict, ClientError> {
        self.put(&format!("episodes/{id}/verdict"), verdict)
    }

    /// Begins an upload or asks how far it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn begin_upload(&self, start: &UploadStart) -> Result<UploadState, ClientError> {
        self.post("uploads", start)
    }

    /// Sends more bytes of an upload, from `offset` of its file on. Never repeated: [`Self::begin_upload`] says where the
    /// upload stands after a failure.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn append_upload(&self, sha256: &str, offset: u64, bytes: &mut dyn Read) -> Result<UploadState, ClientError> {
        let route = api(&format!("uploads/{sha256}"));
        let url = format!("{}?offset={offset}", self.exchange.address.url(&route));
        let sent = self.exchange.upload.patch(&url).send(SendBody::from_reader(bytes));
        self.exchange.json(&format!("PATCH {route}"), sent)
    }

    /// Publishes a policy version.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn publish(&self, policy: &Policy) -> Result<Stored, ClientError> {
        self.post("policies", policy)
    }

    /// All policy versions, oldest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn policies(&self) -> Result<Vec<Policy>, ClientError> {
        self.get("policies", &[])
    }

    /// Takes a published version back: vehicles go back to the newest one that is left, which is the answer.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is no such version, 409 when it is not in use or the only one that is.
    pub fn withdraw_policy(&self, version: &PolicyVersion, why: &ChangeReason) -> Result<Policy, ClientError> {
        self.post(&format!("policies/{version}/withdraw"), why)
    }

    /// Takes a withdrawal back. Never repeated: the second time there is none.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when the version is not withdrawn.
    pub fn restore_policy(&self, version: &PolicyVersion, why: &ChangeReason) -> Result<Stored, ClientError> {
        self.post_once(&self.exchange.ordinary, &format!("policies/{version}/restore"), why)
    }

    /// The newest published version, if there is one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn latest_policy(&self) -> Result<Option<Policy>, ClientError> {
        found(self.get("policies/latest", &[]))
    }

    /// A file of a policy version, `limit` bytes at most.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn policy_file(&self, version: &PolicyVersion, file: &str, limit: u64) -> Result<Vec<u8>, ClientError> {
        let route = api(&format!("policies/{version}/{file}"));
        let url = self.exchange.address.url(&route);
        let call = format!("GET {route}");
        self.exchange.repeat(|| self.exchange.bytes(&call, self.exchange.download.get(&url).call(), limit))
    }

    /// Reports an evaluation of a version.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn report_evaluation(&self, evaluation: &Evaluation) -> Result<Stored, ClientError> {
        self.post("evaluations", evaluation)
    }

    /// Every evaluation there is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn evaluations(&self) -> Result<Vec<Evaluation>, ClientError> {
        self.get("evaluations", &[])
    }

    /// The report of all published versions, as the control plane words it: the bytes of `report.json`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn report(&self) -> Result<String, ClientError> {
        let route = api("report");
        let url = self.exchange.address.url(&route);
        let call = format!("GET {route}");
        self.exchange.repeat(|| self.exchange.text(&call, self.exchange.ordinary.get(&url).call()))
    }

    /// What an erasure would remove.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn plan_erasure(&self, asked: &Asked) -> Result<ErasurePlan, ClientError> {
        let asked = Asked { dry_run: true, ..asked.clone() };
        self.exchange.repeat(|| self.post_once(&self.exchange.removal, "erasures", &asked))
    }

    /// Erases episodes and gives the proof. Answered when everything is gone; never repeated, for each erasure has a
    /// proof of its own.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn erase(&self, asked: &Asked) -> Result<Proof, ClientError> {
        let asked = Asked { dry_run: false, ..asked.clone() };
        self.post_once(&self.exchange.removal, "erasures", &asked)
    }

    /// All proofs, from the first on, and the key that signs them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn erasures(&self) -> Result<Erasures, ClientError> {
        self.get("erasures", &[])
    }

    /// Keeps to the retention rules now, or says what they would remove. Never repeated: the second report would leave
    /// out what the first has removed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn apply_retention(&self, request: &RetentionRequest) -> Result<RetentionReport, ClientError> {
        self.post_once(&self.exchange.removal, "retention", request)
    }

    /// The newest `limit` episodes that left the storage, newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn removals(&self, limit: u32) -> Result<Vec<Removal>, ClientError> {
        self.get("removals", &[("limit", limit.to_string())])
    }

    fn get<T: DeserializeOwned>(&self, route: &str, query: &[(&str, String)]) -> Result<T, ClientError> {
        let route = api(route);
        let url = self.exchange.address.url(&route);
        let call = format!("GET {route}");
        let asked_bytes: usize = query.iter().map(|(name, value)| name.len() + escaped_bytes(value) + 2).sum();
        if asked_bytes > MAX_QUERY_BYTES
            && let Some((name, value)) = query.iter().max_by_key(|(_, value)| value.len())
        {
            return Err(ClientError::TooLong { name: (*name).to_owned(), bytes: value.len() });
        }
        let send = || -> Sent {
            let query = query.iter().map(|(name, value)| (*name, value.as_str()));
            self.exchange.ordinary.get(&url).query_pairs(query).call()
        };
        self.exchange.repeat(|| self.exchange.json(&call, send()))
    }

    fn put<T: DeserializeOwned>(&self, route: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let route = api(route);
        let url = self.exchange.address.url(&route);
        let call = format!("PUT {route}");
        self.exchange.repeat(|| self.exchange.json(&call, self.exchange.ordinary.put(&url).send_json(body)))
    }

    fn post<T: DeserializeOwned>(&self, route: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.exchange.repeat(|| self.post_once(&self.exchange.ordinary, route, body))
    }

    fn post_once<T: DeserializeOwned>(
        &self,
        agent: &Agent,
        route: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let route = api(route);
        let sent = agent.post(self.exchange.address.url(&route)).send_json(body);
        self.exchange.json(&format!("POST {route}"), sent)
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
