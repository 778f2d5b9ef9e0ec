use crate::store::Database;
use std::path::PathBuf;

/// Why the control plane did not start or stop cleanly; each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody can listen at the address.
    #[error("{0} (--addr, or --port for the demo)")]
    Listen(#[from] protocol::ListenError),
    /// The data folder cannot be used.
    #[error("cannot use the data folder {}: {cause}; choose a folder that you may write with --data", path.display())]
    DataDir {
        /// The folder or a file in it.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The key of the session grants, or the serials kept beside it.
    #[error(transparent)]
    GrantKey(#[from] protocol::signing::KeyError),
    /// The place of uploaded files.
    #[error(transparent)]
    Objects(#[from] crate::objects::ObjectsError),
    /// Another control plane runs on the same data.
    #[error("{} is in use by another control plane: stop it or choose another folder with --data", path.display())]
    Locked {
        /// The data folder.
        path: PathBuf,
    },
    /// The database cannot be opened or read.
    #[error("{database}: {cause}; {}", database.advice())]
    Database {
        /// The database.
        database: Database,
        /// What it said.
        cause: sqlx::Error,
    },
    /// What was erased cannot be recognised without the key.
    #[error(
        "{database} has erasures made with key {found}, this data folder's is {here}: put the right grants.key \
         into the folder, or erased episodes would be taken again"
    )]
    ForeignErasures {
        /// The database.
        database: Database,
        /// Public key of who erased.
        found: String,
        /// Public key of the data folder.
        here: String,
    },
    /// The address of the database has no sense.
    #[error("{0}: use sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME")]
    DatabaseAddress(String),
    /// The data were written by a newer release.
    #[error("{database} has schema {found}, this release knows up to {known}: install the newer release")]
    NewerSchema {
        /// The database.
        database: Database,
        /// Version found.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
}

/// Result of starting and stopping.
pub type Result<T> = std::result::Result<T, Error>;
