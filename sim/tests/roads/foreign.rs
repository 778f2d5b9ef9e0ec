//! Files as other people's tools write them: `tests/foreign/roads`, with what is right for each in `right.toml`.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sim::road::{LaneKind, RoadNetwork};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is right for a file; see the head of `right.toml`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Right {
    loads: bool,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    error: Vec<String>,
    #[serde(default)]
    limits: Vec<[f64; 2]>,
    #[serde(default)]
    limits_west: Vec<[f64; 2]>,
    route_m: Option<f64>,
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/foreign/roads"))
}

/// The files of the folder and what is right for each; fails for one without the other.
fn files() -> Vec<(String, Vec<u8>, Right)> {
    let text = std::fs::read_to_string(folder().join("right.toml")).unwrap();
    let mut right: BTreeMap<String, Right> = toml::from_str(&text).unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "right.toml");
    names.sort();
    let read = |name: String| {
        let line = right.remove(&name).unwrap_or_else(|| panic!("{name} has no line in right.toml"));
        let bytes = std::fs::read(folder().join(&name)).unwrap();
        (name, bytes, line)
    };
    let files = names.into_iter().map(read).collect();
    assert!(right.is_empty(), "right.toml has lines for files that are not there: {:?}", right.keys());
    files
}

/// What is wrong with how a file is read; `None` if nothing.
fn complaint(bytes: &[u8], right: &Right) -> Option<String> {
    let network = match (RoadNetwork::from_bytes("foreign", bytes), right.loads) {
        (Ok(network), true) => network,
        (Ok(_), false) => return Some("it was read".into()),
        (Err(error), true) => return Some(format!("it was not read: {error}")),
        (Err(error), false) => {
            let error = error.to_string();
            let missing = right.error.iter().find(|word| !error.contains(*word));
            return missing.map(|word| format!("the error {error:?} lacks {word:?}"));
        }
    };
    let mut notes: Vec<&str> = network.report().notes().iter().map(|note| note.kind.label()).collect();
    notes.sort_unstable();
    let mut wanted: Vec<&str> = right.notes.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    if notes != wanted {
        let found: Vec<String> = network.report().notes().iter().map(ToString::to_string).collect();
        return Some(format!("its notes are {found:#?}"));
    }
    let limits = right.limits.iter().map(|limit| (limit, true)).chain(right.limits_west.iter().map(|l| (l, false)));
    for (&[x_m, kmh], east) in limits {
        let found = limit_kmh(&network, x_m, east);
        if !found.is_some_and(|found| (found - kmh).abs() < 0.01) {
            return Some(format!("the limit at x = {x_m} is {found:?} km/h, not {kmh}"));
        }
    }
    right.route_m.and_then(|wanted_m| {
        let longest = longest_route_m(&network);
        let right = if wanted_m == 0.0 { longest == 0.0 } else { longest >= wanted_m };
        (!right).then(|| format!("the longest route has {longest} m"))
    })
}

/// The limit of the driving lane that runs east (or west) where it passes `x_m`.
fn limit_kmh(network: &RoadNetwork, x_m: f64, east: bool) -> Option<f64> {
    let runs_so = |heading_rad: f64| (heading_rad.cos() > 0.0) == east;
    let lanes = network.lanes().iter().filter(|lane| lane.kind == LaneKind::Driving);
    let mut lanes = lanes.filter(|lane| runs_so(lane.centre[0].heading_rad));
    lanes.find_map(|lane| {
        let (first, last) = (lane.centre[0].x_m, lane.centre[lane.centre.len() - 1].x_m);
        let inside = (first.min(last)..=first.max(last)).contains(&x_m);
        inside.then(|| lane.speed_limit_mps((x_m - first).abs()) * 3.6)
    })
}

fn longest_route_m(network: &RoadNetwork) -> f64 {
    let route = |seed| network.random_route(&mut ChaCha8Rng::seed_from_u64(seed), 5_000.0);
    (0..8).filter_map(|seed| route(seed).ok()).map(|route| route.length_m()).fold(0.0, f64::max)
}

#[test]
fn every_foreign_file_is_read_as_its_line_says() {
    let files = files();
    assert!(files.len() > 100);
    let complain =
        |(name, bytes, right): &(String, Vec<u8>, Right)| complaint(bytes, right).map(|what| format!("{name}: {what}"));
    let complaints: Vec<String> = files.iter().filter_map(complain).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn notes_say_where_along_the_road_and_what_was_found() {
    let report = |name: &str| {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        RoadNetwork::from_bytes(name, &bytes).unwrap().report().full()
    };
    let gap = report("sections-across-a-gap.xodr");
    assert!(gap.len() == 1 && gap[0].starts_with("road 1, s=120.00: link across a gap"), "{gap:?}");
    let link = report("link-to-a-road-without-lanes.xodr").join("\n");
    assert!(link.contains("no <road> with lanes has this id"), "{link}");
    let limits = report("limit-of-the-lane-unusable.xodr").join("\n");
    assert!(limits.contains("speed limit that means no limit: taken as 130 km/h"), "{limits}");
}

/// Texts that are put in the place of others.
const NASTY: [&[u8]; 16] = [
    b"",
    b"-1",
    b"0",
    b"1e-300",
    b"1e9",
    b"NaN",
    b"inf",
    b"1e400",
    b"-9223372036854775808",
    b"&amp;",
    b"\"",
    b"<",
    b"/>",
    b"\xFF\xFE",
    b"\0",
    b"<!ENTITY a 'b'>",
];

/// Changes a few places: bytes, pieces, and values between quotes.
fn mutate(bytes: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..rng.random_range(1..4) {
        if out.is_empty() {
            break;
        }
        let at = rng.random_range(0..out.len());
        let end = (at + rng.random_range(0..40)).min(out.len());
        let nasty = NASTY[rng.random_range(0..NASTY.len())];
        match rng.random_range(0..6) {
            0 => out[at] = rng.random(),
            1 => drop(out.drain(at..end)),
            2 => out.truncate(at),
            3 => out.splice(at..at, nasty.iter().copied()).for_each(drop),
            _ => {
                let quotes: Vec<usize> = (0..out.len()).filter(|&i| out[i] == b'"').collect();
                if quotes.len() > 1 {
                    let pair = 2 * rng.random_range(0..quotes.len() / 2);
                    out.splice(quotes[pair] + 1..quotes[pair + 1], nasty.iter().copied()).for_each(drop);
                }
            }
        }
    }
    out
}

#[test]
fn changed_foreign_files_never_panic_and_stay_finite() {
    let mut rng = ChaCha8Rng::seed_from_u64(0x0DD5);
    let mut read = 0;
    for (name, bytes, _) in files() {
        for _ in 0..60 {
            let changed = mutate(&bytes, &mut rng);
            let Ok(network) = RoadNetwork::from_bytes(&name, &changed) else { continue };
            read += 1;
            assert!(network.report().summary().len() <= network.report().notes().len());
            if let Ok(route) = network.random_route(&mut rng, 300.0) {
                let half = route.at(route.length_m() / 2.0);
                assert!(
                    half.x_m.is_finite() && half.curvature_per_m.is_finite() && half.speed_limit_mps > 0.0,
                    "{name}"
                );
            }
        }
    }
    assert!(read > 600, "only {read} changed files were read: the changes are too rough to test anything");
}

#[test]
fn built_in_roads_have_nothing_odd() {
    for name in RoadNetwork::built_in_names() {
        let network = RoadNetwork::built_in(name).unwrap();
        assert!(network.report().is_empty(), "{name}: {:?}", network.report().summary());
    }
}

#[test]
fn the_text_of_a_foreign_file_is_an_ordinary_one() {
    let bytes = std::fs::read(folder().join("utf16-le-bom.xodr")).unwrap();
    let network = RoadNetwork::from_bytes("wide", &bytes).unwrap();
    assert!(
        network.xodr().starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>") && network.xodr().contains("straße")
    );
    assert!(RoadNetwork::from_bytes("again", network.xodr().as_bytes()).unwrap().report().is_empty());
}
