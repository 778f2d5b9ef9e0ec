//! A recorder that is killed (SIGKILL) at random moments loses nothing older than 250 ms on any topic; a dozen kills
//! here, with Python's reader as judge in the end-to-end tests, two hundred in `make bench`.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use recorder::trials::{kill_once, record_until_killed};
use std::path::Path;
use std::process::Command;

const FOLDER: &str = "RECORDER_CRASH_TEST_FOLDER";
const KILLS: u64 = 12;
const AT_ONCE: u64 = 4;

/// Only the parent starts this, with a folder; else it has nothing to do.
#[test]
fn child_that_records_until_it_is_killed() {
    if let Ok(folder) = std::env::var(FOLDER) {
        record_until_killed(Path::new(&folder)).unwrap();
    }
}

fn kill(seed: u64) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_that_records_until_it_is_killed", "--nocapture"]).env(FOLDER, folder.path());
    kill_once(child, folder.path(), seed).unwrap().recovered
}

#[test]
fn killed_at_any_moment_the_recorder_loses_nothing_older_than_250_ms() {
    let mut recovered = 0;
    for batch in 0..KILLS / AT_ONCE {
        let seeds = batch * AT_ONCE..(batch + 1) * AT_ONCE;
        let threads: Vec<_> = seeds.map(|seed| std::thread::spawn(move || kill(seed))).collect();
        recovered += threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>();
    }
    assert!(recovered > 0, "no kill met an open file");
}
