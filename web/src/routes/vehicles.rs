use crate::app::Shared;
use crate::check;
use crate::reply::{ApiResult, Body, stored};
use crate::store::now_us;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::api::{GeofenceSummary, Mileage, StatusAnswer, VehicleRegistration, VehicleStatus, VehicleView};

/// Registers a vehicle or renews its description.
pub async fn register(State(app): Shared, Body(body): Body<VehicleRegistration>) -> ApiResult<Response> {
    check::registration(&body)?;
    app.store.register(&body).await?;
    Ok(stored(true))
}

/// Every vehicle with its live state.
pub async fn list(State(app): Shared) -> ApiResult<Json<Vec<VehicleView>>> {
    let mut known = app.store.vehicles().await?;
    for order in app.store.newest_geofences().await? {
        if let Some(view) = known.iter_mut().find(|view| view.vehicle == order.vehicle) {
            view.geofence = Some(GeofenceSummary {
                serial: order.serial,
                corners: order.corners_m.map_or(0, |area| area.corners_m().len() as u64),
                reason: order.reason,
                since_ms: order.issued_ms,
                obeyed: false,
            });
        }
    }
    Ok(Json(app.live.complete(known, &app.hub.vehicles())))
}

/// Cumulative distance; the greatest wins.
pub async fn mileage(State(app): Shared, Body(body): Body<Mileage>) -> ApiResult<Response> {
    check::mileage(&body)?;
    app.store.mileage(&body).await?;
    Ok(stored(true))
}

/// Live state, kept in memory; the answer tells the time, by which the vehicle measures how its clock stands to it, and
/// whether there is an order on where it may drive.
pub async fn status(
    State(app): Shared,
    Body(body): Body<VehicleStatus>,
) -> ApiResult<(StatusCode, Json<StatusAnswer>)> {
    check::status(&body)?;
    // The time is told whether or not the database answers; without a serial nothing changes for the vehicle.
    let newest = app.store.newest_geofence(&body.vehicle).await;
    let newest = newest.inspect_err(|error| tracing::warn!(%error, vehicle = %body.vehicle, "no order is looked for"));
    let geofence_serial = newest.ok().flatten().map(|order| order.serial);
    app.live.report(body)?;
    Ok((StatusCode::CREATED, Json(StatusAnswer { stored: true, unix_us: now_us(), geofence_serial })))
}
