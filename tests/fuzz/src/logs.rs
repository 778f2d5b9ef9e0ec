//! What a vehicle's earlier life, or anybody with the disk, left in its folders: audit log, journal, keys.

use crate::input::{Input, folder};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use vehicle_bridge::audit::chain::Chain;
use vehicle_bridge::audit::file::{AuditFile, HEAD};
use vehicle_bridge::audit::{AuditEvent, verify::verify};
use vehicle_bridge::live::journal::{Journal, JournalState};

/// A slot of the journal.
const SLOT: usize = 64 * 1024;

pub fn run(bytes: &[u8]) {
    let Some(folder) = folder() else { return };
    let mut input = Input(bytes);
    let _: Result<(), std::io::Error> = match input.u8() % 5 {
        0 => audit(folder.path(), input.piece(), input.0),
        1 => audit(folder.path(), chained(input.0).as_bytes(), b""),
        2 => journal(folder.path(), input.piece(), input.0),
        3 => journal(folder.path(), &slots(&mut input), input.0),
        _ => key(folder.path(), input.0),
    };
}

/// Lines of JSON, one event each, as records with the right hashes; what is not an event stays as it is.
fn chained(bytes: &[u8]) -> String {
    let mut chain = Chain::default();
    let mut log = String::new();
    for line in String::from_utf8_lossy(bytes).split('\n') {
        match serde_json::from_str::<AuditEvent>(line) {
            Ok(event) => log += &chain.append(1, 2, "car-1", event),
            Err(_) => log = log + line + "\n",
        }
    }
    log
}

/// The log as somebody finds it, then continued by the next life.
fn audit(folder: &Path, log: &[u8], head: &[u8]) -> std::io::Result<()> {
    fs::write(folder.join("audit-00000001.jsonl"), log)?;
    if !head.is_empty() {
        fs::write(folder.join(HEAD), head)?;
    }
    let found = verify(folder, None);
    assert!(found.is_ok(), "{found:?}");
    let Ok(mut file) = AuditFile::open(folder, "car-1", 5) else { return Ok(()) };
    if file.append(6, 7, AuditEvent::Ended).and_then(|()| file.sync()).is_ok() {
        // A log that was whole, or torn in its last line only, goes on as one.
        let after = verify(folder, None);
        let was_whole = found.is_ok_and(|report| report.bad.is_none() && report.first_seq <= 1);
        assert!(!was_whole || after.as_ref().is_ok_and(|report| report.bad.is_none()), "{after:?}");
    }
    Ok(())
}

/// Two slots with the right lengths and checksums.
fn slots(input: &mut Input<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    for slot in 0..2 {
        let body = input.piece();
        file.resize(slot * SLOT, 0);
        file.extend_from_slice(&(body.len() as u64).to_le_bytes());
        let sum = body.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3) // FNV-1a, as the journal has it
        });
        file.extend_from_slice(&sum.to_le_bytes());
        file.extend_from_slice(body);
    }
    file
}

fn journal(folder: &Path, slots: &[u8], lines: &[u8]) -> std::io::Result<()> {
    fs::write(folder.join("odometer.journal"), slots)?;
    fs::write(folder.join("disengagements.jsonl"), lines)?;
    let Ok(mut journal) = Journal::open(folder) else { return Ok(()) };
    let JournalState { counter, epoch, metres } = journal.balance().clone();
    let _ = journal.disengagements();
    if journal.write(epoch, &metres).is_ok() {
        let again = Journal::open(folder).map(|journal| journal.balance().clone());
        let kept = again.is_ok_and(|balance| balance.counter > counter && balance.epoch == epoch);
        assert!(kept, "what was written after balance {counter} is not read back");
    }
    let _ = journal.write(epoch, &BTreeMap::new());
    Ok(())
}

fn key(folder: &Path, text: &[u8]) -> std::io::Result<()> {
    let path = folder.join("key");
    fs::write(&path, text)?;
    let _ = protocol::signing::SigningKey::load_or_make(&path);
    let _ = recorder::SigningKey::load_or_make(&path);
    let _ = link::Identity::load_or_make(&path);
    Ok(())
}
