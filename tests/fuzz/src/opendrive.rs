//! A road network in OpenDRIVE, and a world on it.

use sim::road::RoadNetwork;
use sim::world::{World, WorldConfig};
use std::sync::Arc;

pub fn run(bytes: &[u8]) {
    let Ok(network) = RoadNetwork::from_bytes("fuzz", bytes) else { return };
    let bounds = network.bounds();
    let config = WorldConfig { scenario_events: Vec::new(), traffic_per_km: 0.0, ..WorldConfig::default() };
    let Ok(mut world) = World::new(Arc::new(network), config) else { return };
    for _ in 0..5 {
        world.step(0.02, 1.0, 0.1);
    }
    let ego = world.ego();
    assert!(ego.x_m.is_finite() && ego.y_m.is_finite(), "{ego:?} within {bounds:?}");
    let _ = world.surroundings();
    let _ = world.scan();
}
