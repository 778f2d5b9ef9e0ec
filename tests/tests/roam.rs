//! Seat and vehicle between network namespaces, one of them with another address again and again.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use serde_json::Value;
use std::process::Command;

#[test]
fn a_machine_that_changes_its_network_keeps_its_session() {
    if let Err(error) = takeover::netem::namespaces::check_rights() {
        eprintln!("not run here: {error}");
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    for case in ["roam", "roam-vehicle"] {
        let mut report = Command::new(tests::program("takeover").unwrap());
        report.args(["link-report", "--case", case, "--seed", "5", "--seconds", "24", "--json"]).arg(file.path());
        println!("{}", tests::run(&mut report).unwrap());
        let figures: Vec<Value> = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        let value = |metric: &str| figures.iter().find(|f| f["metric"] == metric).and_then(|f| f["value"].as_f64());
        // A picture that never came would count with all the time that was left.
        assert!(value("picture_after_roam_p95").unwrap() < 6.0, "{case}");
    }
}
