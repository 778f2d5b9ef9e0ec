//! Where a file's bytes go: to the disk, hashed on the way, and while the disk refuses them into memory, up to a limit.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Takes a file's bytes in order.
pub(crate) trait Sink {
    /// Takes all of `bytes`, or fails for good.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Sink for Vec<u8> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// A file on a disk that may be full, read-only or gone for a while.
pub(crate) struct DiskFile {
    file: File,
    hash: Sha256,
    bytes: u64,
    /// What the disk has not taken yet, in order.
    waiting: Vec<u8>,
    /// Most that may wait; 0 makes every refusal an error.
    write_back_limit_bytes: usize,
    /// What the disk said last, until it takes everything again.
    refusal: Option<io::Error>,
}

impl DiskFile {
    pub(crate) fn new(file: File, write_back_limit_bytes: usize) -> Self {
        Self { file, hash: Sha256::new(), bytes: 0, waiting: Vec::new(), write_back_limit_bytes, refusal: None }
    }

    /// Offers the disk what waits. Returns whether it took everything.
    pub(crate) fn retry(&mut self) -> bool {
        if self.waiting.is_empty() {
            return true;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let taken = self.offer(&waiting);
        self.waiting = waiting;
        self.waiting.drain(..taken);
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
            self.refusal = None;
        }
        self.waiting.is_empty()
    }

    /// Writes as much as the disk takes; returns how much, and keeps the reason for the rest.
    fn offer(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.file.write(&bytes[taken..]) {
                Ok(0) => {
                    self.refusal = Some(io::ErrorKind::WriteZero.into());
                    break;
                }
                Ok(count) => taken += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.refusal = Some(error);
                    break;
                }
            }
        }
        taken
    }

    /// Bytes that wait for the disk.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Why something waits.
    pub(crate) fn refusal(&self) -> Option<&io::Error> {
        self.refusal.as_ref()
    }

    /// Whether `path` still leads to this file.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
            matches!((self.file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if same(&a, &b))
        }
        #[cfg(not(unix))]
        {
            fs::metadata(path).is_ok()
        }
    }

    pub(crate) fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(crate) fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Size and SHA-256 of everything taken.
    pub(crate) fn sum(&self) -> (u64, String) {
        (self.bytes, hex::encode(self.hash.clone().finalize()))
    }
}

impl Sink for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let taken = if self.waiting.is_empty() { self.offer(bytes) } else { 0 };
        let rest = &bytes[taken..];
        if self.waiting.len() + rest.len() > self.write_back_limit_bytes && !rest.is_empty() {
            return Err(self.refusal.take().unwrap_or_else(|| io::ErrorKind::StorageFull.into()));
        }
        self.waiting.extend_from_slice(rest);
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}
