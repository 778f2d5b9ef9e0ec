//! What a world promises: it repeats itself, starts with room around the car and recovers from a crash.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use protocol::v1::ObjectKind;
use sim::difficulty::Difficulty;
use sim::road::RoadNetwork;
use sim::world::{World, WorldConfig};
use std::sync::Arc;

fn world(road: &str, config: WorldConfig) -> World {
    World::new(Arc::new(RoadNetwork::built_in(road).unwrap()), config).unwrap()
}

#[test]
fn the_same_seed_and_commands_give_the_same_world_bit_by_bit() {
    let run = || {
        let mut world = world("soderleden", WorldConfig { seed: 5, traffic_per_km: 20.0, ..WorldConfig::default() });
        let mut seen = Vec::new();
        for tick in 0..3_000 {
            let steering = 0.01 * f64::from(tick % 7 - 3);
            world.step(0.02, if tick % 400 < 300 { 1.0 } else { -2.0 }, steering);
            if tick % 50 == 0 {
                seen.push((world.surroundings(), world.scan(), world.snapshot(), *world.ego(), world.status()));
            }
        }
        seen
    };
    assert_eq!(run(), run());
}

#[test]
fn a_clone_goes_on_like_the_original_also_on_another_thread() {
    let mut original = world("e6mini", WorldConfig { seed: 9, ..WorldConfig::default() });
    for _ in 0..500 {
        original.step(0.02, 1.0, 0.0);
    }
    let mut copy = original.clone();
    let other = std::thread::spawn(move || {
        for _ in 0..500 {
            copy.step(0.02, 0.5, 0.0);
        }
        copy.snapshot()
    });
    for _ in 0..500 {
        original.step(0.02, 0.5, 0.0);
    }
    assert_eq!(original.snapshot(), other.join().unwrap());
}

#[test]
fn the_car_starts_at_the_routes_start_with_room_around_it() {
    for road in RoadNetwork::built_in_names() {
        for seed in 0..40 {
            let world = world(road, WorldConfig { seed, traffic_per_km: 40.0, ..WorldConfig::default() });
            assert_eq!(world.status(), Default::default(), "{road} {seed}");
            assert!(world.progress_m().abs() < 1e-6);
            for object in &world.surroundings().objects {
                let in_lane = object.y_m.abs() < 1.5 && object.heading_rad.abs() < 1.0;
                let gap = object.x_m - object.length_m / 2.0 - 3.6;
                assert!(!(in_lane && object.x_m > 0.0 && gap < 36.0), "{road} {seed}: {object:?}");
            }
        }
    }
}

#[test]
fn first_difficulties_leave_time_to_get_going() {
    for road in RoadNetwork::built_in_names() {
        for seed in 0..40 {
            let world = world(road, WorldConfig { seed, ..WorldConfig::default() });
            let least = if world.route().length_m() < 300.0 { 60.0 } else { 150.0 };
            assert!(world.difficulties().iter().all(|placed| placed.s_m >= least));
        }
    }
}

#[test]
fn corridor_starts_at_the_car_and_speed_limits_are_capped() {
    let world = world("fabriksgatan", WorldConfig { cruise_cap_mps: 7.0, ..WorldConfig::default() });
    let around = world.surroundings();
    assert_eq!(around.corridor.len(), 41);
    let first = around.corridor[0];
    assert!(first.x_m.abs() < 1e-3 && first.y_m.abs() < 1e-3 && first.heading_rad.abs() < 1e-3);
    assert!(around.corridor.iter().all(|point| point.speed_limit_mps <= 7.0));
    assert!((around.corridor[40].s_m - 120.0).abs() < 1e-3);
    assert_eq!(world.scan().ranges.len(), 240);
}

#[test]
fn driving_on_into_cones_is_a_collision_and_replacing_the_car_lets_it_start_again() {
    let config = WorldConfig {
        seed: 3,
        traffic_per_km: 0.0,
        difficulties: vec![Difficulty::ConesClosingLane],
        cruise_cap_mps: 10.0,
        ..WorldConfig::default()
    };
    let mut world = world("e6mini", config);
    for _ in 0..20_000 {
        let here = world.station(world.progress_m() + 8.0);
        let ego = *world.ego();
        let bearing = (here.y_m - ego.y_m).atan2(here.x_m - ego.x_m) - ego.heading_rad;
        world.step(0.02, 8.0 - ego.speed_mps, 0.65 * bearing.sin());
        if world.status().collided_with.is_some() {
            break;
        }
    }
    assert_eq!(world.status().collided_with, Some(ObjectKind::Cone));
    let place = world.progress_m();
    world.replace_ego(place);
    assert_eq!(world.status().collided_with, None);
    assert_eq!(world.ego().speed_mps, 0.0);
    assert!((world.progress_m() - place).abs() < 0.5);
    let near = world.actors().iter().filter(|a| (a.x_m - world.ego().x_m).hypot(a.y_m - world.ego().y_m) < 24.0);
    assert_eq!(
        near.filter(|actor| actor.kind == ObjectKind::Cone && actor.id > 0)
            .filter(|actor| {
                let (sin, cos) = world.ego().heading_rad.sin_cos();
                (actor.x_m - world.ego().x_m) * cos + (actor.y_m - world.ego().y_m) * sin > 0.0
            })
            .count(),
        0
    );
}

#[test]
fn leaving_the_road_is_noticed() {
    let mut world = world("soderleden", WorldConfig { traffic_per_km: 0.0, ..WorldConfig::default() });
    for _ in 0..1_000 {
        world.step(0.02, 2.0, -0.1);
    }
    assert!(world.status().off_road);
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused_with_its_name_and_value() {
    let network = Arc::new(RoadNetwork::built_in("e6mini").unwrap());
    let config = WorldConfig { traffic_per_km: f64::NAN, ..WorldConfig::default() };
    let message = World::new(network.clone(), config).err().unwrap().to_string();
    assert!(message.contains("traffic_per_km") && message.contains("NaN"), "{message}");
    let config = WorldConfig { cruise_cap_mps: -1.0, ..WorldConfig::default() };
    assert!(World::new(network, config).is_err());
}

/// A ring of 157 m with one lane, driven against the clock.
fn ring() -> Arc<RoadNetwork> {
    let half = |id: u8, other: u8, x: f64, heading: f64| {
        format!(
            "<road id=\"{id}\" junction=\"-1\" length=\"78.54\"><link><predecessor elementType=\"road\" \
             elementId=\"{other}\" contactPoint=\"end\"/><successor elementType=\"road\" elementId=\"{other}\" \
             contactPoint=\"start\"/></link><planView><geometry s=\"0\" x=\"{x}\" y=\"0\" hdg=\"{heading}\" \
             length=\"78.54\"><arc curvature=\"0.04\"/></geometry></planView><lanes><laneSection s=\"0\"><center>\
             <lane id=\"0\" type=\"none\"/></center><right><lane id=\"-1\" type=\"driving\"><link><predecessor id=\"-1\"/>\
             <successor id=\"-1\"/></link><width sOffset=\"0\" a=\"3.5\" b=\"0\" c=\"0\" d=\"0\"/></lane></right>\
             </laneSection></lanes></road>"
        )
    };
    let roads = half(1, 2, 25.0, 1.570_796_3) + &half(2, 1, -25.0, -1.570_796_3);
    let text = format!("<OpenDRIVE><header revMajor=\"1\" revMinor=\"6\"/>{roads}</OpenDRIVE>");
    Arc::new(RoadNetwork::from_xodr("ring", &text).unwrap())
}

#[test]
fn traffic_stops_for_a_car_that_stands_where_the_route_comes_round_again() {
    let network = ring();
    let mut cars = 0;
    for seed in 0..20 {
        let config = WorldConfig { seed, traffic_per_km: 40.0, difficulties: Vec::new(), ..WorldConfig::default() };
        let mut world = World::new(network.clone(), config).unwrap();
        assert!(world.route().length_m() > 400.0, "several rounds");
        // It stands, drives half a round, and is put down elsewhere.
        for tick in 0..1_500 {
            world.step(0.02, if (300..400).contains(&tick) { 0.5 } else { -2.0 }, 0.13);
            if tick == 900 {
                world.replace_ego(80.0);
            }
            assert_eq!(world.status().collided_with, None, "seed {seed}, {:.1} s", world.time_s());
            cars += world.actors().len();
        }
    }
    assert!(cars > 20 * 1_500, "the road is not empty: {cars}");
}
