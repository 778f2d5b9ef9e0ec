//! Broken files give an error that names the place and the value, and never a panic.

use crate::texts::{file, lane, road, section, two_way};
use proptest::prelude::*;
use sim::road::RoadNetwork;

fn error(text: &str) -> String {
    match RoadNetwork::from_xodr("bad", text) {
        Ok(_) => panic!("read without complaint:\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// The error for a good road in which one piece of text is replaced.
fn with(from: &str, to: &str) -> String {
    let good = two_way("");
    assert!(good.contains(from), "{from}");
    error(&good.replacen(from, to, 1))
}

#[test]
fn errors_name_line_element_attribute_and_value() {
    assert_eq!(with("length=\"100\"", "length=\"long\""), "line 4, road 1: <road> has length=\"long\": not a number");
    assert_eq!(with("length=\"100\"", "length=\"-3\""), "line 4, road 1: <road> has length=\"-3\": negative");
    assert_eq!(with("hdg=\"0\"", "hdg=\"NaN\""), "line 6, road 1, s=0: <geometry> has hdg=\"NaN\": not finite");
    assert_eq!(with("x=\"0\"", "x=\"inf\""), "line 6, road 1, s=0: <geometry> has x=\"inf\": not finite");
    assert_eq!(with("x=\"0\"", "x=\"1e300\""), "line 6, road 1, s=0: <geometry> has x=\"1e300\": larger than 1e9");
    assert_eq!(with("x=\"0\"", ""), "line 6, road 1, s=0: <geometry> lacks the attribute \"x\"");
    assert_eq!(with("<line/>", ""), "line 6, road 1, s=0: <geometry> lacks a <line, arc, spiral, poly3 or paramPoly3>");
    assert_eq!(with("<line/>", "<arc/>"), "line 6, road 1, s=0: <arc> lacks the attribute \"curvature\"");
    assert_eq!(
        with("lane id=\"1\"", "lane id=\"one\""),
        "line 7, road 1, s=0: <lane> has id=\"one\": not a whole number"
    );
    assert_eq!(with("a=\"3.5\"", "a=\"\""), "line 7, road 1, s=0: <width> has a=\"\": not a number");
    assert_eq!(
        with("junction=\"-1\"", "rule=\"middle\""),
        "line 4, road 1: <road> has rule=\"middle\": neither RHT nor LHT"
    );
}

#[test]
fn geometry_that_contradicts_itself_is_refused() {
    assert_eq!(
        with("hdg=\"0\" length=\"100\"", "hdg=\"0\" length=\"-1\""),
        "line 6, road 1, s=0: <geometry> has length=\"-1\": negative"
    );
    assert_eq!(
        with("<line/>", "<spiral curvStart=\"0\" curvEnd=\"1e6\"/>"),
        "line 6, road 1, s=0: <spiral> has curvEnd=\"1e6\": a radius below 1 cm"
    );
    assert_eq!(
        with("a=\"3.5\" b=\"0\"", "a=\"3.5\" b=\"1e4\""),
        "road \"1\": at s=1 m the lane edge lies 10003.5 m beside the reference line"
    );
}

#[test]
fn a_plan_view_in_pieces_far_apart_is_refused() {
    let second = "</geometry><geometry s=\"50\" x=\"9e8\" y=\"0\" hdg=\"0\" length=\"50\"><line/></geometry>";
    let text = two_way("").replace("</geometry>", second);
    assert_eq!(error(&text), "road \"1\": the plan view jumps by 899999951 m near s=50 m");
}

#[test]
fn roads_that_would_eat_the_memory_are_refused() {
    let long = two_way("").replace("length=\"100\"", "length=\"9e8\"");
    assert_eq!(error(&long), "line 4, road 1: <road> has length=\"9e8\": a road longer than 1000000 m");
    let lanes: String = (1..100).map(|id| lane(-id, "driving", 0.1, "")).collect();
    let wide = file(&road("1", "", 0.0, 900_000.0, "", &section(0.0, "", &lanes)));
    assert_eq!(error(&wide), "the network has about 89100198 centre-line points, more than the 4000000 allowed");
}

#[test]
fn what_is_no_road_file_is_refused() {
    assert_eq!(error(""), "the road file is not well-formed XML: it is empty");
    assert!(error("<OpenDRIVE><road").starts_with("the road file is not well-formed XML"));
    assert_eq!(error("<osm/>"), "line 1: the root element is <osm>, not <OpenDRIVE>");
    assert_eq!(error("<OpenDRIVE/>"), "the road file has no road with lanes");
    let bomb =
        "<!DOCTYPE b [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]><OpenDRIVE>&b;</OpenDRIVE>";
    assert!(error(bomb).contains("XML with DTD detected"), "{}", error(bomb));
    let deep = "<a>".repeat(200_000);
    assert!(error(&deep).starts_with("the road file is not well-formed XML"));
}

#[test]
fn two_things_of_one_name_are_refused() {
    let one = road("1", "", 0.0, 50.0, "", &section(0.0, "", &lane(-1, "driving", 3.0, "")));
    assert_eq!(
        error(&file(&format!("{one}\n{one}"))),
        "line 9, road 1: <road> has id=\"1\": another <road> has the same id"
    );
    let twice = lane(-1, "driving", 3.0, "") + &lane(-1, "driving", 3.0, "");
    let text = file(&road("1", "", 0.0, 50.0, "", &section(0.0, "", &twice)));
    assert_eq!(
        error(&text),
        "line 7, road 1, s=0: <lane> has id=\"-1\": another <lane> of the section has the same id"
    );
}

#[test]
fn an_unknown_built_in_road_is_named() {
    let error = RoadNetwork::built_in("atlantis").unwrap_err().to_string();
    assert_eq!(error, "no built-in road network is called \"atlantis\"");
}

/// Values that numbers of a file are replaced by.
const NASTY: [&str; 12] =
    ["", "-1", "0", "1e-300", "1e9", "-1e9", "NaN", "inf", "1e400", "0x10", "99999999999999999999", "a&amp;b"];

/// Replaces the `which`-th attribute value of a text.
fn with_value(text: &str, which: usize, value: &str) -> String {
    let quotes: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
    let pair = which % (quotes.len() / 2);
    format!("{}\"{value}{}", &text[..quotes[2 * pair]], &text[quotes[2 * pair + 1]..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_values_never_panic(which in 0usize..100_000, nasty in 0..NASTY.len(), name in 0usize..3, seed in 0u64..100) {
        let texts = [include_str!("../../roads/fabriksgatan.xodr"), include_str!("../../roads/soderleden.xodr")];
        let hand = two_way("");
        let text = texts.get(name).copied().unwrap_or(&hand);
        // The first quoted value of the delivered files is the version in the XML declaration.
        let changed = with_value(text, which, NASTY[nasty]);
        if let Ok(network) = RoadNetwork::from_xodr("changed", &changed) {
            use rand::SeedableRng;
            if let Ok(route) = network.random_route(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed), 300.0) {
                let half = route.at(route.length_m() / 2.0);
                prop_assert!(half.x_m.is_finite() && half.heading_rad.is_finite() && half.curvature_per_m.is_finite());
                route.project(half.x_m, half.y_m, 0.0);
            }
        }
    }

    #[test]
    fn truncated_and_cut_texts_never_panic(from in 0usize..16_000, length in 0usize..400) {
        let text = include_str!("../../roads/soderleden.xodr");
        let _ = RoadNetwork::from_xodr("truncated", &text[..from.min(text.len())]);
        let end = (from + length).min(text.len());
        let _ = RoadNetwork::from_xodr("cut", &format!("{}{}", &text[..from.min(end)], &text[end..]));
    }
}
