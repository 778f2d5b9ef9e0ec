//! The live car as processes of its own: its operator, the bridge and the control plane are killed in turn.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use serde_json::Value;
use std::time::Duration;
use tests::{Site, wait_for};

fn miles(site: &Site) -> f64 {
    site.car().map_or(f64::NAN, |c| c["autonomous_miles"].as_f64().unwrap() + c["manual_miles"].as_f64().unwrap())
}

fn operator_drives(car: &Value) -> bool {
    car["author"] == "operator" && car["speed_mps"].as_f64().is_some_and(|v| v > 3.0)
}

#[test]
fn real_time_processes_are_killed_and_the_car_stays_safe_and_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let plane = site.control_plane(&[]).unwrap();
    let bridge = site.bridge().unwrap();
    let operator = site.operator().unwrap();

    // The policy is untrained, so the operator soon has to drive. Its death stops the car, which stays stopped.
    site.wait_until("the operator at the wheel", operator_drives).unwrap();
    operator.kill().unwrap();
    site.wait_until("a stopped car", |c| c["mode"] == "stopped" && c["speed_mps"].as_f64() == Some(0.0)).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(site.car().unwrap()["speed_mps"].as_f64(), Some(0.0));
    let operator = site.operator().unwrap();
    site.wait_until("the next operator at the wheel", operator_drives).unwrap();

    // A killed bridge comes back with its miles and its episodes.
    let before = miles(&site);
    bridge.kill().unwrap();
    let bridge = site.bridge().unwrap();
    site.wait_until("the bridge again", operator_drives).unwrap();
    assert!(miles(&site) >= before, "{} after {before}", miles(&site));
    // They come over the network, after their previews.
    let listed = || site.get("episodes").filter(|all| all.as_array().is_some_and(|all| !all.is_empty()));
    let episodes = wait_for("episodes", Duration::from_secs(90), listed).unwrap();
    let episodes = episodes.as_array().unwrap();
    for episode in episodes {
        let file = folder.path().join("data/episodes").join(episode["file"].as_str().unwrap());
        assert!(recorder::EpisodeReader::open(&file).is_ok(), "{}", file.display());
    }

    // A killed control plane comes back with everything that it ever answered for.
    let (before, known) = (miles(&site), episodes.len());
    plane.kill().unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    site.wait_until("the car online again", |c| c["online"] == true && c["status_age_ms"].is_number()).unwrap();
    assert!(miles(&site) >= before);
    assert!(site.get("episodes").unwrap().as_array().unwrap().len() >= known);
    drop((bridge, operator));
}
