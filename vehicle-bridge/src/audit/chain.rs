//! Lines that name the hash of the line before.

use super::AuditEvent;
use protocol::signing::sha256_hex;
use serde::{Deserialize, Serialize};

/// `prev` of the first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What stands between a record's other fields and its hash.
const SEAL: &str = ",\"sha256\":\"";
/// Hash, quote and brace.
const TAIL: usize = 64 + 2;

/// One record, without its hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts from 1.
    pub seq: u64,
    /// Hash of the record before.
    pub prev: String,
    /// Milliseconds since 1970.
    pub wall_ms: u64,
    /// The vehicle's clock, microseconds since its software started.
    pub us: u64,
    /// Whose log it is.
    pub vehicle: String,
    /// What happened.
    #[serde(flatten)]
    pub event: AuditEvent,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is not a record at all.
    #[error("it is not a record")]
    Unreadable,
    /// Its hash is not that of its content.
    #[error("its content is not what its hash says")]
    Changed,
    /// Records before it are missing or there twice.
    #[error("it is record {found}; {wanted} was expected")]
    OutOfSequence {
        /// Its number.
        found: u64,
        /// The number after the record before.
        wanted: u64,
    },
    /// The record before is another one than it names.
    #[error("the record before is not the one that it was written after")]
    Unchained,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    seq: u64,
    head: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { seq: 0, head: GENESIS.to_owned() }
    }
}

impl Chain {
    /// A chain whose newest record is `seq` with this hash.
    #[must_use]
    pub fn after(seq: u64, head: String) -> Self {
        Self { seq, head }
    }

    /// Number of the newest record; 0 when there is none.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Hash of the newest record.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Appends a record; returns its line, with the line's end.
    pub fn append(&mut self, wall_ms: u64, us: u64, vehicle: &str, event: AuditEvent) -> String {
        let seq = self.seq + 1;
        let record = Record { seq, prev: self.head.clone(), wall_ms, us, vehicle: vehicle.to_owned(), event };
        // Numbers that JSON lacks (NaN) become null; nothing else in a record can fail.
        let mut line = serde_json::to_string(&record).unwrap_or_default();
        line.pop();
        self.head = sha256_hex(line.as_bytes());
        self.seq = seq;
        line + SEAL + &self.head + "\"}\n"
    }

    /// Checks the next line, without its end, and goes on to it.
    ///
    /// # Errors
    /// [`Flaw`]; the chain stays where it was.
    pub fn check(&mut self, line: &[u8]) -> Result<Record, Flaw> {
        let (record, hash) = read(line)?;
        if record.seq != self.seq + 1 {
            return Err(Flaw::OutOfSequence { found: record.seq, wanted: self.seq + 1 });
        }
        if record.prev != self.head {
            return Err(Flaw::Unchained);
        }
        self.seq = record.seq;
        self.head = hash;
        Ok(record)
    }
}

/// A line's record and hash, if they belong to each other; nothing is known of the records before it.
///
/// # Errors
/// [`Flaw::Unreadable`] or [`Flaw::Changed`].
pub fn read(line: &[u8]) -> Result<(Record, String), Flaw> {
    let text = std::str::from_utf8(line).map_err(|_| Flaw::Unreadable)?;
    let at = text.len().checked_sub(SEAL.len() + TAIL).ok_or(Flaw::Unreadable)?;
    let tail = text.get(at..).and_then(|tail| tail.strip_prefix(SEAL)).and_then(|tail| tail.strip_suffix("\"}"));
    let hash = tail.ok_or(Flaw::Unreadable)?;
    if sha256_hex(&line[..at]) != hash {
        return Err(Flaw::Changed);
    }
    let record = serde_json::from_str(text).map_err(|_| Flaw::Unreadable)?;
    Ok((record, hash.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<String> {
        let mut chain = Chain::default();
        (0..4)
            .map(|n| chain.append(n, n * 10, "car", AuditEvent::Missing { events: n }))
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    fn check(lines: &[String]) -> Result<(), (usize, Flaw)> {
        let mut chain = Chain::default();
        lines.iter().enumerate().try_for_each(|(n, l)| chain.check(l.as_bytes()).map(drop).map_err(|flaw| (n, flaw)))
    }

    #[test]
    fn what_was_appended_is_read_back_in_order() {
        assert_eq!(check(&lines()), Ok(()));
        let (record, _) = read(lines()[2].as_bytes()).unwrap();
        assert_eq!((record.seq, record.us, record.event), (3, 20, AuditEvent::Missing { events: 2 }));
        assert!(serde_json::from_str::<serde_json::Value>(&lines()[0]).unwrap()["sha256"].is_string());
    }

    #[test]
    fn no_byte_of_any_record_can_be_changed_unseen() {
        for (n, line) in lines().iter().enumerate() {
            for at in 0..line.len() {
                let mut changed = lines();
                let mut bytes = line.clone().into_bytes();
                bytes[at] ^= 1;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                changed[n] = text;
                assert_eq!(check(&changed).unwrap_err().0, n, "byte {at} of record {n}");
            }
        }
    }

    #[test]
    fn records_cannot_be_taken_out_put_in_swapped_or_written_anew() {
        let good = lines();
        let without: Vec<_> = [&good[..1], &good[2..]].concat();
        assert_eq!(check(&without), Err((1, Flaw::OutOfSequence { found: 3, wanted: 2 })));
        let twice: Vec<_> = [&good[..2], &good[1..]].concat();
        assert_eq!(check(&twice), Err((2, Flaw::OutOfSequence { found: 2, wanted: 3 })));
        let mut swapped = good.clone();
        swapped.swap(1, 2);
        assert_eq!(check(&swapped).unwrap_err().0, 1);
        // Whoever writes a record again, with a right hash, breaks the next.
        let mut anew = good.clone();
        let mut chain = Chain::default();
        chain.check(good[0].as_bytes()).unwrap();
        anew[1] = chain.append(1, 10, "car", AuditEvent::Missing { events: 99 }).trim_end().to_owned();
        assert_eq!(check(&anew), Err((2, Flaw::Unchained)));
    }

    #[test]
    fn rubbish_is_no_record() {
        for rubbish in [&b""[..], b"{}", b"\xff\xfe", "é".repeat(80).as_bytes(), &[b'"'; 200]] {
            assert!(matches!(read(rubbish), Err(Flaw::Unreadable | Flaw::Changed)));
        }
    }
}
