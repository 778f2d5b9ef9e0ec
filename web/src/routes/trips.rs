use crate::app::Shared;
use crate::check;
use crate::reply::{ApiError, ApiResult, Body, stored};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use protocol::api::{Trip, TripView};

/// One finished drive, whole and once for each id.
pub async fn post(State(app): Shared, Body(body): Body<Trip>) -> ApiResult<Response> {
    check::trip(&body)?;
    Ok(stored(app.store.trip(&body).await?))
}

/// Whether a drive is stored already.
pub async fn find(State(app): Shared, Path(id): Path<String>) -> ApiResult<Json<TripView>> {
    check::trip_id(&id)?;
    app.store.find_trip(&id).await?.map(Json).ok_or_else(|| ApiError::not_found(format!("there is no trip {id}")))
}
