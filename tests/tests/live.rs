//! The live car as processes of its own: its operator, the bridge and the control plane are killed in turn.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tests::{Process, free_port, wait_for};

struct Site<'a> {
    folder: &'a Path,
    address: String,
}

impl Site<'_> {
    fn start(&self, name: &str, arguments: &[&str]) -> Process {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        Process::takeover(&arguments, &self.folder.join(format!("{name}.log"))).unwrap()
    }

    fn control_plane(&self) -> Process {
        let addr = self.address.trim_start_matches("http://");
        self.start("web", &["web", "--addr", addr, "--data", &self.path("data")])
    }

    fn bridge(&self) -> Process {
        let (data, episodes) = (self.path("car"), self.path("data/episodes"));
        let seat = ["--control-plane", &self.address, "--vehicle", "car-1"];
        self.start("bridge", &[&["bridge", "--data", &data, "--episodes", &episodes], &seat[..]].concat())
    }

    fn operator(&self) -> Process {
        self.start("operator", &["operator", "--control-plane", &self.address, "--vehicle", "car-1"])
    }

    fn path(&self, below: &str) -> String {
        self.folder.join(below).to_string_lossy().into_owned()
    }

    fn get(&self, path: &str) -> Option<Value> {
        ureq::get(format!("{}/api/v1/{path}", self.address)).call().ok()?.body_mut().read_json().ok()
    }

    fn car(&self) -> Option<Value> {
        let vehicles = self.get("vehicles")?;
        vehicles.as_array()?.iter().find(|v| v["vehicle"] == "car-1").cloned()
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, Duration::from_secs(90), || self.car().filter(&holds)).unwrap_or_else(|error| {
            let log = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
            panic!("{error}: {:?}\n{}\n{}", self.car(), log("bridge.log"), log("operator.log"))
        })
    }

    fn miles(&self) -> f64 {
        self.car().map_or(f64::NAN, |c| c["autonomous_miles"].as_f64().unwrap() + c["manual_miles"].as_f64().unwrap())
    }
}

fn operator_drives(car: &Value) -> bool {
    car["author"] == "operator" && car["speed_mps"].as_f64().is_some_and(|v| v > 3.0)
}

#[test]
fn real_time_processes_are_killed_and_the_car_stays_safe_and_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site { folder: folder.path(), address: format!("http://127.0.0.1:{}", free_port().unwrap()) };
    let plane = site.control_plane();
    wait_for("the control plane", Duration::from_secs(20), || site.get("vehicles")).unwrap();
    let bridge = site.bridge();
    let operator = site.operator();

    // The policy is untrained, so the operator soon has to drive. Its death stops the car, which stays stopped.
    site.wait_until("the operator at the wheel", operator_drives);
    operator.kill().unwrap();
    site.wait_until("a stopped car", |c| c["mode"] == "stopped" && c["speed_mps"].as_f64() == Some(0.0));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(site.car().unwrap()["speed_mps"].as_f64(), Some(0.0));
    let operator = site.operator();
    site.wait_until("the next operator at the wheel", operator_drives);

    // A killed bridge comes back with its miles and its episodes.
    let miles = site.miles();
    bridge.kill().unwrap();
    let bridge = site.bridge();
    site.wait_until("the bridge again", operator_drives);
    assert!(site.miles() >= miles, "{} after {miles}", site.miles());
    let episodes = site.get("episodes").unwrap();
    let episodes = episodes.as_array().unwrap();
    assert!(!episodes.is_empty());
    for episode in episodes {
        let file = folder.path().join("data/episodes").join(episode["file"].as_str().unwrap());
        assert!(recorder::EpisodeReader::open(&file).is_ok(), "{}", file.display());
    }

    // A killed control plane comes back with everything that it ever answered for.
    let (miles, known) = (site.miles(), episodes.len());
    plane.kill().unwrap();
    let _plane = site.control_plane();
    site.wait_until("the car online again", |c| c["online"] == true && c["status_age_ms"].is_number());
    assert!(site.miles() >= miles);
    assert!(site.get("episodes").unwrap().as_array().unwrap().len() >= known);
    drop((bridge, operator));
}
