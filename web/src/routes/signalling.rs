use crate::app::{App, Shared};
use crate::reply::{ApiError, ApiResult, Params};
use crate::signal::{Identity, MAX_CONNECTIONS, MAX_MESSAGE, Party, serve_peer};
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use protocol::signalling::normal_fingerprint;
use protocol::{Failure, SeatId, VehicleId};
use serde::Deserialize;

/// Who connects: a vehicle or a seat, and the certificate it will use.
#[derive(Debug, Deserialize)]
pub struct Who {
    vehicle: Option<VehicleId>,
    seat: Option<SeatId>,
    fingerprint: Option<String>,
    /// The certificate stays the same for good: the name is bound to it.
    #[serde(default)]
    pin: bool,
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
    let peer = identify(&app, party, who.fingerprint, who.pin).await?;
    let upgrade = upgrade.map_err(|e| ApiError::Client(e.status(), e.body_text()))?;
    let counts = app.hub.counts();
    if counts.vehicles + counts.seats >= MAX_CONNECTIONS {
        return Err(refused(
            StatusCode::SERVICE_UNAVAILABLE,
            Failure::ControlPlaneFull,
            "too many peers are connected: try later",
        ));
    }
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(async move |socket| serve_peer(socket, &app.hub, &app.ice, peer, app.stop.clone()).await))
}

/// Checks the certificate that a peer tells against the one that is pinned for its name, or pins it.
async fn identify(app: &App, party: Party, told: Option<String>, pin: bool) -> ApiResult<Identity> {
    let fingerprint = match told {
        None => None,
        Some(text) => Some(normal_fingerprint(&text).ok_or_else(|| {
            ApiError::invalid(format!("fingerprint {text:?} is not valid: 32 bytes in hexadecimal with colons"))
        })?),
    };
    let pinned = match &fingerprint {
        Some(fingerprint) if pin => Some(app.store.pin(&party, fingerprint).await?),
        _ => app.store.pinned(&party).await?,
    };
    if pinned.is_some() && pinned != fingerprint {
        tracing::warn!("{party} came with another certificate than the pinned one and was turned away");
        let text = format!("{party} is bound to another certificate. {}", Failure::IdentityChanged.advice());
        return Err(refused(StatusCode::FORBIDDEN, Failure::IdentityChanged, text));
    }
    Ok(Identity { party, fingerprint })
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
    Err(refused(StatusCode::FORBIDDEN, Failure::Refused, text))
}

fn refused(status: StatusCode, code: Failure, message: impl Into<String>) -> ApiError {
    ApiError::Signalling { status, code, message: message.into() }
}
