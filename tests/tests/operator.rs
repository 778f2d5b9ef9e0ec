//! The scripted operator beside the live car, as the demo starts them.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use protocol::SeatKind;
use std::time::Duration;
use tests::Site;
use vehicle_bridge::audit::AuditEvent;

#[test]
fn a_script_that_stands_by_asks_nothing_that_the_vehicle_says_it_would_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let _bridge = site.bridge().unwrap();
    let _operator = site.operator().unwrap();
    // Ten seconds of self-check, in which nothing can be granted, and the first seconds of driving.
    site.wait_until("somebody who drives", |car| car["author"] != "fallback" && car["online"] == true).unwrap();
    std::thread::sleep(Duration::from_secs(8));
    let car = site.car().unwrap();
    let refused = car["refused"].as_object().cloned().unwrap_or_default();
    let requests = refused.iter().filter(|(reason, _)| reason.starts_with("request_") || *reason == "flooded");
    let count: u64 = requests.map(|(_, count)| count.as_u64().unwrap()).sum();
    let granted = site.audit().into_iter().find_map(|record| match record.event {
        AuditEvent::GrantAccepted { seat_kind, .. } => Some(seat_kind),
        _ => None,
    });
    assert_eq!(granted, Some(SeatKind::Scripted), "what the seat announced is what the vehicle was granted");
    assert!(count <= 3, "{count} requests were refused: {refused:?}\n{}", site.logs());
}
