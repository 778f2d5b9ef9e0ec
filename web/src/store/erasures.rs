//! Erasures: what an episode leaves in the database, and how it goes.

use super::doomed::{AT_ONCE, Condemned, contents, doomed, ids, sever, severed};
use super::sql::Sql;
use super::tombs::Grave;
use super::{Store, now_ms, removals, unsigned};
use crate::reply::{ApiError, ApiResult};
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
    pub doomed: Doomed,
}

/// What goes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Doomed {
    pub episodes: Vec<Condemned>,
    pub disengagements: u64,
}

impl Store {
    /// What would go.
    pub async fn doomed(&self, asked: &Asked) -> ApiResult<Doomed> {
        let mut tx = self.readers.acquire().await?;
        let episodes = doomed(&mut tx, asked, i64::MAX).await?;
        let disengagements = severed(&mut tx, asked, i64::MAX, &ids(&episodes)).await?.len() as u64;
        Ok(Doomed { episodes, disengagements })
    }

    /// Writes down what is asked, before anything is done.
    pub async fn begin_erasure(&self, asked: &Asked) -> ApiResult<i64> {
        let mut tx = self.write().await?;
        // Everything that is here by now, also when this machine's clock was set back since it came.
        let newest_ms: i64 = sqlx::query_scalar(
            "SELECT COALESCE(MAX(newest), 0) FROM (SELECT MAX(stored_ms) AS newest FROM episodes
             UNION ALL SELECT MAX(stored_ms) FROM disengagements UNION ALL SELECT MAX(stored_ms) FROM episode_files) AS all_of",
        )
        .fetch_one(&mut *tx)
        .await?;
        let job = sqlx::query_scalar("INSERT INTO erasures (asked, started_ms) VALUES ($1, $2) RETURNING job")
            .bind(json(asked))
            .bind(now_ms().max(newest_ms))
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(job)
    }

    /// Takes everything out of the catalogue, at once, for good and never to come back. Answers what has to leave the
    /// storage; doing it again adds what has come meanwhile.
    pub async fn condemn(&self, job: i64) -> ApiResult<Job> {
        let mut tx = self.write().await?;
        let row = sqlx::query("SELECT job, asked, started_ms, doomed FROM erasures WHERE job = $1")
            .bind(job)
            .fetch_one(&mut *tx)
            .await?;
        let mut job = job_of(&row)?;
        let found = doomed(&mut tx, &job.asked, job.started_ms).await?;
        self.bury_all(&mut tx, &job, &found).await?;
        let takeovers = severed(&mut tx, &job.asked, job.started_ms, &ids(&found)).await?;
        job.doomed.disengagements += takeovers.len() as u64;
        for (id, kind) in takeovers {
            self.bury(&mut tx, Grave::Episode(&id), None).await?;
            sever(&mut tx, &id, &kind).await?;
        }
        for Condemned { removed: episode, .. } in &found {
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
        job.doomed.episodes.extend(found);
        note(&mut tx, &job).await?;
        tx.commit().await?;
        Ok(job)
    }

    /// Writes down what was found in the storage, before it is removed there.
    pub async fn note_doomed(&self, job: &Job) -> ApiResult<()> {
        let mut tx = self.write().await?;
        note(&mut tx, job).await?;
        Ok(tx.commit().await?)
    }

    async fn bury_all(&self, tx: &mut AnyConnection, job: &Job, found: &[Condemned]) -> ApiResult<()> {
        let Asked { vehicle, person, ids, .. } = &job.asked;
        if let Some(vehicle) = vehicle {
            self.bury(tx, Grave::Vehicle(vehicle.as_str()), Some(job.started_ms)).await?;
        }
        if let Some(person) = person {
            self.bury(tx, Grave::Seat(person.as_str()), Some(job.started_ms)).await?;
        }
        for id in ids.iter().chain(found.iter().map(|episode| &episode.removed.id)) {
            self.bury(tx, Grave::Episode(id.as_str()), None).await?;
        }
        for content in found.iter().flat_map(contents) {
            self.bury(tx, Grave::Content(content), None).await?;
        }
        Ok(())
    }

    /// Counts a takeover that an erased vehicle brings late, without saying whose it was.
    pub(super) async fn sever_late(&self, tx: &mut AnyConnection, id: &EpisodeId) -> sqlx::Result<()> {
        self.bury(tx, Grave::Episode(id.as_str()), None).await?;
        sever(tx, id.as_str(), "live").await
    }

    /// Rows that still answer to the request.
    pub async fn remaining(&self, job: &Job) -> ApiResult<u64> {
        let mut tx = self.readers.acquire().await?;
        let mut requests = vec![job.asked.clone()];
        for ids in ids(&job.doomed.episodes).chunks(AT_ONCE) {
            requests.push(Asked { vehicle: None, person: None, ids: ids.to_vec(), ..job.asked.clone() });
        }
        let mut rows = 0;
        for asked in &requests {
            let left = doomed(&mut tx, asked, job.started_ms).await?;
            rows += left.len() as u64 + severed(&mut tx, asked, job.started_ms, &ids(&left)).await?.len() as u64;
        }
        let contents: Vec<_> = job.doomed.episodes.iter().flat_map(contents).collect();
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
            Some(row) => (row.try_get::<i64, _>(0)? + 1, row.try_get(1)?),
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
        rows.iter().map(|row| parse(&row.try_get::<String, _>(0)?)).collect()
    }

    /// The proof of an erasure, once it is finished.
    pub async fn proof_of(&self, job: i64) -> ApiResult<Option<Proof>> {
        let proof = sqlx::query_scalar::<_, Option<String>>("SELECT proof FROM erasures WHERE job = $1")
            .bind(job)
            .fetch_one(&self.readers)
            .await?;
        proof.map(|text| parse(&text)).transpose()
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
        .bind(json(&job.doomed))
        .execute(tx)
        .await?;
    Ok(())
}

fn job_of(row: &AnyRow) -> ApiResult<Job> {
    let doomed: Option<String> = row.try_get(3)?;
    Ok(Job {
        job: row.try_get(0)?,
        asked: parse(&row.try_get::<String, _>(1)?)?,
        started_ms: row.try_get(2)?,
        doomed: doomed.map_or_else(|| Ok(Doomed::default()), |text| parse(&text))?,
    })
}

/// Names, numbers and texts always have a JSON form.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(text: &str) -> ApiResult<T> {
    serde_json::from_str(text).map_err(|e| ApiError::File(std::io::Error::other(e)))
}
