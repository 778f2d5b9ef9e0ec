//! The main job as the user starts it: one turn of the flywheel, killed in the middle and resumed, and its dashboard.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use protocol::api::{ALL_ROADS, Evaluation, EvaluationRole, UNSEEN_EVENTS};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::{Process, free_port, headless, program, run, wait_for};
use trainer::comparison::GateReport;
use trainer::gate::GateDecision;
use trainer::seeds::SeedPurpose;

fn demo(data: &Path) -> Command {
    let mut command = Command::new(program("takeover").unwrap());
    let port = free_port().unwrap().to_string();
    command.args(["demo", "--turns", "1", "--exit", "--no-live-car", "--seed", "5", "--port", &port, "--data"]);
    command.arg(data);
    command
}

fn report(data: &Path) -> String {
    std::fs::read_to_string(data.join("report.json")).unwrap()
}

/// The dashboard's text as a browser shows it, and what the page wrote to the console.
fn browse(address: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = headless(&profile)
        .unwrap()
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=6000", "--dump-dom", address])
        .output()
        .unwrap();
    let console = String::from_utf8_lossy(&output.stderr).lines().filter(|l| l.contains(":CONSOLE")).collect();
    (String::from_utf8_lossy(&output.stdout).into_owned(), console)
}

#[test]
fn real_time_demo_learns_survives_sigkill_with_the_same_report_and_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let printed = run(&mut demo(&whole)).unwrap();
    let rows: Vec<Evaluation> = serde_json::from_str(&report(&whole)).unwrap();
    let row = |role: EvaluationRole, road: &str| {
        let found: Vec<&Evaluation> = rows.iter().filter(|row| row.role == role && row.road == road).collect();
        let [row] = found[..] else { panic!("{role:?} on {road}: {rows:?}") };
        row
    };
    let (first, last) = (row(EvaluationRole::Previous, ALL_ROADS), row(EvaluationRole::Policy, ALL_ROADS));
    assert!(last.mpd >= 3.0 * first.mpd && last.mpd_low > first.mpd, "{rows:?}");
    assert_eq!((last.turn, first.policy.as_str(), last.policy.as_str()), (Some(1), "v0", "v1"));
    for role in [EvaluationRole::Policy, EvaluationRole::Operator, EvaluationRole::Reference] {
        assert_eq!(row(role, "e6mini").miles, row(role, ALL_ROADS).miles, "there is one road");
        let unseen = row(role, UNSEEN_EVENTS);
        assert!(unseen.miles > 0.0 && unseen.events == ["double_parked"], "{unseen:?}");
    }
    let gate: GateReport =
        serde_json::from_str(&std::fs::read_to_string(whole.join("gates/v1.json")).unwrap()).unwrap();
    assert!(gate.decision == GateDecision::Ship && gate.candidates.len() == 2, "{gate:?}");
    assert!(gate.candidates.iter().any(|side| Some(side.training_seed) == last.training_seed), "{gate:?} {last:?}");
    let kinds = [SeedPurpose::of(gate.seed), last.training_seed.and_then(SeedPurpose::of)];
    assert_eq!(kinds, [Some(SeedPurpose::Gate), Some(SeedPurpose::Training)]);
    assert_eq!((last.seed, &last.gated_on, &last.trained_on), (5, &gate.roads, &gate.roads));
    let table = takeover::demo::table(&rows);
    assert!(printed.contains(table.trim_end()), "{printed}");

    // Killed once episodes of the first turn exist, then started again: as if nothing had happened.
    let mut child = demo(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let episodes = || std::fs::read_dir(killed.join("episodes")).map_or(0, |d| d.count());
    let started = Instant::now();
    wait_for("episodes", Duration::from_secs(120), || (episodes() > 20).then_some(())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    println!("killed after {:?} with {} episodes", started.elapsed(), episodes());
    // The control plane ends by itself when its parent is gone.
    std::thread::sleep(Duration::from_secs(2));
    run(&mut demo(&killed)).unwrap();
    assert_eq!(report(&killed), report(&whole));

    // The dashboard shows the report's numbers and writes nothing to the console.
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let data = whole.to_string_lossy().into_owned();
    let arguments = ["web", "--addr", &address, "--data", &data].map(str::to_owned);
    let _plane = Process::takeover(&arguments, &folder.path().join("web.log")).unwrap();
    let url = format!("http://{address}/");
    wait_for("the dashboard", Duration::from_secs(20), || ureq::get(&url).call().ok()).unwrap();
    let (page, console) = browse(&url);
    assert_eq!(console, "");
    for row in &rows {
        for shown in [row.policy.to_string(), format!("{:.2}", row.miles), row.takeovers.to_string()] {
            assert!(page.contains(&shown), "the dashboard lacks {shown} of {row:?}");
        }
    }
}
