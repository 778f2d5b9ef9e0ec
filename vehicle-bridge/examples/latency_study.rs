//! `cargo run --release -p vehicle-bridge --example latency_study -- SEEDS MODE[,MODE] MS[,MS]`: the closed-loop latency
//! study without the launcher, a line a cell.

use sim::road::RoadNetwork;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use vehicle_bridge::latency_study::{Mode, Study, summarise};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = |index: usize, default: &str| std::env::args().nth(index).unwrap_or_else(|| default.to_owned());
    let names = RoadNetwork::built_in_names();
    let roads: Result<Vec<_>, _> = names.iter().map(|name| RoadNetwork::built_in(name).map(Arc::new)).collect();
    let wanted = argument(2, "baseline,governor,predictive,trajectory");
    let study = Study {
        roads: roads?,
        modes: Mode::ALL.into_iter().filter(|mode| wanted.split(',').any(|w| w == mode.label())).collect(),
        one_way_ms: argument(3, "0,225,300").split(',').map(str::parse).collect::<Result<_, _>>()?,
        seeds: argument(1, "4").parse()?,
        seed: 1,
        route_m: 1_500.0,
    };
    if let Some(only) = std::env::args().nth(4) {
        // One seed, traced.
        for trip in study.trips().iter().filter(|t| format!("{}/{}", t.road.name(), t.seed) == only) {
            vehicle_bridge::latency_study::trace(trip)?;
        }
        return Ok(());
    }
    let trials = study.drive(&AtomicBool::new(false), |_| ())?;
    for trial in &trials {
        if trial.ending != vehicle_bridge::latency_study::Ending::Completed {
            println!(
                "{} {} {} {} {:?} {:.0} m {:.0} s {:?}",
                trial.mode.label(), trial.one_way_ms, trial.road, trial.seed, trial.ending, trial.distance_m, trial.time_s, trial.met
            );
        }
    }
    for row in summarise(&trials) {
        println!(
            "{:10} {:5.0} ms  {:5.1} % of {:3}  {} collisions {} off road {} time  rms {:.2} max {:.2} {:.2}  {:.1} m/s  mrm {} aeb {:.3}",
            row.mode.label(), row.one_way_ms, 100.0 * row.completed.value, row.trips, row.collisions, row.off_road,
            row.time_up, row.lane_rms_m, row.lane_max_median_m, row.lane_max_m, row.speed_mps, row.manoeuvres, row.braked
        );
    }
    Ok(())
}
