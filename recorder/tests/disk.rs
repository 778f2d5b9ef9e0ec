//! Disks that are full, read-only, gone or slow: driving, here pushing messages, goes on; what matters least is lost
//! first, all of it is counted, and recording goes on when the disk is back.
//!
//! Full and read-only disks are real ones: small file systems in memory, mounted in a namespace of the test's own. Where
//! the system allows none (`unshare -Urm`), those two tests say so and check nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use bytes::Bytes;
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, Topic, Trigger, VehicleId, topics, v1};
use recorder::{
    Disk, DriveLogConfig, EpisodeReader, RecorderConfig, RecorderEvent, RecorderStatus, RecorderThread, ThreadConfig,
    scan, write_episode,
};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const MS: u64 = 1_000_000;
const FOLDER: &str = "RECORDER_DISK_TEST_FOLDER";

fn info(id: &str) -> EpisodeInfo {
    EpisodeInfo::new(EpisodeId::new(id).unwrap(), VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap())
}

fn id(id: &str) -> EpisodeId {
    EpisodeId::new(id).unwrap()
}

fn state(n: u64) -> Message {
    let state = v1::VehicleState { sequence: n, ..Default::default() };
    Message::encode(&topics::VEHICLE_STATE, n as u32, n * 20 * MS, n * 20 * MS, &state)
}

/// A picture of 20 kB every 20 ms that nothing makes smaller; every tenth is a keyframe.
fn picture(topic: &'static Topic, n: u64) -> Message {
    let data: Vec<u8> =
        (0..20_000_u64).map(|i| (i.wrapping_mul(n + 77).wrapping_mul(0x9e37_79b9) >> 17) as u8).collect();
    let (log_time_ns, data) = (n * 20 * MS, Bytes::from(data));
    Message {
        topic,
        sequence: n as u32,
        log_time_ns,
        publish_time_ns: log_time_ns,
        data,
        keyframe: n.is_multiple_of(10),
    }
}

/// One tick of a vehicle with two cameras.
fn tick(thread: &RecorderThread, n: u64) {
    thread.handle().push(state(n));
    thread.handle().push(picture(&topics::CAMERA_FRONT, n));
    thread.handle().push(picture(&topics::CAMERA_REAR, n));
}

fn config(dir: &Path) -> ThreadConfig {
    let recorder = RecorderConfig { pre_roll_ns: 1_000 * MS, post_roll_ns: 100 * MS, max_bytes: 64 << 20 };
    ThreadConfig { recorder, reserve_bytes: 0, ..ThreadConfig::new(dir) }
}

fn wait_for(what: &str, thread: &RecorderThread, holds: impl Fn(&RecorderStatus) -> bool) -> RecorderStatus {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let status = thread.handle().status();
        if holds(&status) {
            return status;
        }
        assert!(Instant::now() < until, "{what}: {status:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn settled(thread: &RecorderThread) {
    wait_for("an empty queue", thread, |_| thread.handle().queued_bytes() == 0);
}

/// Sequence numbers by topic.
fn sequences(path: &Path) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for message in EpisodeReader::open(path).unwrap().messages() {
        let message = message.unwrap();
        found.entry(message.topic().to_owned()).or_default().push(message.sequence.into());
    }
    found
}

/// Runs the test `name` of this binary again with a file system of `options` on a folder of its own.
fn with_mount(name: &str, options: &str) {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o {options} tmpfs \"$0\" && exec \"$1\" --exact {name} --nocapture");
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", &script]).arg(dir.path()).arg(std::env::current_exe().unwrap());
    let works = Command::new("unshare").args(["-Urm", "mount", "-t", "tmpfs", "tmpfs"]).arg(dir.path()).output();
    if !works.is_ok_and(|output| output.status.success()) {
        println!("this system allows no file system of one's own: {name} checks nothing");
        return;
    }
    let output = command.env(FOLDER, dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}

fn mounted() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

#[test]
fn a_full_disk_evicts_the_lowest_priority_and_recording_goes_on_without_a_gap() {
    let Some(dir) = mounted() else {
        return with_mount("a_full_disk_evicts_the_lowest_priority_and_recording_goes_on_without_a_gap", "size=16m");
    };
    // Two finished episodes of 2 MB, and 8 MB of somebody else's.
    for (name, trigger) in [("by-rule", Trigger::Rule), ("by-takeover", Trigger::Takeover)] {
        let mut info = info(name);
        info.trigger = trigger;
        write_episode(&dir, &info, (0..100).map(|n| picture(&topics::CAMERA_FRONT, n))).unwrap();
    }
    fs::write(dir.join("filler"), vec![1; 8 << 20]).unwrap();
    let thread = RecorderThread::start(ThreadConfig { write_back_limit_bytes: 32 << 20, ..config(&dir) }).unwrap();
    thread.handle().begin(0, info("e"), vec![]);
    // The first picture is a keyframe. 12 MB and more are more than the disk has, with the room that is made, and less than
    // half of what may wait.
    let mut n = 9;
    while n < 300 || (n < 600 && thread.handle().status().disk != Disk::Full) {
        n += 1;
        tick(&thread, n);
        settled(&thread);
    }
    // It looks for room again and again; on a busy machine the first time may be later than all of this.
    let full = |status: &RecorderStatus| status.disk == Disk::Full && status.removed_files > 0;
    let status = wait_for("room made on a full disk", &thread, full);
    assert!(status.detail.contains("space") && status.waiting_bytes > 0, "{status:?}");
    assert!(!dir.join("by-rule.mcap").exists() && dir.join("by-takeover.mcap").exists());
    thread.handle().end(n * 20 * MS, id("e"));
    // Room for everything, however much has gathered on a machine that is slow to notice.
    let bigger = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&dir).status().unwrap();
    assert!(bigger.success());
    wait_for("a disk that is well", &thread, |status| status.disk == Disk::Well);
    let events = thread.shutdown();
    assert!(
        events.iter().any(|e| matches!(e, RecorderEvent::Finished(episode) if episode.file == "e.mcap")),
        "{events:?}"
    );
    let reader = EpisodeReader::open(&dir.join("e.mcap")).unwrap();
    assert!(reader.info().drops.is_empty(), "{:?}", reader.info().drops);
    for (topic, found) in sequences(&dir.join("e.mcap")) {
        assert_eq!(found, (10..=n).collect::<Vec<_>>(), "{topic}");
    }
}

#[test]
fn a_disk_that_stays_full_costs_the_rear_camera_before_the_record_of_control() {
    let Some(dir) = mounted() else {
        return with_mount("a_disk_that_stays_full_costs_the_rear_camera_before_the_record_of_control", "size=4m");
    };
    let thread = RecorderThread::start(ThreadConfig { write_back_limit_bytes: 8 << 20, ..config(&dir) }).unwrap();
    thread.handle().begin(0, info("e"), vec![]);
    for n in 1..=1_000 {
        tick(&thread, n);
        settled(&thread);
    }
    let status = wait_for("a full disk", &thread, |status| status.disk == Disk::Full);
    assert!(status.waiting_bytes < 9 << 20 && status.lost > 0, "{status:?}");
    let bigger = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&dir).status().unwrap();
    assert!(bigger.success());
    wait_for("a disk that is well", &thread, |status| status.disk == Disk::Well);
    let events = thread.shutdown();
    assert!(matches!(&events[..], [RecorderEvent::Finished(_)]), "{events:?}");
    let found = sequences(&dir.join("e.mcap"));
    assert_eq!(found["/vehicle/state"], (1..=1_000).collect::<Vec<_>>(), "control is whole");
    let drops = EpisodeReader::open(&dir.join("e.mcap")).unwrap().info().drops.clone();
    let (front, rear) = (found["/camera/front"].len() as u64, found["/camera/rear"].len() as u64);
    assert!(rear < front && front < 1_000, "{rear} {front}");
    assert_eq!((drops["/camera/front"] + front, drops["/camera/rear"] + rear), (1_000, 1_000));
}

#[test]
fn a_read_only_disk_is_told_and_the_episode_comes_from_the_ring_when_it_is_not() {
    let Some(dir) = mounted() else {
        return with_mount(
            "a_read_only_disk_is_told_and_the_episode_comes_from_the_ring_when_it_is_not",
            "size=64m,ro",
        );
    };
    let thread = RecorderThread::start(config(&dir)).unwrap();
    (1..=20).for_each(|n| tick(&thread, n));
    thread.handle().begin(20 * 20 * MS, info("e"), vec![]);
    (21..=40).for_each(|n| tick(&thread, n));
    let status = wait_for("a read-only disk", &thread, |status| status.disk == Disk::ReadOnly);
    assert_eq!(status.interrupted, 1);
    let failed = thread.events().recv().unwrap();
    assert!(matches!(&failed, RecorderEvent::Failed { episode, .. } if episode.as_str() == "e"), "{failed:?}");
    assert!(Command::new("mount").args(["-o", "remount,rw"]).arg(&dir).status().unwrap().success());
    wait_for("a disk that is well", &thread, |s| s.disk == Disk::Well && s.interrupted == 0);
    (41..=45).for_each(|n| tick(&thread, n));
    let events = thread.shutdown();
    assert!(matches!(&events[..], [RecorderEvent::Finished(episode)] if episode.file == "e.mcap"), "{events:?}");
    let found = sequences(&dir.join("e.mcap"));
    assert_eq!(found["/vehicle/state"], (1..=45).collect::<Vec<_>>());
    // Pictures come from a keyframe on.
    assert_eq!(found["/camera/front"], (10..=45).collect::<Vec<_>>());
}

#[test]
fn a_folder_that_vanishes_under_an_open_file_is_told_and_the_rest_recorded_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("episodes");
    fs::create_dir(&inner).unwrap();
    let thread = RecorderThread::start(config(&inner)).unwrap();
    thread.handle().begin(0, info("e"), vec![]);
    (1..=20).for_each(|n| tick(&thread, n));
    settled(&thread);
    fs::remove_dir_all(&inner).unwrap();
    let status = wait_for("a folder that is gone", &thread, |status| status.disk == Disk::Gone);
    assert_eq!(status.interrupted, 1);
    (21..=40).for_each(|n| tick(&thread, n));
    fs::create_dir(&inner).unwrap();
    wait_for("a disk that is well", &thread, |s| s.disk == Disk::Well && s.interrupted == 0);
    (41..=45).for_each(|n| tick(&thread, n));
    let events = thread.shutdown();
    let [RecorderEvent::Failed { .. }, RecorderEvent::Finished(episode)] = &events[..] else { panic!("{events:?}") };
    // Nothing of the first file is left, so the ring gives everything again.
    assert_eq!(sequences(&inner.join(&episode.file))["/vehicle/state"], (1..=45).collect::<Vec<_>>());
    assert_eq!(scan(&inner).unwrap().len(), 1);
}

#[test]
fn an_episode_that_ended_while_the_folder_was_gone_is_recorded_late() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("episodes");
    fs::create_dir(&inner).unwrap();
    let thread = RecorderThread::start(config(&inner)).unwrap();
    fs::remove_dir(&inner).unwrap();
    (1..=10).for_each(|n| tick(&thread, n));
    thread.handle().begin(200 * MS, info("e"), vec![]);
    (11..=20).for_each(|n| tick(&thread, n));
    thread.handle().end(400 * MS, id("e"));
    (21..=60).for_each(|n| tick(&thread, n));
    settled(&thread);
    wait_for("a folder that is gone", &thread, |s| s.disk == Disk::Gone && s.interrupted == 1);
    fs::create_dir(&inner).unwrap();
    wait_for("a disk that is well", &thread, |s| s.disk == Disk::Well && s.interrupted == 0);
    let events = thread.shutdown();
    assert!(matches!(&events[..], [RecorderEvent::Failed { .. }, RecorderEvent::Finished(_)]), "{events:?}");
    // 100 ms of post-roll after the end at 400 ms; the ring reaches back for a second.
    assert_eq!(sequences(&inner.join("e.mcap"))["/vehicle/state"].last(), Some(&25));
}

/// The drive log's file is a pipe that nobody reads: a write to it takes as long as the test likes.
#[test]
fn a_stalled_disk_never_blocks_the_producer_and_costs_pictures_before_control() {
    let dir = tempfile::tempdir().unwrap();
    let (episodes, log) = (dir.path().join("episodes"), dir.path().join("log"));
    fs::create_dir(&episodes).unwrap();
    fs::create_dir(&log).unwrap();
    let pipe = log.join("log-20.mcap.part");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let drive_log = Some(DriveLogConfig { period_ns: 0, ..DriveLogConfig::new(log, info("any")) });
    let thread = RecorderThread::start(ThreadConfig { drive_log, queue_bytes: 4 << 20, ..config(&episodes) }).unwrap();
    let (released, release) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        let mut pipe = File::open(pipe).unwrap();
        release.recv().unwrap();
        std::io::copy(&mut pipe, &mut std::io::sink()).unwrap()
    });
    thread.handle().begin(0, info("e"), vec![]);
    let offered = 2_000;
    (1..=offered).for_each(|n| tick(&thread, n));
    let status = thread.handle().status();
    assert!(status.disk == Disk::Slow && thread.handle().queued_bytes() <= 4 << 20, "{status:?}");
    released.send(()).unwrap();
    settled(&thread);
    wait_for("a disk that is well", &thread, |s| s.disk != Disk::Slow);
    let events = thread.shutdown();
    reader.join().unwrap();
    assert!(events.iter().any(|event| matches!(event, RecorderEvent::Finished(_))), "{events:?}");
    let found = sequences(&episodes.join("e.mcap"));
    assert_eq!(found["/vehicle/state"], (1..=offered).collect::<Vec<_>>(), "control is whole");
    let drops = EpisodeReader::open(&episodes.join("e.mcap")).unwrap().info().drops.clone();
    let kept = |topic: &str| found.get(topic).map_or(0, Vec::len) as u64;
    for topic in ["/camera/front", "/camera/rear"] {
        assert!(drops[topic] > 0 && drops[topic] + kept(topic) == offered, "{topic}: {drops:?}");
    }
    assert!(kept("/camera/rear") <= kept("/camera/front"));
    // After a gap a picture can only be a keyframe.
    let front = &found["/camera/front"];
    let broken = front.windows(2).filter(|pair| pair[1] != pair[0] + 1 && pair[1] % 10 != 0).count();
    assert_eq!(broken, 0);
}
