//! Which database: a file of SQLite or a server of PostgreSQL. Passwords are never shown.

use crate::error::{Error, Result};
use sqlx::any::AnyConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where the control plane keeps its memory.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A database on a server.
    Postgres(Postgres),
}

/// The address of a PostgreSQL database, with its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Postgres {
    url: String,
    shown: String,
}

impl Database {
    /// Reads `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`. What the address leaves out comes from the
    /// usual variables (`PGHOST`, `PGUSER`, `PGPASSWORD`...) and `~/.pgpass`.
    ///
    /// # Errors
    /// [`Error::DatabaseAddress`], which does not repeat the text: it may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains('?') {
                return Err(Error::DatabaseAddress(format!("{text:?} names no file")));
            }
            return Ok(Self::Sqlite(path.into()));
        }
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            // Up to the first colon there is no password, nor where there is neither a colon nor an at sign.
            let named = if text.contains([':', '@']) { text.split([':', '/', '@']).next() } else { Some(text) };
            let problem = format!("{:?} is not a kind of database that is known here", named.unwrap_or_default());
            return Err(Error::DatabaseAddress(problem));
        }
        let options = PgConnectOptions::from_str(text)
            .map_err(|cause| Error::DatabaseAddress(format!("the PostgreSQL address cannot be read: {cause}")))?;
        let socket = options.get_socket().map(|path| path.display().to_string());
        let host = socket.unwrap_or_else(|| options.get_host().to_owned());
        let name = options.get_database().unwrap_or_else(|| options.get_username());
        let shown = format!("PostgreSQL database {name:?} at {host}:{}", options.get_port());
        Ok(Self::Postgres(Postgres { url: text.to_owned(), shown }))
    }

    /// What a person does about an error.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "if the file is damaged move it away, and a new one is made",
            Self::Postgres(_) => "check that the server runs, that the database exists and that the user may use it",
        }
    }

    pub(super) fn options(&self) -> sqlx::Result<AnyConnectOptions> {
        let url = match self {
            Self::Sqlite(path) => format!("sqlite:{}?mode=rwc", escaped(path)),
            Self::Postgres(address) => address.url.clone(),
        };
        AnyConnectOptions::from_str(&url)
    }
}

/// A path as the driver's address wants it.
fn escaped(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => text.push(char::from(*byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

/// For people, without the password.
impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "database {}", path.display()),
            Self::Postgres(address) => f.write_str(&address.shown),
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let database = Database::parse("postgres://me:s3cret@db.example:5433/fleet?sslmode=require").unwrap();
        let shown = format!("{database} {database:?}");
        assert!(shown.contains("\"fleet\" at db.example:5433") && !shown.contains("s3cret"), "{shown}");
        assert_eq!(Database::parse("sqlite:a b/c.sqlite").unwrap(), Database::Sqlite("a b/c.sqlite".into()));
        assert_eq!(Database::parse("sqlite:///x/y").unwrap(), Database::Sqlite("/x/y".into()));
    }

    #[test]
    fn a_bad_address_is_refused_without_repeating_a_password() {
        for bad in ["mysql://me:s3cret@h/x", "postgres://me:s3cret@h:port/x", "me:s3cret@h", "sqlite:", ""] {
            let error = Database::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("s3cret") && error.contains("sqlite:PATH"), "{error}");
        }
    }
}
