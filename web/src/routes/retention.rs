use crate::app::Shared;
use crate::reply::{ApiError, ApiResult, Body, Params};
use crate::retention::{self, Retention, RetentionView};
use crate::store::limit;
use axum::Json;
use axum::extract::State;
use protocol::api::{Removal, RetentionReport, RetentionRequest};
use serde::Deserialize;

/// The rules in force; none when everything is kept.
pub async fn rules(State(app): Shared) -> Json<RetentionView> {
    Json(RetentionView { rules: app.retention.clone() })
}

/// Keeps to the rules now, or says what they would remove. Other rules than those in force can only be tried.
pub async fn run(State(app): Shared, Body(asked): Body<RetentionRequest>) -> ApiResult<Json<RetentionReport>> {
    let tried = asked.rules.as_deref().map(Retention::parse).transpose()?;
    if tried.is_some() && !asked.dry_run {
        return Err(ApiError::invalid("dry_run: false is not valid: rules in a request can only be tried"));
    }
    let rules = tried.or_else(|| app.retention.clone()).unwrap_or_default();
    Ok(Json(retention::run(&app, &rules, asked.dry_run).await?))
}

/// How many removals.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latest {
    limit: Option<u32>,
}

/// What left the storage, newest first.
pub async fn removals(State(app): Shared, Params(latest): Params<Latest>) -> ApiResult<Json<Vec<Removal>>> {
    Ok(Json(app.store.removals(limit(latest.limit)?).await?))
}
