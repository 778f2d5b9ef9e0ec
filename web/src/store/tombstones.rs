//! What was erased never comes back: the catalogue keeps hashes of it, keyed so that nobody else can guess them, and
//! refuses whatever matches.

use super::sql::Sql;
use super::{Store, unsigned};
use crate::reply::{ApiError, ApiResult};
use protocol::EpisodeId;
use protocol::api::{Disengagement, Episode};
use protocol::signing::{SigningKey, sha256_hex};
use sqlx::{AnyConnection, Row};

/// What began up to so long after an erasure counts as recorded before it, milliseconds: the vehicle measured how its clock
/// stands to this one, to some seconds.
const MEASURED_MS: i64 = 10_000;
/// The same when it did not: its clock is believed to a day.
const UNMEASURED_MS: i64 = 86_400_000;

/// The secret of the hashes, and the public key of its owner.
#[derive(Clone)]
pub struct TombstoneKey {
    secret: Vec<u8>,
    pub(super) key: String,
}

/// Never the secret in a log.
impl std::fmt::Debug for TombstoneKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TombstoneKey({})", self.key)
    }
}

/// What a tombstone is of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tombstone<'a> {
    Episode(&'a str),
    Content(&'a str),
    Vehicle(&'a str),
    Seat(&'a str),
}

impl TombstoneKey {
    /// The secret is a signature that nobody sees: it comes back with the key and needs no file of its own.
    pub fn new(key: &SigningKey) -> Self {
        Self { secret: key.sign(b"takeover tombstones 1\n"), key: key.public().to_string() }
    }

    pub(super) fn hash(&self, tombstone: Tombstone<'_>) -> String {
        let (kind, name) = match tombstone {
            Tombstone::Episode(name) => ("episode", name),
            Tombstone::Content(name) => ("content", name),
            Tombstone::Vehicle(name) => ("vehicle", name),
            Tombstone::Seat(name) => ("seat", name),
        };
        let inner = sha256_hex(&[&self.secret, kind.as_bytes(), b"\n", name.as_bytes()].concat());
        sha256_hex(&[&self.secret, inner.as_bytes()].concat())
    }
}

fn gone(what: impl std::fmt::Display) -> ApiError {
    ApiError::Client(axum::http::StatusCode::GONE, format!("{what} was erased for good and is not taken again"))
}

impl Store {
    /// Inserts a tombstone; `until_ms`: only what began before.
    pub(super) async fn insert_tombstone(
        &self,
        tx: &mut AnyConnection,
        tombstone: Tombstone<'_>,
        until_ms: Option<i64>,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO tombstones (hash, key, until_ms) VALUES ($1, $2, $3)
             ON CONFLICT (hash) DO UPDATE SET until_ms = excluded.until_ms",
        )
        .bind(self.tombstone_key.hash(tombstone))
        .bind(&self.tombstone_key.key)
        .bind(until_ms)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Whether one of these has a tombstone that covers `began_ms`.
    async fn has_tombstone(
        &self,
        tx: &mut AnyConnection,
        tombstones: &[Tombstone<'_>],
        began_ms: i64,
    ) -> sqlx::Result<bool> {
        let hashes: Vec<_> = tombstones.iter().map(|tombstone| self.tombstone_key.hash(*tombstone)).collect();
        let mut query = Sql::new("SELECT until_ms FROM tombstones WHERE hash IN ");
        query.list(hashes.iter().map(String::as_str));
        for row in query.fetch_all(tx).await? {
            if row.try_get::<Option<i64>, _>("until_ms")?.is_none_or(|until_ms| began_ms < until_ms) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an episode of this identity was erased.
    pub(super) async fn is_erased(&self, tx: &mut AnyConnection, id: &EpisodeId) -> sqlx::Result<bool> {
        self.has_tombstone(tx, &[Tombstone::Episode(id.as_str())], 0).await
    }

    /// Whether a vehicle's takeover at this time belongs to what was erased. Virtual clocks say nothing.
    pub(super) async fn is_of_erased_time(
        &self,
        tx: &mut AnyConnection,
        takeover: &Disengagement,
    ) -> sqlx::Result<bool> {
        let vehicle = takeover.vehicle.as_str();
        let earliest_ms = earliest_ms(takeover.at_control_plane_ms(), takeover.clock_ahead_ms);
        Ok(!is_virtual(tx, vehicle).await?
            && self.has_tombstone(tx, &[Tombstone::Vehicle(vehicle)], earliest_ms).await?)
    }

    /// Refuses an episode that was erased, or that an erased vehicle or person had recorded before and brings late.
    pub(super) async fn refuse_erased(&self, tx: &mut AnyConnection, e: &Episode) -> ApiResult<()> {
        let mut tombstones = vec![Tombstone::Episode(e.id.as_str()), Tombstone::Content(&e.sha256)];
        if !is_virtual(tx, e.vehicle.as_str()).await? {
            tombstones.push(Tombstone::Vehicle(e.vehicle.as_str()));
            tombstones.extend(e.seats.iter().map(|seat| Tombstone::Seat(seat.as_str())));
        }
        let earliest_ms = earliest_ms(e.start_control_plane_ms(), e.clock_ahead_ms);
        if self.has_tombstone(tx, &tombstones, earliest_ms).await? {
            Err(gone(format!("episode {}, or what its vehicle or a person in it had recorded by then,", e.id)))
        } else {
            Ok(())
        }
    }

    /// Refuses a file of an erased episode, or an erased file.
    pub(super) async fn refuse_erased_file(
        &self,
        tx: &mut AnyConnection,
        id: &EpisodeId,
        sha256: &str,
    ) -> ApiResult<()> {
        let tombstones = [Tombstone::Episode(id.as_str()), Tombstone::Content(sha256)];
        if self.has_tombstone(tx, &tombstones, 0).await? {
            Err(gone(format!("the file {sha256} of episode {id}")))
        } else {
            Ok(())
        }
    }

    /// The key of tombstones that this control plane cannot read, if there are any.
    pub async fn foreign_tombstones(&self) -> sqlx::Result<Option<String>> {
        let query = sqlx::query_scalar("SELECT key FROM tombstones WHERE key <> $1 LIMIT 1");
        query.bind(&self.tombstone_key.key).fetch_optional(&self.readers).await
    }
}

/// The earliest at which something may have begun that began at `at_ms`, as far as the vehicle's clock is known.
fn earliest_ms(at_ms: i64, clock_ahead_ms: Option<i64>) -> i64 {
    at_ms.saturating_sub(if clock_ahead_ms.is_some() { MEASURED_MS } else { UNMEASURED_MS })
}

async fn is_virtual(tx: &mut AnyConnection, vehicle: &str) -> sqlx::Result<bool> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM vehicles WHERE id = $1 AND kind = 'virtual'")
        .bind(vehicle)
        .fetch_one(tx)
        .await?;
    Ok(unsigned(count) > 0)
}
