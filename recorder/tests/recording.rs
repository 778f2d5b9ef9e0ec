//! Files, the thread and the reader together.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use protocol::trigger::Fired;
use protocol::{Attachment, EpisodeId, EpisodeInfo, Message, PolicyVersion, Trigger, VehicleId, foxglove, topics, v1};
use recorder::signature::verify;
use recorder::{
    DriveLogConfig, EpisodeFile, EpisodeReader, RecorderConfig, RecorderError, RecorderEvent, RecorderThread,
    SigningKey, ThreadConfig, recover, scan, write_episode, write_episode_with,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;

const MS: u64 = 1_000_000;

fn info(id: &str) -> EpisodeInfo {
    EpisodeInfo::new(EpisodeId::new(id).unwrap(), VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap())
}

fn state(ms: u64) -> Message {
    let state = v1::VehicleState { sequence: ms, ..Default::default() };
    Message::encode(&topics::VEHICLE_STATE, ms as u32, ms * MS, ms * MS - 1, &state)
}

fn picture(ms: u64, keyframe: bool) -> Message {
    let video = foxglove::CompressedVideo {
        data: Bytes::from(vec![ms as u8; 5_000]),
        format: "h264".into(),
        ..Default::default()
    };
    Message { keyframe, ..Message::encode(&topics::CAMERA_FRONT, ms as u32, ms * MS, ms * MS - 1, &video) }
}

fn start(dir: &Path, queue_bytes: usize) -> RecorderThread {
    let recorder = RecorderConfig { pre_roll_ns: 1_000 * MS, post_roll_ns: 500 * MS, max_bytes: 8 << 20 };
    RecorderThread::start(ThreadConfig { recorder, queue_bytes, ..ThreadConfig::new(dir) }).unwrap()
}

#[test]
fn a_takeover_becomes_a_file_with_pre_roll_post_roll_and_map() {
    let dir = tempfile::tempdir().unwrap();
    let thread = start(dir.path(), 64 << 20);
    let map = Attachment { name: "map.xodr".into(), media_type: "application/xml".into(), data: "<OpenDRIVE/>".into() };
    for ms in (10..=6_000).step_by(10) {
        thread.handle().push(state(ms));
        if ms % 50 == 0 {
            thread.handle().push(picture(ms, ms % 500 == 0));
        }
        if ms == 3_200 {
            thread.handle().begin(ms * MS, info("e"), vec![map.clone()]);
        }
        if ms == 4_000 {
            thread.handle().describe(EpisodeId::new("e").unwrap(), "safety".into(), "cut in".into());
            thread.handle().end(ms * MS, EpisodeId::new("e").unwrap());
        }
    }
    let event = thread.events().recv().unwrap();
    let RecorderEvent::Finished(episode) = event else { panic!("{event:?}") };
    assert_eq!((episode.cause.as_str(), episode.file.as_str()), ("safety", "e.mcap"));
    assert_eq!((episode.start_ms, episode.duration_s), (2_000, 2.5));
    assert!(thread.shutdown().is_empty());

    let reader = EpisodeReader::open(&dir.path().join("e.mcap")).unwrap();
    assert_eq!((reader.info().start_ns, reader.info().end_ns), (2_000 * MS, 4_500 * MS));
    assert_eq!(reader.info().reason, "cut in");
    assert_eq!(reader.attachment_names().collect::<Vec<_>>(), ["map.xodr"]);
    assert_eq!(reader.attachment("map.xodr").unwrap(), Some(map));
    assert_eq!(reader.attachment("else").unwrap(), None);
    assert!(reader.metadata("clock").unwrap().contains_key("log_time"));
    let times: Vec<_> = reader.select(Some(["/vehicle/state"]), ..).map(|m| m.unwrap().log_time_ns / MS).collect();
    assert_eq!(times, (2_000..=4_500).step_by(10).collect::<Vec<_>>());
    let some: Vec<_> = reader.select(Some(["/camera/front"]), 3_000 * MS..3_100 * MS).map(Result::unwrap).collect();
    assert_eq!(some.len(), 2);
    assert_eq!(some[0].publish_time_ns, 3_000 * MS - 1);
    assert_eq!(some[0].decode::<foxglove::CompressedVideo>().unwrap().format, "h264");
    assert!(matches!(some[0].decode::<v1::VehicleState>(), Err(RecorderError::WrongType { .. })));
    assert_eq!(reader.topics().iter().map(|t| t.messages).sum::<u64>(), reader.message_count());
    assert_eq!(scan(dir.path()).unwrap(), [episode]);
}

#[test]
fn what_the_queue_drops_is_in_the_files_account() {
    let dir = tempfile::tempdir().unwrap();
    let thread = start(dir.path(), 20_000);
    thread.handle().begin(MS, info("e"), vec![]);
    let offered = 20_000;
    (1..=offered).for_each(|n| {
        thread.handle().push(state(n + 10));
    });
    let events = thread.shutdown();
    assert!(matches!(&events[..], [RecorderEvent::Finished(_)]), "{events:?}");
    let reader = EpisodeReader::open(&dir.path().join("e.mcap")).unwrap();
    let dropped = reader.info().drops["/vehicle/state"];
    assert!(dropped > 0, "the queue held everything");
    assert_eq!(reader.messages().count() as u64 + dropped, offered);
}

#[test]
fn a_file_that_fails_is_told_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("taken.mcap"), b"somebody's").unwrap();
    let thread = start(dir.path(), 64 << 20);
    thread.handle().begin(10 * MS, info("taken"), vec![]);
    thread.handle().begin(10 * MS, info("free"), vec![]);
    thread.handle().push(state(20));
    let events = thread.shutdown();
    assert!(
        matches!(&events[..], [RecorderEvent::Failed { episode, error: RecorderError::Exists { .. } },
            RecorderEvent::Finished(done)] if episode.as_str() == "taken" && done.id.as_str() == "free"),
        "{events:?}"
    );
    assert_eq!(fs::read(dir.path().join("taken.mcap")).unwrap(), b"somebody's");
}

#[test]
fn a_hard_brake_is_kept_signed_and_beside_the_drive_log() {
    let dir = tempfile::tempdir().unwrap();
    let (episodes, log) = (dir.path().join("episodes"), dir.path().join("log"));
    fs::create_dir(&episodes).unwrap();
    let key = Arc::new(SigningKey::from_seed(&[7; 32]).unwrap());
    let recorder = RecorderConfig { pre_roll_ns: 1_000 * MS, post_roll_ns: 500 * MS, max_bytes: 8 << 20 };
    let drive_log = Some(DriveLogConfig::new(log.clone(), info("any")));
    let config = ThreadConfig { recorder, drive_log, key: Some(Arc::clone(&key)), ..ThreadConfig::new(&episodes) };
    let thread = RecorderThread::start(config).unwrap();
    let (trigger, name) = (Trigger::HardBrake, String::new);
    for ms in (10..=6_000).step_by(10) {
        thread.handle().push(state(ms));
        let fired = match ms {
            3_060 => Fired::Begins { trigger, name: name(), detail: "-7.0 m/s2".into() },
            4_190 => Fired::Ends { trigger, name: name() },
            _ => continue,
        };
        thread.handle().trigger(ms * MS, fired, info("brake"), vec![]);
    }
    let events = thread.shutdown();
    let [RecorderEvent::Finished(episode), RecorderEvent::Logged(part)] = &events[..] else { panic!("{events:?}") };
    let path = episodes.join(&episode.file);
    let reader = EpisodeReader::open(&path).unwrap();
    assert_eq!((reader.info().trigger, reader.info().triggers.len()), (Trigger::HardBrake, 1));
    assert_eq!(reader.info().takeover_ns, 3_060 * MS);
    assert_eq!(verify(&path, &[&key.public().to_string()]).unwrap().sha256, episode.sha256);
    let logged = EpisodeReader::open(&log.join(&part.file)).unwrap();
    assert_eq!((logged.message_count(), logged.info().trigger), (30, Trigger::DriveLog));
}

#[test]
fn messages_come_back_in_the_order_of_log_time_however_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = EpisodeFile::create(dir.path(), &info("e")).unwrap();
    // Ten steps forward, nine back: chunks overlap in time.
    let order: Vec<u64> = (0..200).flat_map(|n| [n * 40 + 400, n * 40 + 10]).collect();
    order.iter().for_each(|ms| file.write(&state(*ms)).unwrap());
    file.finish(&info("e")).unwrap();
    let reader = EpisodeReader::open(&dir.path().join("e.mcap")).unwrap();
    let got: Vec<_> = reader.messages().map(|m| m.unwrap().log_time_ns / MS).collect();
    let mut expected = order;
    expected.sort_unstable();
    assert_eq!(got, expected);
}

#[test]
fn the_same_episode_is_written_to_the_same_bytes_and_may_be_written_again() {
    let write = |dir: &Path| {
        let messages = (1..500).map(|n| if n % 5 == 0 { picture(n * 10, true) } else { state(n * 10) });
        let map = Attachment { name: "map".into(), media_type: "text/plain".into(), data: "x".into() };
        let episode = write_episode_with(dir, &info("e"), &[map], messages).unwrap();
        (fs::read(dir.join(&episode.file)).unwrap(), episode)
    };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = write(one.path());
    assert_eq!(first, write(two.path()));
    assert_eq!(first, write(one.path()));
    assert_eq!(first.1.bytes, first.0.len() as u64);
    assert_eq!(scan(one.path()).unwrap(), [first.1]);
}

#[test]
fn unsorted_or_unknown_input_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let error = write_episode(dir.path(), &info("e"), [state(20), state(10)]).unwrap_err();
    assert!(error.to_string().contains("/vehicle/state at 10000000 ns comes after one at 20000000 ns"), "{error}");
    static ODD: protocol::Topic = protocol::Topic { name: "/odd", schema: "takeover.v1.Odd" };
    let odd = Message { topic: &ODD, ..state(10) };
    let error = write_episode(dir.path(), &info("e"), [odd]).unwrap_err();
    assert!(error.to_string().contains("/odd") && error.to_string().contains("takeover.v1.Odd"), "{error}");
    let huge = Message { data: Bytes::from(vec![0; 33 << 20]), ..state(10) };
    let mut file = EpisodeFile::create(dir.path(), &info("f")).unwrap();
    assert!(matches!(file.write(&huge), Err(RecorderError::TooLarge { .. })));
    file.write(&state(20)).unwrap();
    file.finish(&info("f")).unwrap();
    assert_eq!(EpisodeReader::open(&dir.path().join("f.mcap")).unwrap().messages().count(), 1);
    // The refused attempts are parts that recovery makes whole.
    assert_eq!(recover(dir.path()).unwrap().len(), 1);
}
