//! Episodes that left the storage, and what the retention rules look at.

use super::row::{Columns, FromRow};
use super::{Store, now_ms, signed};
use crate::reply::ApiResult;
use crate::retention::Candidate;
use protocol::EpisodeId;
use protocol::api::Removal;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// Takes an episode's rows out.
pub(super) async fn forget(tx: &mut AnyConnection, id: &str) -> sqlx::Result<()> {
    for delete in [
        "DELETE FROM episode_seats WHERE episode = $1",
        "DELETE FROM episode_files WHERE episode = $1",
        "DELETE FROM episodes WHERE id = $1",
    ] {
        sqlx::query(delete).bind(id).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Writes down that an episode went.
pub(super) async fn log(
    tx: &mut AnyConnection,
    id: &EpisodeId,
    sha256: &str,
    bytes: u64,
    why: &str,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO removals (id, sha256, bytes, at_ms, why) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.as_str())
        .bind(sha256)
        .bind(signed(bytes))
        .bind(now_ms())
        .bind(why)
        .execute(tx)
        .await?;
    Ok(())
}

impl Store {
    /// Whether an episode of this identity was removed.
    pub(super) async fn was_removed(&self, tx: &mut AnyConnection, id: &EpisodeId) -> sqlx::Result<bool> {
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM removals WHERE id = $1").bind(id.as_str()).fetch_one(tx).await?;
        Ok(count > 0)
    }

    /// Every episode with what retention rules look at, oldest first.
    pub async fn candidates(&self) -> ApiResult<Vec<Candidate>> {
        let rows = sqlx::query(
            "SELECT e.id AS id, e.file AS file, e.sha256 AS sha256, e.bytes AS bytes, e.cause AS cause,
               e.verdict AS verdict, e.vehicle AS vehicle, v.kind AS kind, e.map AS map, e.weather AS weather,
               e.opened_by AS opened_by, e.stored_ms AS stored_ms
             FROM episodes e JOIN vehicles v ON v.id = e.vehicle ORDER BY e.seq",
        )
        .fetch_all(&self.readers)
        .await?;
        Ok(Candidate::from_rows(&rows)?)
    }

    /// Objects that were uploaded for an episode.
    pub async fn objects(&self, id: &EpisodeId) -> ApiResult<Vec<String>> {
        Ok(super::pending_deletion::uploaded(&mut *self.readers.acquire().await?, id).await?)
    }

    /// Takes an episode out whose parts are gone, and writes down why.
    pub async fn remove(&self, episode: &Candidate, why: &str) -> ApiResult<()> {
        let mut tx = self.write().await?;
        forget(&mut tx, episode.id.as_str()).await?;
        log(&mut tx, &episode.id, &episode.sha256, episode.bytes, why).await?;
        Ok(tx.commit().await?)
    }

    /// Takes out what was uploaded for an episode that is not taken.
    pub async fn forget_files(&self, id: &EpisodeId) -> ApiResult<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM episode_files WHERE episode = $1").bind(id.as_str()).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Whether a part belongs to another episode, too.
    pub async fn is_shared(&self, object: &str, id: &EpisodeId) -> ApiResult<bool> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM episode_files WHERE object = $1 AND episode <> $2")
            .bind(object)
            .bind(id.as_str())
            .fetch_one(&self.readers)
            .await?;
        Ok(count > 0)
    }

    /// Whether another episode claims this file in the episodes folder.
    pub async fn is_file_shared(&self, file: &str, id: &EpisodeId) -> ApiResult<bool> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM episodes WHERE file = $1 AND id <> $2")
            .bind(file)
            .bind(id.as_str())
            .fetch_one(&self.readers)
            .await?;
        Ok(count > 0)
    }

    /// The latest removals, newest first.
    pub async fn removals(&self, limit: i64) -> ApiResult<Vec<Removal>> {
        let rows = sqlx::query("SELECT id, sha256, bytes, at_ms, why FROM removals ORDER BY seq DESC LIMIT $1")
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        Ok(Removal::from_rows(&rows)?)
    }
}

impl FromRow for Candidate {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            file: row.try_get("file")?,
            sha256: row.try_get("sha256")?,
            bytes: row.count("bytes")?,
            cause: row.try_get("cause")?,
            verdict: row.try_get("verdict")?,
            vehicle: row.try_get("vehicle")?,
            kind: row.try_get("kind")?,
            map: row.try_get("map")?,
            weather: row.try_get("weather")?,
            trigger: row.try_get("opened_by")?,
            stored_ms: row.try_get("stored_ms")?,
        })
    }
}

impl FromRow for Removal {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            sha256: row.try_get("sha256")?,
            bytes: row.count("bytes")?,
            at_ms: row.try_get("at_ms")?,
            why: row.try_get("why")?,
        })
    }
}
