//! Tries OpenDRIVE files: reads each, says what is odd in it, and lets the scripted operator's planner drive some routes.
//!
//! `cargo run --release -p sim --example try_roads -- FILE...`

use protocol::Embodiment;
use protocol::v1::{Pose2, VehicleState};
use sim::operator::{Planner, View, drive};
use sim::road::{RoadError, RoadNetwork};
use sim::world::{World, WorldConfig};
use std::path::Path;
use std::sync::Arc;

const ROUTES: u64 = 3;
const TICK_S: f64 = 0.02;
const LONGEST_S: f64 = 60.0;

fn main() {
    let mut loaded = 0;
    let files: Vec<String> = std::env::args().skip(1).collect();
    for file in &files {
        match RoadNetwork::from_file(Path::new(file)) {
            Ok(network) => {
                loaded += 1;
                println!("{file}: {} lanes", network.lanes().len());
                network.report().summary().iter().for_each(|line| println!("  {line}"));
                try_routes(&Arc::new(network));
            }
            Err(error) => println!("{file}: NOT READ: {error}"),
        }
    }
    println!("{loaded} of {} files read", files.len());
}

fn try_routes(network: &Arc<RoadNetwork>) {
    for seed in 0..ROUTES {
        match try_route(network, seed) {
            Ok(line) => println!("  route {seed}: {line}"),
            Err(error) => println!("  route {seed}: NONE: {error}"),
        }
    }
}

fn try_route(network: &Arc<RoadNetwork>, seed: u64) -> Result<String, RoadError> {
    let config = WorldConfig { seed, difficulties: vec![], ..WorldConfig::default() };
    let mut world = World::new(Arc::clone(network), config)?;
    let embodiment = Embodiment::ackermann_car();
    let mut planner = Planner::default();
    let mut worst_mps = f64::NEG_INFINITY;
    while world.time_s() < LONGEST_S && !world.status().route_done {
        let state = state(&embodiment, &world);
        let Some(view) = View::new(&embodiment, &world.surroundings(), &state, &state, 0) else { break };
        let plan = planner.plan(&view);
        let action = drive(&view, &plan, &embodiment);
        let channel = |name: &str| embodiment.action.iter().position(|channel| channel.name == name);
        let value = |name: &str| channel(name).map_or(0.0, |index| action[index]);
        world.step(TICK_S, value("acceleration_mps2"), value("steering_rad"));
        worst_mps = worst_mps.max(world.ego().speed_mps - world.station(world.progress_m()).speed_limit_mps);
        if world.status().collided_with.is_some() || world.status().off_road {
            break;
        }
    }
    let status = world.status();
    Ok(format!(
        "{:.0} of {:.0} m in {:.0} s, most {:.1} km/h above the limit, {} others{}{}",
        world.progress_m(),
        world.route().length_m(),
        world.time_s(),
        worst_mps * 3.6,
        world.actors().len(),
        if status.off_road { ", OFF THE ROAD" } else { "" },
        status.collided_with.map_or(String::new(), |kind| format!(", HIT {kind:?}"))
    ))
}

fn state(embodiment: &Embodiment, world: &World) -> VehicleState {
    let ego = world.ego();
    let value = |name: &str| match name {
        "speed_mps" => ego.speed_mps,
        "acceleration_mps2" => ego.acceleration_mps2,
        "steering_rad" => ego.steering_rad,
        "yaw_rate_radps" => ego.yaw_rate_radps,
        _ => 0.0,
    };
    VehicleState {
        world_from_vehicle: Some(Pose2 { x_m: ego.x_m, y_m: ego.y_m, heading_rad: ego.heading_rad }),
        observation: embodiment.observation.iter().map(|channel| value(channel.name)).collect(),
        ..VehicleState::default()
    }
}
