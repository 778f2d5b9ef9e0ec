use super::{Store, signed, unsigned};
use crate::reply::ApiResult;
use protocol::PolicyVersion;
use protocol::api::{Evaluation, Policy};
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

impl Store {
    pub async fn publish(&self, p: &Policy) -> ApiResult<Publication> {
        let mut tx = self.write().await?;
        let row =
            sqlx::query("SELECT version, parent, sha256, episodes, frames, status FROM policies WHERE version = $1")
                .bind(p.version.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        if let Some(row) = row {
            let known = policy(&row)?;
            return Ok(if known == *p { Publication::Same } else { Publication::Other(known) });
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
        let rows = sqlx::query("SELECT version, parent, sha256, episodes, frames, status FROM policies ORDER BY seq")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(policy).collect()
    }

    pub async fn find_policy(&self, version: &PolicyVersion) -> ApiResult<Option<Policy>> {
        let row =
            sqlx::query("SELECT version, parent, sha256, episodes, frames, status FROM policies WHERE version = $1")
                .bind(version.as_str())
                .fetch_optional(&self.readers)
                .await?;
        row.as_ref().map(policy).transpose()
    }

    /// The newest version that is `published`.
    pub async fn latest_policy(&self) -> ApiResult<Option<Policy>> {
        let row = sqlx::query(
            "SELECT version, parent, sha256, episodes, frames, status FROM policies
             WHERE status = 'published' ORDER BY seq DESC LIMIT 1",
        )
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(policy).transpose()
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
            "SELECT e.policy, e.miles, e.disengagements, e.mpd, e.mpd_low, e.mpd_high
             FROM evaluations e JOIN policies p ON p.version = e.policy WHERE p.status = 'published' ORDER BY p.seq",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(evaluation).collect()
    }

    /// Every evaluation, refused and unknown versions too, in the order of publication.
    pub async fn evaluations(&self) -> ApiResult<Vec<Evaluation>> {
        let rows = sqlx::query(
            "SELECT e.policy, e.miles, e.disengagements, e.mpd, e.mpd_low, e.mpd_high
             FROM evaluations e LEFT JOIN policies p ON p.version = e.policy ORDER BY p.seq IS NULL, p.seq, e.policy",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(evaluation).collect()
    }
}

fn policy(row: &AnyRow) -> ApiResult<Policy> {
    Ok(Policy {
        version: PolicyVersion::new(row.try_get::<String, _>(0)?)?,
        parent: row.try_get::<Option<String>, _>(1)?.map(PolicyVersion::new).transpose()?,
        sha256: row.try_get(2)?,
        episodes: unsigned(row.try_get(3)?),
        frames: unsigned(row.try_get(4)?),
        status: row.try_get(5)?,
    })
}

fn evaluation(row: &AnyRow) -> ApiResult<Evaluation> {
    Ok(Evaluation {
        policy: PolicyVersion::new(row.try_get::<String, _>(0)?)?,
        miles: row.try_get(1)?,
        disengagements: unsigned(row.try_get(2)?),
        mpd: row.try_get(3)?,
        mpd_low: row.try_get(4)?,
        mpd_high: row.try_get(5)?,
    })
}
