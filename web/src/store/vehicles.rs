use super::row::{Columns, FromRow};
use super::{Store, now_ms};
use crate::reply::ApiResult;
use protocol::api::{Mileage, VehicleRegistration, VehicleView};
use protocol::{VehicleId, units};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// A row for a vehicle that reports before it is registered (or whose registration was lost): no mile is refused for that.
pub(super) async fn mention(tx: &mut AnyConnection, vehicle: &VehicleId, kind: &'static str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO vehicles (id, kind, embodiment, map, software, seen_ms) VALUES ($1, $2, '', '', '', $3)
         ON CONFLICT (id) DO UPDATE SET
           seen_ms = CASE WHEN excluded.seen_ms > vehicles.seen_ms THEN excluded.seen_ms ELSE vehicles.seen_ms END",
    )
    .bind(vehicle.as_str())
    .bind(kind)
    .bind(now_ms())
    .execute(tx)
    .await?;
    Ok(())
}

impl Store {
    pub async fn register(&self, v: &VehicleRegistration) -> ApiResult<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO vehicles (id, kind, embodiment, map, software, seen_ms) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, embodiment = excluded.embodiment,
               map = excluded.map, software = excluded.software,
               seen_ms = CASE WHEN excluded.seen_ms > vehicles.seen_ms THEN excluded.seen_ms ELSE vehicles.seen_ms END",
        )
        .bind(v.vehicle.as_str())
        .bind(&v.kind)
        .bind(&v.embodiment)
        .bind(&v.map)
        .bind(&v.software)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Keeps the greatest counter for each vehicle and policy.
    pub async fn mileage(&self, m: &Mileage) -> ApiResult<()> {
        let mut tx = self.write().await?;
        mention(&mut tx, &m.vehicle, "live").await?;
        sqlx::query(
            "INSERT INTO mileage (vehicle, policy, autonomous_m, manual_m) VALUES ($1, $2, $3, $4)
             ON CONFLICT (vehicle, policy) DO UPDATE SET
               autonomous_m = CASE WHEN excluded.autonomous_m > mileage.autonomous_m THEN excluded.autonomous_m ELSE mileage.autonomous_m END,
               manual_m = CASE WHEN excluded.manual_m > mileage.manual_m THEN excluded.manual_m ELSE mileage.manual_m END",
        )
        .bind(m.vehicle.as_str())
        .bind(m.policy.as_str())
        .bind(m.autonomous_m)
        .bind(m.manual_m)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Every vehicle by name, as far as the database knows it.
    pub async fn vehicles(&self) -> ApiResult<Vec<VehicleView>> {
        let rows = sqlx::query(
            "WITH driven AS (
               SELECT vehicle, autonomous_m, manual_m FROM mileage
               UNION ALL SELECT vehicle, autonomous_m, manual_m FROM trips
             ), distance AS (
               SELECT vehicle, SUM(autonomous_m) AS autonomous_m, SUM(manual_m) AS manual_m FROM driven GROUP BY vehicle
             ), taken AS (
               SELECT vehicle, COUNT(*) AS takeovers FROM disengagements GROUP BY vehicle
             )
             SELECT v.id AS id, v.kind AS kind, v.embodiment AS embodiment, v.map AS map, v.software AS software,
               v.seen_ms AS seen_ms, COALESCE(d.autonomous_m, 0.0) AS autonomous_m,
               COALESCE(d.manual_m, 0.0) AS manual_m, COALESCE(t.takeovers, 0) AS takeovers
             FROM vehicles v LEFT JOIN distance d ON d.vehicle = v.id LEFT JOIN taken t ON t.vehicle = v.id
             WHERE v.id NOT IN ('erased-live', 'erased-virtual') ORDER BY v.id",
        )
        .fetch_all(&self.readers)
        .await?;
        Ok(VehicleView::from_rows(&rows)?)
    }
}

/// What the vehicle itself said last is in no row.
impl FromRow for VehicleView {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            kind: row.try_get("kind")?,
            embodiment: row.try_get("embodiment")?,
            map: row.try_get("map")?,
            software: row.try_get("software")?,
            last_seen_ms: row.try_get("seen_ms")?,
            autonomous_miles: units::miles(row.try_get("autonomous_m")?),
            manual_miles: units::miles(row.try_get("manual_m")?),
            disengagements: row.count("takeovers")?,
            ..Self::unknown(row.parsed("id")?)
        })
    }
}
