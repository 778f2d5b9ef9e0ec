//! From a recorded drive to a proof that it is gone: searched, shown, judged, erased with the program as people use it.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use closed_loop::virtual_drive::Recording;
use policy::Policy;
use protocol::api::{EpisodeView, Trip};
use protocol::erasure::Proof;
use protocol::{Embodiment, PolicyVersion};
use sim::road::RoadNetwork;
use sim::scenario_event::ScenarioEvent;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;
use tests::{Process, Site, free_port, headless, program, wait_for};
use trainer::fleet::FleetPlan;
use trainer::seeds::SeedPurpose;

/// Episodes of an untrained policy, in the folder.
fn drive(folder: &Path) -> Trip {
    let policy = Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("v0").unwrap(), 5).unwrap();
    let plan = FleetPlan {
        name: "trip".into(),
        roads: vec![Arc::new(RoadNetwork::built_in("fabriksgatan").unwrap())],
        seed: 11,
        purpose: SeedPurpose::Report,
        events: ScenarioEvent::ALL.to_vec(),
        trips: 1,
        route_m: 300.0,
        max_time_s: 30.0,
        recording: Recording::Folder(folder.to_owned()),
        assists: false,
        turn: None,
        necessity: None,
    };
    plan.drive(&policy.into(), |_| ()).unwrap().remove(0).trip
}

struct Program {
    url: String,
    folder: tempfile::TempDir,
}

impl Program {
    fn episode(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program("takeover").unwrap());
        command.arg("episode").args(arguments).env("TAKEOVER_CONTROL_PLANE", &self.url).current_dir(self.folder.path());
        command.output().unwrap()
    }

    /// Standard output of a command that succeeds.
    fn told(&self, arguments: &[&str]) -> String {
        let output = self.episode(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that fails says.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.episode(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn a_drive_is_searched_judged_and_erased_with_a_proof_that_no_change_survives() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let episodes = data.join("episodes");
    std::fs::create_dir_all(&episodes).unwrap();
    let trip = drive(&episodes);
    let vehicle = trip.vehicle.to_string();
    let first = &trip.episodes[0];
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let url = format!("http://{address}");
    let arguments = ["web", "--addr", &address, "--data", &data.to_string_lossy()].map(str::to_owned);
    let _plane = Process::takeover(&arguments, &folder.path().join("web.log")).unwrap();
    wait_for("the control plane", Duration::from_secs(20), || ureq::get(&url).call().ok()).unwrap();
    ureq::post(format!("{url}/api/v1/trips")).send_json(&trip).unwrap();
    let program = Program { url: url.clone(), folder };

    // Search, by what only the drive itself can know.
    let (x, y) = (first.x_m.unwrap(), first.y_m.unwrap());
    let area = format!("{},{},{},{}", x - 0.5, y - 0.5, x + 0.5, y + 0.5);
    let found: Vec<EpisodeView> =
        serde_json::from_str(&program.told(&["search", "--map", "fabriksgatan", "--area", &area, "--json"])).unwrap();
    assert!(found.iter().any(|view| view.episode == *first), "{found:?}");
    let seat = first.seats[0].to_string();
    let all = program.told(&["search", "--seat", &seat, "--from", "2026-01-01"]);
    assert!(all.contains(&format!("{} found", trip.episodes.len())), "{all}");
    assert!(program.told(&["search", "--to", "2025-12-31"]).contains("0 found"));
    assert!(program.refused(&["search", "--area", "1,2,3"]).contains("area: \"1,2,3\""));

    // A verdict, and the page that shows it.
    program.told(&["verdict", first.id.as_str(), "needs-review", "--by", "Anna", "--note", "glare"]);
    assert!(program.told(&["search", "--verdict", "needs-review"]).contains(first.id.as_str()));
    let profile = tempfile::tempdir().unwrap();
    let mut browser = headless(&profile).unwrap();
    browser.args(["--virtual-time-budget=6000", "--enable-logging=stderr", "--v=0", "--dump-dom"]);
    let page = browser.arg(format!("{url}/episodes.html?text=glare&id={}", first.id)).output().unwrap();
    let shown = String::from_utf8_lossy(&page.stdout);
    for text in ["1 found", &first.sha256, "needs-review", "Anna", &seat] {
        assert!(shown.contains(text), "the page lacks {text}");
    }
    let console = String::from_utf8_lossy(&page.stderr);
    assert!(!console.contains(":CONSOLE"), "{console}");

    // Erased, proved, checked; a changed proof is found out.
    let plan = program.told(&["erase", "--vehicle", &vehicle, "--reason", "test", "--dry-run"]);
    assert!(plan.contains(&format!("{} episodes would go", trip.episodes.len())), "{plan}");
    let told = program.told(&["erase", "--vehicle", &vehicle, "--reason", "test", "--output", "proof.json"]);
    assert!(told.contains("nothing remains"), "{told}");
    assert_eq!(std::fs::read_dir(&episodes).unwrap().count(), 0);
    assert!(program.told(&["search"]).contains("0 found"));
    assert!(program.told(&["erase", "--verify", "proof.json"]).contains("unbroken chain"));
    let path = program.folder.path().join("proof.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let proof: Proof = serde_json::from_str(&text).unwrap();
    program.told(&["erase", "--verify", "proof.json", "--key", &proof.statement.key]);
    std::fs::write(&path, text.replace(&first.sha256, &"0".repeat(64))).unwrap();
    assert!(program.refused(&["erase", "--verify", "proof.json"]).contains("no such erasure"));
    let refused = program.refused(&["erase", "--verify", "proof.json", "--key", &proof.statement.key]);
    assert!(refused.contains("signature"), "{refused}");
    assert!(program.told(&["retention", "--log"]).contains(first.id.as_str()));
}

#[test]
fn a_policy_is_withdrawn_and_restored_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let policies = |arguments: &[&str]| {
        let mut command = Command::new(program("takeover").unwrap());
        command.arg("policy").args(arguments).args(["--json", "--control-plane", &site.address]).output().unwrap()
    };
    let told = |arguments: &[&str]| -> serde_json::Value {
        let output = policies(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    for version in ["v1", "v2"] {
        let policy = serde_json::json!({
            "version": version, "parent": null, "sha256": "0".repeat(64), "episodes": 1, "frames": 1, "status": "published",
        });
        ureq::post(format!("{}/api/v1/policies", site.address)).send_json(&policy).unwrap();
    }
    let withdrawn = told(&["withdraw", "v2", "--reason", "brakes late"]);
    assert_eq!(withdrawn, serde_json::json!({ "version": "v2", "withdrawn": true, "in_use": "v1" }));
    assert_eq!(told(&["list"])[1]["withdrawn"]["reason"], "brakes late");
    let only = policies(&["withdraw", "v1", "--reason", "late, too"]);
    assert!(String::from_utf8_lossy(&only.stderr).contains("v1 is the only version in use"), "{only:?}");
    let restored = told(&["restore", "v2", "--reason", "it was the tyres"]);
    assert_eq!(restored, serde_json::json!({ "version": "v2", "withdrawn": false, "in_use": "v2" }));
    assert!(!policies(&["restore", "v2", "--reason", "again"]).status.success());
}
