//! Cutting, merging, verifying and importing, without other programs; `tests/tests/exchange.rs` asks those.
#![cfg(feature = "exchange")]
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod foreign;

use bytes::Bytes;
use protocol::{
    Attachment, Embodiment, EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, foxglove, topics, v1,
};
use recorder::exchange::{comma2k19, edit, lerobot, rosbag2, silent, table, verify};
use recorder::{EpisodeReader, RecorderError, write_episode_with};
use std::fs;
use std::path::{Path, PathBuf};

const MS: u64 = 1_000_000;

fn id(id: &str) -> EpisodeId {
    EpisodeId::new(id).unwrap()
}

fn info(name: &str, span_ms: (u64, u64)) -> EpisodeInfo {
    let mut info = EpisodeInfo::new(id(name), VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap());
    (info.start_ns, info.end_ns) = (span_ms.0 * MS, span_ms.1 * MS);
    info
}

/// A picture without content but with the units that a keyframe has.
fn picture(n: u64) -> Message {
    let keyframe = n.is_multiple_of(10);
    let units: &[u8] = if keyframe {
        &[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 1, 0, 0, 0, 1, 0x65, 9]
    } else {
        &[0, 0, 0, 1, 0x41, 9]
    };
    let content =
        foxglove::CompressedVideo { data: Bytes::from_static(units), format: "h264".to_owned(), ..Default::default() };
    let at = n * 50 * MS;
    Message { keyframe, ..Message::encode(&topics::CAMERA_FRONT, n as u32, at, at, &content) }
}

/// What a drive would record from `from_ms` to `to_ms`: states at 50 Hz, pictures at 20 Hz, a keyframe every 500 ms.
fn episode(dir: &Path, name: &str, from_ms: u64, to_ms: u64) -> PathBuf {
    let states = (from_ms.div_ceil(20)..=to_ms / 20).map(|n| {
        let state = v1::VehicleState { sequence: n, ..Default::default() };
        Message::encode(&topics::VEHICLE_STATE, n as u32, n * 20 * MS, n * 20 * MS - n, &state)
    });
    let mut messages: Vec<_> = states.chain((from_ms.div_ceil(50)..=to_ms / 50).map(picture)).collect();
    messages.sort_by_key(|message| message.log_time_ns);
    let map = Attachment { name: "map".into(), media_type: "text/plain".into(), data: "road".into() };
    let done = write_episode_with(dir, &info(name, (from_ms, to_ms)), &[map], messages).unwrap();
    dir.join(done.file)
}

fn times(path: &Path, topic: &str) -> Vec<u64> {
    let reader = EpisodeReader::open(path).unwrap();
    reader.select(Some([topic]), ..).map(|message| message.unwrap().log_time_ns / MS).collect()
}

#[test]
fn a_piece_begins_at_the_keyframe_before_and_pieces_that_overlap_merge_into_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let whole = EpisodeReader::open(&episode(dir.path(), "whole", 0, 10_000)).unwrap();
    let mut pieces = Vec::new();
    for (name, from, to) in [("b", 3_930, 8_000), ("a", 0, 5_000), ("c", 8_000, 10_000)] {
        let done = edit::cut(&whole, (from * MS, to * MS), id(name), dir.path(), &mut silent).unwrap();
        let path = dir.path().join(done.file);
        let pictures = times(&path, "/camera/front");
        assert_eq!(pictures.first(), Some(&(from / 500 * 500)), "{name}");
        assert_eq!(times(&path, "/vehicle/state").first(), Some(&from.next_multiple_of(20)), "{name}");
        let piece = EpisodeReader::open(&path).unwrap();
        assert_eq!(verify::verify(&piece, &mut silent).problems, Vec::<String>::new());
        assert_eq!(piece.attachment("map").unwrap().unwrap().data, "road");
        pieces.push(piece);
    }
    let merged = edit::merge(&pieces, id("merged"), dir.path(), &mut silent).unwrap();
    let merged = EpisodeReader::open(&dir.path().join(merged.file)).unwrap();
    let all = |reader: &EpisodeReader| -> Vec<_> {
        let key = |m: recorder::EpisodeMessage| {
            (m.log_time_ns, m.topic().to_owned(), m.sequence, m.publish_time_ns, m.data.clone())
        };
        let mut all: Vec<_> = reader.messages().map(|message| key(message.unwrap())).collect();
        all.sort();
        all
    };
    assert_eq!(all(&merged), all(&whole));
    for nothing in [(5 * MS, 4 * MS), (11_000 * MS, 12_000 * MS)] {
        assert!(edit::cut(&whole, nothing, id("none"), dir.path(), &mut silent).is_err());
    }
    // Not a file more than those that were made, and none that is half made.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
    let again = edit::cut(&whole, (0, MS), id("a"), dir.path(), &mut silent).unwrap_err();
    assert!(again.to_string().contains("exists already"), "{again}");
}

#[test]
fn gaps_repeats_and_a_film_without_a_beginning_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let state = |n: u64, at: u64| {
        let state = v1::VehicleState { sequence: n, ..Default::default() };
        Message::encode(&topics::VEHICLE_STATE, n as u32, at * MS, at * MS, &state)
    };
    let messages = [state(1, 20), picture(3), state(4, 150), state(4, 160)];
    let done = recorder::write_episode(dir.path(), &info("odd", (0, 200)), messages).unwrap();
    let verdict = verify::verify(&EpisodeReader::open(&dir.path().join(done.file)).unwrap(), &mut silent);
    let all = verdict.problems.join("\n");
    for problem in ["lacks 2 messages", "1 messages twice", "does not begin at a keyframe"] {
        assert!(all.contains(problem), "{all}");
    }
}

/// Every tool that reads a file meets every kind of damage: an error that names a place, or a sound result.
#[test]
fn damaged_files_end_every_tool_with_an_error_and_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fs::read(episode(dir.path(), "whole", 0, 1_000)).unwrap();
    let path = dir.path().join("damaged.mcap");
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut refused = 0;
    for at in (0..whole.len()).step_by(701) {
        let flipped = {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            bytes
        };
        let huge = {
            let mut bytes = whole.clone();
            let end = (at + 8).min(bytes.len());
            bytes[at..end].copy_from_slice(&(100_u64 << 30).to_le_bytes()[..end - at]);
            bytes
        };
        for bytes in [flipped, huge, whole[..at].to_vec()] {
            fs::write(&path, bytes).unwrap();
            let mut errors = Vec::new();
            match EpisodeReader::open(&path) {
                Err(error) => errors.push(error.to_string()),
                Ok(reader) => {
                    verify::verify(&reader, &mut silent);
                    let span = (200 * MS, 700 * MS);
                    errors.extend(edit::cut(&reader, span, id("cut"), &out, &mut silent).err().map(|e| e.to_string()));
                    let both = [reader, EpisodeReader::open(&path).unwrap()];
                    errors.extend(edit::merge(&both, id("m"), &out, &mut silent).err().map(|e| e.to_string()));
                }
            }
            errors.extend(rosbag2::import(&path, id("r"), &out, &mut silent).err().map(|e| e.to_string()));
            let dataset = out.join("dataset");
            assert!(
                lerobot::export(std::slice::from_ref(&path), &dataset, None, None, &mut silent).is_err(),
                "no commands"
            );
            refused += errors.len();
            for error in errors {
                assert!(error.contains("byte ") || error.contains("metadata") || error.contains("ns "), "{error}");
            }
            for made in fs::read_dir(&out).unwrap() {
                let made = made.unwrap().path();
                assert!(made.extension().is_some_and(|ending| ending == "mcap"), "{}", made.display());
                fs::remove_file(made).unwrap();
            }
        }
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_sound_mcap_file_that_is_no_episode_is_told_apart_from_a_damaged_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("foreign.mcap");
    let mut writer = mcap::Writer::new(fs::File::create(&path).unwrap()).unwrap();
    let channel = writer.add_channel(0, "/x", "json", &Default::default()).unwrap();
    let header = mcap::records::MessageHeader { channel_id: channel, sequence: 1, log_time: 5, publish_time: 4 };
    writer.write_to_known_channel(&header, b"{}").unwrap();
    writer.finish().unwrap();
    let error = EpisodeReader::open(&path).err().unwrap();
    assert!(matches!(error, RecorderError::NoEpisode { .. }) && error.to_string().contains("import"), "{error}");
    let done = rosbag2::import(&path, id("x"), dir.path(), &mut silent).unwrap();
    let message = EpisodeReader::open(&dir.path().join(done.episode.file)).unwrap().messages().next().unwrap().unwrap();
    assert_eq!((message.topic(), message.sequence, message.log_time_ns, &message.data[..]), ("/x", 1, 5, &b"{}"[..]));
    for (name, word) in [("bag.db3", "ros2 bag convert"), ("nothing", "cannot")] {
        let error = rosbag2::import(&dir.path().join(name), id("y"), dir.path(), &mut silent).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

/// An array of doubles as NumPy saves it.
fn npy(path: PathBuf, columns: usize, values: &[f64]) {
    let shape =
        if columns == 1 { format!("({},)", values.len()) } else { format!("({}, {columns})", values.len() / columns) };
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}").into_bytes();
    header.resize((header.len() + 11).next_multiple_of(64) - 10, b' ');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend_from_slice(&(header.len() as u16).to_le_bytes());
    file.extend_from_slice(&header);
    values.iter().for_each(|value| file.extend_from_slice(&value.to_le_bytes()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, file).unwrap();
}

#[test]
fn a_segment_of_comma2k19_becomes_states_and_fixes() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join("segment").join(name);
    let times: Vec<f64> = (0..100).map(|n| 1_000.0 + f64::from(n) * 0.02).collect();
    let rows = times.len();
    for (sensor, columns, values) in [
        ("can/speed", 1, vec![10.0; rows]),
        ("can/steering_angle", 1, vec![15.38; rows]),
        ("imu/accelerometer", 3, [0.5, 0.0, 9.8].repeat(rows)),
        ("imu/gyro", 3, [0.0, 0.0, -0.1].repeat(rows)),
        ("gnss/live_gnss_ublox", 6, [37.5, -122.25, 10.0, 0.0, 30.0, 0.0].repeat(rows)),
    ] {
        npy(at(sensor).join("t"), 1, &times);
        npy(at(sensor).join("value"), columns, &values);
    }
    // Northwards along the meridian of Greenwich, at the equator.
    let places: Vec<f64> = (0..rows).flat_map(|n| [6_378_137.0, 0.0, n as f64 * 0.2]).collect();
    npy(at("global_pose/frame_times"), 1, &times);
    npy(at("global_pose/frame_positions"), 3, &places);
    npy(at("global_pose/frame_velocities"), 3, &[0.0, 0.0, 10.0].repeat(rows));
    let done = comma2k19::import(&at(""), id("c"), dir.path(), &mut silent).unwrap();
    assert_eq!(done.notes, Vec::<String>::new());
    let reader = EpisodeReader::open(&dir.path().join(done.episode.file)).unwrap();
    let last = reader.select(Some(["/vehicle/state"]), ..).last().unwrap().unwrap();
    let state: v1::VehicleState = last.decode().unwrap();
    assert_eq!(state.observation, [10.0, 0.5, 1_f64.to_radians(), 0.1]);
    assert!((state.odometer_m - 19.8).abs() < 1e-9 && last.log_time_ns == 1_001_980_000_000);
    let pose = state.world_from_vehicle.unwrap();
    assert!(pose.x_m.abs() < 1e-9 && (pose.y_m - 19.8).abs() < 1e-6, "{pose:?}");
    assert!((pose.heading_rad - std::f64::consts::FRAC_PI_2).abs() < 1e-9);
    let fix: foxglove::LocationFix = reader.select(Some(["/gnss"]), ..).next().unwrap().unwrap().decode().unwrap();
    assert_eq!((fix.latitude, fix.longitude, fix.altitude), (37.5, -122.25, 30.0));
    // A sensor that is missing, or has more times than values, is named.
    npy(at("can/speed/t"), 1, &times[1..]);
    let error = comma2k19::import(&at(""), id("d"), dir.path(), &mut silent).unwrap_err().to_string();
    assert!(error.contains("speed") && error.contains("99"), "{error}");
}

#[test]
fn columns_have_the_names_of_a_robot_that_is_not_built_in_and_numbers_where_its_file_does_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    let text = Embodiment::delivery_robot().source().replacen("delivery_robot", "tug", 1);
    let tug = Embodiment::from_toml("tug.toml", &text).unwrap();
    let states = |name: &str, file: Attachment| {
        let message = |n: u64| {
            let state = v1::VehicleState { sequence: n, observation: vec![1.0, 0.5, n as f64], ..Default::default() };
            let command = v1::ControlCommand { action: vec![0.5, n as f64], ..Default::default() };
            let at = n * 20 * MS;
            [
                Message::encode(&topics::VEHICLE_STATE, n as u32, at, at, &state),
                Message::encode(&topics::CONTROL_COMMAND, n as u32, at, at, &command),
            ]
        };
        let info = EpisodeInfo { embodiment: "tug".into(), ..info(name, (0, 200)) };
        let done = write_episode_with(dir.path(), &info, &[file], (0..10).flat_map(message)).unwrap();
        EpisodeReader::open(&dir.path().join(done.file)).unwrap()
    };
    let columns = |reader: &EpisodeReader| -> Vec<String> {
        let states = table::States::read(reader, &mut silent).unwrap();
        let named = |name: &&String| name.starts_with("observation") || name.starts_with("action");
        states.columns().iter().map(|column| &column.name).filter(named).cloned().collect()
    };
    let known = states("known", tug.attachment().unwrap());
    assert_eq!(known.embodiment().unwrap(), Some(tug.clone()));
    let names = ["observation.speed_mps", "observation.acceleration_mps2", "observation.yaw_rate_radps"];
    assert_eq!(columns(&known)[..3], names);
    assert_eq!(columns(&known)[3..], ["action.acceleration_mps2", "action.yaw_rate_radps"]);
    let out = dir.path().join("dataset");
    lerobot::export(&[known.path().to_owned()], &out, None, None, &mut silent).unwrap();
    let described: serde_json::Value = serde_json::from_slice(&fs::read(out.join("meta/info.json")).unwrap()).unwrap();
    assert_eq!(described["features"]["observation.state"]["names"][2], "yaw_rate_radps");
    for (name, data) in [("other", text.replacen("tug", "van", 1)), ("broken", "name = ".to_owned())] {
        let unknown = states(name, Attachment { data: data.into(), ..tug.attachment().unwrap() });
        assert_eq!(unknown.embodiment().unwrap(), None);
        assert_eq!(columns(&unknown)[2..4], ["observation.2", "action.0"], "{name}");
    }
}
