use super::row::{Columns, FromRow, bad};
use super::sql::Sql;
use super::{Store, now_ms, signed};
use crate::reply::{ApiError, ApiResult};
use protocol::PolicyVersion;
use protocol::api::{Evaluation, EvaluationRole, Policy, Withdrawal};
use sqlx::Row;
use sqlx::any::AnyRow;

/// Outcome of a version that was posted.
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

    /// The last evaluation of a policy in a role on a road wins.
    pub async fn evaluation(&self, e: &Evaluation) -> ApiResult<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO evaluation_rows (policy, role, road, figures) VALUES ($1, $2, $3, $4)
             ON CONFLICT (policy, role, road) DO UPDATE SET figures = excluded.figures",
        )
        .bind(e.policy.as_str())
        .bind(e.role.label())
        .bind(&e.road)
        .bind(serde_json::to_string(e).map_err(std::io::Error::from)?)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Evaluations of published versions in the order of publication, then those of the operator and of the reference
    /// driver. Of the versions, the one in use is the policy, those before it are previous ones.
    pub async fn report(&self) -> ApiResult<Vec<Evaluation>> {
        let rows = self.evaluation_rows(" WHERE p.status = 'published' OR e.role IN ('operator', 'reference')").await?;
        let in_use = self.latest_policy().await?.map(|policy| policy.version);
        let role = |e: &Evaluation| match e.role {
            EvaluationRole::Policy if in_use.as_ref() != Some(&e.policy) => EvaluationRole::Previous,
            role => role,
        };
        Ok(rows.into_iter().map(|e| Evaluation { role: role(&e), ..e }).collect())
    }

    /// Every evaluation, refused and unknown versions too, in the order of publication.
    pub async fn evaluations(&self) -> ApiResult<Vec<Evaluation>> {
        self.evaluation_rows("").await
    }

    /// The roads of a driver come in the order of their names, the rows over all roads behind them.
    async fn evaluation_rows(&self, which: &'static str) -> ApiResult<Vec<Evaluation>> {
        let mut query = Sql::new(
            "SELECT e.figures AS figures FROM evaluation_rows e
             LEFT JOIN policies p ON p.version = e.policy AND e.role = 'policy'",
        );
        query
            .push(which)
            .push(" ORDER BY p.seq IS NULL, p.seq, e.role, e.policy, e.road IN ('all', 'unseen_events'), e.road");
        Ok(Evaluation::from_rows(&query.fetch_all(&self.readers).await?)?)
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
        serde_json::from_str(row.try_get("figures")?).map_err(|cause| bad("figures", cause))
    }
}
