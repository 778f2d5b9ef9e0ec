use crate::app::{App, Shared};
use crate::check;
use crate::reply::{ApiError, ApiResult, Body, Params, stored};
use crate::routes::files;
use crate::storage;
use crate::store::{Page, Search, now_ms};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use protocol::EpisodeId;
use protocol::api::{Disengagement, Episode, EpisodeView, TakeoverView, Verdict};

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
    let done = app.store.episode(&body).await;
    if matches!(done, Err(ApiError::Client(StatusCode::GONE, _))) {
        // What was brought before it was refused goes again.
        let objects = app.store.objects(&body.id).await?;
        app.store.forget_files(&body.id).await?;
        storage::remove(&app, &body.id, &body.file, &objects, false).await?;
    }
    Ok(stored(done?))
}

/// Episodes, newest first.
pub async fn list(State(app): Shared, Params(search): Params<Search>) -> ApiResult<Json<Vec<EpisodeView>>> {
    Ok(Json(app.store.episodes(&search).await?))
}

/// One episode.
pub async fn find(State(app): Shared, Path(id): Path<String>) -> ApiResult<Json<EpisodeView>> {
    find_episode(&app, &id).await.map(Json)
}

/// The episode of this id.
pub async fn find_episode(app: &App, id: &str) -> ApiResult<EpisodeView> {
    let id = named(id)?;
    app.store.find_episode(&id).await?.ok_or_else(|| none(&id))
}

fn named(id: &str) -> ApiResult<EpisodeId> {
    EpisodeId::new(id).map_err(|e| ApiError::invalid(e.to_string()))
}

fn none(id: &EpisodeId) -> ApiError {
    ApiError::not_found(format!("there is no episode {id}"))
}

/// What a reviewer says of an episode.
pub async fn judge(
    State(app): Shared,
    Path(id): Path<String>,
    Body(verdict): Body<Verdict>,
) -> ApiResult<Json<Verdict>> {
    let id = named(&id)?;
    check::verdict(&verdict)?;
    let verdict = Verdict { at_ms: now_ms(), ..verdict };
    if !app.store.judge(&id, &verdict).await? {
        return Err(none(&id));
    }
    Ok(Json(verdict))
}

/// The latest takeovers with their episodes.
pub async fn takeovers(State(app): Shared, Params(page): Params<Page>) -> ApiResult<Json<Vec<TakeoverView>>> {
    let mut takeovers = app.store.takeovers(&page).await?;
    let filmed = app.store.filmed(takeovers.iter().map(|t| &t.id)).await?;
    takeovers.iter_mut().for_each(|t| t.preview = filmed.contains(t.id.as_str()));
    Ok(Json(takeovers))
}
