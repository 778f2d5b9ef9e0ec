//! The file against a command line like the bridge's.

use super::parse::merged;
use super::*;
use crate::cli::BridgeArgs;
use clap::{Args, Command, FromArgMatches};
use std::ffi::OsString;
use std::path::Path;

/// A bridge with two robots.
#[derive(Debug, Args)]
struct TestBridgeArgs {
    #[arg(long, default_value = "sim", value_parser = ["sim", "process"])]
    robot: String,
    /// A made-up road.
    #[arg(long, default_value = "town", conflicts_with = "listen")]
    road: String,
    #[command(flatten)]
    bridge: BridgeArgs,
}

const FORMAT: ConfigFormat = ConfigFormat {
    program: "test bridge",
    subcommand: None,
    keys: &[
        ConfigKey::OF_ANY_ROBOT,
        &[ConfigKey { table: "sim", ..ConfigKey::new("road", KeyKind::PathUnless(|name| name == "town"), "") }],
        ConfigKey::OF_PROCESS,
    ],
};

/// What the program is told by `text` in FOLDER/bridge.toml and by `options`.
fn told(text: &str, options: &[&str]) -> Result<(TestBridgeArgs, Origins), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge.toml");
    std::fs::write(&file, text).unwrap();
    let command = TestBridgeArgs::augment_args(Command::new("bridge"));
    let mut arguments: Vec<OsString> = vec!["bridge".into(), "--config".into(), file.into()];
    arguments.extend(options.iter().map(OsString::from));
    let without = |text: String| text.replace(&format!("{}/", folder.path().display()), "FOLDER/");
    let (matches, origins) = merged(&command, &FORMAT, arguments).map_err(|error| without(error.to_string()))?;
    let mut told = TestBridgeArgs::from_arg_matches(&matches).unwrap();
    told.bridge.config = None;
    told.road = without(told.road);
    for path in [Some(&mut told.bridge.data), told.bridge.geofence.as_mut()].into_iter().flatten() {
        *path = without(path.display().to_string()).into();
    }
    Ok((told, origins))
}

fn default_args() -> String {
    let command = TestBridgeArgs::augment_args(Command::new("bridge"));
    format!("{:?}", TestBridgeArgs::from_arg_matches(&command.get_matches_from(["bridge"])).unwrap())
}

#[test]
fn the_default_file_changes_nothing_and_has_every_option_once() {
    let file = default_file::<TestBridgeArgs>(&FORMAT);
    let (told, origins) = told(&file, &[]).unwrap();
    assert_eq!((format!("{told:?}"), origins), (default_args(), Origins::default()));
    let command = TestBridgeArgs::augment_args(Command::new("bridge"));
    let options = command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "config");
    let mut options: Vec<&str> = options.filter_map(clap::Arg::get_long).collect();
    let mut keys: Vec<&str> = FORMAT.keys().map(|key| key.option).collect();
    options.sort_unstable();
    keys.sort_unstable();
    assert_eq!(keys, options);
    assert!(file.lines().all(|line| line.len() <= 120), "{file}");
}

#[test]
fn every_example_of_the_default_file_is_taken_as_it_stands_there() {
    let file = default_file::<TestBridgeArgs>(&FORMAT);
    let names: Vec<String> = FORMAT.keys().map(ConfigKey::name).collect();
    let mut examples = 0;
    for line in file.lines().filter_map(|line| line.strip_prefix("# ")) {
        let Some((name, _)) = line.split_once(" = ").filter(|(name, _)| names.iter().any(|known| known == name)) else {
            continue;
        };
        examples += 1;
        let with = file.replacen(&format!("# {line}"), line, 1).replace("64 hexadecimal digits", &"4d".repeat(32));
        let with = if name == "listen" { with.replace("robot = \"sim\"", "robot = \"process\"") } else { with };
        let (_, origins) = told(&with, &[]).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(origins.0.values().any(|origin| origin.key.ends_with(name)), "{line} changes nothing");
    }
    assert_eq!(examples, 14);
}

#[test]
fn the_command_line_wins_over_the_file_and_the_file_over_the_default() {
    let file = "vehicle = \"van-7\"\ncontrol_rate = 100\ninterface = [\"lo\", \"eth0\"]\n[sim]\nroad = \"town\"\n";
    let (args, origins) = told(file, &["--vehicle", "cart-2", "--upload-share=5"]).unwrap();
    assert_eq!((args.bridge.vehicle.as_str(), args.bridge.control_rate.hz()), ("cart-2", 100));
    assert_eq!((args.bridge.interfaces.len(), args.bridge.upload_share), (2, 5));
    assert_eq!(origins.0.keys().copied().collect::<Vec<_>>(), ["control-rate", "interface"]);
    let (args, _) = told(file, &["--interface", "wlan0"]).unwrap();
    assert_eq!(args.bridge.interfaces, ["wlan0"]);
}

#[test]
fn paths_are_relative_to_the_file_and_names_stay() {
    let file = "robot = \"process\"\ndata = \"car\"\ngeofence = \"/etc/area.toml\"\naudio = \"tone\"\n\
                [process]\nlisten = \"unix:run/robot.sock\"\n";
    let (args, _) = told(file, &[]).unwrap();
    assert_eq!(args.bridge.data, Path::new("FOLDER/car"));
    assert_eq!(args.bridge.geofence.as_deref(), Some(Path::new("/etc/area.toml")));
    assert_eq!(args.bridge.sound.audio, "tone");
    assert!(format!("{:?}", args.bridge.listen).contains("/run/robot.sock"), "{:?}", args.bridge.listen);
    assert_eq!(told("[sim]\nroad = \"streets.xodr\"\n", &[]).unwrap().0.road, "FOLDER/streets.xodr");
}

#[test]
fn the_table_of_a_robot_that_is_not_driven_and_what_a_source_does_not_use_stand_in_nobodys_way() {
    let both = "control_rate = 100\n[sim]\nroad = \"other\"\n[process]\nlisten = \"127.0.0.1:7000\"\n";
    let (args, origins) = told(both, &[]).unwrap();
    assert_eq!((args.road.as_str(), args.bridge.listen.is_none()), ("FOLDER/other", true));
    assert!(origins.0.contains_key("road") && !origins.0.contains_key("listen"));
    let (args, _) = told(both, &["--robot", "process"]).unwrap();
    assert_eq!((args.road.as_str(), args.bridge.listen.is_some()), ("town", true));
    let (args, _) = told(both, &["--source", "synthetic"]).unwrap();
    assert_eq!((args.bridge.control_rate.hz(), args.bridge.source.as_deref()), (50, Some("synthetic")));
}

#[test]
fn a_mistake_is_named_with_file_line_key_and_value() {
    let error = |text: &str| told(text, &[]).unwrap_err();
    for (text, wanted) in [
        ("\ncontrol_rate = 60\n", "FOLDER/bridge.toml, line 2: control_rate = 60: "),
        ("vehicle = \"van 7\"\n", "FOLDER/bridge.toml, line 1: vehicle = \"van 7\": "),
        ("vehicle = 7", "line 1: vehicle = 7: an integer is given; it takes text"),
        ("upload_share = 91", "upload_share = 91: 91 is not in 0..=90"),
        ("upload_kbps = \"fast\"", "upload_kbps = \"fast\": a string is given; it takes a number"),
        ("robot = \"tank\"", "robot = \"tank\": known are sim, process"),
        ("interface = \"lo\"", "it takes a list of texts"),
        ("vehicel = \"van\"", "line 1: vehicel = \"van\": there is no such key; the nearest is vehicle"),
        ("upload-kbps = 5", "the nearest is upload_kbps"),
        ("road = \"town\"", "the nearest is sim.road"),
        ("[sim]\nraod = \"town\"", "line 2: sim.raod = \"town\": there is no such key; the nearest is sim.road"),
        ("[simulator]\nroad = \"town\"", "line 1: [simulator]: there is no such key; the nearest is sim"),
        ("sim = 3", "line 1: sim = 3: it is a table, which begins with [sim]"),
        ("[vehicle]\nname = \"van\"", "line 1: [vehicle]: a table is given; it takes text"),
        ("vehicle = \"a\"\nvehicle = \"b\"", "line 2: "),
        ("data = \n", "line 1: "),
        ("geofence = \"area.toml\"\nsource = \"synthetic\"", "it cannot be used with"),
        ("json = [1,\n 2]", "json = [1, ...: an array is given"),
    ] {
        let error = error(text);
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
    let nowhere = merged(
        &TestBridgeArgs::augment_args(Command::new("bridge")),
        &FORMAT,
        vec!["bridge".into(), "--config=/nowhere/bridge.toml".into()],
    );
    assert!(nowhere.unwrap_err().to_string().contains("/nowhere/bridge.toml"));
}

#[test]
fn a_table_takes_the_place_of_a_file() {
    let (args, origins) = told("[geofence]\ncorners_m = [[0, 0], [9, 0], [0, 9]]\n", &[]).unwrap();
    assert_eq!(args.bridge.geofence.as_deref(), Some(Path::new("FOLDER/bridge.toml")));
    assert!(origins.is_table("geofence") && !origins.is_table("recorder"));
}
