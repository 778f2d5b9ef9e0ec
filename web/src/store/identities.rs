//! Which certificate a vehicle or seat is bound to: the first one that it told, until somebody forgets it.

use super::{Store, now_ms};
use crate::reply::ApiResult;
use crate::signal::Party;

impl Store {
    /// The fingerprint that `party` is bound to, if any.
    pub async fn pinned(&self, party: &Party) -> ApiResult<Option<String>> {
        let query = sqlx::query_scalar("SELECT fingerprint FROM identities WHERE party = $1");
        Ok(query.bind(party.to_string()).fetch_optional(&self.readers).await?)
    }

    /// Binds `party` to `fingerprint` unless it is bound already; returns what it is bound to now.
    pub async fn pin(&self, party: &Party, fingerprint: &str) -> ApiResult<String> {
        // Most connections are of those who are known: they cost no write.
        if let Some(known) = self.pinned(party).await? {
            return Ok(known);
        }
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO identities (party, fingerprint, since_ms) VALUES ($1, $2, $3) ON CONFLICT (party) DO NOTHING",
        )
        .bind(party.to_string())
        .bind(fingerprint)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        let bound = sqlx::query_scalar("SELECT fingerprint FROM identities WHERE party = $1")
            .bind(party.to_string())
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(bound)
    }

    /// Frees the vehicle and the seat of this name; returns how many were bound.
    pub async fn forget_identity(&self, name: &str) -> sqlx::Result<u64> {
        let mut tx = self.write().await?;
        let freed = sqlx::query("DELETE FROM identities WHERE party IN ('vehicle ' || $1, 'seat ' || $1)")
            .bind(name)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(freed)
    }
}
