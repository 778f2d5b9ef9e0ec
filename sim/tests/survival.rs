//! A careful driver survives the scenario events on every built-in road.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

mod careful;

use careful::Driver;
use sim::road::RoadNetwork;
use sim::scenario_event::ScenarioEvent;
use sim::world::{World, WorldConfig};
use std::sync::Arc;

const TICK_S: f64 = 0.02;

#[derive(Debug, Default)]
struct Tally {
    trips: u32,
    done: u32,
    crashes: u32,
    off_road: u32,
    stuck: u32,
    metres: f64,
    scenario_events: usize,
}

fn drive(network: &Arc<RoadNetwork>, config: WorldConfig, tally: &mut Tally) {
    let label = format!("{} seed {} {:?}", network.name(), config.seed, config.scenario_events);
    let mut world = World::new(network.clone(), config).unwrap();
    let mut driver = Driver::default();
    let (mut wanted, mut steering) = (0.0, 0.0);
    tally.trips += 1;
    tally.scenario_events += world.scenario_events().len();
    for tick in 0..20_000 {
        if tick % 5 == 0 {
            (wanted, steering) = driver.drive(&world.surroundings(), world.ego());
        }
        let acceleration = driver.drive_with_reaction(wanted);
        world.step(TICK_S, acceleration, steering);
        let status = world.status();
        let ended = status.collided_with.is_some() || status.off_road || status.route_done;
        if let Some(kind) = status.collided_with {
            tally.crashes += 1;
            println!(
                "{label}: hit {kind:?} at {:.1} of {:.0} m, t {:.1} s",
                world.progress_m(),
                world.route().length_m(),
                world.time_s()
            );
            println!("   {:?} {:?}", world.ego(), world.scenario_events());
        } else if status.off_road {
            tally.off_road += 1;
            println!("{label}: off road at {:.1} m", world.progress_m());
        }
        tally.done += u32::from(status.route_done);
        if ended {
            tally.metres += world.progress_m();
            return;
        }
    }
    tally.stuck += 1;
    tally.metres += world.progress_m();
    println!(
        "{label}: stuck at {:.1} of {:.0} m {:?}",
        world.progress_m(),
        world.route().length_m(),
        world.scenario_events()
    );
}

fn tally(kinds: &[ScenarioEvent], traffic_per_km: f64, seeds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for name in RoadNetwork::built_in_names() {
        let network = Arc::new(RoadNetwork::built_in(name).unwrap());
        for seed in seeds.clone() {
            let config = WorldConfig {
                seed,
                traffic_per_km,
                scenario_events: kinds.to_vec(),
                scenario_event_spacing_m: 220.0,
                cruise_cap_mps: 18.0,
                target_length_m: 1_500.0,
            };
            drive(&network, config, &mut tally);
        }
    }
    println!("{kinds:?} traffic {traffic_per_km}: {tally:?}");
    tally
}

#[test]
fn empty_roads_are_driven_to_the_end() {
    let tally = tally(&[], 0.0, 1..4);
    assert_eq!(tally.done, tally.trips);
}

#[test]
fn traffic_alone_never_rams_a_careful_driver() {
    let tally = tally(&[], 12.0, 1..13);
    assert_eq!((tally.crashes, tally.off_road), (0, 0));
}

#[test]
fn each_scenario_event_alone_is_survived_on_a_road_without_traffic() {
    for kind in ScenarioEvent::ALL {
        let tally = tally(&[kind], 0.0, 1..9);
        assert_eq!((tally.crashes, tally.off_road, tally.stuck), (0, 0, 0), "{kind:?}");
    }
}

#[test]
fn most_trips_with_all_scenario_events_and_traffic_are_survived() {
    let tally = tally(&ScenarioEvent::ALL, 10.0, 1..101);
    assert!(tally.scenario_events > 500);
    // This simple driver is clumsy where it creeps around a standing thing: of 900 trips (seeds 1 to 300) it crashed in 52
    // and got stuck in 35. Two standard deviations of 300 trips more than that mean that the world has become harder.
    assert!(tally.crashes + tally.off_road <= tally.trips / 12 && tally.stuck <= tally.trips / 16, "{tally:?}");
}
