use crate::app::Shared;
use crate::check;
use crate::reply::{ApiError, ApiResult, Body, stored};
use crate::store::Publication;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use protocol::PolicyVersion;
use protocol::api::{ChangeReason, Evaluation, Policy};

/// A version; it never changes afterwards.
pub async fn publish(State(app): Shared, Body(body): Body<Policy>) -> ApiResult<Response> {
    check::policy(&body)?;
    match app.store.publish(&body).await? {
        Publication::New => Ok(stored(true)),
        Publication::Same => Ok(stored(false)),
        Publication::Other(known) => Err(ApiError::conflict(format!(
            "version: {} exists with other content ({}, manifest {}) and versions never change: choose a new version",
            known.version, known.status, known.sha256
        ))),
    }
}

/// Every version in the order of publication.
pub async fn list(State(app): Shared) -> ApiResult<Json<Vec<Policy>>> {
    Ok(Json(app.store.policies().await?))
}

/// The newest published version that is not withdrawn.
pub async fn latest(State(app): Shared) -> ApiResult<Json<Policy>> {
    let none = || ApiError::not_found("no policy is published yet");
    app.store.latest_policy().await?.map(Json).ok_or_else(none)
}

/// One version.
pub async fn find(State(app): Shared, Path(version): Path<String>) -> ApiResult<Json<Policy>> {
    find_policy(&app, &version).await.map(Json)
}

/// The policy of this version.
pub async fn find_policy(app: &crate::app::App, version: &str) -> ApiResult<Policy> {
    let version = PolicyVersion::new(version).map_err(|e| ApiError::invalid(e.to_string()))?;
    let none = || ApiError::not_found(format!("there is no policy {version}"));
    app.store.find_policy(&version).await?.ok_or_else(none)
}

/// From now on no vehicle is given this version; those that drive by it go back to the newest one that is left, which is
/// the answer.
pub async fn withdraw(
    State(app): Shared,
    Path(version): Path<String>,
    Body(why): Body<ChangeReason>,
) -> ApiResult<Json<Policy>> {
    let version = named(version, &why)?;
    let left = app.store.withdraw(&version, &why.reason).await?;
    tracing::warn!(%version, reason = %why.reason, now = %left.version, "policy withdrawn");
    Ok(Json(left))
}

/// Takes a withdrawal back.
pub async fn restore(
    State(app): Shared,
    Path(version): Path<String>,
    Body(why): Body<ChangeReason>,
) -> ApiResult<Response> {
    let version = named(version, &why)?;
    let was_withdrawn = app.store.restore(&version).await?;
    if !was_withdrawn {
        return Err(ApiError::not_found(format!("no policy {version} is withdrawn")));
    }
    tracing::warn!(%version, reason = %why.reason, "policy restored");
    Ok(stored(true))
}

fn named(version: String, why: &ChangeReason) -> ApiResult<PolicyVersion> {
    check::text("reason", &why.reason)?;
    PolicyVersion::new(version).map_err(|e| ApiError::invalid(e.to_string()))
}

/// A version's drives on roads and seeds kept out of training; the last wins.
pub async fn evaluate(State(app): Shared, Body(body): Body<Evaluation>) -> ApiResult<Response> {
    check::evaluation(&body)?;
    app.store.evaluation(&body).await?;
    Ok(stored(true))
}

/// Every evaluation, refused versions among them.
pub async fn evaluations(State(app): Shared) -> ApiResult<Json<Vec<Evaluation>>> {
    Ok(Json(app.store.evaluations().await?))
}

/// Evaluations of the published versions: the bytes of `report.json`.
pub async fn report(State(app): Shared) -> ApiResult<Response> {
    let report = app.store.report().await?;
    let mut text = serde_json::to_string_pretty(&report).map_err(std::io::Error::from)?;
    text.push('\n');
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}
