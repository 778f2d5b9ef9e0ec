//! What a vehicle must not forget when it is killed: its odometer by policy, its last epoch, its disengagements.
//!
//! Two slots in one file are written in turn, each with a counter and a checksum: a torn write costs at most the newest
//! tick. Writes go to the page cache at every tick, which a killed process keeps, and to the disk once a second, which a
//! power cut keeps.

use protocol::PolicyVersion;
use protocol::api::Disengagement;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use vehicle_core::mileage::Metres;

const SLOT_BYTES: u64 = 64 * 1024;
const HEADER_BYTES: usize = 16;
/// A greater fencing token than this is none that a vehicle gave.
const MOST_GRANTS: u64 = i64::MAX as u64;

/// What is kept from one life of the vehicle to the next.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JournalState {
    /// Counts the writes.
    pub counter: u64,
    /// Last fencing token granted.
    pub epoch: u64,
    /// Metres by policy version.
    pub metres: BTreeMap<PolicyVersion, Metres>,
}

/// Why a journal cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
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
    /// A fencing token that leaves no room for further grants: no vehicle has given so many.
    #[error("{path} says that the last grant was number {epoch}, which no vehicle comes to; move it away to start over", path = path.display())]
    Epoch {
        /// The file.
        path: PathBuf,
        /// What it says.
        epoch: u64,
    },
    /// More policies than a slot holds.
    #[error("the journal's balance takes {0} bytes; a slot holds {SLOT_BYTES}")]
    TooLarge(usize),
}

/// The journal of one vehicle, in its own folder.
#[derive(Debug)]
pub struct Journal {
    slots: File,
    slots_path: PathBuf,
    disengagements: File,
    disengagements_path: PathBuf,
    balance: JournalState,
}

/// FNV-1a, 64 bits: enough to tell a torn slot from a whole one.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Journal {
    /// Opens or makes the journal in `dir`.
    ///
    /// # Errors
    /// [`JournalError::Io`] when the folder cannot be written, [`JournalError::Epoch`] when what is there makes no sense.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let fail = |action, path: &Path| {
            let path = path.to_owned();
            move |source| JournalError::Io { action, path, source }
        };
        std::fs::create_dir_all(dir).map_err(fail("make the folder", dir))?;
        let slots_path = dir.join("odometer.journal");
        let mut options = OpenOptions::new();
        let slots = options.read(true).write(true).create(true).truncate(false).open(&slots_path);
        let slots = slots.map_err(fail("open", &slots_path))?;
        let disengagements_path = dir.join("disengagements.jsonl");
        let disengagements = OpenOptions::new().read(true).append(true).create(true).open(&disengagements_path);
        let disengagements = disengagements.map_err(fail("open", &disengagements_path))?;
        let balance = [0, 1].into_iter().filter_map(|slot| read_slot(&slots, slot)).max_by_key(|b| b.counter);
        let balance = balance.unwrap_or_default();
        if balance.epoch > MOST_GRANTS {
            return Err(JournalError::Epoch { path: slots_path, epoch: balance.epoch });
        }
        Ok(Self { slots, slots_path, disengagements, disengagements_path, balance })
    }

    /// The balance as last written.
    #[must_use]
    pub fn balance(&self) -> &JournalState {
        &self.balance
    }

    /// Writes the balance; survives a killed process from here on.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be written; the balance before stays.
    pub fn write(&mut self, epoch: u64, metres: &BTreeMap<PolicyVersion, Metres>) -> Result<(), JournalError> {
        let next = JournalState { counter: self.balance.counter + 1, epoch, metres: metres.clone() };
        let body = serde_json::to_vec(&next).unwrap_or_default();
        if body.len() + HEADER_BYTES > SLOT_BYTES as usize {
            return Err(JournalError::TooLarge(body.len()));
        }
        let mut slot = Vec::with_capacity(HEADER_BYTES + body.len());
        slot.extend_from_slice(&(body.len() as u64).to_le_bytes());
        slot.extend_from_slice(&checksum(&body).to_le_bytes());
        slot.extend_from_slice(&body);
        let at = (next.counter % 2) * SLOT_BYTES;
        self.slots.write_all_at(&slot, at).map_err(|source| self.io("write", source))?;
        self.balance = next;
        Ok(())
    }

    /// Brings what was written to the disk.
    ///
    /// # Errors
    /// [`JournalError::Io`] when the disk refuses.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.slots.sync_data().map_err(|source| self.io("sync", source))
    }

    fn io(&self, action: &'static str, source: std::io::Error) -> JournalError {
        JournalError::Io { action, path: self.slots_path.clone(), source }
    }

    /// Enters a disengagement; it is on disk when this returns.
    ///
    /// # Errors
    /// [`JournalError::Io`] when it cannot be written.
    pub fn add(&mut self, disengagement: &Disengagement) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(disengagement).unwrap_or_default();
        line.push(b'\n');
        let written = self.disengagements.write_all(&line).and_then(|()| self.disengagements.sync_data());
        written.map_err(|source| JournalError::Io { action: "write", path: self.disengagements_path.clone(), source })
    }

    /// All disengagements entered so far; a line cut off by a crash is passed over.
    ///
    /// # Errors
    /// [`JournalError::Io`] when the file cannot be read.
    pub fn disengagements(&self) -> Result<Vec<Disengagement>, JournalError> {
        let fail = |source| JournalError::Io { action: "read", path: self.disengagements_path.clone(), source };
        let file = File::open(&self.disengagements_path).map_err(fail)?;
        Ok(BufReader::new(file)
            .split(b'\n')
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_slice(&line).ok())
            .collect())
    }
}

fn read_slot(file: &File, slot: u64) -> Option<JournalState> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, slot * SLOT_BYTES).ok()?;
    let (length, sum) = header.split_at(8);
    let length = u64::from_le_bytes(length.try_into().ok()?);
    if length > SLOT_BYTES - HEADER_BYTES as u64 {
        return None;
    }
    let mut body = vec![0; length as usize];
    file.read_exact_at(&mut body, slot * SLOT_BYTES + HEADER_BYTES as u64).ok()?;
    (checksum(&body) == u64::from_le_bytes(sum.try_into().ok()?)).then_some(())?;
    serde_json::from_slice(&body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{EpisodeId, VehicleId};

    fn metres(m: f64) -> BTreeMap<PolicyVersion, Metres> {
        BTreeMap::from([(PolicyVersion::new("v1").unwrap(), Metres { autonomous_m: m, manual_m: 1.0 })])
    }

    #[test]
    fn a_torn_write_costs_only_the_newest_tick() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.write(3, &metres(10.0)).unwrap();
        journal.write(4, &metres(20.0)).unwrap();
        drop(journal);
        let file = OpenOptions::new().write(true).open(dir.path().join("odometer.journal")).unwrap();
        file.write_all_at(b"garbage", HEADER_BYTES as u64 + 5).unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!((journal.balance().epoch, journal.balance().metres.clone()), (3, metres(10.0)));
    }

    #[test]
    fn a_journal_whose_last_grant_leaves_room_for_no_other_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        Journal::open(dir.path()).unwrap().write(u64::MAX - 1, &metres(1.0)).unwrap();
        let error = Journal::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("odometer.journal") && error.contains("18446744073709551614"), "{error}");
    }

    #[test]
    fn a_cut_off_disengagement_does_not_hide_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        let entry = Disengagement {
            id: EpisodeId::new("e").unwrap(),
            vehicle: VehicleId::new("c").unwrap(),
            policy: PolicyVersion::new("v1").unwrap(),
            cause: "safety".into(),
            at_ms: 5,
            map: "m".into(),
            clock_ahead_ms: None,
        };
        journal.add(&entry).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(dir.path().join("disengagements.jsonl"))
            .unwrap()
            .write_all(b"{\"id\":\"x")
            .unwrap();
        assert_eq!(Journal::open(dir.path()).unwrap().disengagements().unwrap(), vec![entry]);
    }
}
