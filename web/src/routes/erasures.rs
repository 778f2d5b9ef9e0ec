use crate::app::Shared;
use crate::check;
use crate::erasure;
use crate::reply::{ApiResult, Body};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use protocol::api::Erasures;
use protocol::erasure::Asked;

/// Erases episodes and returns the proof; a dry run returns what would go.
pub async fn post(State(app): Shared, Body(asked): Body<Asked>) -> ApiResult<Response> {
    check::erasure(&asked)?;
    if asked.dry_run {
        return Ok(Json(erasure::plan(&app, &asked).await?).into_response());
    }
    Ok(Json(erasure::erase(&app, asked).await?).into_response())
}

/// All proofs, from the first on, and the key that signs them.
pub async fn list(State(app): Shared) -> ApiResult<Json<Erasures>> {
    let unfinished = app.store.open_erasures().await?.len() as u64;
    Ok(Json(Erasures { key: app.key.public().to_string(), proofs: app.store.proofs().await?, unfinished }))
}
