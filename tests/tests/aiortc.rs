//! A seat from other libraries (`aiortc`, PyAV) against the real bridge through the real control plane.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tests::{CAR, Site, python, run};

/// RTP ticks of 90 kHz for microseconds.
fn ticks(us: u64) -> u64 {
    us * 9 / 100
}

#[test]
fn real_time_aiortc_sees_drives_and_hands_back() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let _bridge = site.bridge().unwrap();
    site.wait_until("the car online", |c| c["online"] == true).unwrap();
    let descriptors = folder.path().join("takeover.bin");
    std::fs::write(&descriptors, protocol::schema::descriptor_set("takeover.v1.StateDatagram").unwrap()).unwrap();
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/aiortc_seat.py");
    let mut command = Command::new(python().unwrap());
    command.arg(peer).args([&site.address, CAR]).arg(&descriptors);
    let printed = run(&mut command).unwrap_or_else(|e| panic!("{e}\n{}", site.logs()));
    let found: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();

    assert_eq!(found["vehicle"], CAR);
    assert_eq!(found["takeover"]["seat"], "python");
    assert!(found["takeover"]["lasted_us"].as_u64().unwrap() > 0, "{found}");
    assert!(found["round_trip_us"].as_i64().unwrap() >= 0);
    // Every picture that FFmpeg decoded carries a whole timecode, and the RTP clock tells the same time. aiortc counts
    // from the first picture that it saw.
    let pictures = found["pictures"].as_array().unwrap();
    assert!(pictures.len() >= 30, "{} pictures", pictures.len());
    let read: Vec<(u64, u64, u64)> = pictures
        .iter()
        .map(|p| {
            let code = p["timecode"].as_array().unwrap_or_else(|| panic!("no timecode in {p}"));
            (p["pts"].as_u64().unwrap(), code[0].as_u64().unwrap(), code[1].as_u64().unwrap())
        })
        .collect();
    let newest_state_us = found["newest_state_us"].as_u64().unwrap();
    for pair in read.windows(2) {
        let [(pts, sequence, capture), (next_pts, next_sequence, next_capture)] = pair else { unreachable!() };
        assert!(next_sequence > sequence && next_capture > capture, "{pair:?}");
        assert_eq!(next_pts - pts, ticks(*next_capture) - ticks(*capture), "{pair:?}");
    }
    let newest = read.last().unwrap().2;
    assert!(newest.abs_diff(newest_state_us) < 2_000_000, "picture of {newest}, state of {newest_state_us}");
}
