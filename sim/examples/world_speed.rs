//! How fast a world runs: `cargo run --release -p sim --example world_speed`.

use sim::road::RoadNetwork;
use sim::world::{World, WorldConfig};
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for name in RoadNetwork::built_in_names() {
        let network = Arc::new(RoadNetwork::built_in(name)?);
        let started = Instant::now();
        let config = WorldConfig { traffic_per_km: 20.0, cruise_cap_mps: 15.0, ..WorldConfig::default() };
        let mut world = World::new(network, config)?;
        let built = started.elapsed();
        let (mut ticks, mut actors, mut kept) = (0_u32, 0, 0.0);
        let started = Instant::now();
        let (mut surroundings, mut scans) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
        while ticks < 10_000 {
            let here = world.station(world.progress_m() + 8.0);
            let ego = world.ego();
            let (dx, dy) = (here.x_m - ego.x_m, here.y_m - ego.y_m);
            let bearing = dy.atan2(dx) - ego.heading_rad;
            let speed = ego.speed_mps;
            world.step(0.02, here.speed_limit_mps - speed, 0.65 * bearing.sin());
            if ticks % 5 == 0 {
                let t = Instant::now();
                kept += f64::from(world.surroundings().route_left_m);
                surroundings += t.elapsed();
                let t = Instant::now();
                kept += world.scan().ranges[0];
                scans += t.elapsed();
            }
            let status = world.status();
            if status.route_done || status.off_road {
                world.replace_ego(0.0);
            } else if status.collided_with.is_some() {
                world.replace_ego(world.progress_m() + 5.0);
            }
            actors += world.actors().len();
            ticks += 1;
        }
        let per_tick = started.elapsed().as_secs_f64() * 1e6 / f64::from(ticks);
        let tenth = f64::from(ticks) / 5.0;
        println!(
            "{name}: {per_tick:.1} us a tick ({:.0} x real time), {:.1} actors, World::new {:.1} ms, surroundings {:.1} us, scan {:.1} us [{kept:.0}]",
            20_000.0 / per_tick,
            actors as f64 / f64::from(ticks),
            built.as_secs_f64() * 1e3,
            surroundings.as_secs_f64() * 1e6 / tenth,
            scans.as_secs_f64() * 1e6 / tenth,
        );
    }
    Ok(())
}
