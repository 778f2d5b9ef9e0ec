//! What requests become and what answers look like: every error is JSON `{"error": "..."}` that names field and value.

use crate::objects::ObjectsError;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use protocol::Failure;
use protocol::api::{ErrorAnswer, Stored};
use serde::de::DeserializeOwned;
use std::io::ErrorKind;

/// Codes for a full disk: SQLite's, PostgreSQL's.
const FULL: [&str; 2] = ["13", "53100"];
/// PostgreSQL's codes for a server that stops, crashed or is starting; connections that end have class 08.
const AWAY: [&str; 3] = ["57P01", "57P02", "57P03"];

/// An error on its way to the client.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The client's mistake or a missing thing; the message is for the client.
    #[error("{0}: {1}")]
    Client(StatusCode, String),
    /// Signalling is refused, with the code that programs know it by.
    #[error("{status}, {code}: {message}")]
    Signalling {
        /// Of the answer.
        status: StatusCode,
        /// Which refusal.
        code: Failure,
        /// For the client.
        message: String,
    },
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A file could not be read.
    #[error("file: {0}")]
    File(#[from] std::io::Error),
    /// The folder or bucket of uploaded files failed.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// A row in the database breaks the rules that every write is held to.
    #[error("stored value: {0}")]
    Stored(#[from] protocol::IdError),
}

/// Result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A body or parameter whose value is not allowed.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Client(StatusCode::UNPROCESSABLE_ENTITY, message.into())
    }

    /// Something that does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::Client(StatusCode::NOT_FOUND, message.into())
    }

    /// Something that exists with other content.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Client(StatusCode::CONFLICT, message.into())
    }

    fn status_and_text(&self) -> (StatusCode, String) {
        match self {
            Self::Client(status, message) | Self::Signalling { status, message, .. } => (*status, message.clone()),
            Self::Database(sqlx::Error::Database(e)) if e.code().is_some_and(|code| FULL.contains(&&*code)) => (
                StatusCode::INSUFFICIENT_STORAGE,
                "the database's disk is full: free some space; nothing was stored".into(),
            ),
            Self::Database(e) if is_away(e) => {
                (StatusCode::SERVICE_UNAVAILABLE, "the database is busy or away: try again".into())
            }
            Self::File(e) if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => (
                StatusCode::INSUFFICIENT_STORAGE,
                "the disk with the data folder is full: free some space, then go on".into(),
            ),
            Self::Objects(e @ ObjectsError::Missing(_)) => (StatusCode::NOT_FOUND, e.to_string()),
            Self::Objects(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store of uploaded files refuses or does not answer: try again; the control plane's log says why"
                    .into(),
            ),
            Self::Database(_) | Self::File(_) | Self::Stored(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the control plane failed; its log says why".into())
            }
        }
    }
}

/// Whether the same request may well succeed a little later.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(e) => {
            e.code().is_some_and(|code| AWAY.contains(&&*code) || (code.len() == 5 && code.starts_with("08")))
        }
        _ => false,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, text) = self.status_and_text();
        if status.is_server_error() {
            tracing::error!("{self}");
        }
        let code = match self {
            Self::Signalling { code, .. } => Some(code),
            _ => None,
        };
        (status, Json(ErrorAnswer { error: text, code })).into_response()
    }
}

impl From<JsonRejection> for ApiError {
    fn from(e: JsonRejection) -> Self {
        Self::Client(e.status(), e.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(e: QueryRejection) -> Self {
        Self::Client(e.status(), e.body_text())
    }
}

/// A JSON body; what is wrong with it is answered as JSON.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        let Json(value) = Json::<T>::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// Query parameters; what is wrong with them is answered as JSON.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let Query(value) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// `201` for something new, `200` for something known.
pub fn stored(is_new: bool) -> Response {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(Stored { stored: is_new })).into_response()
}
