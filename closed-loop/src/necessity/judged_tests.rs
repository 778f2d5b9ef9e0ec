//! Takeovers judged by driving on without the human.

use crate::LoopDriver;
use crate::necessity::{Harm, Necessity, NecessityConfig, NecessityVerdict, drive_on, judge};
use crate::virtual_drive::{LinkModel, Recording, TripLoop, TripPlan, drive};
use policy::{FEATURES, Layer, Manifest, Network, Observation, Policy};
use protocol::v1::Author;
use protocol::{Embodiment, PolicyVersion, VehicleId};
use sim::road::RoadNetwork;
use sim::scenario_event::ScenarioEvent;
use sim::world::WorldConfig;
use std::sync::Arc;
use vehicle_core::action::Action;
use vehicle_core::mileage::TakeoverEntry;
use vehicle_core::{CoreConfig, InferenceResult};

fn plan(scenario_events: &[ScenarioEvent]) -> TripPlan {
    TripPlan {
        id: "judged".into(),
        vehicle: VehicleId::new("virtual-1").unwrap(),
        network: Arc::new(RoadNetwork::built_in("soderleden").unwrap()),
        world: WorldConfig {
            seed: 4,
            traffic_per_km: 0.0,
            scenario_events: scenario_events.to_vec(),
            scenario_event_spacing_m: 200.0,
            ..WorldConfig::default()
        },
        link: LinkModel::default(),
        core: CoreConfig { self_check_us: 500_000, ..CoreConfig::default() },
        max_time_s: 60.0,
        recording: Recording::Off,
        assists: false,
        turn: None,
        starts_at_s: 0,
        driver: crate::driver::Driver::Policy,
        necessity: None,
    }
}

/// A policy that is linear in a few features: `(output, feature, weight)`, and sure of itself.
fn linear(weights: &[(usize, usize, f32)], bias: [f32; 2]) -> Policy {
    let nothing = |inputs: usize, outputs: usize, bias: Vec<f32>| {
        Layer::new(inputs, outputs, vec![0.0; inputs * outputs], bias).unwrap()
    };
    let mut skip = vec![0.0; 3 * FEATURES];
    for (output, feature, weight) in weights {
        skip[output * FEATURES + feature] = *weight;
    }
    let skip = Layer::new(FEATURES, 3, skip, vec![0.0; 3]).unwrap();
    let hidden = [nothing(FEATURES, 32, vec![0.0; 32]), nothing(32, 32, vec![0.0; 32])];
    let network = Network::new(hidden, nothing(32, 3, vec![bias[0], bias[1], 8.0]), skip).unwrap();
    let manifest = Manifest::new(PolicyVersion::new("linear").unwrap(), None, 0);
    Policy::new(&Embodiment::ackermann_car(), manifest, network).unwrap()
}

/// Keeps its lane, its distance and to the limit, and passes nobody: the intelligent driver model on its own path, less
/// braking for people, and pure pursuit 1.5 s ahead.
fn lane_keeper() -> Policy {
    linear(&[(0, 98, 1.0), (0, 116, -1.0), (1, 8, 2.0)], [0.0; 2])
}

/// Always does the same.
#[derive(Clone)]
struct Constant([f64; 2]);

impl LoopDriver for Constant {
    fn infer(&mut self, observation: &Observation) -> Option<InferenceResult> {
        Some(InferenceResult {
            seen_us: observation.surroundings.monotonic_us,
            observation_sequence: observation.state.sequence,
            proposal: Action::new(&self.0).map(|action| (action, 1.0)),
        })
    }
}

/// Drives on to the next hand-over from the policy, if there is one.
fn to_handover<D: LoopDriver>(running: &mut TripLoop<D>) -> bool {
    while running.now_us() < 300_000_000 && !running.robot().status().route_done {
        let from_policy = |entry: &TakeoverEntry| matches!(entry, TakeoverEntry::Begin { disengagement: Some(_), .. });
        if running.step().iter().any(from_policy) {
            return true;
        }
    }
    false
}

fn first_verdict<D: LoopDriver + Clone>(plan: &TripPlan, policy: Policy, driver: D) -> NecessityVerdict {
    let mut running = plan.closed_loop(policy, driver).unwrap();
    assert!(to_handover(&mut running), "nobody took over");
    judge(&running, &NecessityConfig::default()).unwrap()
}

#[test]
fn who_leaves_the_road_was_taken_over_of_necessity_and_who_is_braked_stands() {
    let swerving = first_verdict(&plan(&[]), lane_keeper(), Constant([2.0, 0.3]));
    assert_eq!((swerving.necessity, swerving.samples, swerving.standstill_share), (Necessity::Necessary, 32, None));
    assert_eq!((swerving.harms.get(&Harm::RoadLeft), swerving.harm_share), (Some(&32), 1.0));
    // Keeps its lane and sees nothing in it.
    let blind = linear(&[(1, 8, 2.0)], [0.5, 0.0]);
    // The emergency brake stops it, so that it stands instead.
    let braked = first_verdict(&plan(&[ScenarioEvent::DoubleParked]), blind.clone(), blind);
    assert_eq!((braked.necessity, braked.standstill_share), (Necessity::Precautionary, Some(1.0)), "{braked:?}");
}

#[test]
fn who_stands_does_no_harm() {
    let mut running = plan(&[]).closed_loop(lane_keeper(), Constant([0.0, 0.0])).unwrap();
    assert!(to_handover(&mut running), "nobody took over");
    // Noise would let some of them roll.
    let standing = judge(&running, &NecessityConfig { action_noise: 0.0, ..NecessityConfig::default() }).unwrap();
    assert_eq!((standing.necessity, standing.harm_share), (Necessity::Precautionary, 0.0));
    assert_eq!((standing.standstill_share, standing.standstill_samples), (Some(1.0), 32));
    assert!(standing.standstill_low.unwrap() > 0.8 && standing.harm_high < 0.2, "{standing:?}");
}

/// The first harm within 90 s of a drive of `policy` alone on a built-in road.
fn alone(policy: &Policy, road: &str, seed: u64) -> Option<Harm> {
    let mut plan = plan(&[]);
    plan.network = Arc::new(RoadNetwork::built_in(road).unwrap());
    plan.world = WorldConfig { seed, traffic_per_km: 5.0, ..plan.world };
    let mut running = plan.closed_loop(policy.clone(), policy.clone()).unwrap();
    while running.tick().command.author() != Author::Policy {
        running.step();
    }
    let config = NecessityConfig { harm_horizon_s: 90.0, ..NecessityConfig::default() };
    drive_on(running, &config, true).harm.map(|harm| harm.harm)
}

#[test]
fn who_keeps_the_lane_does_no_harm_and_who_drives_left_of_it_goes_the_wrong_way() {
    // Left of the lane by some metres, more at speed: into the other direction's.
    let left = linear(&[(0, 98, 1.0), (1, 8, 2.0)], [0.0, 0.7]);
    for seed in 0..4 {
        for road in ["e6mini", "soderleden"] {
            assert_eq!(alone(&lane_keeper(), road, seed), None, "{road}, {seed}");
        }
        // A junction's bend is too tight for who looks 1.5 s ahead.
        assert!(matches!(alone(&lane_keeper(), "fabriksgatan", seed), None | Some(Harm::RoadLeft)), "{seed}");
        assert_eq!(alone(&left, "fabriksgatan", seed), Some(Harm::WrongWay), "{seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_verdict_and_the_drive_goes_on_as_if_unjudged() {
    let (policy, mut plan) = (lane_keeper(), plan(&ScenarioEvent::ALL));
    plan.world.traffic_per_km = 15.0;
    plan.max_time_s = 120.0;
    let unjudged = drive(&plan, policy.clone()).unwrap();
    plan.necessity = Some(NecessityConfig { samples: 8, most_samples: 16, ..NecessityConfig::default() });
    let mut judged = drive(&plan, policy.clone()).unwrap();
    assert_eq!(judged, drive(&plan, policy).unwrap());
    let verdicts = std::mem::take(&mut judged.judged);
    assert_eq!(judged, unjudged);
    let ids: Vec<_> = verdicts.iter().map(|takeover| &takeover.id).collect();
    let handed_over: Vec<_> = judged.trip.disengagements.iter().map(|d| &d.id).collect();
    assert!(!ids.is_empty() && handed_over.starts_with(&ids), "{ids:?} {handed_over:?}");
    for takeover in &verdicts {
        let NecessityVerdict { samples, necessity, .. } = takeover.verdict;
        assert_eq!(samples, if necessity == Necessity::Unclear { 16 } else { samples }, "{takeover:?}");
        println!("{} at {:.1} s: {:?}", takeover.id, takeover.at_s, takeover.verdict);
    }
    plan.necessity = Some(NecessityConfig { samples: 0, ..NecessityConfig::default() });
    let refused = drive(&plan, lane_keeper()).unwrap_err().to_string();
    assert!(refused.contains("samples of the necessity's configuration is 0"), "{refused}");
}
