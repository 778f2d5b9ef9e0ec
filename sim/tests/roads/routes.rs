//! Routes are smooth, even, repeatable and can be projected on.

use crate::texts::{file, lane, road, section, two_way};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sim::road::{LaneId, LaneKind, RoadNetwork};
use sim::route::Route;

const SEEDS: u64 = 24;

fn route(network: &RoadNetwork, seed: u64, min_m: f64) -> Route {
    network.random_route(&mut ChaCha8Rng::seed_from_u64(seed), min_m).unwrap()
}

fn each_route(min_m: f64, mut check: impl FnMut(&RoadNetwork, &Route)) {
    for name in RoadNetwork::built_in_names() {
        let network = RoadNetwork::built_in(name).unwrap();
        for seed in 0..SEEDS {
            check(&network, &route(&network, seed, min_m));
        }
    }
}

#[test]
fn stations_follow_each_other_without_jumps_or_kinks() {
    each_route(5000.0, |network, route| {
        for s in 0..route.length_m() as usize {
            let (a, b) = (route.at(s as f64), route.at(s as f64 + 1.0));
            let step = (b.x_m - a.x_m).hypot(b.y_m - a.y_m);
            let turn = (b.heading_rad - a.heading_rad).abs();
            assert!(step < 1.2 && step > 0.8, "{} at {s}: step {step}", network.name());
            assert!(turn < 0.35, "{} at {s}: turn {turn}", network.name());
            let along = (b.y_m - a.y_m).atan2(b.x_m - a.x_m);
            assert!((along - a.heading_rad).sin().abs() < 0.2, "{} at {s}: {along} {}", network.name(), a.heading_rad);
            assert!(a.curvature_per_m.abs() < 0.35);
        }
    });
}

#[test]
fn edges_are_ordered_and_the_line_stays_in_its_lane() {
    each_route(5000.0, |network, route| {
        for s in 0..=route.length_m() as usize {
            let here = route.at(s as f64);
            assert!(here.lane_left_m > 0.3 && here.lane_right_m > 0.3, "{} {here:?}", network.name());
            assert!(here.drivable_left_m >= here.lane_left_m - 1e-6 && here.road_left_m >= here.drivable_left_m - 1e-6);
            assert!(
                here.drivable_right_m >= here.lane_right_m - 1e-6 && here.road_right_m >= here.drivable_right_m - 1e-6
            );
            assert!(here.speed_limit_mps > 5.0);
            assert_eq!(network.lanes()[route.lane_at(s as f64).0].kind, LaneKind::Driving);
        }
    });
}

#[test]
fn a_place_on_the_route_projects_on_itself_even_with_a_hint_30_m_off() {
    each_route(5000.0, |network, route| {
        for i in 0..(route.length_m() * 3.0) as usize {
            let s = i as f64 / 3.0;
            let here = route.at(s);
            for off in [-30.0, 0.0, 30.0] {
                let (found, d) = route.project(here.x_m, here.y_m, s + off);
                assert!((found - s).abs() < 0.05 && d.abs() < 0.05, "{}: {s} -> {found}, {d}", network.name());
            }
        }
    });
}

#[test]
fn places_beside_the_route_have_their_distance_left_positive() {
    each_route(5000.0, |_, route| {
        for s in (2..route.length_m() as usize - 2).step_by(7) {
            let here = route.at(s as f64);
            for d in [-2.0, 1.5] {
                let (x, y) = (here.x_m - d * here.heading_rad.sin(), here.y_m + d * here.heading_rad.cos());
                let (found, distance) = route.project(x, y, s as f64 + 5.0);
                assert!((found - s as f64).abs() < 0.5 && (distance - d).abs() < 0.1, "{s} {d} -> {found} {distance}");
            }
        }
    });
}

#[test]
fn the_same_seed_gives_the_same_route_and_others_differ() {
    let network = RoadNetwork::built_in("fabriksgatan").unwrap();
    assert_eq!(route(&network, 7, 300.0), route(&network, 7, 300.0));
    assert!((0..SEEDS).any(|seed| route(&network, seed, 300.0) != route(&network, 7, 300.0)));
}

#[test]
fn routes_are_as_long_as_wanted_where_the_network_allows() {
    for (name, wanted) in [("e6mini", 1300.0), ("soderleden", 1400.0), ("fabriksgatan", 350.0)] {
        let network = RoadNetwork::built_in(name).unwrap();
        for seed in 0..SEEDS {
            let length = route(&network, seed, wanted).length_m();
            assert!((wanted..wanted + 20.0).contains(&length), "{name}: {length}");
        }
    }
}

#[test]
fn a_lane_that_tapers_away_is_left_for_its_neighbour_before_it_gets_narrow() {
    let taper = "<lane id=\"-2\" type=\"driving\"><width sOffset=\"0\" a=\"3.5\" b=\"0\" c=\"0\" d=\"0\"/>\
                 <width sOffset=\"100\" a=\"3.5\" b=\"-0.07\" c=\"0\" d=\"0\"/></lane>";
    let two = section(0.0, "", &(lane(-1, "driving", 3.5, "") + taper));
    let one = section(150.0, "", &lane(-1, "driving", 3.5, ""));
    let network = RoadNetwork::from_xodr("taper", &file(&road("1", "", 0.0, 400.0, "", &(two + &one)))).unwrap();
    let merging: Vec<Route> =
        (0..SEEDS).map(|seed| route(&network, seed, 300.0)).filter(|r| r.lane_at(0.0) == LaneId(1)).collect();
    assert!(!merging.is_empty());
    for route in merging {
        assert!((route.at(50.0).y_m + 5.25).abs() < 0.01);
        assert!((route.at(130.0).y_m + 1.75).abs() < 0.01);
        assert_eq!((route.lane_at(130.0), route.lane_at(200.0)), (LaneId(0), LaneId(2)));
        for s in 0..300 {
            let here = route.at(f64::from(s));
            assert!(here.curvature_per_m.abs() < 0.03, "{here:?}");
            assert!(here.drivable_left_m > 0.8 && here.drivable_right_m > 0.8, "{here:?}");
        }
    }
}

#[test]
fn oncoming_lanes_widen_the_road_but_not_what_may_be_driven() {
    for (rule, left_m, right_m) in [("RHT", 5.0, 1.5), ("LHT", 1.75, 4.75)] {
        let network = RoadNetwork::from_xodr("two", &two_way(&format!("rule=\"{rule}\""))).unwrap();
        let eastbound = (0..SEEDS).map(|seed| route(&network, seed, 80.0)).find(|r| r.at(0.0).heading_rad.cos() > 0.9);
        let here = eastbound.unwrap().at(40.0);
        assert!((here.road_left_m - left_m).abs() < 1e-6 && (here.road_right_m - right_m).abs() < 1e-6, "{here:?}");
        assert_eq!(here.drivable_left_m, here.lane_left_m);
    }
}

#[test]
fn a_ring_is_driven_round_and_round() {
    let ring = "<road id=\"1\" junction=\"-1\" length=\"188.49555921538757\"><link>\
        <predecessor elementType=\"road\" elementId=\"1\" contactPoint=\"end\"/>\
        <successor elementType=\"road\" elementId=\"1\" contactPoint=\"start\"/></link>\
        <planView><geometry s=\"0\" x=\"0\" y=\"0\" hdg=\"0\" length=\"188.49555921538757\">\
        <arc curvature=\"0.03333333333333333\"/></geometry></planView><lanes>";
    let text = file(&format!("{ring}{}</lanes></road>", section(0.0, "", &lane(-1, "driving", 4.0, ""))));
    let network = RoadNetwork::from_xodr("ring", &text).unwrap();
    assert_eq!(network.lanes()[0].successors, [LaneId(0)]);
    let route = route(&network, 1, 1000.0);
    assert!(route.length_m() >= 1000.0);
    for s in 5..995 {
        assert!((route.at(f64::from(s)).curvature_per_m - 1.0 / 32.0).abs() < 1e-3);
    }
    let (first, later) = (route.at(20.0), route.project(route.at(20.0).x_m, route.at(20.0).y_m, 210.0));
    assert!((later.0 - 20.0 - 64.0 * std::f64::consts::PI).abs() < 0.5 && first.s_m == 20.0, "{later:?}");
}

#[test]
fn a_bend_too_tight_for_a_car_ends_the_route() {
    let straight = |link: &str| road("a", "", 0.0, 100.0, link, &section(0.0, "", &lane(-1, "driving", 3.2, "")));
    let bend = "<road id=\"b\" junction=\"-1\" length=\"12\"><link/><planView><geometry s=\"0\" x=\"100\" y=\"0\" hdg=\"0\" \
                length=\"12\"><arc curvature=\"-0.4\"/></geometry></planView><lanes>";
    let bend = format!("{bend}{}</lanes></road>", section(0.0, "", &lane(-1, "driving", 3.2, "")));
    for (curvature, length_m) in [("0.4", 99.0..101.0), ("0.1", 108.0..112.0)] {
        let link = "<successor elementType=\"road\" elementId=\"b\" contactPoint=\"start\"/>";
        let text = file(&(straight(link) + &bend.replace("0.4", curvature)));
        let network = RoadNetwork::from_xodr("bend", &text).unwrap();
        assert_eq!(network.lanes()[0].successors, [LaneId(1)]);
        let longest = (0..SEEDS).map(|seed| route(&network, seed, 500.0).length_m()).fold(0.0, f64::max);
        assert!(length_m.contains(&longest), "{curvature}: {longest}");
    }
}

#[test]
fn nonsense_lengths_and_networks_without_lanes_to_drive_are_refused() {
    let network = RoadNetwork::built_in("e6mini").unwrap();
    for (bad, shown) in [(f64::NAN, "NaN"), (0.0, "0"), (1e9, "1000000000")] {
        let error = network.random_route(&mut ChaCha8Rng::seed_from_u64(1), bad).unwrap_err();
        assert_eq!(error.to_string(), format!("min_m must be between 1 and 200000 m, got {shown}"));
    }
    let path = file(&road("1", "", 0.0, 50.0, "", &section(0.0, "", &lane(-1, "sidewalk", 3.0, ""))));
    let walk = RoadNetwork::from_xodr("walk", &path).unwrap();
    let error = walk.random_route(&mut ChaCha8Rng::seed_from_u64(1), 10.0).unwrap_err();
    assert_eq!(error.to_string(), "the road network \"walk\" has no driving lane to start a route on");
}

#[test]
fn projecting_nonsense_does_not_panic() {
    let network = RoadNetwork::built_in("soderleden").unwrap();
    let route = route(&network, 3, 500.0);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        let _ = route.project(value, value, value);
        let _ = (route.at(value), route.lane_at(value));
    }
    assert_eq!(route.at(-5.0), route.at(0.0));
    assert_eq!(route.at(1e9).s_m, route.length_m());
}
