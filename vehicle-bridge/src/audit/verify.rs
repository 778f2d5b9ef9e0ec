//! Reads a log and says whether it is whole.

use super::chain::{Chain, Flaw};
use super::file::{HEAD, Head, files, first_link};
use super::{AuditError, AuditEvent};
use protocol::signing::PublicKey;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditReport {
    /// No record is bad, and none is missing at the end as far as a signed head can tell.
    pub good: bool,
    /// Files read.
    pub files: usize,
    /// Good records, up to the first bad one.
    pub records: u64,
    /// Number of the first record read; greater than 1 when earlier files are not there.
    pub first_seq: u64,
    /// Number of the last good record.
    pub last_seq: u64,
    /// Its hash.
    pub head: String,
    /// When the first and the last good record were written, milliseconds since 1970.
    pub wall_ms: Option<(u64, u64)>,
    /// The first bad record.
    pub bad: Option<Bad>,
    /// The file ends in the middle of a line: a writer was killed and has not started again.
    pub torn: bool,
    /// Torn lines that later lives took away.
    pub recovered: u64,
    /// Events that the log says it lacks.
    pub missing_events: u64,
    /// What the signed head says.
    pub signature: AuditSignature,
}

/// The first bad record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// In which file.
    #[serde(serialize_with = "protocol::serialize_path")]
    pub file: PathBuf,
    /// On which line, counted from 1.
    pub line: u64,
    /// The reason.
    pub reason: String,
}

/// What the signed head says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditSignature {
    /// There is none, or only one file was looked at.
    Absent,
    /// It fits; by this key.
    Good(String),
    /// It does not.
    Bad(String),
}

/// Verifies a file or a folder of files. With `key`, only that vehicle's signature counts.
///
/// # Errors
/// [`AuditError`] when there is nothing to read; a bad log is a result.
pub fn verify(path: &Path, key: Option<&PublicKey>) -> Result<AuditReport, AuditError> {
    let is_folder = path.is_dir();
    let all = if is_folder { files(path)? } else { vec![path.to_owned()] };
    if all.is_empty() {
        return Err(AuditError::Empty(path.display().to_string()));
    }
    let head = if is_folder { read_head(path)? } else { None };
    let mut reader = Reader::default();
    for (index, file) in all.iter().enumerate() {
        let bytes =
            std::fs::read(file).map_err(|source| AuditError::Io { action: "read", path: file.clone(), source })?;
        let is_last = index + 1 == all.len();
        if !reader.read(file, &bytes, is_last, head.as_ref().and_then(|h| h.as_ref().ok())) {
            break;
        }
    }
    Ok(reader.finish(all.len(), head, key))
}

type FoundHead = Result<Head, String>;

fn read_head(folder: &Path) -> Result<Option<FoundHead>, AuditError> {
    let path = folder.join(HEAD);
    match std::fs::read(&path) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text).map_err(|e| format!("{HEAD} cannot be read: {e}")))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AuditError::Io { action: "read", path, source }),
    }
}

#[derive(Default)]
struct Reader {
    chain: Option<Chain>,
    first_seq: u64,
    records: u64,
    wall_ms: Option<(u64, u64)>,
    bad: Option<Bad>,
    torn: bool,
    recovered: u64,
    missing_events: u64,
    /// Hash of the record that the signed head names.
    signed: Option<String>,
}

impl Reader {
    /// Reads on; false when nothing after this counts.
    fn read(&mut self, file: &Path, bytes: &[u8], is_last: bool, head: Option<&Head>) -> bool {
        let chain = self.chain.get_or_insert_with(|| first_link(bytes));
        self.first_seq = if self.first_seq == 0 { chain.seq() + 1 } else { self.first_seq };
        for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let whole = line.strip_suffix(b"\n");
            if whole.is_none() && is_last {
                self.torn = true;
                return false;
            }
            match chain.check(whole.unwrap_or(line)) {
                Ok(record) => {
                    self.records += 1;
                    let first = self.wall_ms.map_or(record.wall_ms, |(first, _)| first);
                    self.wall_ms = Some((first, record.wall_ms));
                    if head.is_some_and(|h| h.seq == record.seq) {
                        self.signed = Some(chain.head().to_owned());
                    }
                    match record.event {
                        AuditEvent::Recovered { .. } => self.recovered += 1,
                        AuditEvent::Missing { events } => self.missing_events += events,
                        _ => {}
                    }
                }
                Err(flaw) => {
                    let reason = whole.map_or_else(|| Flaw::Unreadable.to_string(), |_| flaw.to_string());
                    self.bad = Some(Bad { file: file.to_owned(), line: index as u64 + 1, reason });
                    return false;
                }
            }
        }
        true
    }

    fn finish(self, files: usize, head: Option<FoundHead>, key: Option<&PublicKey>) -> AuditReport {
        let chain = self.chain.unwrap_or_default();
        let signature = match head {
            None if key.is_some() => AuditSignature::Bad(format!("{HEAD} is missing")),
            None => AuditSignature::Absent,
            Some(Err(reason)) => AuditSignature::Bad(reason),
            Some(Ok(head)) => check_head(&head, self.signed.as_deref(), chain.seq(), key),
        };
        AuditReport {
            good: self.bad.is_none() && !matches!(signature, AuditSignature::Bad(_)),
            files,
            records: self.records,
            first_seq: self.first_seq,
            last_seq: chain.seq(),
            head: chain.head().to_owned(),
            wall_ms: self.wall_ms,
            bad: self.bad,
            torn: self.torn,
            recovered: self.recovered,
            missing_events: self.missing_events,
            signature,
        }
    }
}

fn check_head(head: &Head, signed: Option<&str>, last_seq: u64, key: Option<&PublicKey>) -> AuditSignature {
    let bad = |reason: String| AuditSignature::Bad(reason);
    let Ok(own) = head.key.parse::<PublicKey>() else { return bad(format!("{:?} is not a public key", head.key)) };
    if key.is_some_and(|key| *key != own) {
        return bad(format!("{HEAD} is signed by another key, {own}"));
    }
    let signature = hex::decode(&head.signature).unwrap_or_default();
    if !own.verifies(&Head::message(head.seq, &head.sha256), &signature) {
        return bad(format!("the signature in {HEAD} is not of its content"));
    }
    match signed {
        Some(hash) if hash == head.sha256 => AuditSignature::Good(own.to_string()),
        Some(_) => bad(format!("record {} is not the one that was signed", head.seq)),
        None if head.seq > last_seq => bad(format!("records {} to {} are missing at the end", last_seq + 1, head.seq)),
        None if head.seq == 0 => AuditSignature::Good(own.to_string()),
        None => bad(format!("record {} was signed and is not there", head.seq)),
    }
}
