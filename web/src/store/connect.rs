//! Connections with the settings that durability needs, and the schema brought up to date.

use super::Database;
use crate::error::{Error, Result};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Executor};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// Each step brings the schema from its index to the next version. Never edit one that was released: append.
const SQLITE: &[&str] = &[
    include_str!("sqlite/schema.sql"),
    include_str!("sqlite/identities.sql"),
    include_str!("sqlite/revocations.sql"),
    include_str!("sqlite/catalogue.sql"),
    include_str!("sqlite/files.sql"),
    include_str!("sqlite/withdrawals.sql"),
    include_str!("sqlite/evaluations.sql"),
    include_str!("sqlite/geofences.sql"),
];
const POSTGRES: &[&str] = &[
    include_str!("postgres/schema.sql"),
    include_str!("postgres/withdrawals.sql"),
    include_str!("postgres/evaluations.sql"),
    include_str!("postgres/geofences.sql"),
];
const READERS: u32 = 4;
/// How long a request waits for a connection, and a start for a server that is starting too.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Write-ahead log, synchronised at every commit; what is deleted is overwritten; waits ten seconds for whoever holds
/// the file from outside.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                               PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";
/// A server whose default is to answer before the disk has it is told otherwise; stronger defaults stay.
const POSTGRES_SETTINGS: &str = "DO 'BEGIN IF current_setting(''synchronous_commit'') = ''off'' THEN \
                                 PERFORM set_config(''synchronous_commit'', ''on'', false); END IF; END'";

/// One connection that writes and a few that read.
pub(super) async fn open(database: &Database) -> Result<(AnyPool, AnyPool)> {
    sqlx::any::install_default_drivers();
    let failed = |cause| Error::Database { database: database.clone(), cause };
    let options = database.options().map_err(failed)?;
    let (settings, read_only, steps) = match database {
        Database::Sqlite(_) => (SQLITE_SETTINGS, "PRAGMA query_only = ON", SQLITE),
        Database::Postgres(_) => (POSTGRES_SETTINGS, "SET default_transaction_read_only = on", POSTGRES),
    };
    let mut first = connect(&options).await.map_err(failed)?;
    first.execute(sqlx::raw_sql(settings)).await.map_err(failed)?;
    migrate(&mut first, database, steps).await?;
    first.close().await.map_err(failed)?;
    let writer = pool(1, settings, "").connect_with(options.clone()).await.map_err(failed)?;
    let readers = pool(READERS, settings, read_only).connect_with(options).await.map_err(failed)?;
    Ok((writer, readers))
}

fn pool(size: u32, settings: &'static str, more: &'static str) -> AnyPoolOptions {
    let options = AnyPoolOptions::new().max_connections(size).acquire_timeout(CONNECT_TIMEOUT).idle_timeout(None);
    options.max_lifetime(None).after_connect(move |connection, _| {
        Box::pin(async move {
            connection.execute(sqlx::raw_sql(settings)).await?;
            if !more.is_empty() {
                connection.execute(sqlx::raw_sql(more)).await?;
            }
            Ok(())
        })
    })
}

/// Two services of one machine start together: the server may need a moment.
async fn connect(options: &AnyConnectOptions) -> sqlx::Result<AnyConnection> {
    let until = Instant::now() + CONNECT_TIMEOUT;
    loop {
        match options.connect().await {
            Err(error) if is_starting(&error) && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            done => return done,
        }
    }
}

fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(e) => matches!(e.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound),
        // cannot_connect_now
        sqlx::Error::Database(e) => e.code().as_deref() == Some("57P03"),
        _ => false,
    }
}

async fn migrate(connection: &mut AnyConnection, database: &Database, steps: &'static [&'static str]) -> Result<()> {
    let failed = |cause| Error::Database { database: database.clone(), cause };
    let mut tx = match database {
        Database::Sqlite(_) => connection.begin_with("BEGIN IMMEDIATE").await,
        Database::Postgres(_) => connection.begin().await,
    }
    .map_err(failed)?;
    if matches!(database, Database::Postgres(_)) {
        sqlx::raw_sql(super::ALONE).execute(&mut *tx).await.map_err(failed)?;
    }
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    let found: i64 = sqlx::query_scalar("SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM schema_version")
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
    let known = steps.len() as i64;
    if found > known {
        return Err(Error::NewerSchema { database: database.clone(), found, known });
    }
    for (index, step) in steps.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
        sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(failed)?;
        sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
            .bind(index as i64 + 1)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
    }
    tx.commit().await.map_err(failed)
}
