//! Which uploaded files an episode has.

use super::row::{Columns, FromRow};
use super::sql::Sql;
use super::{Store, now_ms, signed};
use crate::objects::{ObjectKey, UploadKind};
use crate::reply::{ApiError, ApiResult};
use protocol::api::UploadStart;
use protocol::{EpisodeId, VehicleId};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeSet;

/// Tells an episode's row which files it has.
pub(super) async fn complete(tx: &mut AnyConnection, episode: &EpisodeId) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE episodes SET
           object = (SELECT object FROM episode_files WHERE episode = $1 AND kind = 'episode'),
           preview_video = (SELECT object FROM episode_files WHERE episode = $1 AND kind = 'preview_video'),
           preview_state = (SELECT object FROM episode_files WHERE episode = $1 AND kind = 'preview_state')
         WHERE id = $1",
    )
    .bind(episode.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Whose an episode is, and what its file holds where that is known.
struct Owner {
    vehicle: String,
    sha256: Option<String>,
}

impl FromRow for Owner {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self { vehicle: row.try_get("vehicle")?, sha256: row.try_get("sha256")? })
    }
}

impl Store {
    /// Whether it registered or reported anything.
    pub async fn knows_vehicle(&self, vehicle: &VehicleId) -> ApiResult<bool> {
        let known = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM vehicles WHERE id = $1").bind(vehicle.as_str());
        Ok(known.fetch_one(&self.readers).await? > 0)
    }

    /// Refuses a file that is not the vehicle's to send, or another one in the place of what the catalogue has.
    pub async fn may_upload(&self, start: &UploadStart) -> ApiResult<()> {
        self.refuse_erased_file(&mut *self.readers.acquire().await?, &start.episode, &start.sha256).await?;
        let row = sqlx::query(
            "SELECT vehicle AS vehicle, sha256 AS sha256 FROM episodes WHERE id = $1
             UNION ALL SELECT vehicle, NULL FROM episode_files WHERE episode = $1",
        )
        .bind(start.episode.as_str());
        for Owner { vehicle, sha256 } in Owner::from_rows(&row.fetch_all(&self.readers).await?)? {
            if vehicle != start.vehicle.as_str() {
                return Err(ApiError::conflict(format!("episode {} is not {}'s", start.episode, start.vehicle)));
            }
            if start.kind == UploadKind::Episode && sha256.is_some_and(|known| known != start.sha256) {
                return Err(ApiError::conflict(format!("episode {} is known with other content", start.episode)));
            }
        }
        Ok(())
    }

    /// Enters a file as the episode's. Returns the one whose place it took.
    pub async fn record_file(&self, start: &UploadStart, key: &ObjectKey) -> ApiResult<Option<ObjectKey>> {
        let mut tx = self.write().await?;
        self.refuse_erased_file(&mut tx, &start.episode, &start.sha256).await?;
        let old = sqlx::query_scalar::<_, String>("SELECT object FROM episode_files WHERE episode = $1 AND kind = $2")
            .bind(start.episode.as_str())
            .bind(start.kind.label())
            .fetch_optional(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO episode_files (episode, kind, object, bytes, vehicle, stored_ms) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (episode, kind) DO UPDATE SET object = excluded.object, bytes = excluded.bytes,
               stored_ms = excluded.stored_ms",
        )
        .bind(start.episode.as_str())
        .bind(start.kind.label())
        .bind(key.as_str())
        .bind(signed(start.bytes))
        .bind(start.vehicle.as_str())
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        complete(&mut tx, &start.episode).await?;
        tx.commit().await?;
        Ok(old.and_then(|old| ObjectKey::parse(&old).ok()).filter(|old| old != key))
    }

    /// Whether any episode has it.
    pub async fn is_used(&self, key: &ObjectKey) -> ApiResult<bool> {
        let uses = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM episode_files WHERE object = $1");
        Ok(uses.bind(key.as_str()).fetch_one(&self.readers).await? > 0)
    }

    /// Where an episode's file lies, and its size.
    pub async fn find_file(&self, episode: &EpisodeId, kind: UploadKind) -> ApiResult<Option<(ObjectKey, u64)>> {
        let row = sqlx::query("SELECT object, bytes FROM episode_files WHERE episode = $1 AND kind = $2")
            .bind(episode.as_str())
            .bind(kind.label())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some((row.read("object", ObjectKey::parse)?, row.count("bytes")?)))
    }

    /// Which of these episodes have a film to look at.
    pub async fn filmed(&self, episodes: impl Iterator<Item = &EpisodeId>) -> ApiResult<BTreeSet<String>> {
        let episodes: Vec<_> = episodes.map(EpisodeId::as_str).collect();
        if episodes.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut query = Sql::new("SELECT episode FROM episode_files WHERE kind = ");
        query.bind(UploadKind::PreviewVideo.label()).push(" AND episode IN ").list(episodes);
        let rows = query.fetch_all(&self.readers).await?;
        Ok(rows.iter().map(|row| row.try_get("episode")).collect::<sqlx::Result<_>>()?)
    }
}
