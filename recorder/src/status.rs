//! How the recorder is doing, for the vehicle to show. Nothing of it ever stops the vehicle.

use std::io::{Error, ErrorKind};

/// What the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disk {
    /// Takes everything.
    #[default]
    Well,
    /// Takes it slower than it comes: the queue is more than half full.
    Slow,
    /// Has no room; what may go was removed.
    Full,
    /// Must not be written to.
    ReadOnly,
    /// The folder is not there.
    Gone,
    /// Fails in another way.
    Failing,
}

impl Disk {
    /// For people and for the log.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Slow => "slow",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// What an error of the file system says about the disk.
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge | ErrorKind::WriteZero => {
                Self::Full
            }
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Self::ReadOnly,
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::StaleNetworkFileHandle => Self::Gone,
            _ => Self::Failing,
        }
    }
}

/// A picture of the recorder at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecorderStatus {
    /// What the disk does.
    pub disk: Disk,
    /// What it said last; empty while all is well.
    pub detail: String,
    /// Memory of what waits for the disk, in the queue and behind files.
    pub waiting_bytes: usize,
    /// Messages lost since the start, in whatever way.
    pub lost: u64,
    /// Files removed to make room since the start.
    pub removed_files: u64,
    /// Episodes that wait for the disk to come back.
    pub interrupted: usize,
}
