//! What a request for erasure means: which episodes and takeovers, and what an episode leaves where.

use super::row::{Columns, FromRow};
use super::sql::Sql;
use crate::reply::ApiResult;
use crate::storage;
use protocol::EpisodeId;
use protocol::erasure::{Asked, Removed};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

/// Whose name takeovers get that stay in the count without saying whose they were.
pub const NOBODY: [&str; 2] = ["erased-live", "erased-virtual"];
/// Most values in one query.
pub(super) const AT_ONCE: usize = 10_000;

/// An episode that goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PendingDeletion {
    pub removed: Removed,
    /// The file that its row names; empty when it had no row yet.
    pub file: String,
}

/// SHA-256 of everything that an episode's parts are named by.
pub(super) fn contents(episode: &PendingDeletion) -> impl Iterator<Item = &str> {
    let episode = &episode.removed;
    let named = episode.objects.iter().filter_map(|name| storage::content(name));
    [episode.sha256.as_str()].into_iter().filter(|sha256| !sha256.is_empty()).chain(named)
}

/// The episodes that a request means, with everything that has the same content, and files that came before their
/// episode.
pub(super) async fn pending(tx: &mut AnyConnection, asked: &Asked, until_ms: i64) -> ApiResult<Vec<PendingDeletion>> {
    let mut whose = Sql::new("SELECT id, file, sha256, bytes FROM episodes WHERE ");
    let chosen = |query: &mut Sql, id: &'static str| {
        query.push("(stored_ms <= ").bind(until_ms).push(" AND ");
        match (&asked.vehicle, &asked.person) {
            (Some(vehicle), _) => query.push("vehicle = ").bind(vehicle.as_str()),
            (_, Some(person)) => {
                let of = query.push(id).push(" IN (SELECT episode FROM episode_seats WHERE seat = ");
                of.bind(person.as_str()).push(")")
            }
            _ => query.push(id).push(" IN ").list(asked.ids.iter().map(EpisodeId::as_str)),
        };
        query.push(")");
    };
    chosen(&mut whose, "id");
    whose.push(" OR sha256 IN (SELECT sha256 FROM episodes WHERE ");
    chosen(&mut whose, "id");
    whose.push(")");
    let mut found = BTreeMap::new();
    for episode in PendingDeletion::from_rows(&whose.fetch_all(&mut *tx).await?)? {
        found.insert(episode.removed.id.clone(), episode);
    }
    let mut early = Sql::new("SELECT episode FROM episode_files WHERE ");
    chosen(&mut early, "episode");
    for row in early.fetch_all(&mut *tx).await? {
        let id: EpisodeId = row.parsed("episode")?;
        let removed = Removed { id: id.clone(), sha256: String::new(), bytes: 0, objects: Vec::new() };
        found.entry(id).or_insert(PendingDeletion { removed, file: String::new() });
    }
    for PendingDeletion { removed, .. } in found.values_mut() {
        removed.objects = uploaded(tx, &removed.id).await?;
    }
    Ok(found.into_values().collect())
}

/// Its uploaded objects stand in rows of their own.
impl FromRow for PendingDeletion {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let (sha256, bytes) = (row.try_get("sha256")?, row.count("bytes")?);
        let removed = Removed { id: row.parsed("id")?, sha256, bytes, objects: Vec::new() };
        Ok(Self { removed, file: row.try_get("file")? })
    }
}

/// Objects that were uploaded for an episode.
pub(super) async fn uploaded(tx: &mut AnyConnection, id: &EpisodeId) -> sqlx::Result<Vec<String>> {
    let query = sqlx::query_scalar("SELECT object FROM episode_files WHERE episode = $1 ORDER BY kind");
    query.bind(id.as_str()).fetch_all(tx).await
}

/// Takeovers that lose their identity, with the kind of their vehicle.
pub(super) async fn severed(
    tx: &mut AnyConnection,
    asked: &Asked,
    until_ms: i64,
    found: &[EpisodeId],
) -> ApiResult<BTreeMap<String, String>> {
    const OF: &str =
        "SELECT d.id AS id, v.kind AS kind FROM disengagements d JOIN vehicles v ON v.id = d.vehicle WHERE ";
    let mut queries = Vec::new();
    for ids in found.chunks(AT_ONCE).chain([&*asked.ids]) {
        let mut query = Sql::new(OF);
        query.push("d.id IN ").list(ids.iter().map(EpisodeId::as_str));
        queries.push(query);
    }
    if let Some(vehicle) = &asked.vehicle {
        let mut query = Sql::new(OF);
        query.push("d.vehicle = ").bind(vehicle.as_str()).push(" AND d.stored_ms <= ").bind(until_ms);
        queries.push(query);
    }
    let mut takeovers = BTreeMap::new();
    for query in queries {
        for row in query.fetch_all(&mut *tx).await? {
            takeovers.insert(row.try_get("id")?, row.try_get("kind")?);
        }
    }
    Ok(takeovers)
}

pub(super) fn ids(episodes: &[PendingDeletion]) -> Vec<EpisodeId> {
    episodes.iter().map(|episode| episode.removed.id.clone()).collect()
}

/// The takeover stays in the count of its policy, cause and kind of vehicle; nothing else of it stays.
pub(super) async fn sever(tx: &mut AnyConnection, id: &str, kind: &str) -> sqlx::Result<()> {
    let nobody = nobody(tx, kind).await?;
    // With a colon it is not an identity that a vehicle could choose.
    sqlx::query(
        "UPDATE disengagements SET id = 'erased:' || CAST(seq AS TEXT), vehicle = $2, at_ms = 0, map = '', stored_ms = 0
         WHERE id = $1",
    )
    .bind(id)
    .bind(nobody)
    .execute(tx)
    .await?;
    Ok(())
}

/// The vehicle that is nobody's.
async fn nobody(tx: &mut AnyConnection, kind: &str) -> sqlx::Result<&'static str> {
    let [live, other] = NOBODY;
    let name = if kind == "live" { live } else { other };
    sqlx::query(
        "INSERT INTO vehicles (id, kind, embodiment, map, software, seen_ms) VALUES ($1, $2, '', '', '', 0)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(name)
    .bind(kind)
    .execute(tx)
    .await?;
    Ok(name)
}
