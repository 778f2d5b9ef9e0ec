//! Episodes on their way to other tools and from them, judged by those tools: pyarrow, PyAV, `mcap`, `rosbags`, Rerun and
//! npm's `@mcap/core`; and the live view, opened by the client library of Foxglove and Lichtblick.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use closed_loop::virtual_drive::Recording;
use policy::Policy;
use prost::Message as _;
use protocol::v1::{self, Author};
use protocol::{Embodiment, Message, PolicyVersion, foxglove, topics};
use recorder::EpisodeReader;
use serde_json::Value;
use sim::road::RoadNetwork;
use sim::scenario_event::ScenarioEvent;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tests::{Process, Site, free_port, node, program, python, run};
use trainer::fleet::FleetPlan;
use trainer::seeds::SeedPurpose;

/// Episodes of a short drive in virtual time.
fn drive(folder: &Path) -> Vec<PathBuf> {
    std::fs::create_dir_all(folder).unwrap();
    let policy = Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("v0").unwrap(), 5).unwrap();
    let plan = FleetPlan {
        name: "trip".into(),
        roads: vec![Arc::new(RoadNetwork::built_in("soderleden").unwrap())],
        seed: 8,
        purpose: SeedPurpose::Report,
        events: ScenarioEvent::ALL.to_vec(),
        trips: 1,
        route_m: 500.0,
        max_time_s: 45.0,
        recording: Recording::Folder(folder.to_owned()),
        assists: false,
        turn: None,
        necessity: None,
    };
    let reports = plan.drive(&policy.into(), |_| ()).unwrap();
    let files: Vec<_> = reports.iter().flat_map(|r| &r.trip.episodes).map(|e| folder.join(&e.file)).collect();
    assert!(files.len() >= 2, "an untrained policy is taken over all the time");
    files
}

/// `takeover episode` with these arguments; what it printed.
fn episode(arguments: &[&Path]) -> String {
    run(Command::new(program("takeover").unwrap()).args(["episode", "--json"]).args(arguments)).unwrap()
}

fn judge(script: &str, arguments: &[&Path]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
    run(Command::new(python().unwrap()).arg(script).args(arguments)).unwrap()
}

fn paths<'a>(first: &[&'a str], files: &'a [PathBuf], last: &[&'a Path]) -> Vec<&'a Path> {
    let first = first.iter().map(|text| Path::new(*text));
    first.chain(files.iter().map(PathBuf::as_path)).chain(last.iter().copied()).collect()
}

#[test]
fn a_lerobot_dataset_has_every_value_and_comes_back_with_every_value() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let files = drive(&at("episodes"));
    let (first, back, second) = (at("first"), at("back"), at("second"));
    let export = ["export", "--format", "lerobot", "--output"];
    let told = episode(&[paths(&export, std::slice::from_ref(&first), &[]), paths(&[], &files, &[])].concat());
    let told: Value = serde_json::from_str(&told).unwrap();
    let judged = judge("lerobot_judge.py", &paths(&[], std::slice::from_ref(&first), &paths(&[], &files, &[])));
    let judged: Value = serde_json::from_str(&judged).unwrap();
    assert_eq!(judged["frames"], told["exported"]["frames"]);
    assert_eq!(judged["interventions"], told["exported"]["interventions"]);
    assert!(judged["interventions"].as_u64().unwrap() > 0, "an operator drove");

    episode(&paths(&["import", "--format", "lerobot", "--output"], &[back.clone(), first.clone()], &[]));
    let again: Vec<PathBuf> = files.iter().map(|file| back.join(file.file_name().unwrap())).collect();
    for (file, again) in files.iter().zip(&again) {
        let (was, is) = (EpisodeReader::open(file).unwrap(), EpisodeReader::open(again).unwrap());
        assert_eq!((&was.info().id, was.info().takeover_ns), (&is.info().id, is.info().takeover_ns));
    }
    episode(&[paths(&export, std::slice::from_ref(&second), &[]), paths(&[], &again, &[])].concat());
    judge("lerobot_judge.py", &paths(&["--same"], &[first, second], &[]));
}

/// A drive of five seconds with two cameras whose keyframes lie apart, as those of a running vehicle do; `missing` is
/// the number of a picture that the left one did not take, `small` are the numbers of those that it took in half the size.
fn two_cameras(folder: &Path, name: &str, missing: u64, small: Range<u64>) -> PathBuf {
    const STEP_NS: u64 = 50_000_000;
    const DELAY_NS: u64 = 12_000_000;
    let (film, half) = (takeover::recording_bench::film(64).unwrap(), takeover::recording_bench::film(32).unwrap());
    let mut messages = Vec::new();
    for (camera, begin) in [(&topics::CAMERA_FRONT, 0), (&topics::CAMERA_LEFT, 7)] {
        for n in begin..100 {
            let is_small = camera == &topics::CAMERA_LEFT && small.contains(&n);
            let film = if is_small { &half } else { &film };
            let frame = &film[(n - begin) as usize % film.len()];
            // What follows a picture that is not there cannot be decoded until the next keyframe.
            let waits = (missing..missing.next_multiple_of(20) + begin).contains(&n);
            if camera == &topics::CAMERA_LEFT && waits {
                continue;
            }
            let content =
                foxglove::CompressedVideo { data: frame.data.clone(), format: "h264".to_owned(), ..Default::default() };
            let taken = n * STEP_NS + STEP_NS;
            let message = Message::encode(camera, n as u32, taken + DELAY_NS, taken, &content);
            messages.push(Message { keyframe: frame.keyframe, ..message });
        }
    }
    for n in 0..260_u64 {
        let (at, author) = (n * 20_000_000, if n < 80 { Author::Policy } else { Author::Operator });
        let state = v1::VehicleState { sequence: n, observation: vec![n as f64; 4], ..Default::default() };
        let command = v1::ControlCommand { author: author.into(), action: vec![n as f64; 2], ..Default::default() };
        messages.push(Message::encode(&topics::VEHICLE_STATE, n as u32, at, at, &state));
        messages.push(Message::encode(&topics::CONTROL_COMMAND, n as u32, at, at, &command));
    }
    messages.sort_by_key(|message| message.log_time_ns);
    let (id, vehicle) = (protocol::EpisodeId::new(name).unwrap(), protocol::VehicleId::new("car").unwrap());
    let info = protocol::EpisodeInfo::new(id, vehicle, PolicyVersion::new("p").unwrap());
    folder.join(recorder::write_episode(folder, &info, messages).unwrap().file)
}

#[test]
fn cameras_whose_keyframes_lie_apart_are_paired_by_when_they_took_their_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let files = [two_cameras(folder.path(), "a", 100, 0..0), two_cameras(folder.path(), "b", 50, 0..0)];
    let export = ["export", "--format", "lerobot", "--output"];
    episode(&[paths(&export, &[at("first")], &[]), paths(&[], &files, &[])].concat());
    let judged = judge("lerobot_judge.py", &paths(&[], &[at("first")], &paths(&[], &files, &[])));
    let judged: Value = serde_json::from_str(&judged).unwrap();
    // From the seventh picture on; the second episode up to the one that is missing, and from the next keyframe on.
    let frames = 93 + 43 + 33;
    assert_eq!((judged["cameras"].as_u64(), judged["frames"].as_u64()), (Some(2), Some(frames)), "{judged}");
    episode(&paths(&["import", "--format", "lerobot", "--output"], &[at("back"), at("first")], &[]));
    let again = ["a.mcap", "b.mcap", "b.2.mcap"].map(|name| at("back").join(name));
    episode(&[paths(&["verify"], &again, &[])].concat());
    episode(&[paths(&export, &[at("second")], &[]), paths(&[], &again, &[])].concat());
    judge("lerobot_judge.py", &paths(&["--same"], &[at("first"), at("second")], &[]));
}

#[test]
fn pictures_that_a_weak_network_made_smaller_have_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The left camera's keyframes are its pictures 7, 27, 47 and so on.
    let files = [two_cameras(folder.path(), "a", 100, 47..67), two_cameras(folder.path(), "b", 100, 0..47)];
    let export = ["export", "--format", "lerobot", "--output"];
    let told = episode(&[paths(&export, &[at("set")], &[]), paths(&[], &files, &[])].concat());
    let told: Value = serde_json::from_str(&told).unwrap();
    let judged = judge("lerobot_judge.py", &paths(&[], &[at("set")], &paths(&[], &files, &[])));
    let judged: Value = serde_json::from_str(&judged).unwrap();
    let frames = 40 + 33 + 53;
    assert_eq!((judged["cameras"].as_u64(), judged["frames"].as_u64()), (Some(2), Some(frames)), "{judged}");
    assert_eq!(told["exported"]["unpaired"].as_u64(), Some(200 - frames), "{told}");
    // An episode that is small throughout does not fit into the same set.
    let small = two_cameras(folder.path(), "c", 100, 0..100);
    let export = [&["episode"][..], &export].concat();
    let mut command = Command::new(program("takeover").unwrap());
    let failed = command.args(export).args([&at("other"), &files[0], &small]).output().unwrap();
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && said.contains("c.mcap") && said.contains("its cameras"), "{said}");
}

#[test]
fn tables_hold_every_tick() {
    let folder = tempfile::tempdir().unwrap();
    let files = drive(&folder.path().join("episodes"));
    for format in ["csv", "parquet"] {
        episode(&paths(&["export", "--format", format, "--output"], &[folder.path().to_owned()], &[&files[0]]));
    }
    let stem = files[0].file_stem().unwrap().to_str().unwrap().to_owned();
    let table = |ending: &str| folder.path().join(format!("{stem}.{ending}"));
    judge("lerobot_judge.py", &paths(&["--tables"], &[table("csv"), table("parquet")], &[&files[0]]));
}

#[test]
fn recordings_of_other_programs_are_taken_over_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    judge("foreign_mcap.py", &[Path::new("make"), folder.path()]);
    for (source, file) in
        [("bag", "bag/bag.mcap"), ("zstd.mcap", "zstd.mcap"), ("lz4.mcap", "lz4.mcap"), ("none.mcap", "none.mcap")]
    {
        let out = at("out");
        episode(&paths(&["import", "--format", "rosbag2", "--output"], &[out.clone(), at(source)], &[]));
        let imported = out.join(format!("{}.mcap", source.replace(".mcap", "")));
        println!("{source}: {}", judge("foreign_mcap.py", &paths(&["compare"], &[imported, at(file)], &[])));
    }
    episode(&paths(&["verify"], &[at("out/bag.mcap")], &[]));
}

/// An episode with a message of every schema.
fn every_schema(folder: &Path) -> PathBuf {
    let drive = drive(&folder.join("drive"));
    let reader = EpisodeReader::open(&drive[0]).unwrap();
    let mut info = reader.info().clone();
    info.id = protocol::EpisodeId::new("all").unwrap();
    let at = info.start_ns;
    let points: Vec<u8> = [1.0_f32, -2.0, 0.5].iter().flat_map(|value| value.to_le_bytes()).collect();
    let field = |name: &str, offset| foxglove::PackedElementField {
        name: name.to_owned(),
        offset,
        r#type: foxglove::packed_element_field::NumericType::Float32.into(),
    };
    let cloud = foxglove::PointCloud {
        frame_id: "vehicle".to_owned(),
        point_stride: 12,
        fields: vec![field("x", 0), field("y", 4), field("z", 8)],
        data: points.into(),
        ..Default::default()
    };
    let line = foxglove::Log { message: "hello".to_owned(), level: 2, ..Default::default() };
    let own = [Message::encode(&topics::LIDAR, 1, at, at, &cloud), Message::encode(&topics::LOG, 1, at, at, &line)];
    let copied = reader.messages().map(|message| {
        let message = message.unwrap();
        Message {
            topic: topics::by_name(message.topic()).unwrap(),
            sequence: message.sequence,
            log_time_ns: message.log_time_ns,
            publish_time_ns: message.publish_time_ns,
            data: message.data,
            keyframe: false,
        }
    });
    let all = recorder::write_episode(folder, &info, own.into_iter().chain(copied)).unwrap();
    folder.join(all.file)
}

#[test]
fn every_schema_decodes_in_python_in_rerun_and_in_node() {
    let folder = tempfile::tempdir().unwrap();
    let file = every_schema(folder.path());
    let reader = EpisodeReader::open(&file).unwrap();
    let written: BTreeSet<&str> = topics::ALL.iter().map(|topic| topic.schema).collect();
    let summaries = reader.topics();
    assert_eq!(summaries.iter().map(|topic| topic.schema.as_str()).collect::<BTreeSet<_>>(), written);

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recorder/tests/judge.py");
    run(Command::new(python().unwrap()).arg(script).arg("--video").arg(&file)).unwrap();
    let rerun = python().unwrap().with_file_name("rerun");
    let verdict = run(Command::new(rerun).args(["mcap", "check"]).arg(&file)).unwrap();
    assert!(verdict.contains("ok") && !verdict.contains("error"), "{verdict}");

    let read = node("read_mcap.cjs", &[file.to_str().unwrap()]).unwrap();
    assert_eq!(read["messages"].as_u64(), Some(reader.message_count()));
    for topic in &summaries {
        assert_eq!(read["topics"][&topic.topic].as_u64(), Some(topic.messages), "{}", topic.topic);
    }
    let schemas: BTreeSet<&str> = read["schemas"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(schemas, written);
    let last = reader.select(Some([topics::VEHICLE_STATE.name]), ..).last().unwrap().unwrap();
    let last = protocol::v1::VehicleState::decode(last.data).unwrap();
    let observed: Vec<f64> =
        read["state"]["observation"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert_eq!((read["state"]["odometerM"].as_f64(), observed), (Some(last.odometer_m), last.observation));
}

const SHOWN: [&str; 6] = ["/camera/front", "/vehicle/state", "/control/proposal", "/scan", "/scene", "/tf"];

fn look(address: &str, subprotocol: &str, wanted: &[&str]) -> Value {
    node("view.cjs", &[&[address, subprotocol], wanted].concat()).unwrap()
}

#[test]
fn an_episode_that_is_played_opens_in_the_viewers_client() {
    let folder = tempfile::tempdir().unwrap();
    let files = drive(&folder.path().join("episodes"));
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let file = files[0].to_string_lossy();
    let play = ["episode", "play", &file, "--serve", &address, "--speed", "20", "--wait", "--loop"];
    let log = folder.path().join("play.log");
    let _player = Process::takeover(&play.map(str::to_owned), &log).unwrap();
    let timeout = Duration::from_secs(30);
    tests::wait_for("the player", timeout, || std::net::TcpStream::connect(&address).ok()).unwrap();
    for subprotocol in ["foxglove.sdk.v1", "foxglove.websocket.v1"] {
        let seen = look(&format!("ws://{address}"), subprotocol, &SHOWN);
        assert_eq!(seen["subprotocol"], subprotocol);
    }
}

#[test]
fn a_running_vehicle_opens_in_the_viewers_client_and_records_all_that_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let view = format!("127.0.0.1:{}", free_port().unwrap());
    let _bridge = site.bridge_with(&["--view", &view]).unwrap();
    let _operator = site.operator().unwrap();
    site.wait_until("an operator at the wheel", |car| car["author"] == "operator").unwrap();
    let wanted =
        [&SHOWN[..], &["/operator/input", "/gnss", "/plan", "/ego/pose", "/link/stats", "/authority"]].concat();
    let seen = look(&format!("ws://{view}"), "foxglove.sdk.v1", &wanted);
    assert_eq!(seen["name"], tests::CAR);

    // The episode of the takeover holds the same topics, with both clocks, and what belongs to it.
    let first = || site.get("episodes")?.as_array()?.first().cloned();
    let episode = tests::wait_for("a finished episode", Duration::from_secs(90), first).unwrap();
    let file = folder.path().join("data/episodes").join(episode["file"].as_str().unwrap());
    let reader = EpisodeReader::open(&file).unwrap();
    let recorded: BTreeSet<String> = reader.topics().into_iter().map(|topic| topic.topic).collect();
    let also = ["/camera/front/calibration", "/surroundings", "/policy/status", "/control/command", "/takeover/event"];
    for topic in wanted.iter().chain(&also) {
        assert!(recorded.contains(*topic), "{topic} is not among {recorded:?}");
    }
    assert_eq!(reader.attachment_names().collect::<Vec<_>>(), ["soderleden.xodr", "scenario.json"]);
    for record in ["clock", "software", "stvfernlv_annex_3"] {
        assert!(!reader.metadata(record).unwrap().is_empty(), "{record}");
    }
    let picture = reader.select(Some([topics::CAMERA_FRONT.name]), ..).next().unwrap().unwrap();
    assert!(picture.publish_time_ns < picture.log_time_ns, "taken before it was recorded");
}
