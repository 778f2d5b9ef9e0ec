//! What becomes of good, and of carelessly written, files.

use crate::texts::{file, lane, road, section, two_way};
use sim::road::{Lane, LaneId, LaneKind, RoadMark, RoadNetwork};
use std::f64::consts::{PI, TAU};

fn read(text: &str) -> RoadNetwork {
    RoadNetwork::from_xodr("test", text).unwrap()
}

fn built_in() -> impl Iterator<Item = RoadNetwork> {
    RoadNetwork::built_in_names().iter().map(|name| RoadNetwork::built_in(name).unwrap())
}

fn driving(network: &RoadNetwork) -> Vec<&Lane> {
    network.lanes().iter().filter(|lane| lane.kind == LaneKind::Driving).collect()
}

fn angle(a: f64, b: f64) -> f64 {
    let turn = a - b;
    (turn - TAU * (turn / TAU).round()).abs()
}

#[test]
fn successors_of_all_built_in_roads_begin_where_the_lane_ends() {
    for network in built_in() {
        for lane in network.lanes() {
            for next in lane.successors.iter().map(|id| &network.lanes()[id.0]) {
                let (a, b) = (lane.centre.last().unwrap(), next.centre.first().unwrap());
                let gap = (a.x_m - b.x_m).hypot(a.y_m - b.y_m);
                let kink = angle(a.heading_rad, b.heading_rad);
                let names = (network.name(), lane.id, next.id, lane.kind);
                assert!(gap < 0.3 && kink < 0.1, "{names:?}: gap {gap} m, kink {kink} rad");
                assert!(next.predecessors.contains(&lane.id));
            }
        }
    }
}

#[test]
fn samples_of_all_built_in_lanes_are_even_and_consistent() {
    for network in built_in() {
        for lane in network.lanes() {
            assert!(lane.centre.len() >= 2);
            assert_eq!(network.lanes()[lane.id.0].id, lane.id);
            for pair in lane.centre.windows(2) {
                let (dx, dy) = (pair[1].x_m - pair[0].x_m, pair[1].y_m - pair[0].y_m);
                let step = pair[1].s_m - pair[0].s_m;
                assert!((step - dx.hypot(dy)).abs() < 1e-6);
                assert!((0.0..1.5).contains(&step), "{} {:?} {step}", network.name(), lane.id);
                assert!((pair[1].heading_rad - pair[0].heading_rad).abs() < 0.6);
                if lane.kind == LaneKind::Driving && step > 0.1 {
                    assert!(angle(dy.atan2(dx), pair[0].heading_rad) < 0.2, "{} {:?}", network.name(), lane.id);
                }
            }
        }
    }
}

#[test]
fn the_motorway_has_three_lanes_each_way_apart_from_each_other() {
    let network = RoadNetwork::built_in("e6mini").unwrap();
    let lanes = driving(&network);
    assert_eq!(lanes.len(), 6);
    assert!(lanes.iter().all(|lane| lane.opposite.is_none() && lane.length_m > 1400.0));
    assert_eq!(lanes.iter().filter(|lane| lane.left.is_some() && lane.right.is_some()).count(), 2);
}

#[test]
fn every_arm_of_the_crossing_leads_to_the_three_others() {
    let network = RoadNetwork::built_in("fabriksgatan").unwrap();
    let lanes = driving(&network);
    assert_eq!(lanes.iter().filter(|lane| lane.successors.len() == 3).count(), 4);
    assert_eq!(lanes.iter().filter(|lane| lane.successors.len() == 1).count(), 12);
    assert_eq!(lanes.iter().filter(|lane| lane.opposite.is_some()).count(), 8);
}

#[test]
fn two_way_lanes_keep_right_by_default_and_left_by_rule() {
    for (attributes, right_hand) in [("", true), ("rule=\"RHT\"", true), ("rule=\"LHT\"", false)] {
        let network = read(&two_way(attributes));
        let [north, south] = network.lanes() else { panic!("two lanes") };
        assert!(north.centre[0].y_m > 1.7 && south.centre[0].y_m < -1.4);
        let (eastbound, westbound) = if right_hand { (south, north) } else { (north, south) };
        assert_eq!((eastbound.centre[0].heading_rad, eastbound.centre[0].x_m), (0.0, 0.0));
        assert!(angle(westbound.centre[0].heading_rad, PI) < 1e-9);
        assert!((westbound.centre[0].x_m - 100.0).abs() < 1e-9);
        assert_eq!((north.opposite, south.opposite), (Some(LaneId(1)), Some(LaneId(0))));
        assert_eq!((north.left, north.right), (None, None));
        let marks = if right_hand { (RoadMark::Broken, RoadMark::Solid) } else { (RoadMark::Solid, RoadMark::Broken) };
        assert_eq!((north.left_mark, north.right_mark), marks);
        assert_eq!((south.left_mark, south.right_mark), marks);
    }
}

#[test]
fn bounds_reach_to_the_outer_lane_edges() {
    let bounds = read(&two_way("")).bounds();
    assert!((bounds.min_y_m + 3.0).abs() < 1e-9 && (bounds.max_y_m - 3.5).abs() < 1e-9);
    assert!(bounds.min_x_m.abs() < 1e-9 && (bounds.max_x_m - 100.0).abs() < 1e-9);
}

#[test]
fn speed_limits_come_from_lane_then_road_then_the_type_of_road() {
    let speed = |road_children: &str, lane_children: &str| {
        let lanes = section(0.0, "", &lane(-1, "driving", 3.5, lane_children));
        let text =
            file(&road("1", "", 0.0, 50.0, "", &lanes).replace("<planView>", &format!("{road_children}<planView>")));
        read(&text).lanes()[0].speed_limit_mps(25.0)
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 0.01, "{a} is not {b}");
    near(speed("", ""), 13.89);
    near(speed("<type s=\"0\" type=\"motorway\"/>", ""), 30.56);
    near(speed("<type s=\"0\" type=\"rural\"/>", ""), 19.44);
    near(speed("<type s=\"0\" type=\"town\"><speed max=\"30\" unit=\"mph\"/></type>", ""), 13.41);
    near(speed("<type s=\"0\" type=\"town\"><speed max=\"no limit\"/></type>", ""), 36.11);
    near(speed("<type s=\"0\" type=\"rural\"><speed max=\"undefined\"/></type>", ""), 19.44);
    near(speed("<type s=\"0\" type=\"motorway\"/>", "<speed sOffset=\"0\" max=\"60\" unit=\"km/h\"/>"), 16.67);
    near(speed("", "<speed sOffset=\"0\" max=\"12.5\"/>"), 12.5);
}

#[test]
fn roads_and_sections_without_lane_links_are_joined_where_lanes_touch() {
    let lanes = lane(-1, "driving", 3.5, "");
    let sections = [0.0, 0.01, 50.0].map(|s| section(s, "", &lanes)).concat();
    let first = road("a", "", 0.0, 100.0, "<successor elementType=\"road\" elementId=\"b\"/>", &sections);
    let second = road("b", "", 100.0, 30.0, "", &section(0.0, "", &lanes));
    let network = read(&file(&(first + &second)));
    let next: Vec<_> = network.lanes().iter().map(|lane| lane.successors.clone()).collect();
    assert_eq!(next, [vec![LaneId(1)], vec![LaneId(2)], vec![LaneId(3)], vec![]]);
    assert!(network.lanes()[0].length_m < 0.02);
}

#[test]
fn roads_that_meet_head_on_are_joined_against_their_own_direction() {
    // Road b runs eastwards to x = 100; road a begins there and is linked to b's end, lane 1 to lane 1.
    let both = |link: &str| section(0.0, &lane(1, "driving", 3.5, link), &lane(-1, "driving", 3.5, link));
    let back = "<link><predecessor id=\"1\"/></link>";
    let a = road(
        "a",
        "",
        100.0,
        50.0,
        "<predecessor elementType=\"road\" elementId=\"b\" contactPoint=\"end\"/>",
        &both(back),
    );
    let b = road("b", "", 0.0, 100.0, "", &both(""));
    let network = read(&file(&(a + &b)));
    // Lanes: 0 = a left (westbound), 1 = a right, 2 = b left (westbound), 3 = b right.
    assert_eq!(network.lanes()[0].successors, [LaneId(2)]);
}

#[test]
fn a_section_for_one_side_keeps_the_lanes_of_the_other() {
    let both = section(0.0, &lane(1, "driving", 3.5, ""), &lane(-1, "driving", 3.5, ""));
    let right_only = section(40.0, "", &(lane(-1, "driving", 3.5, "") + &lane(-2, "driving", 3.5, "")))
        .replace("<laneSection s=\"40\">", "<laneSection s=\"40\" singleSide=\"true\">");
    let network = read(&file(&road("1", "", 0.0, 100.0, "", &(both + &right_only))));
    assert_eq!(network.lanes().len(), 5);
    let westbound = &network.lanes()[2];
    assert!(angle(westbound.centre[0].heading_rad, PI) < 1e-9);
    assert_eq!(westbound.successors, [LaneId(0)]);
    assert_eq!(westbound.opposite, Some(LaneId(3)));
}

#[test]
fn borders_give_the_same_lane_as_widths() {
    let border = |id: i32, a: f64| {
        format!("<lane id=\"{id}\" type=\"driving\"><border sOffset=\"0\" a=\"{a}\" b=\"0\" c=\"0\" d=\"0\"/></lane>")
    };
    let lanes = section(0.0, &border(1, 3.5), &border(-1, -3.0));
    let network = read(&file(&road("1", "", 0.0, 100.0, "", &lanes)));
    assert_eq!(network.lanes()[0].centre[0].left_m, 1.75);
    assert_eq!(network.lanes()[1].centre[0].y_m, -1.5);
}

#[test]
fn a_file_on_disk_is_named_after_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("harbour.xodr");
    std::fs::write(&path, two_way("")).unwrap();
    assert_eq!(RoadNetwork::from_file(&path).unwrap().name(), "harbour");
    let missing = RoadNetwork::from_file(&folder.path().join("none.xodr")).unwrap_err().to_string();
    assert!(missing.contains("none.xodr"), "{missing}");
}
