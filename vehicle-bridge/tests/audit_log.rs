//! The audit log against kills, damage and forgery.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use protocol::signing::SigningKey;
use std::io::Write;
use std::path::{Path, PathBuf};
use vehicle_bridge::audit::chain::{Chain, read};
use vehicle_bridge::audit::file::{AuditFile, FILE_BYTES, HEAD, files};
use vehicle_bridge::audit::verify::{AuditReport, AuditSignature, verify};
use vehicle_bridge::audit::{AuditError, AuditEvent, AuditThread};

fn event(n: u64) -> AuditEvent {
    AuditEvent::Authority {
        mode: "drive".into(),
        author: "operator".into(),
        epoch: n,
        seat: "desk".into(),
        reason: "the operator asked".into(),
        estop: false,
    }
}

fn write(folder: &Path, records: u64) {
    let mut log = AuditFile::open(folder, "car", 1_000).unwrap();
    for n in 0..records {
        log.append(2_000 + n, n, event(n)).unwrap();
    }
    log.sync().unwrap();
}

fn newest(folder: &Path) -> PathBuf {
    files(folder).unwrap().pop().unwrap()
}

fn check(folder: &Path) -> AuditReport {
    verify(folder, None).unwrap()
}

#[test]
fn a_log_of_several_lives_is_one_chain_under_one_signature() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        write(folder.path(), 5);
    }
    let report = check(folder.path());
    assert!(report.good && report.bad.is_none() && !report.torn, "{report:?}");
    assert_eq!((report.records, report.first_seq, report.last_seq), (15, 1, 15));
    let key = SigningKey::load_or_make(&folder.path().join("audit.key")).unwrap().public();
    assert_eq!(report.signature, AuditSignature::Good(key.to_string()));
    assert!(verify(folder.path(), Some(&key)).unwrap().good);
    let other = SigningKey::from_seed(&[7; 32]).unwrap().public();
    assert!(!verify(folder.path(), Some(&other)).unwrap().good);
}

#[test]
fn a_line_torn_by_a_kill_at_any_byte_is_taken_away_and_noted() {
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), 3);
    let bytes = std::fs::read(newest(whole.path())).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in (last + 1..bytes.len()).step_by(7) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 0);
        // A head that is older than the log is no fault: the kill came before it was signed.
        std::fs::write(newest(folder.path()), &bytes[..cut]).unwrap();
        assert!(check(folder.path()).torn);
        write(folder.path(), 2);
        let report = check(folder.path());
        assert!(report.good && !report.torn, "cut at {cut}: {report:?}");
        assert_eq!((report.records, report.recovered), (2 + 1 + 2, 1));
    }
}

#[test]
fn the_first_changed_record_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 10);
    let path = newest(folder.path());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"epoch\":6", "\"epoch\":9")).unwrap();
    let bad = check(folder.path()).bad.unwrap();
    assert_eq!((bad.file, bad.line), (path.clone(), 7));
    assert!(!verify(&path, None).unwrap().good, "a single file is checked as well");
    // The next life leaves it as it is, notes it, and goes on.
    write(folder.path(), 1);
    assert_eq!(files(folder.path()).unwrap().len(), 2);
    let next = std::fs::read_to_string(newest(folder.path())).unwrap();
    let (record, _) = read(next.lines().next().unwrap().as_bytes()).unwrap();
    assert_eq!((record.seq, matches!(record.event, AuditEvent::Damaged { line: 7, .. })), (11, true));
    assert_eq!(check(folder.path()).bad.unwrap().line, 7);
}

#[test]
fn records_cut_off_at_the_end_are_missed_because_the_head_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 10);
    let path = newest(folder.path());
    let text = std::fs::read_to_string(&path).unwrap();
    let shorter: String = text.lines().take(8).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, shorter).unwrap();
    let report = check(folder.path());
    assert!(!report.good && report.bad.is_none());
    assert_eq!(report.signature, AuditSignature::Bad("records 9 to 10 are missing at the end".into()));
    // A head made up for the shorter log lacks the vehicle's signature.
    let mut head: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join(HEAD)).unwrap()).unwrap();
    head["seq"] = 8.into();
    head["sha256"] = report.head.into();
    std::fs::write(folder.path().join(HEAD), head.to_string()).unwrap();
    assert!(!check(folder.path()).good);
}

#[test]
fn a_forged_tail_with_right_hashes_is_not_what_was_signed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3);
    let path = newest(folder.path());
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut chain = Chain::default();
    chain.check(lines[0].as_bytes()).unwrap();
    let forged: String = (0..2).map(|n| chain.append(2_000, n, "car", event(99))).collect();
    std::fs::write(&path, format!("{}\n{forged}", lines[0])).unwrap();
    let report = check(folder.path());
    assert!(report.bad.is_none() && !report.good, "{report:?}");
    assert_eq!(report.signature, AuditSignature::Bad("record 3 is not the one that was signed".into()));
}

#[test]
fn a_full_file_is_followed_by_another_and_a_missing_one_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = AuditFile::open(folder.path(), "car", 0).unwrap();
    let long = AuditEvent::Started { software: "x".repeat(1 << 20), epoch: 1 };
    for n in 0..2 * (FILE_BYTES >> 20) + 2 {
        log.append(0, n, long.clone()).unwrap();
    }
    log.sync().unwrap();
    drop(log);
    let all = files(folder.path()).unwrap();
    assert_eq!(all.len(), 3);
    assert!(check(folder.path()).good);
    // The oldest may have been moved to an archive; one from the middle may not.
    let middle = std::fs::read(&all[1]).unwrap();
    std::fs::remove_file(&all[1]).unwrap();
    assert_eq!(check(folder.path()).bad.unwrap().file, all[2]);
    std::fs::write(&all[1], middle).unwrap();
    std::fs::remove_file(&all[0]).unwrap();
    let report = check(folder.path());
    assert!(report.good && report.first_seq > 1);
}

#[test]
fn the_thread_writes_everything_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditThread::start(folder.path(), "car").unwrap();
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let handle = log.handle();
            std::thread::spawn(move || (0..500).for_each(|n| handle.note(n, event(n))))
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    drop(log);
    let report = check(folder.path());
    assert!(report.good);
    assert_eq!((report.records, report.missing_events), (2_001, 0));
}

#[test]
fn more_events_than_the_disk_takes_never_block_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditThread::start(folder.path(), "car").unwrap();
    let handle = log.handle();
    let long = AuditEvent::Started { software: "x".repeat(10_000), epoch: 1 };
    let sent = 20_000;
    (0..sent).for_each(|n| handle.note(n, long.clone()));
    drop(log);
    let report = check(folder.path());
    assert!(report.good);
    let notes = u64::from(report.missing_events > 0);
    assert!(report.records + report.missing_events > sent && report.records <= sent + 1 + 100 * notes, "{report:?}");
}

#[test]
fn what_is_no_log_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(verify(folder.path(), None), Err(AuditError::Empty(_))));
    let error = verify(&folder.path().join("nothing"), None).unwrap_err().to_string();
    assert!(error.contains("nothing"), "{error}");
    let rubbish = folder.path().join("audit-00000001.jsonl");
    let mut file = std::fs::File::create(&rubbish).unwrap();
    file.write_all(b"\xff\xfe rubbish\nmore\n").unwrap();
    let bad = check(folder.path()).bad.unwrap();
    assert_eq!((bad.line, bad.reason.as_str()), (1, "it is not a record"));
    write(folder.path(), 1);
    assert_eq!(files(folder.path()).unwrap().len(), 2);
}
