//! Seats that get no grants until somebody allows them again.

use super::{Store, now_ms};
use protocol::SeatId;

impl Store {
    /// The seats that are revoked.
    pub async fn revoked(&self) -> sqlx::Result<Vec<SeatId>> {
        let names: Vec<String> =
            sqlx::query_scalar("SELECT seat FROM revocations ORDER BY seat").fetch_all(&self.readers).await?;
        Ok(names.into_iter().filter_map(|name| SeatId::new(name).ok()).collect())
    }

    /// Revokes a seat; once is enough.
    pub async fn revoke(&self, seat: &SeatId, reason: &str) -> sqlx::Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO revocations (seat, reason, since_ms) VALUES ($1, $2, $3) ON CONFLICT (seat) DO NOTHING",
        )
        .bind(seat.as_str())
        .bind(reason)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Takes a revocation back.
    pub async fn allow(&self, seat: &SeatId) -> sqlx::Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM revocations WHERE seat = $1").bind(seat.as_str()).execute(&mut *tx).await?;
        tx.commit().await
    }
}
