use super::row::{Columns, FromRow};
use super::sql::Sql;
use super::{Store, now_ms, signed};
use crate::reply::{ApiError, ApiResult};
use protocol::PolicyVersion;
use protocol::api::{Evaluation, Policy, Withdrawal};
use sqlx::Row;
use sqlx::any::AnyRow;

/// What became of a version that was posted.
#[derive(Debug, Clone, PartialEq)]
pub enum Publication {
    /// It is new.
    New,
    /// It was there with the same content.
    Same,
    /// It was there with other content, which stays.
    Other(Policy),
}

/// A column for each field of a [`Policy`].
const POLICY: &str = "SELECT p.version AS version, p.parent AS parent, p.sha256 AS sha256, p.episodes AS episodes,
    p.frames AS frames, p.status AS status, w.reason AS withdrawn_reason, w.since_ms AS withdrawn_ms
    FROM policies p LEFT JOIN withdrawals w ON w.version = p.version";
/// Of the versions that vehicles may drive by, the newest.
const NEWEST: &str = " WHERE p.status = 'published' AND w.version IS NULL ORDER BY p.seq DESC LIMIT 1";

fn one(version: &PolicyVersion) -> Sql {
    let mut query = Sql::new(POLICY);
    query.push(" WHERE p.version = ").bind(version.as_str());
    query
}

fn first(rows: &[AnyRow]) -> sqlx::Result<Option<Policy>> {
    rows.first().map(Policy::from_row).transpose()
}

impl Store {
    pub async fn publish(&self, p: &Policy) -> ApiResult<Publication> {
        let mut tx = self.write().await?;
        if let Some(known) = first(&one(&p.version).fetch_all(&mut *tx).await?)? {
            let is_same = Policy { withdrawn: None, ..known.clone() } == *p;
            return Ok(if is_same { Publication::Same } else { Publication::Other(known) });
        }
        sqlx::query(
            "INSERT INTO policies (version, parent, sha256, episodes, frames, status) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(p.version.as_str())
        .bind(p.parent.as_ref().map(PolicyVersion::as_str))
        .bind(&p.sha256)
        .bind(signed(p.episodes))
        .bind(signed(p.frames))
        .bind(&p.status)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Publication::New)
    }

    /// Every version in the order of publication, refused ones among them.
    pub async fn policies(&self) -> ApiResult<Vec<Policy>> {
        let rows = Sql::new(POLICY).push(" ORDER BY p.seq").fetch_all(&self.readers).await?;
        Ok(Policy::from_rows(&rows)?)
    }

    pub async fn find_policy(&self, version: &PolicyVersion) -> ApiResult<Option<Policy>> {
        Ok(first(&one(version).fetch_all(&self.readers).await?)?)
    }

    /// The newest version that is `published` and not withdrawn.
    pub async fn latest_policy(&self) -> ApiResult<Option<Policy>> {
        Ok(first(&Sql::new(POLICY).push(NEWEST).fetch_all(&self.readers).await?)?)
    }

    /// Takes a published version back; once is enough. Returns the one that vehicles go back to.
    pub async fn withdraw(&self, version: &PolicyVersion, reason: &str) -> ApiResult<Policy> {
        let mut tx = self.write().await?;
        let none = || ApiError::not_found(format!("there is no policy {version}"));
        let known = first(&one(version).fetch_all(&mut *tx).await?)?.ok_or_else(none)?;
        if known.status != "published" {
            return Err(ApiError::conflict(format!("{version} is {}: no vehicle drives by it", known.status)));
        }
        sqlx::query(
            "INSERT INTO withdrawals (version, reason, since_ms) VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING",
        )
        .bind(version.as_str())
        .bind(reason)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        let left = first(&Sql::new(POLICY).push(NEWEST).fetch_all(&mut *tx).await?)?;
        // Without a commit nothing of it happened.
        let only = || ApiError::conflict(format!("{version} is the only version in use: publish another one first"));
        let left = left.ok_or_else(only)?;
        tx.commit().await?;
        Ok(left)
    }

    /// Takes a withdrawal back. Whether there was one.
    pub async fn restore(&self, version: &PolicyVersion) -> ApiResult<bool> {
        let mut tx = self.write().await?;
        let done =
            sqlx::query("DELETE FROM withdrawals WHERE version = $1").bind(version.as_str()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// The last evaluation of a version wins.
    pub async fn evaluation(&self, e: &Evaluation) -> ApiResult<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO evaluations (policy, miles, disengagements, mpd, mpd_low, mpd_high)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (policy) DO UPDATE SET miles = excluded.miles, disengagements = excluded.disengagements,
               mpd = excluded.mpd, mpd_low = excluded.mpd_low, mpd_high = excluded.mpd_high",
        )
        .bind(e.policy.as_str())
        .bind(e.miles)
        .bind(signed(e.disengagements))
        .bind(e.mpd)
        .bind(e.mpd_low)
        .bind(e.mpd_high)
        // The driver takes an absent f64 for an f32: a statement that it kept would expect one from then on.
        .persistent(false)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Evaluations of published versions in the order of publication.
    pub async fn report(&self) -> ApiResult<Vec<Evaluation>> {
        let rows = sqlx::query(
            "SELECT e.policy AS policy, e.miles AS miles, e.disengagements AS disengagements, e.mpd AS mpd,
               e.mpd_low AS mpd_low, e.mpd_high AS mpd_high
             FROM evaluations e JOIN policies p ON p.version = e.policy WHERE p.status = 'published' ORDER BY p.seq",
        )
        .fetch_all(&self.readers)
        .await?;
        Ok(Evaluation::from_rows(&rows)?)
    }

    /// Every evaluation, refused and unknown versions too, in the order of publication.
    pub async fn evaluations(&self) -> ApiResult<Vec<Evaluation>> {
        let rows = sqlx::query(
            "SELECT e.policy AS policy, e.miles AS miles, e.disengagements AS disengagements, e.mpd AS mpd,
               e.mpd_low AS mpd_low, e.mpd_high AS mpd_high
             FROM evaluations e LEFT JOIN policies p ON p.version = e.policy ORDER BY p.seq IS NULL, p.seq, e.policy",
        )
        .fetch_all(&self.readers)
        .await?;
        Ok(Evaluation::from_rows(&rows)?)
    }
}

impl FromRow for Policy {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            version: row.parsed("version")?,
            parent: row.optional("parent", AnyRow::parsed)?,
            sha256: row.try_get("sha256")?,
            episodes: row.count("episodes")?,
            frames: row.count("frames")?,
            status: row.try_get("status")?,
            withdrawn: row.optional("withdrawn_reason", withdrawal)?,
        })
    }
}

fn withdrawal(row: &AnyRow, column: &str) -> sqlx::Result<Withdrawal> {
    Ok(Withdrawal { reason: row.try_get(column)?, since_ms: row.try_get("withdrawn_ms")? })
}

impl FromRow for Evaluation {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            policy: row.parsed("policy")?,
            miles: row.try_get("miles")?,
            disengagements: row.count("disengagements")?,
            mpd: row.try_get("mpd")?,
            mpd_low: row.try_get("mpd_low")?,
            mpd_high: row.try_get("mpd_high")?,
        })
    }
}
