use crate::app::Shared;
use crate::check;
use crate::reply::{ApiResult, Body, stored};
use crate::store::now_us;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::api::{Mileage, StatusAnswer, VehicleRegistration, VehicleStatus, VehicleView};

/// Registers a vehicle or renews its description.
pub async fn register(State(app): Shared, Body(body): Body<VehicleRegistration>) -> ApiResult<Response> {
    check::registration(&body)?;
    app.store.register(&body).await?;
    Ok(stored(true))
}

/// Every vehicle with its live state.
pub async fn list(State(app): Shared) -> ApiResult<Json<Vec<VehicleView>>> {
    let known = app.store.vehicles().await?;
    Ok(Json(app.live.complete(known, &app.hub.vehicles())))
}

/// Cumulative distance; the greatest wins.
pub async fn mileage(State(app): Shared, Body(body): Body<Mileage>) -> ApiResult<Response> {
    check::mileage(&body)?;
    app.store.mileage(&body).await?;
    Ok(stored(true))
}

/// Live state, kept in memory; the answer tells the time, by which the vehicle measures how its clock stands to it.
pub async fn status(
    State(app): Shared,
    Body(body): Body<VehicleStatus>,
) -> ApiResult<(StatusCode, Json<StatusAnswer>)> {
    check::status(&body)?;
    app.live.report(body)?;
    Ok((StatusCode::CREATED, Json(StatusAnswer { stored: true, unix_us: now_us() })))
}
