use crate::app::{App, Shared};
use crate::check;
use crate::reply::{ApiError, ApiResult, Body};
use crate::store::{now_ms, now_us};
use axum::Json;
use axum::extract::{Path, State};
use protocol::VehicleId;
use protocol::api::{ChangeReason, GeofenceRequest, GeofenceView};
use protocol::geofence::{GeofenceOrder, PermittedArea};

/// From now on the vehicle stays inside this area.
pub async fn set(
    State(app): Shared,
    Path(vehicle): Path<String>,
    Body(request): Body<GeofenceRequest>,
) -> ApiResult<Json<GeofenceView>> {
    order(&app, vehicle, Some(request.corners_m), request.reason).await.map(Json)
}

/// Takes the newest order back: the vehicle keeps to what it was given itself.
pub async fn remove(
    State(app): Shared,
    Path(vehicle): Path<String>,
    Body(why): Body<ChangeReason>,
) -> ApiResult<Json<GeofenceView>> {
    order(&app, vehicle, None, why.reason).await.map(Json)
}

/// The newest order to a vehicle, signed.
pub async fn find(State(app): Shared, Path(vehicle): Path<String>) -> ApiResult<Json<GeofenceView>> {
    let vehicle = named(vehicle)?;
    let none = || ApiError::not_found(format!("vehicle {vehicle} was never ordered to stay inside an area"));
    let newest = app.store.newest_geofence(&vehicle).await?.ok_or_else(none)?;
    Ok(Json(view(&app, newest)))
}

async fn order(
    app: &App,
    vehicle: String,
    corners_m: Option<PermittedArea>,
    reason: String,
) -> ApiResult<GeofenceView> {
    check::filled("reason", &reason)?;
    let vehicle = named(vehicle)?;
    // By the clock, so that it is greater than those that a database which was put back has lost.
    let wanted = GeofenceOrder { vehicle, serial: now_us(), corners_m, reason, issued_ms: now_ms() };
    let order = app.store.order_geofence(wanted).await?;
    let GeofenceOrder { vehicle, serial, corners_m, reason, .. } = &order;
    let corners = corners_m.as_ref().map_or(0, |area| area.corners_m().len());
    tracing::warn!(%vehicle, serial, corners, %reason, "geofence ordered; with 0 corners, taken back");
    Ok(view(app, order))
}

fn view(app: &App, order: GeofenceOrder) -> GeofenceView {
    GeofenceView {
        obeyed: app.live.geofence_serial(&order.vehicle) == Some(order.serial),
        order: order.sign(&app.key),
        vehicle: order.vehicle,
        serial: order.serial,
        corners_m: order.corners_m,
        reason: order.reason,
        since_ms: order.issued_ms,
    }
}

fn named(vehicle: String) -> ApiResult<VehicleId> {
    VehicleId::new(vehicle).map_err(|error| ApiError::invalid(error.to_string()))
}
