//! The pages' declared types beside what is sent.

use protocol::api::{
    CauseCount, ClockView, ControlTiming, DomainFigures, Episode, EpisodeView, Evaluation, EvaluationRole, Fleet,
    FleetRow, FleetTotal, GeofenceSummary, MilesPerDisengagement, Policy, TakeoverView, UploadProgress, VehicleClock,
    VehicleView, Verdict, Withdrawal,
};
use protocol::{ClockDifference, EpisodeId, PolicyVersion, SeatId, VehicleId};
use serde::Serialize;
use std::collections::BTreeSet;

/// The fields that `types/api.d.ts` gives the interface `name`.
fn declared(name: &str) -> BTreeSet<String> {
    let types = include_str!("../types/api.d.ts");
    let (_, rest) = types.split_once(&format!("interface {name} {{")).unwrap_or_else(|| panic!("no {name}"));
    let (fields, _) = rest.split_once("\n  }").unwrap();
    fields.lines().filter_map(|line| line.trim().split_once(':')).map(|(f, _)| f.trim_end_matches('?').into()).collect()
}

fn sent(value: &impl Serialize) -> BTreeSet<String> {
    serde_json::to_value(value).unwrap().as_object().unwrap().keys().cloned().collect()
}

fn evaluation() -> Evaluation {
    Evaluation::empty(PolicyVersion::new("v1").unwrap(), EvaluationRole::Policy, "e6mini".into())
}

#[test]
fn the_pages_types_of_the_fleet_have_the_fields_that_are_sent() {
    let timing = ControlTiming {
        lateness_p50_us: 1.0,
        lateness_p99_us: 1.0,
        lateness_max_us: 1.0,
        work_max_us: 1.0,
        missed_deadlines: 0,
    };
    let upload = UploadProgress::default();
    let difference = ClockDifference { ahead_ms: 5_000.0, uncertainty_ms: 1.0 };
    let clock = ClockView::of(VehicleClock { control_plane: Some(difference), seat: None });
    let geofence = GeofenceSummary { serial: 1, corners: 4, reason: "x".into(), since_ms: 0, obeyed: false };
    let vehicle = VehicleView {
        timing: Some(timing),
        upload: Some(upload),
        clock: Some(clock.clone()),
        geofence: Some(geofence.clone()),
        ..VehicleView::unknown(VehicleId::new("car-1").unwrap())
    };
    assert_eq!(declared("VehicleView"), sent(&vehicle));
    assert_eq!(declared("ControlTiming"), sent(&timing));
    assert_eq!(declared("GeofenceSummary"), sent(&geofence));
    assert_eq!(declared("UploadProgress"), sent(&upload));
    assert_eq!(declared("ClockView"), sent(&clock));
    assert_eq!(declared("ClockDifference"), sent(&difference));
    let driven = MilesPerDisengagement::new(1_000.0, 1);
    let total = FleetTotal { kind: "live".into(), vehicles: 0, manual_miles: 0.0, driven };
    assert_eq!(declared("FleetTotal"), sent(&total));
    let cause = CauseCount { kind: "live".into(), cause: "stuck".into(), disengagements: 1 };
    assert_eq!(declared("CauseCount"), sent(&cause));
    let policy = PolicyVersion::new("v1").unwrap();
    let row = FleetRow { kind: "live".into(), policy, manual_miles: 0.0, driven };
    let fleet = Fleet { totals: vec![total], by_policy: vec![row.clone()], by_cause: vec![cause] };
    assert_eq!(declared("Fleet"), sent(&fleet));
    assert_eq!(declared("FleetRow"), sent(&row));
}

#[test]
fn the_pages_types_of_episodes_and_policies_have_the_fields_that_are_sent() {
    let (id, vehicle) = (EpisodeId::new("e-1").unwrap(), VehicleId::new("car-1").unwrap());
    let policy = PolicyVersion::new("v1").unwrap();
    let takeover = TakeoverView {
        id: id.clone(),
        vehicle: vehicle.clone(),
        kind: "live".into(),
        policy: policy.clone(),
        cause: "stuck".into(),
        at_ms: 0,
        map: String::new(),
        counted: true,
        duration_s: None,
        bytes: None,
        preview: false,
    };
    assert_eq!(declared("TakeoverView"), sent(&takeover));
    assert_eq!(declared("Evaluation"), sent(&evaluation()));
    assert_eq!(declared("ScoreParts"), sent(&evaluation().parts));
    let domain = DomainFigures {
        domain: String::new(),
        miles: 0.0,
        takeovers: 0,
        mpd: 0.0,
        mpd_low: 0.0,
        mpd_high: None,
        crashes: 0,
        near_misses: 0,
        mean_speed_mps: 0.0,
    };
    assert_eq!(declared("DomainFigures"), sent(&domain));
    let verdict = Verdict { verdict: "useful".into(), by: "Anna".into(), note: "glare".into(), at_ms: 1 };
    assert_eq!(declared("Verdict"), sent(&verdict));
    let text = || Some("x".to_owned());
    let episode = Episode {
        id,
        vehicle,
        policy: policy.clone(),
        cause: "stuck".into(),
        file: "e-1.mcap".into(),
        bytes: 1,
        sha256: String::new(),
        start_ms: 0,
        duration_s: 1.0,
        map: String::new(),
        trigger: text(),
        reason: text(),
        software: text(),
        weather: text(),
        seats: vec![SeatId::new("desk").unwrap()],
        x_m: Some(0.0),
        y_m: Some(0.0),
        latitude_deg: Some(0.0),
        longitude_deg: Some(0.0),
        // The catalogue's times are the control plane's.
        clock_ahead_ms: None,
    };
    assert_eq!(declared("EpisodeView"), sent(&EpisodeView { episode, verdict: Some(verdict), preview: true }));
    let version = Policy {
        version: policy,
        parent: None,
        sha256: String::new(),
        episodes: 0,
        frames: 0,
        status: "published".into(),
        withdrawn: Some(Withdrawal { reason: String::new(), since_ms: 0 }),
    };
    assert_eq!(declared("Policy"), sent(&version));
    assert_eq!(declared("Withdrawal"), sent(&version.withdrawn));
}
