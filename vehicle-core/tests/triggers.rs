//! What a vehicle records besides takeovers: triggers from ticks, and the cameras' calibrations.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use protocol::trigger::{Fired, TriggerConfig};
use protocol::v1::{Author, LinkStats, Mode, ObjectKind, PolicyProposal, Surroundings, TrackedObject, VehicleState};
use protocol::{Embodiment, EpisodeSource, PolicyVersion, Trigger, VehicleId};
use std::sync::Arc;
use vehicle_core::camera::{CameraModel, mountings};
use vehicle_core::mileage::VehicleMetadata;
use vehicle_core::triggers::TriggerEvaluator;
use vehicle_core::{Sensors, Tick};

const MS: u64 = 1_000_000;

fn evaluator() -> TriggerEvaluator {
    let vehicle = VehicleMetadata {
        vehicle: VehicleId::new("car").unwrap(),
        prefix: "car-1".into(),
        map: "soderleden".into(),
        embodiment: "ackermann_car".into(),
        source: EpisodeSource::Live,
        seed: Some(3),
    };
    TriggerEvaluator::new(TriggerConfig::default(), vehicle, &Embodiment::ackermann_car(), Vec::new()).unwrap()
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
    let (mut evaluator, version) = (evaluator(), PolicyVersion::new("p").unwrap());
    let mut begun = Vec::new();
    for n in 0..50 {
        for episode in evaluator.evaluate(n * 20 * MS, sensors, tick, &LinkStats::default(), candidate, &version) {
            assert_eq!(episode.info.map, "soderleden");
            if let Fired::Begins { trigger, .. } = episode.fired {
                begun.push((trigger, episode.info.cause));
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
fn calibration_and_mounting_say_how_a_camera_sees() {
    let camera = |name: &str, yaw_deg: f64| CameraModel {
        name: name.into(),
        width: 1_280,
        height: 720,
        focal_px: 640.0 / 35_f64.to_radians().tan(),
        forward_m: 1.6,
        left_m: 0.2,
        height_m: 1.4,
        pitch_rad: -0.06,
        yaw_rad: yaw_deg.to_radians(),
    };
    let cameras = [camera("front", 0.0), camera("left", 90.0)];
    let seen = cameras[0].calibration(5);
    assert!((seen.k[0] - 640.0 / 35_f64.to_radians().tan()).abs() < 1e-9 && seen.frame_id == "camera_front");
    assert_eq!((seen.k[2], seen.k[5]), (640.0, 360.0));
    let mounted = mountings(&cameras, 5);
    let left = mounted.transforms[1].rotation.as_ref().unwrap();
    // A quarter turn to the left, and looking down a little.
    assert!((left.z - 0.707).abs() < 0.01 && (left.w - 0.707).abs() < 0.01 && left.y > 0.0);
}
