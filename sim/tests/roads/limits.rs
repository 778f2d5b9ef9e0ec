//! Speed limits along a road are kept by traffic and by the scripted operator, from their first metre on.

use crate::texts::{file, lane, road, section};
use protocol::Embodiment;
use protocol::v1::{Pose2, VehicleState};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sim::operator::{Planner, View, drive};
use sim::road::RoadNetwork;
use sim::route::Route;
use sim::world::{World, WorldConfig};
use std::sync::Arc;

/// Where the zone of 30 km/h lies, m.
const ZONE_M: std::ops::Range<f64> = 800.5..1_100.25;
const KMH: f64 = 1.0 / 3.6;

/// A straight road of 1.5 km with two lanes each way: 70 km/h, then a 30 zone, then 70 km/h.
fn zone() -> RoadNetwork {
    let sides = |sign: i32| lane(sign, "driving", 3.5, "") + &lane(2 * sign, "driving", 3.5, "");
    let types = format!(
        "<type s=\"0\" type=\"rural\"><speed max=\"70\" unit=\"km/h\"/></type>\
         <type s=\"{}\" type=\"town\"><speed max=\"30\" unit=\"km/h\"/></type>\
         <type s=\"{}\" type=\"rural\"><speed max=\"70\" unit=\"km/h\"/></type><planView>",
        ZONE_M.start, ZONE_M.end
    );
    let text =
        file(&road("1", "", 0.0, 1_500.0, "", &section(0.0, &sides(1), &sides(-1)))).replace("<planView>", &types);
    RoadNetwork::from_xodr("zone", &text).unwrap()
}

fn limit_mps(x_m: f64) -> f64 {
    if ZONE_M.contains(&x_m) { 30.0 * KMH } else { 70.0 * KMH }
}

/// A world whose route runs in the direction that is asked for.
fn world(east: bool, traffic_per_km: f64) -> World {
    let network = Arc::new(zone());
    let config = |seed| WorldConfig {
        seed,
        traffic_per_km,
        scenario_events: vec![],
        cruise_cap_mps: 40.0,
        target_length_m: 1_450.0,
        ..WorldConfig::default()
    };
    let mut worlds = (0..32).map(|seed| World::new(Arc::clone(&network), config(seed)).unwrap());
    worlds.find(|world| (world.route().at(0.0).heading_rad.cos() > 0.0) == east).unwrap()
}

#[test]
fn a_route_has_the_limit_of_each_place_in_both_directions() {
    let network = zone();
    let routes: Vec<Route> =
        (0..16).map(|seed| network.random_route(&mut ChaCha8Rng::seed_from_u64(seed), 1_400.0).unwrap()).collect();
    for route in &routes {
        for i in 0..(4.0 * route.length_m()) as usize {
            let here = route.at(i as f64 / 4.0);
            let off = (here.x_m - ZONE_M.start).abs().min((here.x_m - ZONE_M.end).abs());
            assert!(off < 0.02 || (here.speed_limit_mps - limit_mps(here.x_m)).abs() < 1e-9, "{here:?}");
        }
    }
    let east = |route: &&Route| route.at(0.0).heading_rad.cos() > 0.0;
    assert!((1..16).contains(&routes.iter().filter(east).count()));
}

/// Lets the scripted operator's planner drive to the end, acting on what was seen `late` ticks of 20 ms before, and
/// returns the worst excess over the limit with its place.
fn worst_excess(mut world: World, late: usize) -> (f64, f64) {
    let embodiment = Embodiment::ackermann_car();
    let mut planner = Planner::default();
    let mut queue = std::collections::VecDeque::from(vec![vec![0.0; embodiment.action.len()]; late]);
    let (mut worst, mut fastest) = ((0.0, 0.0), 0.0_f64);
    let channels = embodiment.channels();
    let (acceleration, steering) = (channels.accelerate.unwrap(), channels.steer.unwrap());
    for _ in 0..20_000 {
        let ego = *world.ego();
        let state = state(&embodiment, &world);
        if let Some(view) = View::new(&embodiment, &world.surroundings(), &state, &state, 0) {
            let plan = planner.plan(&view);
            queue.push_back(drive(&view, &plan, &embodiment));
        }
        let Some(action) = queue.pop_front() else { break };
        world.step(0.02, action[acceleration], action[steering]);
        let excess = ego.speed_mps - limit_mps(ego.x_m);
        if excess > worst.0 {
            worst = (excess, ego.x_m);
        }
        fastest = fastest.max(ego.speed_mps);
        if world.progress_m() > world.route().length_m() - 30.0 {
            break;
        }
    }
    assert!(world.progress_m() > world.route().length_m() - 40.0, "it got to {} m", world.progress_m());
    assert!(fastest > 60.0 * KMH, "it never used the 70 km/h: {fastest} m/s");
    worst
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
        monotonic_us: 1,
        world_from_vehicle: Some(Pose2 { x_m: ego.x_m, y_m: ego.y_m, heading_rad: ego.heading_rad }),
        observation: embodiment.observation.iter().map(|channel| value(&channel.name)).collect(),
        ..VehicleState::default()
    }
}

#[test]
fn the_scripted_operator_keeps_the_limit_at_every_metre_also_when_its_commands_are_late() {
    for (east, late) in [(true, 0), (false, 0), (true, 10), (false, 15)] {
        let (excess, x_m) = worst_excess(world(east, 0.0), late);
        assert!(excess < 2.0 * KMH, "east {east}, {late} ticks late: {:.2} km/h too fast at x = {x_m}", excess / KMH);
    }
}

#[test]
fn traffic_keeps_the_limit_at_every_metre_but_for_its_eager_tenth() {
    for east in [true, false] {
        let mut world = world(east, 30.0);
        let (mut seen, mut in_zone, mut fast) = (0, 0, 0.0_f64);
        for tick in 0..12_000 {
            // The car drives on so that the window with the traffic passes the zone.
            let ego = *world.ego();
            world.step(0.02, 9.0 - ego.speed_mps, 0.0);
            if tick % 5 != 0 {
                continue;
            }
            for actor in world.actors() {
                let limit = limit_mps(actor.x_m);
                assert!(
                    actor.speed_mps < 1.1 * limit + 1.0 * KMH,
                    "{} km/h at x = {}, east {east}",
                    actor.speed_mps / KMH,
                    actor.x_m
                );
                seen += 1;
                in_zone += u32::from(ZONE_M.contains(&actor.x_m));
                fast = fast.max(actor.speed_mps);
            }
            if world.status().route_done {
                break;
            }
        }
        assert!(seen > 5_000 && in_zone > 500 && fast > 60.0 * KMH, "{seen} {in_zone} {fast}");
    }
}

#[test]
fn traffic_in_the_lane_beside_keeps_its_own_limit() {
    let slow =
        lane(-1, "driving", 3.5, "") + &lane(-2, "driving", 3.5, "<speed sOffset=\"0\" max=\"30\" unit=\"km/h\"/>");
    let fast = "<type s=\"0\" type=\"rural\"><speed max=\"70\" unit=\"km/h\"/></type><planView>";
    let text = file(&road("1", "", 0.0, 1_500.0, "", &section(0.0, "", &slow))).replace("<planView>", fast);
    let network = Arc::new(RoadNetwork::from_xodr("lanes", &text).unwrap());
    for seed in 0..4 {
        let config = WorldConfig {
            seed,
            traffic_per_km: 30.0,
            scenario_events: vec![],
            cruise_cap_mps: 40.0,
            target_length_m: 1_400.0,
            ..WorldConfig::default()
        };
        let mut world = World::new(Arc::clone(&network), config).unwrap();
        let mut seen = [0, 0];
        for _ in 0..3_000 {
            let speed_mps = world.ego().speed_mps;
            world.step(0.02, 8.0 - speed_mps, 0.0);
            for actor in world.actors() {
                let slow_lane = actor.y_m < -3.5;
                let limit = if slow_lane { 30.0 } else { 70.0 } * KMH;
                assert!(actor.speed_mps < 1.1 * limit + 0.1, "{actor:?}");
                seen[usize::from(slow_lane)] += 1;
            }
        }
        assert!(seen.iter().all(|seen| *seen > 100), "{seen:?}");
    }
}
