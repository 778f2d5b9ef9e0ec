use crate::app::Shared;
use crate::reply::{ApiResult, Body, Params};
use crate::uploads;
use axum::Json;
use axum::extract::{Path, State};
use protocol::api::{UploadStart, UploadState};
use serde::Deserialize;

/// Where the bytes of a request begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offset {
    offset: u64,
}

/// Begins an upload or asks how far it is.
pub async fn begin(State(app): Shared, Body(start): Body<UploadStart>) -> ApiResult<Json<UploadState>> {
    Ok(Json(app.uploads.begin(start).await?))
}

/// More bytes of an upload.
pub async fn append(
    State(app): Shared,
    Path(sha256): Path<String>,
    Params(Offset { offset }): Params<Offset>,
    body: axum::body::Body,
) -> ApiResult<Json<UploadState>> {
    Ok(Json(uploads::receive(&app.uploads, &sha256, offset, body.into_data_stream()).await?))
}
