//! The control plane as batch jobs see it: every report is repeated until it is answered.

use protocol::api::{Evaluation, Policy, Trip, VehicleSignUp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The control plane refused it for good.
    #[error("the control plane refuses {path}: {answer}")]
    Refused {
        /// Which report.
        path: String,
        /// What it said.
        answer: String,
    },
    /// The answer was not understood.
    #[error("the control plane's answer to {path} cannot be read: {why}")]
    Answer {
        /// Which request.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The user ended the program while the control plane was away.
    #[error("interrupted")]
    Interrupted,
}

/// When it is said that nobody answers: soon, and then seldom. One that is started just now needs a moment.
const FIRST_WORD: Duration = Duration::from_secs(2);
const NEXT_WORD: Duration = Duration::from_secs(30);

/// A client of the control plane. An unreachable one is waited for, since it may just be starting again.
#[derive(Clone)]
pub struct ControlPlane {
    base: String,
    agent: ureq::Agent,
    stop: Arc<AtomicBool>,
}

impl ControlPlane {
    /// A client for `http://host:port` that gives up when `stop` is set.
    #[must_use]
    pub fn new(address: &str, stop: Arc<AtomicBool>) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(20)))
            .http_status_as_error(false)
            .build()
            .into();
        Self { base: format!("{}/api/v1", address.trim_end_matches('/')), agent, stop }
    }

    fn answered<T>(
        &self,
        path: &str,
        mut attempt: impl FnMut() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        read: impl Fn(&mut ureq::http::Response<ureq::Body>) -> Result<T, ureq::Error>,
    ) -> Result<Option<T>, ReportError> {
        let mut due = Instant::now() + FIRST_WORD;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(ReportError::Interrupted);
            }
            let outcome = attempt();
            if Instant::now() >= due && !outcome.as_ref().is_ok_and(|answer| !answer.status().is_server_error()) {
                let reason = outcome.as_ref().map_or_else(ToString::to_string, |answer| answer.status().to_string());
                tracing::warn!("the control plane at {} does not answer {path}: {reason}; trying on", self.base);
                due = Instant::now() + NEXT_WORD;
            }
            if let Ok(mut answer) = outcome {
                let status = answer.status();
                if status.is_success() {
                    let body = read(&mut answer);
                    return body
                        .map(Some)
                        .map_err(|e| ReportError::Answer { path: path.to_owned(), why: e.to_string() });
                }
                if status.as_u16() == 404 {
                    return Ok(None);
                }
                if status.is_client_error() {
                    let answer = answer.body_mut().read_to_string().unwrap_or_default();
                    return Err(ReportError::Refused { path: path.to_owned(), answer });
                }
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    fn post(&self, path: &str, body: &impl Serialize) -> Result<(), ReportError> {
        let url = format!("{}/{path}", self.base);
        let answer = self.answered(path, || self.agent.post(&url).send_json(body), |_| Ok(()))?;
        answer.ok_or_else(|| ReportError::Refused { path: path.to_owned(), answer: "no such address".into() })
    }

    fn get_text(&self, path: &str) -> Result<Option<String>, ReportError> {
        let url = format!("{}/{path}", self.base);
        self.answered(path, || self.agent.get(&url).call(), |answer| answer.body_mut().read_to_string())
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ReportError> {
        let Some(text) = self.get_text(path)? else { return Ok(None) };
        let parsed = serde_json::from_str(&text);
        parsed.map(Some).map_err(|e| ReportError::Answer { path: path.to_owned(), why: e.to_string() })
    }

    /// Signs a vehicle up.
    ///
    /// # Errors
    /// [`ReportError`] when it is refused or the user ends the program.
    pub fn sign_up(&self, vehicle: &VehicleSignUp) -> Result<(), ReportError> {
        self.post("vehicles", vehicle)
    }

    /// Reports a finished trip.
    ///
    /// # Errors
    /// As [`Self::sign_up`].
    pub fn report_trip(&self, trip: &Trip) -> Result<(), ReportError> {
        self.post("trips", trip)
    }

    /// Registers a policy version.
    ///
    /// # Errors
    /// As [`Self::sign_up`].
    pub fn publish(&self, policy: &Policy) -> Result<(), ReportError> {
        self.post("policies", policy)
    }

    /// Reports an evaluation.
    ///
    /// # Errors
    /// As [`Self::sign_up`].
    pub fn evaluate(&self, evaluation: &Evaluation) -> Result<(), ReportError> {
        self.post("evaluations", evaluation)
    }

    /// All policy versions, oldest first.
    ///
    /// # Errors
    /// As [`Self::sign_up`].
    pub fn policies(&self) -> Result<Vec<Policy>, ReportError> {
        Ok(self.get("policies")?.unwrap_or_default())
    }

    /// Whether a trip was reported before.
    ///
    /// # Errors
    /// As [`Self::sign_up`].
    pub fn trip_is_known(&self, id: &str) -> Result<bool, ReportError> {
        Ok(self.get_text(&format!("trips/{id}"))?.is_some())
    }

    /// The report as the control plane words it.
    ///
    /// # Errors
    /// As [`Self::sign_up`].
    pub fn report(&self) -> Result<String, ReportError> {
        Ok(self.get_text("report")?.unwrap_or_else(|| "[]".into()))
    }
}
