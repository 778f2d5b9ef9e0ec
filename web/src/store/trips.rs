use super::{Store, episodes, now_ms, vehicles};
use crate::api::Trip;
use crate::reply::ApiResult;
use sqlx::Row;

/// A trip without its rows, as `GET /api/v1/trips/{id}` answers it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TripView {
    id: String,
    vehicle: String,
    policy: String,
    autonomous_m: f64,
    manual_m: f64,
}

impl Store {
    /// Stores the trip with all its rows, or nothing. Whether it is new.
    pub async fn trip(&self, t: &Trip) -> ApiResult<bool> {
        let mut tx = self.write().await?;
        vehicles::mention(&mut tx, &t.vehicle, "virtual").await?;
        let done = sqlx::query(
            "INSERT INTO trips (id, vehicle, policy, autonomous_m, manual_m, stored_ms) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(&t.id)
        .bind(t.vehicle.as_str())
        .bind(t.policy.as_str())
        .bind(t.autonomous_m)
        .bind(t.manual_m)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        let is_new = done.rows_affected() > 0;
        if is_new {
            for d in &t.disengagements {
                if !self.is_erased(&mut tx, &d.id).await? {
                    episodes::insert_disengagement(&mut tx, d).await?;
                }
            }
            for e in &t.episodes {
                self.refuse_erased(&mut tx, e).await?;
                if !self.was_removed(&mut tx, &e.id).await? {
                    episodes::insert_episode(&mut tx, e).await?;
                }
            }
        }
        tx.commit().await?;
        Ok(is_new)
    }

    pub async fn find_trip(&self, id: &str) -> ApiResult<Option<TripView>> {
        let row = sqlx::query("SELECT id, vehicle, policy, autonomous_m, manual_m FROM trips WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(TripView {
            id: row.try_get(0)?,
            vehicle: row.try_get(1)?,
            policy: row.try_get(2)?,
            autonomous_m: row.try_get(3)?,
            manual_m: row.try_get(4)?,
        }))
    }
}
