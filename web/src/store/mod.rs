//! The database: SQLite or PostgreSQL, one SQL for both. What was answered with success is on the disk and survives
//! SIGKILL and power cuts. Writes happen one after the other, so that the order of rows is the order of commits.

mod connect;
mod database;
mod episodes;
mod erasures;
mod files;
mod fleet;
mod geofences;
mod identities;
mod pending_deletion;
mod policies;
mod removals;
mod revocations;
mod row;
mod search;
mod sql;
mod tombstones;
mod trips;
mod vehicles;

pub use database::Database;
pub use episodes::Page;
pub use erasures::Job;
pub use fleet::Counts;
pub use pending_deletion::{NOBODY, PendingDeletion};
pub use policies::Publication;
pub use search::{Search, limit};
pub use tombstones::TombstoneKey;

use crate::error::{Error, Result};
use sqlx::{Any, AnyPool, Transaction};
use std::time::{SystemTime, UNIX_EPOCH};

/// Holds back other writers until the transaction ends, also those of another control plane on the same database.
const ALONE: &str = "DO 'BEGIN PERFORM pg_advisory_xact_lock(7310034283826791266); END'";

/// The control plane's memory that lasts.
#[derive(Debug, Clone)]
pub struct Store {
    is_postgres: bool,
    tombstone_key: TombstoneKey,
    writer: AnyPool,
    readers: AnyPool,
}

impl Store {
    /// Opens or makes the database and brings its schema up to date.
    pub async fn open(database: &Database, tombstone_key: TombstoneKey) -> Result<Self> {
        let (writer, readers) = connect::open(database).await?;
        let store = Self { is_postgres: matches!(database, Database::Postgres(_)), tombstone_key, writer, readers };
        let failed = |cause| Error::Database { database: database.clone(), cause };
        match store.foreign_tombstones().await.map_err(failed)? {
            None => Ok(store),
            Some(found) => {
                Err(Error::ForeignErasures { database: database.clone(), found, here: store.tombstone_key.key })
            }
        }
    }

    /// Writes everything out and closes it.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A write that happens whole or not at all, alone.
    async fn write(&self) -> sqlx::Result<Transaction<'static, Any>> {
        if !self.is_postgres {
            return self.writer.begin_with("BEGIN IMMEDIATE").await;
        }
        let mut tx = self.writer.begin().await?;
        sqlx::raw_sql(ALONE).execute(&mut *tx).await?;
        Ok(tx)
    }
}

/// Wall time as a label: milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// The same in microseconds.
pub fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
}

/// A count that was checked on its way in.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count on its way out.
fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
