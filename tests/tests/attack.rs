//! Hostile messages against the live bridge.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use protocol::Embodiment;
use tests::{Site, attack};

#[test]
fn hostile_messages_of_real_sessions_are_counted_and_none_is_acted_on() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let bridge = site.bridge().unwrap();
    site.wait_until("the car online", |c| c["online"] == true).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let attacked = runtime.block_on(attack::run(&site.address, &Embodiment::ackermann_car(), 5_000, 1));
    let outcome = attacked.unwrap_or_else(|e| panic!("{e:#}\n{}", site.logs()));
    attack::check(&outcome).unwrap_or_else(|e| panic!("{e:#}\n{outcome:#?}"));
    // The counts are there for people as well.
    let car = site.wait_until("the counts", |c| c["refused"]["not_in_control"].is_u64()).unwrap();
    assert!(car["refused"]["unreadable"].as_u64().unwrap() > 0, "{car}");
    drop(bridge);
    let report = vehicle_bridge::audit::verify::verify(&folder.path().join("car/audit"), None).unwrap();
    assert!(report.bad.is_none(), "{report:?}");
}
