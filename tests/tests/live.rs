//! The live car as processes of its own: its operator, the bridge and the control plane are killed in turn.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use serde_json::Value;
use std::time::{Duration, Instant};
use tests::{FakeClock, Site, wait_for};
use vehicle_bridge::audit::AuditEvent;

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
    // They come over the network.
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

/// The scripted operator gets the wheel by itself and keeps it for long enough.
const KEEPS: Duration = Duration::from_secs(3_600);
/// A grant lasts 60 s and is renewed every 20 s: three grants are two renewals.
const GRANTS: usize = 3;
/// A machine that is not there for 200 ms when the seat needs it stops the car, too; clocks would do so each time.
const ATTEMPTS: usize = 3;

/// Under which epoch the operator drives, how often the car has begun to stop, the grants accepted and those refused.
struct Standing {
    epoch: Option<u64>,
    manoeuvres: usize,
    grants: usize,
    refused: Vec<String>,
}

fn standing(site: &Site) -> Standing {
    let mut standing = Standing { epoch: None, manoeuvres: 0, grants: 0, refused: Vec::new() };
    for record in site.audit() {
        match record.event {
            AuditEvent::Authority { author, epoch, .. } => {
                standing.epoch = (author == "operator").then_some(epoch);
            }
            AuditEvent::Manoeuvre(_) => standing.manoeuvres += 1,
            AuditEvent::GrantAccepted { .. } => standing.grants += 1,
            AuditEvent::GrantRefused { reason, .. } => standing.refused.push(reason),
            AuditEvent::GrantEnded { session, .. } => standing.refused.push(format!("{session} ended")),
            _ => {}
        }
    }
    standing
}

/// By how many hours the vehicle's clock is ahead of the control plane's, as the control plane's API tells.
fn hours_ahead(car: &Value) -> Option<f64> {
    let difference = &car["clock"]["control_plane"];
    (difference["uncertainty_ms"].as_f64()? < 1_000.0).then_some(difference["ahead_ms"].as_f64()? / 3.6e6)
}

fn shows(site: &Site, hours: f64, words: &str) {
    let is_told = |car: &Value| {
        let told = car["clock"]["warnings"].as_array().cloned().unwrap_or_default();
        hours_ahead(car).is_some_and(|ahead| (ahead - hours).abs() < 0.001) && told.iter().any(|w| w == words)
    };
    site.wait_until(&format!("the difference of {hours} h"), is_told).unwrap();
    let logged = || site.log("bridge").contains(words).then_some(());
    wait_for("the difference in the vehicle's log", Duration::from_secs(20), logged).unwrap();
}

/// Drives for two renewals of the grant with a clock that is set to each of these meanwhile; answers whether one drive did
/// it, under one epoch and without a stop.
fn drives_on(site: &Site, clock: &FakeClock, jumps: &[(&str, f64, &str)]) -> bool {
    site.wait_until("the operator at the wheel", operator_drives).unwrap();
    let before = standing(site);
    for (offset, hours, words) in jumps {
        clock.set(offset).unwrap();
        shows(site, *hours, words);
    }
    let renewed = || (standing(site).grants >= before.grants + GRANTS - 1).then_some(());
    wait_for("two more grants", Duration::from_secs(90), renewed).unwrap();
    let after = standing(site);
    println!("epoch {:?} to {:?}, {} grants", before.epoch, after.epoch, after.grants);
    after.manoeuvres == before.manoeuvres && before.epoch.is_some() && after.epoch == before.epoch
}

/// Fails unless the told difference of a clock that is `hours` off and has gained 200 ppm since `started` is right within
/// its own uncertainty.
fn tells_the_drift(site: &Site, hours: f64, started: Instant) {
    let told = || Some(site.car()?["clock"]["control_plane"].clone()).filter(|told| told["ahead_ms"].is_number());
    let told = wait_for("the difference", Duration::from_secs(20), told).unwrap();
    let truth_ms = hours * 3.6e6 + DRIFT * started.elapsed().as_secs_f64() * 1e3;
    let off_ms = told["ahead_ms"].as_f64().unwrap() - truth_ms;
    println!("told {told}, {off_ms:.1} ms beside the truth, {:?} after the start", started.elapsed());
    // A status is a second old before the next one comes.
    assert!(off_ms.abs() <= told["uncertainty_ms"].as_f64().unwrap() + 1.0, "{told} is {off_ms} ms beside the truth");
}

/// Starts everything with a vehicle whose clock stands as `offset` says and drives with these jumps.
fn drive_with_a_clock(offset: &str, (hours, words): (f64, &str), jumps: &[(&str, f64, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let clock = FakeClock::new(folder.path(), offset).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let started = Instant::now();
    let _bridge = site.bridge_with_clock(&clock).unwrap();
    let _operator = site.keeping_operator(KEEPS).unwrap();
    shows(&site, hours, words);
    let drives = (0..ATTEMPTS).any(|_| drives_on(&site, &clock, jumps));
    assert!(drives, "the car stopped each time\n{}", site.logs());
    assert_eq!(standing(&site).refused, Vec::<String>::new(), "\n{}", site.logs());
    if offset.contains('x') {
        tells_the_drift(&site, hours, started);
    }
    let (seat, beside) = (site.log("operator"), words.replace("the control plane", "this seat"));
    assert!(seat.contains(words) && seat.contains(&beside), "{seat}");
}

/// How much a vehicle's clock gains where `x1.0002` is said: the worst of a crystal in the cold.
const DRIFT: f64 = 0.0002;
const AHEAD: &str = "the vehicle's clock is 6 h 0 min ahead of the control plane's";
const BEHIND: &str = "the vehicle's clock is 6 h 0 min behind the control plane's";

#[test]
fn a_vehicle_whose_clock_is_six_hours_ahead_and_jumps_by_an_hour_drives_on_and_says_so() {
    let jumps = [
        ("+7h", 7.0, "the vehicle's clock is 7 h 0 min ahead of the control plane's"),
        ("+5h", 5.0, "the vehicle's clock is 5 h 0 min ahead of the control plane's"),
        ("+6h", 6.0, AHEAD),
    ];
    drive_with_a_clock("+6h", (6.0, AHEAD), &jumps);
}

#[test]
fn a_vehicle_whose_clock_is_six_hours_behind_gains_200_ppm_and_jumps_by_an_hour_drives_on_and_says_so() {
    let seven = "the vehicle's clock is 7 h 0 min behind the control plane's";
    let jumps = [("-7h x1.0002", -7.0, seven), ("-6h x1.0002", -6.0, BEHIND)];
    drive_with_a_clock("-6h x1.0002", (-6.0, BEHIND), &jumps);
}
