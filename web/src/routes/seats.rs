use crate::app::Shared;
use crate::check;
use crate::reply::{ApiError, ApiResult, Body, stored};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use protocol::SeatId;
use protocol::api::ChangeReason;

/// The seats that get no grants.
pub async fn revoked(State(app): Shared) -> ApiResult<Json<Vec<SeatId>>> {
    Ok(Json(app.store.revoked().await?))
}

/// From now on the seat gets no grants, and its sessions end.
pub async fn revoke(
    State(app): Shared,
    Path(seat): Path<String>,
    Body(why): Body<ChangeReason>,
) -> ApiResult<Response> {
    let seat = named(seat, &why)?;
    app.store.revoke(&seat, &why.reason).await?;
    app.hub.revoke(&seat);
    tracing::warn!(%seat, reason = %why.reason, "seat revoked");
    Ok(stored(true))
}

/// Takes it back.
pub async fn allow(State(app): Shared, Path(seat): Path<String>, Body(why): Body<ChangeReason>) -> ApiResult<Response> {
    let seat = named(seat, &why)?;
    app.store.allow(&seat).await?;
    app.hub.allow(&seat);
    tracing::warn!(%seat, reason = %why.reason, "seat allowed again");
    Ok(stored(true))
}

fn named(seat: String, why: &ChangeReason) -> ApiResult<SeatId> {
    check::text("reason", &why.reason)?;
    SeatId::new(seat).map_err(|e| ApiError::invalid(e.to_string()))
}
