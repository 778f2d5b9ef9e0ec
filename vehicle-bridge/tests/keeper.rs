//! What a vehicle keeps: triggers from ticks, and the attachments and calibrations that belong to an episode.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use protocol::v1::{Author, LinkStats, Mode, ObjectKind, PolicyProposal, Surroundings, TrackedObject, VehicleState};
use protocol::{Embodiment, PolicyVersion, VehicleId};
use recorder::trigger::{Fired, TriggerConfig};
use recorder::{Source, Trigger};
use sim::camera::CameraSpec;
use sim::road::RoadNetwork;
use sim::world::WorldConfig;
use std::sync::Arc;
use vehicle_bridge::core::{Sensors, Tick};
use vehicle_bridge::keeper::{Keeper, calibration, map, mounting, scenario};
use vehicle_bridge::ledger::Account;

const MS: u64 = 1_000_000;

fn keeper() -> Keeper {
    let account = Account {
        vehicle: VehicleId::new("car").unwrap(),
        prefix: "car-1".into(),
        map: "soderleden".into(),
        embodiment: "ackermann_car".into(),
        source: Source::Live,
        seed: Some(3),
    };
    Keeper::new(TriggerConfig::default(), account, &Embodiment::ackermann_car(), Vec::new()).unwrap()
}

fn sensors(speed_mps: f64, acceleration_mps2: f64) -> Sensors {
    let state = VehicleState { observation: vec![speed_mps, acceleration_mps2, 0.0, 0.0], ..Default::default() };
    Sensors { state, surroundings: None, scan: None, estop_pressed: false }
}

fn tick(mode: Mode, author: Author) -> Tick {
    let mut tick = Tick::default();
    tick.authority.mode = mode.into();
    tick.command.author = author.into();
    tick.command.action = vec![0.0, 0.0];
    tick
}

/// Labels of what begins within a second of this.
fn begins(sensors: &Sensors, tick: &Tick, candidate: Option<&[f64]>) -> Vec<(Trigger, String)> {
    let (mut keeper, version) = (keeper(), PolicyVersion::new("p").unwrap());
    let mut begun = Vec::new();
    for n in 0..50 {
        for keep in keeper.look(n * 20 * MS, sensors, tick, &LinkStats::default(), candidate, &version) {
            assert_eq!(keep.info.map, "soderleden");
            if let Fired::Begins { trigger, .. } = keep.fired {
                begun.push((trigger, keep.info.cause));
            }
        }
    }
    begun
}

#[test]
fn a_hard_brake_and_a_near_miss_are_kept_and_a_calm_drive_is_not() {
    let drive = tick(Mode::Monitor, Author::Policy);
    assert!(begins(&sensors(10.0, -1.0), &drive, None).is_empty());
    assert_eq!(begins(&sensors(10.0, -6.0), &drive, None), [(Trigger::HardBrake, "safety".into())]);
    let mut near = sensors(10.0, 0.0);
    let car =
        |x_m| TrackedObject { kind: ObjectKind::Car.into(), x_m, width_m: 2.0, length_m: 4.0, ..Default::default() };
    near.surroundings = Some(Arc::new(Surroundings { objects: vec![car(40.0), car(12.0)], ..Default::default() }));
    assert_eq!(begins(&near, &drive, None), [(Trigger::NearMiss, "safety".into())]);
}

#[test]
fn a_fault_is_kept_but_not_the_recorders_own() {
    let drive = tick(Mode::Monitor, Author::Policy);
    let mut faulty = sensors(10.0, 0.0);
    faulty.state.faults = vec!["recorder_disk_full".into(), "control_deadline_missed".into()];
    assert!(begins(&faulty, &drive, None).is_empty());
    faulty.state.faults.push("lidar_silent".into());
    assert_eq!(begins(&faulty, &drive, None), [(Trigger::Fault, "fault".into())]);
}

#[test]
fn a_candidate_or_the_policy_in_the_shadow_that_disagrees_is_kept() {
    let by_hand = tick(Mode::Drive, Author::Operator);
    assert!(begins(&sensors(10.0, 0.0), &by_hand, Some(&[0.5, 0.05])).is_empty());
    let kept = begins(&sensors(10.0, 0.0), &by_hand, Some(&[-6.0, 0.0]));
    assert_eq!(kept, [(Trigger::ShadowDisagreement, "precaution".into())]);
    let mut overruled = by_hand.clone();
    overruled.proposal = Some(PolicyProposal { action: vec![-6.0, 0.0], confidence: 0.9, ..Default::default() });
    assert_eq!(begins(&sensors(10.0, 0.0), &overruled, None), kept);
    let mut driving = tick(Mode::Monitor, Author::Policy);
    driving.proposal = overruled.proposal;
    assert!(begins(&sensors(10.0, 0.0), &driving, None).is_empty(), "it drives itself");
}

#[test]
fn map_scenario_and_calibration_say_what_was_driven_and_seen() {
    let network = RoadNetwork::built_in("soderleden").unwrap();
    let map = map(&network);
    let text = std::str::from_utf8(&map.data).unwrap();
    assert_eq!(map.name, "soderleden.xodr");
    assert_eq!(RoadNetwork::from_xodr("again", text).unwrap().lanes().len(), network.lanes().len());
    let scenario: serde_json::Value =
        serde_json::from_slice(&scenario(&network, &WorldConfig::default()).data).unwrap();
    assert_eq!((scenario["seed"].as_u64(), scenario["difficulties"].as_array().map(Vec::len)), (Some(1), Some(5)));
    let cameras = CameraSpec::around_720p(2);
    let seen = calibration("front", &cameras[0].1, 5);
    assert!((seen.k[0] - 640.0 / 35_f64.to_radians().tan()).abs() < 1e-9 && seen.frame_id == "camera_front");
    let mounted = mounting(&cameras, 5);
    let left = mounted.transforms[1].rotation.as_ref().unwrap();
    // A quarter turn to the left, and looking down a little.
    assert!((left.z - 0.707).abs() < 0.01 && (left.w - 0.707).abs() < 0.01 && left.y > 0.0);
}
