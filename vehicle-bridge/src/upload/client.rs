//! The control plane's upload protocol, from the sender's side.

use super::pace::Pace;
use protocol::EpisodeId;
use protocol::api::{Episode, UploadStart, UploadState, VehicleSignUp};
use serde::Serialize;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One request carries what goes in so much time, within these bounds, bytes: after each of them something more
/// valuable may go first, and what was acknowledged is never sent again.
const REQUEST_S: f64 = 4.0;
const REQUEST: std::ops::RangeInclusive<u64> = 16 << 10..=4 << 20;
/// How long the control plane may take to connect, and to answer: it stores a finished file before it does.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(120);

/// Why something is not uploaded (yet).
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It will not get better by asking again.
    #[error("the control plane refuses it ({status}): {text}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// The upload stands elsewhere, or the control plane has no room or time: ask where it stands, later.
    #[error("the control plane cannot go on now ({status}): {text}")]
    Later {
        /// HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// It cannot be reached, or the connection broke.
    #[error("the control plane at {url} is not reached: {problem}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What failed.
        problem: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Talks to one control plane.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

impl Client {
    /// For the control plane at `http://host:port`.
    #[must_use]
    pub fn new(control_plane: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .http_status_as_error(false)
            .build()
            .into();
        Self { agent, base: control_plane.trim_end_matches('/').to_owned() }
    }

    /// Begins an upload or asks how far it is.
    ///
    /// # Errors
    /// [`UploadError`].
    pub fn begin(&self, start: &UploadStart) -> Result<UploadState, UploadError> {
        self.state(self.agent.post(self.url("uploads")).send_json(start))
    }

    /// Sends bytes of the file from `offset` on, as many as fit a request.
    ///
    /// # Errors
    /// [`UploadError`]; the upload then stands wherever [`Self::begin`] says.
    pub fn append(
        &self,
        start: &UploadStart,
        path: &Path,
        offset: u64,
        pace: &Pace,
        seen: &mut dyn FnMut(usize),
    ) -> Result<UploadState, UploadError> {
        let unreadable = |source| UploadError::File { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        let length = request_bytes(pace.limit_bps()).min(start.bytes.saturating_sub(offset));
        let mut body = pace.read(file, length, seen);
        let url = self.url(&format!("uploads/{}?offset={offset}", start.sha256));
        self.state(self.agent.patch(url).send(ureq::SendBody::from_reader(&mut body)))
    }

    /// Enters the episode in the catalogue.
    ///
    /// # Errors
    /// [`UploadError`].
    pub fn enter(&self, episode: &Episode) -> Result<(), UploadError> {
        self.post("episodes", episode)
    }

    /// Whether the catalogue has this episode.
    ///
    /// # Errors
    /// [`UploadError`].
    pub fn knows(&self, episode: &EpisodeId) -> Result<bool, UploadError> {
        match self.answer(self.agent.get(self.url(&format!("episodes/{episode}"))).call()) {
            Ok(_) => Ok(true),
            Err(UploadError::Later { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Signs a vehicle up.
    ///
    /// # Errors
    /// [`UploadError`].
    pub fn sign_up(&self, vehicle: &VehicleSignUp) -> Result<(), UploadError> {
        self.post("vehicles", vehicle)
    }

    fn post(&self, path: &str, body: &impl Serialize) -> Result<(), UploadError> {
        self.answer(self.agent.post(self.url(path)).send_json(body)).map(drop)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.base)
    }

    fn state(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<UploadState, UploadError> {
        let mut answer = self.answer(answer)?;
        answer.body_mut().read_json().map_err(|error| self.unreachable(&error))
    }

    fn answer(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<ureq::http::Response<ureq::Body>, UploadError> {
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let text = answer.body_mut().with_config().limit(64 << 10).read_to_string().unwrap_or_default();
        let said = serde_json::from_str::<serde_json::Value>(&text).ok();
        let text = said.and_then(|said| said["error"].as_str().map(str::to_owned)).unwrap_or(text);
        match status {
            404 | 408 | 409 | 429 | 500.. => Err(UploadError::Later { status, text }),
            _ => Err(UploadError::Refused { status, text }),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> UploadError {
        UploadError::Unreachable { url: self.base.clone(), problem: error.to_string() }
    }
}

fn request_bytes(limit_bps: Option<f64>) -> u64 {
    let bytes = limit_bps.map_or(u64::MAX, |bps| (bps / 8.0 * REQUEST_S) as u64);
    bytes.clamp(*REQUEST.start(), *REQUEST.end())
}
