use super::{Store, now_ms, signed, unsigned, vehicles};
use crate::api::TakeoverView;
use crate::reply::{ApiError, ApiResult};
use protocol::api::{Disengagement, Episode};
use protocol::{EpisodeId, PolicyVersion, VehicleId};
use serde::Deserialize;
use sqlx::any::AnyRow;
use sqlx::{QueryBuilder, Row, Sqlite, AnyConnection};

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// Which rows of a list, newest first.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// At most this many, 1 to 1000; 100 when absent.
    pub limit: Option<u32>,
    /// Only rows stored before the one with this id: the last id of the page before.
    pub before: Option<EpisodeId>,
    /// Only this policy.
    pub policy: Option<PolicyVersion>,
    /// Only this cause.
    pub cause: Option<String>,
    /// Only this vehicle.
    pub vehicle: Option<VehicleId>,
}

impl Page {
    fn limit(&self) -> ApiResult<u32> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            limit => Err(ApiError::invalid(format!("limit: {limit} is not valid: use 1 to {MAX_LIMIT}"))),
        }
    }

    fn filter(&self, query: &mut QueryBuilder<Sqlite>, before: Option<i64>) -> ApiResult<()> {
        query.push(" WHERE 1");
        if let Some(seq) = before {
            query.push(" AND seq < ").push_bind(seq);
        }
        if let Some(policy) = &self.policy {
            query.push(" AND policy = ").push_bind(policy.to_string());
        }
        if let Some(cause) = &self.cause {
            query.push(" AND cause = ").push_bind(cause.clone());
        }
        if let Some(vehicle) = &self.vehicle {
            query.push(" AND vehicle = ").push_bind(vehicle.to_string());
        }
        query.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::from(self.limit()?));
        Ok(())
    }

    fn unknown_cursor(&self) -> ApiError {
        let id = self.before.as_ref().map_or("", EpisodeId::as_str);
        ApiError::invalid(format!("before: {id:?} is not valid: there is no such row"))
    }
}

pub(super) async fn insert_disengagement(tx: &mut AnyConnection, d: &Disengagement) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO disengagements (id, vehicle, policy, cause, at_ms, map, stored_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
    )
    .bind(d.id.as_str())
    .bind(d.vehicle.as_str())
    .bind(d.policy.as_str())
    .bind(&d.cause)
    .bind(d.at_ms)
    .bind(&d.map)
    .bind(now_ms())
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn insert_episode(tx: &mut AnyConnection, e: &Episode) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO episodes (id, vehicle, policy, cause, file, bytes, sha256, start_ms, duration_s, map, stored_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING",
    )
    .bind(e.id.as_str())
    .bind(e.vehicle.as_str())
    .bind(e.policy.as_str())
    .bind(&e.cause)
    .bind(&e.file)
    .bind(signed(e.bytes))
    .bind(&e.sha256)
    .bind(e.start_ms)
    .bind(e.duration_s)
    .bind(&e.map)
    .bind(now_ms())
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

impl Store {
    /// Whether it is new.
    pub async fn disengagement(&self, d: &Disengagement) -> ApiResult<bool> {
        let mut tx = self.write().await?;
        vehicles::mention(&mut tx, &d.vehicle, "live").await?;
        let is_new = insert_disengagement(&mut tx, d).await?;
        tx.commit().await?;
        Ok(is_new)
    }

    /// Whether it is new.
    pub async fn episode(&self, e: &Episode) -> ApiResult<bool> {
        let mut tx = self.write().await?;
        vehicles::mention(&mut tx, &e.vehicle, "live").await?;
        let is_new = insert_episode(&mut tx, e).await?;
        tx.commit().await?;
        Ok(is_new)
    }

    pub async fn disengagements(&self, page: &Page) -> ApiResult<Vec<Disengagement>> {
        let before = self.cursor("SELECT seq FROM disengagements WHERE id = $1", page).await?;
        let mut query = QueryBuilder::new("SELECT id, vehicle, policy, cause, at_ms, map FROM disengagements");
        page.filter(&mut query, before)?;
        query.build().fetch_all(&self.readers).await?.iter().map(disengagement).collect()
    }

    pub async fn episodes(&self, page: &Page) -> ApiResult<Vec<Episode>> {
        let before = self.cursor("SELECT seq FROM episodes WHERE id = $1", page).await?;
        let mut query = QueryBuilder::new(
            "SELECT id, vehicle, policy, cause, file, bytes, sha256, start_ms, duration_s, map FROM episodes",
        );
        page.filter(&mut query, before)?;
        query.build().fetch_all(&self.readers).await?.iter().map(episode).collect()
    }

    async fn cursor(&self, sql: &'static str, page: &Page) -> ApiResult<Option<i64>> {
        let Some(id) = &page.before else { return Ok(None) };
        let seq = sqlx::query_scalar(sql).bind(id.as_str()).fetch_optional(&self.readers).await?;
        seq.map(Some).ok_or_else(|| page.unknown_cursor())
    }

    pub async fn find_episode(&self, id: &EpisodeId) -> ApiResult<Option<Episode>> {
        let row = sqlx::query(
            "SELECT id, vehicle, policy, cause, file, bytes, sha256, start_ms, duration_s, map FROM episodes WHERE id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(episode).transpose()
    }

    /// The latest takeovers with their episodes, newest first. Either half may still be missing.
    pub async fn takeovers(&self, page: &Page) -> ApiResult<Vec<TakeoverView>> {
        let rows = sqlx::query(
            "WITH latest (id) AS (
               SELECT id FROM (SELECT id FROM disengagements ORDER BY seq DESC LIMIT $1)
               UNION SELECT id FROM (SELECT id FROM episodes ORDER BY seq DESC LIMIT $1)
             )
             SELECT l.id, COALESCE(d.vehicle, e.vehicle), v.kind, COALESCE(d.policy, e.policy),
               COALESCE(d.cause, e.cause), COALESCE(d.at_ms, e.start_ms), COALESCE(d.map, e.map), d.id IS NOT NULL,
               e.duration_s, e.bytes
             FROM latest l LEFT JOIN disengagements d ON d.id = l.id LEFT JOIN episodes e ON e.id = l.id
             JOIN vehicles v ON v.id = COALESCE(d.vehicle, e.vehicle)
             ORDER BY COALESCE(d.stored_ms, e.stored_ms) DESC, COALESCE(d.seq, e.seq) DESC, l.id LIMIT $1",
        )
        .bind(i64::from(page.limit()?))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(takeover).collect()
    }
}

fn disengagement(row: &AnyRow) -> ApiResult<Disengagement> {
    Ok(Disengagement {
        id: EpisodeId::new(row.try_get::<String, _>(0)?)?,
        vehicle: VehicleId::new(row.try_get::<String, _>(1)?)?,
        policy: PolicyVersion::new(row.try_get::<String, _>(2)?)?,
        cause: row.try_get(3)?,
        at_ms: row.try_get(4)?,
        map: row.try_get(5)?,
    })
}

fn episode(row: &AnyRow) -> ApiResult<Episode> {
    Ok(Episode {
        id: EpisodeId::new(row.try_get::<String, _>(0)?)?,
        vehicle: VehicleId::new(row.try_get::<String, _>(1)?)?,
        policy: PolicyVersion::new(row.try_get::<String, _>(2)?)?,
        cause: row.try_get(3)?,
        file: row.try_get(4)?,
        bytes: unsigned(row.try_get(5)?),
        sha256: row.try_get(6)?,
        start_ms: row.try_get(7)?,
        duration_s: row.try_get(8)?,
        map: row.try_get(9)?,
    })
}

fn takeover(row: &AnyRow) -> ApiResult<TakeoverView> {
    Ok(TakeoverView {
        id: EpisodeId::new(row.try_get::<String, _>(0)?)?,
        vehicle: VehicleId::new(row.try_get::<String, _>(1)?)?,
        kind: row.try_get(2)?,
        policy: PolicyVersion::new(row.try_get::<String, _>(3)?)?,
        cause: row.try_get(4)?,
        at_ms: row.try_get(5)?,
        map: row.try_get(6)?,
        counted: row.try_get(7)?,
        duration_s: row.try_get(8)?,
        bytes: row.try_get::<Option<i64>, _>(9)?.map(unsigned),
    })
}
