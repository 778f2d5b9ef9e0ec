use crate::app::Shared;
use crate::reply::{ApiError, ApiResult, Params};
use crate::signal::{MAX_CONNECTIONS, MAX_MESSAGE, Party, serve_peer};
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use protocol::{SeatId, VehicleId};
use serde::Deserialize;

/// Who connects: exactly one of the two.
#[derive(Debug, Deserialize)]
pub struct Who {
    vehicle: Option<VehicleId>,
    seat: Option<SeatId>,
}

/// The signalling WebSocket.
pub async fn connect(
    State(app): Shared,
    headers: HeaderMap,
    Params(who): Params<Who>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    let party = match (who.vehicle, who.seat) {
        (Some(vehicle), None) => Party::Vehicle(vehicle),
        (None, Some(seat)) => Party::Seat(seat),
        _ => return Err(ApiError::invalid("connect with either ?vehicle=ID or ?seat=ID")),
    };
    same_origin(&headers)?;
    let upgrade = upgrade.map_err(|e| ApiError::Client(e.status(), e.body_text()))?;
    let counts = app.hub.counts();
    if counts.vehicles + counts.seats >= MAX_CONNECTIONS {
        return Err(ApiError::Client(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many peers are connected: try later".into(),
        ));
    }
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(async move |socket| serve_peer(socket, &app.hub, party, app.stop.clone()).await))
}

/// A page of another site, open in the browser of somebody who can reach this server, must not call vehicles. Programs
/// that are no browsers send no origin.
fn same_origin(headers: &HeaderMap) -> ApiResult<()> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let authority = origin.to_str().ok().and_then(|o| o.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(HOST).and_then(|h| h.to_str().ok());
    if authority.is_some() && authority == host {
        return Ok(());
    }
    let text = format!("origin {origin:?} is not this server: open the dashboard on this server");
    Err(ApiError::Client(StatusCode::FORBIDDEN, text))
}
