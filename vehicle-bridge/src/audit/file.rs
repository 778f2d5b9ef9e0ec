//! The log's files: appended to, never rewritten but for a torn last line.

use super::chain::{Chain, GENESIS, read};
use super::{AuditError, AuditEvent};
use protocol::signing::{SigningKey, sha256_hex};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file longer than this is followed by another.
pub const FILE_BYTES: u64 = 8 << 20;
/// The signed head's file.
pub const HEAD: &str = "head.json";
/// Keeps a signature from meaning anything else.
const CONTEXT: &str = "takeover audit head 1";

/// The newest record, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub sha256: String,
    /// The vehicle's public key.
    pub key: String,
    /// Ed25519 signature of number and hash.
    pub signature: String,
}

impl Head {
    /// What is signed.
    #[must_use]
    pub fn message(seq: u64, sha256: &str) -> Vec<u8> {
        format!("{CONTEXT}\0{seq}\0{sha256}").into_bytes()
    }
}

/// The files of a log, in order.
///
/// # Errors
/// [`AuditError::Io`] when the folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let fail = |source| AuditError::Io { action: "read", path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if number(name).is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse().ok()
}

fn name(number: u64) -> String {
    format!("audit-{number:08}.jsonl")
}

/// A log that is written.
#[derive(Debug)]
pub struct AuditFile {
    folder: PathBuf,
    vehicle: String,
    key: SigningKey,
    chain: Chain,
    file: File,
    path: PathBuf,
    bytes: u64,
    number: u64,
}

/// What an earlier life left of the newest file.
struct Found {
    chain: Chain,
    /// Length of all whole records.
    whole: u64,
    event: Option<AuditEvent>,
    /// The file cannot be continued.
    damaged: bool,
}

impl AuditFile {
    /// Continues the log in `folder`, or begins it. A torn last line is taken away and noted; a log that is damaged
    /// otherwise stays as it is, and another file goes on from what it can still tell.
    ///
    /// # Errors
    /// [`AuditError`] when the folder, a file or the key cannot be used.
    pub fn open(folder: &Path, vehicle: &str, wall_ms: u64) -> Result<Self, AuditError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| AuditError::Io { action, path, source }
        };
        std::fs::create_dir_all(folder).map_err(io("make", folder))?;
        let key = SigningKey::load_or_make(&folder.join("audit.key"))?;
        let newest = files(folder)?.pop();
        let newest_name = newest.as_deref().and_then(Path::file_name).and_then(|n| n.to_str()).unwrap_or_default();
        let found = match &newest {
            Some(path) => look(newest_name, &std::fs::read(path).map_err(io("read", path))?),
            None => Found { chain: Chain::default(), whole: 0, event: None, damaged: false },
        };
        let last = number(newest_name).unwrap_or(0);
        let number = if newest.is_none() || found.damaged { last + 1 } else { last };
        let path = folder.join(name(number));
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(io("open", &path))?;
        let bytes = if found.damaged { 0 } else { found.whole };
        if matches!(found.event, Some(AuditEvent::Recovered { .. })) {
            file.set_len(bytes).map_err(io("shorten", &path))?;
        }
        let mut log = Self {
            folder: folder.to_owned(),
            vehicle: vehicle.to_owned(),
            key,
            chain: found.chain,
            file,
            path,
            bytes,
            number,
        };
        if let Some(event) = found.event {
            log.append(wall_ms, 0, event)?;
        }
        log.sync()?;
        File::open(folder).and_then(|f| f.sync_all()).map_err(io("sync", folder))?;
        Ok(log)
    }

    /// The newest record.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Appends one record. It is in the file when this returns, and on the disk after [`Self::sync`].
    ///
    /// # Errors
    /// [`AuditError::Io`] when the disk refuses; a part of the record may be there, which ends this file.
    pub fn append(&mut self, wall_ms: u64, us: u64, event: AuditEvent) -> Result<(), AuditError> {
        if self.bytes >= FILE_BYTES {
            self.next_file()?;
        }
        let mut chain = self.chain.clone();
        let line = chain.append(wall_ms, us, &self.vehicle, event);
        if let Err(source) = self.file.write_all(line.as_bytes()) {
            // Whatever was written of it must not stand before the next record.
            let _ = self.file.set_len(self.bytes);
            return Err(self.io("write", source));
        }
        self.bytes += line.len() as u64;
        self.chain = chain;
        Ok(())
    }

    fn next_file(&mut self) -> Result<(), AuditError> {
        self.file.sync_data().map_err(|source| self.io("sync", source))?;
        let path = self.folder.join(name(self.number + 1));
        let open = OpenOptions::new().create(true).append(true).open(&path);
        self.file = open.map_err(|source| AuditError::Io { action: "open", path: path.clone(), source })?;
        (self.path, self.bytes, self.number) = (path, 0, self.number + 1);
        Ok(())
    }

    /// Brings all records to the disk, then signs the newest.
    ///
    /// # Errors
    /// [`AuditError::Io`] when the disk refuses.
    pub fn sync(&mut self) -> Result<(), AuditError> {
        self.file.sync_data().map_err(|source| self.io("sync", source))?;
        let (seq, sha256) = (self.chain.seq(), self.chain.head().to_owned());
        let signature = hex::encode(self.key.sign(&Head::message(seq, &sha256)));
        let head = Head { seq, sha256, key: self.key.public().to_string(), signature };
        let path = self.folder.join(HEAD);
        let part = path.with_extension("part");
        let text = serde_json::to_vec(&head).unwrap_or_default();
        let written = File::create(&part).and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_data()));
        let moved = written.and_then(|()| std::fs::rename(&part, &path));
        moved.map_err(|source| AuditError::Io { action: "write", path, source })
    }

    fn io(&self, action: &'static str, source: std::io::Error) -> AuditError {
        AuditError::Io { action, path: self.path.clone(), source }
    }
}

/// Reads the newest file up to its end or its first flaw.
fn look(file: &str, bytes: &[u8]) -> Found {
    let mut chain = first_link(bytes);
    let mut whole = 0;
    for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let torn = line.last() != Some(&b'\n');
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        if !torn && chain.check(content).is_ok() {
            whole += line.len() as u64;
            continue;
        }
        if torn {
            let event = AuditEvent::Recovered {
                file: file.to_owned(),
                torn_bytes: line.len() as u64,
                torn_sha256: sha256_hex(line),
            };
            return Found { chain, whole, event: Some(event), damaged: false };
        }
        let event = AuditEvent::Damaged { file: file.to_owned(), line: index as u64 + 1 };
        // Goes on from the newest record that can be read at all.
        let rest = bytes.split(|b| *b == b'\n').rev().find_map(|line| read(line).ok());
        let chain = rest.map_or(chain, |(record, hash)| Chain::after(record.seq, hash));
        return Found { chain, whole, event: Some(event), damaged: true };
    }
    Found { chain, whole, event: None, damaged: false }
}

/// Where the first record of a file says that it goes on from.
pub(super) fn first_link(bytes: &[u8]) -> Chain {
    let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    match read(first) {
        Ok((record, _)) => Chain::after(record.seq.saturating_sub(1), record.prev),
        Err(_) => Chain::after(0, GENESIS.to_owned()),
    }
}
