//! The audit log: who had authority when, and what was refused. It only grows, and each record names the hash of the one
//! before, so that nothing in it can be changed, taken out or put in without being seen.
//!
//! - A record is one line of JSON. Its last field is the SHA-256 of all that stands before it in the line; `prev` is that
//!   of the record before, `seq` counts from 1. [`chain`] makes and checks lines, without any I/O.
//! - Files are `audit-00000001.jsonl` and so on, each [`file::FILE_BYTES`] long, in one chain. `head.json` names the
//!   newest record under the vehicle's Ed25519 signature: a log that was cut off at the end is shorter than its head.
//! - [`thread`] writes on a thread of its own and brings each batch to the disk. The control thread only puts events into
//!   a bounded queue; if that is full, the log says how many are missing.
//! - [`verify`] reads a log and names the first bad record.
//!
//! A process that is killed while it writes leaves a torn last line. The next start takes it away and enters a
//! `recovered` record with its length and hash.

pub mod chain;
mod event;
pub mod file;
pub mod thread;
pub mod verify;
mod watch;

pub use event::AuditEvent;
pub use thread::{AuditHandle, AuditThread};
pub use watch::{AuthorityWatch, request_name};

use std::path::PathBuf;

/// Why a log cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file system refuses.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The signing key.
    #[error(transparent)]
    Key(#[from] protocol::signing::KeyError),
    /// There is nothing to verify.
    #[error("{0} holds no audit log (audit-*.jsonl)")]
    Empty(String),
}
