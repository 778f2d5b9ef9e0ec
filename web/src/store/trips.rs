use super::row::{Columns, FromRow};
use super::{Store, episodes, now_ms, vehicles};
use crate::reply::ApiResult;
use protocol::api::{Trip, TripView};
use sqlx::Row;
use sqlx::any::AnyRow;

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
        Ok(row.as_ref().map(TripView::from_row).transpose()?)
    }
}

impl FromRow for TripView {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            vehicle: row.parsed("vehicle")?,
            policy: row.parsed("policy")?,
            autonomous_m: row.try_get("autonomous_m")?,
            manual_m: row.try_get("manual_m")?,
        })
    }
}
