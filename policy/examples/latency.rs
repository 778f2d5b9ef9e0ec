//! How long one proposal takes: `cargo run --release -p policy --example latency`.

use policy::{LayerKind, Manifest, Network, Observation, Policy, features};
use protocol::v1::{CorridorPoint, ObjectKind, Surroundings, TrackedObject, VehicleState};
use protocol::{Embodiment, PolicyVersion};
use std::hint::black_box;
use std::time::Instant;

fn scene(objects: usize) -> (VehicleState, Surroundings) {
    let station = |i: usize| CorridorPoint {
        s_m: 3.0 * i as f32,
        x_m: 3.0 * i as f32,
        y_m: 0.002 * (i * i) as f32,
        speed_limit_mps: 13.9,
        lane_left_m: 1.75,
        lane_right_m: 1.75,
        ..Default::default()
    };
    let object = |i: usize| TrackedObject {
        id: i as u32,
        kind: ObjectKind::Car.into(),
        x_m: 9.0 * i as f32 - 30.0,
        y_m: if i.is_multiple_of(2) { 3.5 } else { 0.0 },
        velocity_x_mps: 8.0,
        length_m: 4.5,
        width_m: 1.8,
        ..Default::default()
    };
    let state = VehicleState { observation: vec![10.0, 0.1, 0.01, 0.02], ..Default::default() };
    let surroundings = Surroundings {
        corridor: (0..41).map(station).collect(),
        objects: (0..objects).map(object).collect(),
        visibility_m: 120.0,
        friction: 0.9,
        route_left_m: 800.0,
        ..Default::default()
    };
    (state, surroundings)
}

fn report(name: &str, mut work: impl FnMut()) {
    let mut times: Vec<f64> = (0..20_000)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<28} p50 {:7.2} us   p99 {:7.2} us", times[times.len() / 2], times[times.len() * 99 / 100]);
}

fn main() -> Result<(), policy::PolicyError> {
    let car = Embodiment::ackermann_car();
    for objects in [0, 20, 60] {
        let (state, surroundings) = scene(objects);
        let seen = Observation { state: &state, surroundings: &surroundings };
        report(&format!("features, {objects} objects"), || {
            let _ = black_box(features(&car, black_box(&seen)));
        });
    }
    let (state, surroundings) = scene(20);
    let seen = Observation { state: &state, surroundings: &surroundings };
    for kind in [LayerKind::F32, LayerKind::Q8_0] {
        let network = Network::random(3, 1)?.with_kinds([kind; 2])?;
        let vector = features(&car, &seen)?;
        let mut out = [0.0; 3];
        let mut evaluate = network.evaluator();
        report(&format!("network, {kind:?}"), || evaluate(black_box(&vector), black_box(&mut out)));
        drop(evaluate);
        let Ok(version) = PolicyVersion::new("v0") else { continue };
        let mut policy = Policy::new(&car, Manifest::new(version, None, 1), network)?;
        report(&format!("proposal, {kind:?}"), || {
            let _ = black_box(policy.propose(black_box(&seen)));
        });
    }
    Ok(())
}
