use crate::app::Shared;
use crate::reply::ApiResult;
use axum::Json;
use axum::extract::State;
use protocol::api::Fleet;

/// Everything driven, by kind of vehicle and by policy.
pub async fn fleet(State(app): Shared) -> ApiResult<Json<Fleet>> {
    Ok(Json(app.store.fleet().await?))
}

/// Answers when the database does.
pub async fn health(State(app): Shared) -> ApiResult<&'static str> {
    app.store.counts().await?;
    Ok("ok\n")
}
