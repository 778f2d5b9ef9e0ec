//! The recorder judged from outside: files of killed recorders and of overlapping takeovers, opened by Python's indexed
//! reader, checked by Rerun, their films decoded by PyAV. `make bench` does the same at length.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use recorder::trials::{kill_once, overlapping_takeovers, record_until_killed};
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "RECORDER_KILL_TEST_FOLDER";
const KILLS: u64 = 6;

fn judge(files: &[PathBuf], video: bool) -> String {
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recorder/tests/judge.py");
    let mut command = Command::new(tests::python().unwrap());
    command.arg(judge).args(files);
    if video {
        command.arg("--video");
    }
    tests::run(&mut command).unwrap()
}

fn rerun(files: &[PathBuf]) {
    let rerun = tests::python().unwrap().with_file_name("rerun");
    for file in files {
        let verdict = tests::run(Command::new(&rerun).args(["mcap", "check"]).arg(file)).unwrap();
        assert!(verdict.contains("ok") && !verdict.contains("error"), "{}: {verdict}", file.display());
    }
}

/// Only the parent starts this, with a folder; else it has nothing to do.
#[test]
fn child_that_records_until_it_is_killed() {
    if let Ok(folder) = std::env::var(FOLDER) {
        record_until_killed(Path::new(&folder)).unwrap();
    }
}

#[test]
fn files_of_killed_recorders_are_recovered_and_open_everywhere() {
    let mut recovered = 0;
    for seed in 100..100 + KILLS {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "child_that_records_until_it_is_killed", "--nocapture"]).env(FOLDER, folder.path());
        let killed = kill_once(child, folder.path(), seed).unwrap();
        recovered += killed.recovered;
        if !killed.files.is_empty() {
            println!("{}", judge(&killed.files, false));
            rerun(&killed.files[..1]);
        }
    }
    assert!(recovered > 0, "no kill met an open file");
}

#[test]
fn overlapping_takeovers_share_their_frames_and_every_film_decodes_from_its_first_picture() {
    let folder = tempfile::tempdir().unwrap();
    let film = takeover::recording_bench::film(64).unwrap();
    let done = overlapping_takeovers(folder.path(), 60, &film, 7).unwrap();
    assert!(done.files.len() == 60 && done.most_at_once >= 3, "{} at once", done.most_at_once);
    println!("{}", judge(&done.files[..12], true));
    rerun(&done.files[..1]);
}
