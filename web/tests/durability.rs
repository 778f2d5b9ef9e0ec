//! The program itself: killed, started twice, given a damaged folder.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod common;

use common::{Client, disengagement, episode, mileage};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Program {
    child: Child,
    client: Client,
    addr: String,
}

fn command(data: &Path, addr: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_takeover-web"));
    command.args(["--addr", addr, "--data"]).arg(data).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Program {
    fn start(data: &Path) -> Self {
        let mut child = command(data, "127.0.0.1:0").spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim().trim_start_matches("http://").to_owned();
        let client = Client::new(addr.parse().unwrap_or_else(|_| panic!("no address in {line:?}")));
        Self { child, client, addr }
    }
}

impl Drop for Program {
    /// SIGKILL.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fails_with(data: &Path, addr: &str) -> String {
    let output = command(data, addr).output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.trim().lines().filter(|line| line.starts_with("error: ")).count(), 1, "{text}");
    text
}

#[test]
fn what_was_answered_survives_sigkill_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5u32 {
        let program = Program::start(folder.path());
        let known = program.client.get("episodes").1;
        assert_eq!(known.as_array().unwrap().len(), 2 * round as usize, "round {round}");
        let metres = f64::from(round) * 100.0;
        let vehicle = program.client.get("fleet").1["by_policy"][0]["miles"].as_f64();
        assert_eq!(vehicle, (round > 0).then(|| protocol::units::miles(metres)), "round {round}");
        for half in 0..2 {
            let id = format!("e-{round}-{half}");
            assert_eq!(program.client.post("disengagements", &disengagement(&id, "car", "v1", "safety")).0, 201);
            assert_eq!(program.client.post("episodes", &episode(&id, "car", "v1", "safety")).0, 201);
        }
        assert_eq!(program.client.post("mileage", &mileage("car", "v1", metres + 100.0, 0.0)).0, 201);
    }
}

#[test]
fn an_occupied_port_and_an_occupied_folder_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path());
    let other = tempfile::tempdir().unwrap();
    assert!(fails_with(other.path(), &program.addr).contains("already in use"));
    assert!(fails_with(folder.path(), "127.0.0.1:0").contains("another control plane"));
}

#[test]
fn a_damaged_database_and_a_file_for_a_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("takeover.sqlite"), "this is no database, and long enough to be one".repeat(50))
        .unwrap();
    assert!(fails_with(folder.path(), "127.0.0.1:0").contains("takeover.sqlite"));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(fails_with(&file, "127.0.0.1:0").contains("cannot use the data folder"));
}
