//! The erase job: out of the catalogue, out of the storage, looked after, proved.

use crate::app::App;
use crate::reply::{ApiError, ApiResult};
use crate::storage;
use crate::store::{Job, PendingDeletion, now_ms};
use axum::http::StatusCode;
use protocol::PolicyVersion;
use protocol::erasure::{Asked, ErasurePlan, FORMAT, Proof, Removed, Statement, Verification};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Attempts before an answer says that it is not done yet.
const ATTEMPTS: u32 = 3;
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);

/// What would go.
pub async fn plan(app: &App, asked: &Asked) -> ApiResult<ErasurePlan> {
    let pending = app.store.pending(asked).await?;
    let (policies, _) = trained_on(app, &pending.episodes).await?;
    let listed = storage::list(app).await?;
    let remove = pending.episodes.into_iter().map(|episode| complete(episode, &listed).removed).collect();
    Ok(ErasurePlan { remove, disengagements: pending.disengagements, policies })
}

/// Erases and proves it. Goes on when whoever asked hangs up; what is cut off by the end of the process is taken up at
/// the next start.
pub async fn erase(app: &Arc<App>, asked: Asked) -> ApiResult<Proof> {
    let job = app.store.begin_erasure(&asked).await?;
    tracing::warn!(job, reason = %asked.reason, "erasure asked for");
    let app = Arc::clone(app);
    let done = tokio::spawn(async move { work(&app, job).await });
    done.await.map_err(|e| ApiError::File(std::io::Error::other(e)))?
}

/// Takes up what was not finished.
pub async fn resume(app: &App) -> ApiResult<()> {
    for job in app.store.open_erasures().await? {
        work(app, job).await?;
    }
    Ok(())
}

async fn work(app: &App, job: i64) -> ApiResult<Proof> {
    // One at a time: the next sees what this one has done.
    let _alone = app.removing.lock().await;
    if let Some(proof) = app.store.proof_of(job).await? {
        return Ok(proof);
    }
    let mut attempt = 1;
    loop {
        match try_once(app, job).await {
            Ok(Ok(proof)) => return Ok(proof),
            Ok(Err(left)) if attempt >= ATTEMPTS => return Err(unfinished(&left)),
            Err(error) if attempt >= ATTEMPTS => {
                tracing::error!(%error, job, "an erasure is not finished");
                return Err(unfinished(&error.to_string()));
            }
            _ => {}
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

fn unfinished(why: &str) -> ApiError {
    let text = format!(
        "the episodes are out of the catalogue, but the erasure is not finished: {why}. It is tried again \
                        every hour and at the next start; GET /api/v1/erasures shows the proof when it is done"
    );
    ApiError::Client(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// One attempt; the inner error says what is still there.
async fn try_once(app: &App, job: i64) -> ApiResult<Result<Proof, String>> {
    let mut job = app.store.collect_pending(job).await?;
    let ids: BTreeSet<_> = job.pending.episodes.iter().map(|episode| episode.removed.id.clone()).collect();
    let Asked { vehicle, ids: named, .. } = &job.asked;
    app.uploads.abandon(|start| {
        ids.contains(&start.episode) || named.contains(&start.episode) || vehicle.as_ref() == Some(&start.vehicle)
    });
    let listed = storage::list(app).await?;
    job.pending.episodes = job.pending.episodes.into_iter().map(|episode| complete(episode, &listed)).collect();
    app.store.note_pending(&job).await?;
    for PendingDeletion { removed, file } in &job.pending.episodes {
        storage::remove(app, &removed.id, file, &removed.objects, true).await?;
    }
    let (policies, unread) = trained_on(app, &job.pending.episodes).await?;
    let verification = verify(app, &job, unread).await?;
    if !verification.is_complete() {
        return Ok(Err(format!("{} rows and {:?} remain", verification.rows, verification.left)));
    }
    let proof = app.store.finish_erasure(job.job, |number, previous| {
        let removed = job.pending.episodes.iter().map(|episode| episode.removed.clone()).collect();
        let statement = Statement {
            format: FORMAT.to_owned(),
            number,
            previous,
            key: app.key.public().to_string(),
            asked: job.asked.clone(),
            started_ms: job.started_ms,
            finished_ms: now_ms(),
            removed,
            disengagements: job.pending.disengagements,
            policies,
            verification,
        };
        Proof::sign(statement, &app.key)
    });
    let proof = proof.await?;
    tracing::warn!(number = proof.statement.number, episodes = proof.statement.removed.len(), "erased");
    Ok(Ok(proof))
}

/// Adds the files of the episodes folder that are really there.
fn complete(mut episode: PendingDeletion, listed: &BTreeSet<String>) -> PendingDeletion {
    let Removed { objects, .. } = &mut episode.removed;
    for name in storage::names(&episode.file) {
        if listed.contains(&name) && !objects.contains(&name) {
            objects.push(name);
        }
    }
    episode
}

/// Looks at storage and catalogue afresh.
async fn verify(app: &App, job: &Job, unread: Vec<String>) -> ApiResult<Verification> {
    let listed = storage::list(app).await?;
    let episodes = &job.pending.episodes;
    let mut names: BTreeSet<String> = episodes.iter().flat_map(|episode| storage::names(&episode.file)).collect();
    names.extend(episodes.iter().flat_map(|episode| episode.removed.objects.iter().cloned()));
    let contents: BTreeSet<&str> = episodes
        .iter()
        .flat_map(|episode| episode.removed.objects.iter().filter_map(|name| storage::content(name)))
        .chain(episodes.iter().map(|episode| episode.removed.sha256.as_str()))
        .collect();
    let is_left =
        |name: &&String| names.contains(*name) || storage::content(name).is_some_and(|c| contents.contains(c));
    Ok(Verification {
        listed: listed.len() as u64,
        left: listed.iter().filter(is_left).cloned().collect(),
        rows: app.store.remaining(job).await?,
        unread,
    })
}

/// What a policy's manifest says of its episodes.
#[derive(Deserialize)]
struct Learnt {
    version: PolicyVersion,
    episodes: Vec<From>,
}

#[derive(Deserialize)]
struct From {
    episode: String,
    sha256: String,
}

/// The policy versions that learnt from these episodes, and the manifests that cannot be read.
async fn trained_on(app: &App, episodes: &[PendingDeletion]) -> ApiResult<(Vec<PolicyVersion>, Vec<String>)> {
    let ids: BTreeSet<_> = episodes.iter().map(|episode| episode.removed.id.to_string()).collect();
    let contents: BTreeSet<_> = episodes.iter().map(|episode| episode.removed.sha256.clone()).collect();
    let folder = app.data_dir.join("policies");
    let search = move || {
        let (mut versions, mut unread) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path().join("manifest.json");
            if !path.is_file() {
                continue;
            }
            match serde_json::from_slice::<Learnt>(&std::fs::read(&path)?) {
                Ok(Learnt { version, episodes }) => {
                    let met = |from: &From| ids.contains(&from.episode) || contents.contains(&from.sha256);
                    if episodes.iter().any(met) {
                        versions.push(version);
                    }
                }
                Err(error) => unread.push(format!("{}: {error}", path.display())),
            }
        }
        versions.sort();
        unread.sort();
        Ok::<_, std::io::Error>((versions, unread))
    };
    Ok(tokio::task::spawn_blocking(search).await.map_err(std::io::Error::other)??)
}
