use crate::api::TakeoverView;
use crate::app::Shared;
use crate::check;
use crate::routes::files;
use crate::reply::{ApiError, ApiResult, Body, Params, stored};
use crate::store::Page;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use protocol::EpisodeId;
use protocol::api::{Disengagement, Episode};

/// One takeover, once for each id.
pub async fn post_disengagement(State(app): Shared, Body(body): Body<Disengagement>) -> ApiResult<Response> {
    check::disengagement(&body)?;
    Ok(stored(app.store.disengagement(&body).await?))
}

/// Takeovers, newest first.
pub async fn list_disengagements(
    State(app): Shared,
    Params(page): Params<Page>,
) -> ApiResult<Json<Vec<Disengagement>>> {
    Ok(Json(app.store.disengagements(&page).await?))
}

/// One finished episode, once for each id.
pub async fn post(State(app): Shared, Body(body): Body<Episode>) -> ApiResult<Response> {
    check::episode(&body)?;
    files::show_by_name(&app, &body).await?;
    Ok(stored(app.store.episode(&body).await?))
}

/// Episodes, newest first.
pub async fn list(State(app): Shared, Params(page): Params<Page>) -> ApiResult<Json<Vec<Episode>>> {
    Ok(Json(app.store.episodes(&page).await?))
}

/// One episode.
pub async fn find(State(app): Shared, Path(id): Path<String>) -> ApiResult<Json<Episode>> {
    find_episode(&app, &id).await.map(Json)
}

/// The episode of this id.
pub async fn find_episode(app: &crate::app::App, id: &str) -> ApiResult<Episode> {
    let id = EpisodeId::new(id).map_err(|e| ApiError::invalid(e.to_string()))?;
    app.store.find_episode(&id).await?.ok_or_else(|| ApiError::not_found(format!("there is no episode {id}")))
}

/// The latest takeovers with their episodes.
pub async fn takeovers(State(app): Shared, Params(page): Params<Page>) -> ApiResult<Json<Vec<TakeoverView>>> {
    let mut takeovers = app.store.takeovers(&page).await?;
    let filmed = app.store.filmed(takeovers.iter().map(|t| &t.id)).await?;
    takeovers.iter_mut().for_each(|t| t.preview = filmed.contains(t.id.as_str()));
    Ok(Json(takeovers))
}
