//! One request and its answer: timeouts, what failures mean, how much of an answer is read.

use crate::{ClientError, ControlPlaneAddress, Retry, tls_problem};
use protocol::api::ErrorAnswer;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::Response;
use ureq::http::header::LOCATION;
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::{Agent, Body, Timeout};

/// Longest time until there is a connection, its TLS handshake with it.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time of an ordinary call, from the name's resolution to the last byte of the answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time until an erasure or a retention run is answered: all files are gone by then.
pub const REMOVAL_TIMEOUT: Duration = Duration::from_secs(3600);
/// Longest time until the answer to an upload's bytes comes: a finished file is stored before, perhaps in a bucket.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest time in which no byte of a file moves.
pub const TRANSFER_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest answer in JSON, bytes: the proofs of all erasures are one list.
const MAX_ANSWER: u64 = 256 << 20;
/// Most of a refusal that is read, bytes.
const MAX_REFUSAL: u64 = 64 << 10;

/// The policy's timeouts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) call: Duration,
    pub(crate) removal: Duration,
    pub(crate) store: Duration,
    pub(crate) transfer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: CONNECT_TIMEOUT,
            call: CALL_TIMEOUT,
            removal: REMOVAL_TIMEOUT,
            store: STORE_TIMEOUT,
            transfer: TRANSFER_TIMEOUT,
        }
    }
}

pub(crate) type Sent = Result<Response<Body>, ureq::Error>;

/// Talks to one control plane by one policy. An agent for each kind of call, for timeouts belong to agents.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) address: ControlPlaneAddress,
    retry: Retry,
    timeouts: Timeouts,
    max_answer: u64,
    /// Calls that are answered at once.
    pub(crate) ordinary: Agent,
    /// Erasures and retention runs.
    pub(crate) removal: Agent,
    /// Bytes of a file to the control plane.
    pub(crate) upload: Agent,
    /// Bytes of a file from it.
    pub(crate) download: Agent,
}

impl Exchange {
    pub(crate) fn new(address: &ControlPlaneAddress, retry: Retry, timeouts: Timeouts) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(address.authorities())
            .build();
        let config = || {
            Agent::config_builder()
                .tls_config(tls.clone())
                .http_status_as_error(false)
                .max_redirects(0)
                .timeout_connect(Some(timeouts.connect))
        };
        Self {
            address: address.clone(),
            retry,
            timeouts,
            max_answer: MAX_ANSWER,
            ordinary: config().timeout_global(Some(timeouts.call)).build().new_agent(),
            removal: config().timeout_global(Some(timeouts.removal)).build().new_agent(),
            upload: config()
                .timeout_per_write(Some(timeouts.transfer))
                .timeout_recv_response(Some(timeouts.store))
                .timeout_recv_body(Some(timeouts.call))
                .build()
                .new_agent(),
            download: config()
                .timeout_recv_response(Some(timeouts.call))
                .timeout_per_read(Some(timeouts.transfer))
                .build()
                .new_agent(),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_max_answer(self, max_answer: u64) -> Self {
        Self { max_answer, ..self }
    }

    /// One attempt after the other, as the policy allows; for idempotent calls.
    pub(crate) fn repeat<T>(&self, attempt: impl FnMut() -> Result<T, ClientError>) -> Result<T, ClientError> {
        self.retry.run(&self.address.to_string(), attempt)
    }

    /// The JSON of an answer.
    pub(crate) fn json<T: DeserializeOwned>(&self, call: &str, sent: Sent) -> Result<T, ClientError> {
        let body = self.bytes(call, sent, self.max_answer)?;
        serde_json::from_slice(&body).map_err(|e| self.unreadable(call, e.to_string()))
    }

    /// The text of an answer.
    pub(crate) fn text(&self, call: &str, sent: Sent) -> Result<String, ClientError> {
        let body = self.bytes(call, sent, self.max_answer)?;
        String::from_utf8(body).map_err(|e| self.unreadable(call, e.to_string()))
    }

    /// The bytes of an answer, `limit` of them at most.
    pub(crate) fn bytes(&self, call: &str, sent: Sent, limit: u64) -> Result<Vec<u8>, ClientError> {
        let mut answer = sent.map_err(|e| self.failure(call, &e))?;
        if !answer.status().is_success() {
            return Err(self.refusal(call, answer));
        }
        let too_long = || self.unreadable(call, format!("it is longer than {limit} bytes"));
        if answer.body().content_length().is_some_and(|length| length > limit) {
            return Err(too_long());
        }
        match answer.body_mut().with_config().limit(limit).read_to_vec() {
            Ok(body) => Ok(body),
            Err(ureq::Error::BodyExceedsLimit(_)) => Err(too_long()),
            Err(error) => Err(self.failure(call, &error)),
        }
    }

    fn refusal(&self, call: &str, mut answer: Response<Body>) -> ClientError {
        let status = answer.status();
        let elsewhere = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
        let reason = match elsewhere.filter(|_| status.is_redirection()) {
            Some(to) => format!("it points to {to}; if that is the control plane, give its address instead"),
            None => {
                let text = answer.body_mut().with_config().limit(MAX_REFUSAL).read_to_string().unwrap_or_default();
                match serde_json::from_str::<ErrorAnswer>(&text) {
                    Ok(said) => said.error,
                    Err(_) if text.trim().is_empty() => "it gives no reason".to_owned(),
                    Err(_) => text.trim().to_owned(),
                }
            }
        };
        ClientError::Refused {
            address: self.address.to_string(),
            call: call.to_owned(),
            status: status.as_u16(),
            reason,
        }
    }

    fn unreadable(&self, call: &str, reason: String) -> ClientError {
        ClientError::Unreadable { address: self.address.to_string(), call: call.to_owned(), reason }
    }

    /// What a failure of the HTTP library means.
    fn failure(&self, call: &str, error: &ureq::Error) -> ClientError {
        let (host, port) = (self.address.host(), self.address.port());
        let unreachable = |reason| ClientError::Unreachable { address: self.address.to_string(), reason };
        let lost = |reason| ClientError::Lost { address: self.address.to_string(), call: call.to_owned(), reason };
        match error {
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                unreachable(format!("no connection to {host} within {:?}", self.timeouts.connect))
            }
            ureq::Error::Timeout(_) => lost("no answer in time".to_owned()),
            ureq::Error::HostNotFound => unreachable(format!("the host {host:?} cannot be resolved")),
            ureq::Error::ConnectionFailed => unreachable(format!("no connection to {host}")),
            ureq::Error::Rustls(error) => unreachable(tls_problem(error).unwrap_or_else(|| error.to_string())),
            ureq::Error::Io(error) => match (tls_problem(error), error.kind()) {
                (Some(problem), _) => unreachable(problem),
                (None, ErrorKind::ConnectionRefused) => unreachable(format!("nobody listens on {host}:{port}")),
                (
                    None,
                    ErrorKind::HostUnreachable
                    | ErrorKind::NetworkUnreachable
                    | ErrorKind::NetworkDown
                    | ErrorKind::AddrNotAvailable,
                ) => unreachable(format!("{host}: {error}")),
                // The standard library has no kind for a name without an address, only these words.
                (None, _) if error.to_string().contains("failed to lookup address") => {
                    unreachable(format!("the host {host:?} cannot be resolved ({error})"))
                }
                (None, _) => lost(error.to_string()),
            },
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
                self.unreadable(call, format!("it is not HTTP ({error})"))
            }
            other => lost(other.to_string()),
        }
    }
}
