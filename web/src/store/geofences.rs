//! Orders on where vehicles may drive; all of them are kept, the newest counts.

use super::row::{Columns, FromRow};
use super::sql::Sql;
use super::{Store, signed};
use crate::reply::{ApiError, ApiResult};
use protocol::VehicleId;
use protocol::geofence::GeofenceOrder;
use sqlx::Row;
use sqlx::any::AnyRow;

/// A column for each field of a [`GeofenceOrder`]; of each vehicle the newest.
const NEWEST: &str = "SELECT g.vehicle AS vehicle, g.serial AS serial, g.corners_m AS corners_m, g.reason AS reason,
    g.since_ms AS since_ms FROM geofences g
    WHERE g.serial = (SELECT MAX(n.serial) FROM geofences n WHERE n.vehicle = g.vehicle)";

fn of(vehicle: &VehicleId) -> Sql {
    let mut query = Sql::new(NEWEST);
    query.push(" AND g.vehicle = ").bind(vehicle.as_str());
    query
}

impl Store {
    /// Keeps an order to a vehicle that is known, with its serial or the next one that no order to it has.
    pub async fn order_geofence(&self, order: GeofenceOrder) -> ApiResult<GeofenceOrder> {
        let mut tx = self.write().await?;
        let known =
            Sql::new("SELECT id FROM vehicles WHERE id = ").bind(order.vehicle.as_str()).fetch_all(&mut *tx).await?;
        if known.is_empty() {
            return Err(ApiError::not_found(format!("there is no vehicle {}", order.vehicle)));
        }
        let newest = of(&order.vehicle).fetch_all(&mut *tx).await?;
        let newest = newest.first().map(GeofenceOrder::from_row).transpose()?;
        if order.corners_m.is_none() && newest.as_ref().is_none_or(|newest| newest.corners_m.is_none()) {
            return Err(ApiError::not_found(format!("vehicle {} has no area to take back", order.vehicle)));
        }
        let serial = newest.map_or(order.serial, |newest| order.serial.max(newest.serial.saturating_add(1)));
        let order = GeofenceOrder { serial, ..order };
        let corners = order.corners_m.as_ref().map(serde_json::to_string).transpose().map_err(std::io::Error::from)?;
        sqlx::query("INSERT INTO geofences (vehicle, serial, corners_m, reason, since_ms) VALUES ($1, $2, $3, $4, $5)")
            .bind(order.vehicle.as_str())
            .bind(signed(order.serial))
            .bind(corners)
            .bind(&order.reason)
            .bind(order.issued_ms)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(order)
    }

    /// The newest order to a vehicle.
    pub async fn newest_geofence(&self, vehicle: &VehicleId) -> ApiResult<Option<GeofenceOrder>> {
        let rows = of(vehicle).fetch_all(&self.readers).await?;
        Ok(rows.first().map(GeofenceOrder::from_row).transpose()?)
    }

    /// The newest order to each vehicle that ever had one.
    pub async fn newest_geofences(&self) -> ApiResult<Vec<GeofenceOrder>> {
        let rows = Sql::new(NEWEST).fetch_all(&self.readers).await?;
        Ok(GeofenceOrder::from_rows(&rows)?)
    }
}

impl FromRow for GeofenceOrder {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            vehicle: row.parsed("vehicle")?,
            serial: row.count("serial")?,
            corners_m: row.optional("corners_m", |row, column| row.read(column, |text| serde_json::from_str(text)))?,
            reason: row.try_get("reason")?,
            issued_ms: row.try_get("since_ms")?,
        })
    }
}
