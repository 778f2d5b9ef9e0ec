//! Erasures: what an episode leaves in the database, and how it goes.

use super::pending_deletion::{AT_ONCE, PendingDeletion, contents, ids, pending, sever, severed};
use super::row::{Columns, FromRow};
use super::sql::Sql;
use super::tombstones::Tombstone;
use super::{Store, now_ms, removals, unsigned};
use crate::reply::ApiResult;
use protocol::EpisodeId;
use protocol::erasure::{Asked, NOTHING, Proof};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// An erasure that is not finished.
#[derive(Debug, Clone)]
pub struct Job {
    pub job: i64,
    pub asked: Asked,
    pub started_ms: i64,
    pub pending: PendingErasure,
}

impl Job {
    /// What was stored by then goes: everything that is here at the start, also when this machine's clock was set back
    /// since it came.
    fn stored_until_ms(&self) -> i64 {
        self.started_ms.max(self.pending.newest_ms)
    }
}

/// What goes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PendingErasure {
    pub episodes: Vec<PendingDeletion>,
    pub disengagements: u64,
    /// When the newest row of anybody was stored, by the clock of then.
    #[serde(default)]
    pub newest_ms: i64,
}

impl Store {
    /// What would go.
    pub async fn pending(&self, asked: &Asked) -> ApiResult<PendingErasure> {
        let mut tx = self.readers.acquire().await?;
        let episodes = pending(&mut tx, asked, i64::MAX).await?;
        let disengagements = severed(&mut tx, asked, i64::MAX, &ids(&episodes)).await?.len() as u64;
        Ok(PendingErasure { episodes, disengagements, newest_ms: 0 })
    }

    /// Writes down what is asked, before anything is done.
    pub async fn begin_erasure(&self, asked: &Asked) -> ApiResult<i64> {
        let mut tx = self.write().await?;
        let newest_ms: i64 = sqlx::query_scalar(
            "SELECT COALESCE(MAX(newest), 0) FROM (SELECT MAX(stored_ms) AS newest FROM episodes
             UNION ALL SELECT MAX(stored_ms) FROM disengagements UNION ALL SELECT MAX(stored_ms) FROM episode_files) AS all_of",
        )
        .fetch_one(&mut *tx)
        .await?;
        let pending = PendingErasure { newest_ms, ..PendingErasure::default() };
        let job =
            sqlx::query_scalar("INSERT INTO erasures (asked, started_ms, doomed) VALUES ($1, $2, $3) RETURNING job")
                .bind(json(asked))
                .bind(now_ms())
                .bind(json(&pending))
                .fetch_one(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(job)
    }

    /// Takes everything out of the catalogue, at once, for good and never to come back. Returns what has to leave the
    /// storage; doing it again adds what has come meanwhile.
    pub async fn collect_pending(&self, job: i64) -> ApiResult<Job> {
        let mut tx = self.write().await?;
        let row = sqlx::query("SELECT job, asked, started_ms, doomed FROM erasures WHERE job = $1")
            .bind(job)
            .fetch_one(&mut *tx)
            .await?;
        let mut job = Job::from_row(&row)?;
        let until_ms = job.stored_until_ms();
        let found = pending(&mut tx, &job.asked, until_ms).await?;
        self.insert_tombstones(&mut tx, &job, &found).await?;
        let takeovers = severed(&mut tx, &job.asked, until_ms, &ids(&found)).await?;
        job.pending.disengagements += takeovers.len() as u64;
        for (id, kind) in takeovers {
            self.insert_tombstone(&mut tx, Tombstone::Episode(&id), None).await?;
            sever(&mut tx, &id, &kind).await?;
        }
        for PendingDeletion { removed: episode, .. } in &found {
            for object in &episode.objects {
                sqlx::query("DELETE FROM episode_files WHERE object = $1").bind(object).execute(&mut *tx).await?;
            }
            removals::forget(&mut tx, episode.id.as_str()).await?;
            removals::log(&mut tx, &episode.id, &episode.sha256, episode.bytes, "erasure").await?;
        }
        if let Some(person) = &job.asked.person {
            sqlx::query("UPDATE episodes SET verdict_by = 'erased' WHERE verdict_by = $1")
                .bind(person.as_str())
                .execute(&mut *tx)
                .await?;
        }
        job.pending.episodes.extend(found);
        note(&mut tx, &job).await?;
        tx.commit().await?;
        Ok(job)
    }

    /// Writes down what was found in the storage, before it is removed there.
    pub async fn note_pending(&self, job: &Job) -> ApiResult<()> {
        let mut tx = self.write().await?;
        note(&mut tx, job).await?;
        Ok(tx.commit().await?)
    }

    async fn insert_tombstones(&self, tx: &mut AnyConnection, job: &Job, found: &[PendingDeletion]) -> ApiResult<()> {
        let Asked { vehicle, person, ids, .. } = &job.asked;
        if let Some(vehicle) = vehicle {
            self.insert_tombstone(tx, Tombstone::Vehicle(vehicle.as_str()), Some(job.started_ms)).await?;
        }
        if let Some(person) = person {
            self.insert_tombstone(tx, Tombstone::Seat(person.as_str()), Some(job.started_ms)).await?;
        }
        for id in ids.iter().chain(found.iter().map(|episode| &episode.removed.id)) {
            self.insert_tombstone(tx, Tombstone::Episode(id.as_str()), None).await?;
        }
        for content in found.iter().flat_map(contents) {
            self.insert_tombstone(tx, Tombstone::Content(content), None).await?;
        }
        Ok(())
    }

    /// Counts a takeover that an erased vehicle brings late, without saying whose it was.
    pub(super) async fn sever_late(&self, tx: &mut AnyConnection, id: &EpisodeId) -> sqlx::Result<()> {
        self.insert_tombstone(tx, Tombstone::Episode(id.as_str()), None).await?;
        sever(tx, id.as_str(), "live").await
    }

    /// Rows that still answer to the request.
    pub async fn remaining(&self, job: &Job) -> ApiResult<u64> {
        let mut tx = self.readers.acquire().await?;
        let mut requests = vec![job.asked.clone()];
        for ids in ids(&job.pending.episodes).chunks(AT_ONCE) {
            requests.push(Asked { vehicle: None, person: None, ids: ids.to_vec(), ..job.asked.clone() });
        }
        let (mut rows, until_ms) = (0, job.stored_until_ms());
        for asked in &requests {
            let left = pending(&mut tx, asked, until_ms).await?;
            rows += left.len() as u64 + severed(&mut tx, asked, until_ms, &ids(&left)).await?.len() as u64;
        }
        let contents: Vec<_> = job.pending.episodes.iter().flat_map(contents).collect();
        for contents in contents.chunks(AT_ONCE) {
            let mut query = Sql::new("SELECT id FROM episodes WHERE sha256 IN ");
            rows += query.list(contents.iter().copied()).fetch_all(&mut *tx).await?.len() as u64;
        }
        Ok(rows)
    }

    /// Puts the proof in its place in the chain; `prove` gets its number and the hash of the one before.
    pub async fn finish_erasure(&self, job: i64, prove: impl FnOnce(u64, String) -> Proof) -> ApiResult<Proof> {
        let mut tx = self.write().await?;
        let last =
            sqlx::query("SELECT number, sha256 FROM erasures WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1")
                .fetch_optional(&mut *tx)
                .await?;
        let (number, previous) = match last {
            Some(row) => (row.try_get::<i64, _>("number")? + 1, row.try_get("sha256")?),
            None => (1, NOTHING.to_owned()),
        };
        let proof = prove(unsigned(number), previous);
        sqlx::query("UPDATE erasures SET number = $2, proof = $3, sha256 = $4, doomed = NULL WHERE job = $1")
            .bind(job)
            .bind(number)
            .bind(json(&proof))
            .bind(proof.statement.sha256())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.scrub().await?;
        Ok(proof)
    }

    /// Rows that are deleted leave the files of the database, too.
    async fn scrub(&self) -> sqlx::Result<()> {
        let steps: &[&str] = match self.is_postgres {
            true => &["VACUUM episodes, episode_seats, episode_files, disengagements, erasures"],
            // What is deleted is overwritten (`secure_delete`), but the log still holds it.
            false => &["PRAGMA wal_checkpoint(TRUNCATE)"],
        };
        for step in steps {
            sqlx::raw_sql(*step).execute(&self.writer).await?;
        }
        Ok(())
    }

    /// Every proof from the first on.
    pub async fn proofs(&self) -> ApiResult<Vec<Proof>> {
        let rows = sqlx::query("SELECT proof FROM erasures WHERE number IS NOT NULL ORDER BY number")
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.iter().map(|row| row.read("proof", parse)).collect::<sqlx::Result<_>>()?)
    }

    /// The proof of an erasure, once it is finished.
    pub async fn proof_of(&self, job: i64) -> ApiResult<Option<Proof>> {
        let query = sqlx::query("SELECT proof FROM erasures WHERE job = $1").bind(job);
        let row = query.fetch_one(&self.readers).await?;
        Ok(row.optional("proof", |row, column| row.read(column, parse))?)
    }

    /// Erasures that are not finished.
    pub async fn open_erasures(&self) -> ApiResult<Vec<i64>> {
        Ok(sqlx::query_scalar("SELECT job FROM erasures WHERE number IS NULL ORDER BY job")
            .fetch_all(&self.readers)
            .await?)
    }
}

async fn note(tx: &mut AnyConnection, job: &Job) -> sqlx::Result<()> {
    sqlx::query("UPDATE erasures SET doomed = $2 WHERE job = $1")
        .bind(job.job)
        .bind(json(&job.pending))
        .execute(tx)
        .await?;
    Ok(())
}

/// What goes is not known before the first search.
impl FromRow for Job {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let pending = row.optional("doomed", |row, column| row.read(column, parse))?;
        Ok(Self {
            job: row.try_get("job")?,
            asked: row.read("asked", parse)?,
            started_ms: row.try_get("started_ms")?,
            pending: pending.unwrap_or_default(),
        })
    }
}

/// Names, numbers and texts always have a JSON form.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}
