//! Orders on where vehicles may drive.

use crate::VehicleId;
use crate::geofence::PermittedArea;
use serde::{Deserialize, Serialize};

/// `PUT /api/v1/vehicles/VEHICLE/geofence`: from now on the vehicle stays inside this area, beside what it was given itself.
/// `POST .../geofence/remove` with a [`super::ChangeReason`] takes it back. Both answer a [`GeofenceView`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeofenceRequest {
    /// Corners in their order, in the vehicle's road network's coordinates.
    pub corners_m: PermittedArea,
    /// Why, for people who look later; not empty.
    pub reason: String,
}

/// `GET /api/v1/vehicles/VEHICLE/geofence`: the newest order to a vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeofenceView {
    /// Which vehicle.
    pub vehicle: VehicleId,
    /// Its number; grows with each order to the vehicle.
    pub serial: u64,
    /// The area; `null` when the order before was taken back.
    pub corners_m: Option<PermittedArea>,
    /// The reason.
    pub reason: String,
    /// When it was given, milliseconds since 1970 by the control plane's clock.
    pub since_ms: i64,
    /// Whether the vehicle said in its last status that it keeps to it.
    pub obeyed: bool,
    /// [`crate::geofence::GeofenceOrder`], signed, as the vehicle takes it.
    pub order: String,
}

/// What the list of vehicles says of the newest order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeofenceSummary {
    /// The order's number.
    pub serial: u64,
    /// How many corners the area has; 0 when the order before was taken back.
    pub corners: u64,
    /// The reason.
    pub reason: String,
    /// When it was given, milliseconds since 1970 by the control plane's clock.
    pub since_ms: i64,
    /// Whether the vehicle said in its last status that it keeps to it.
    pub obeyed: bool,
}
