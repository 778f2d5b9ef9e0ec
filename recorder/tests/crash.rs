//! A recorder that is killed (SIGKILL) at random moments loses nothing older than 250 ms.
//!
//! The child is this test binary itself, told by an environment variable to record in real time. It keeps a ledger of
//! what the recorder's thread has taken; the parent kills it, recovers and compares. Time is counted on the log clock
//! of the messages, so that a busy machine does not change the outcome.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use protocol::{EpisodeId, PolicyVersion, VehicleId};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recorder::{
    EpisodeInfo, EpisodeReader, Message, RecorderConfig, RecorderThread, ThreadConfig, recover, scan, topics,
};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FOLDER: &str = "RECORDER_CRASH_TEST_FOLDER";
const MAY_BE_LOST_NS: u64 = 250_000_000;
const KILLS: u64 = 36;
const AT_ONCE: u64 = 6;

fn message(log_time_ns: u64, n: u32) -> Message {
    let video = n.is_multiple_of(3);
    let topic = if video { &topics::CAMERA_FRONT } else { &topics::VEHICLE_STATE };
    // Video at about 20 Mbit/s, so that chunks close by size and by time.
    let size = if video { 120_000 } else { 300 };
    let data: Vec<u8> = (0..size).map(|i: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(n) >> 13) as u8).collect();
    let keyframe = n.is_multiple_of(30);
    Message { topic, sequence: n, log_time_ns, publish_time_ns: log_time_ns, data: Bytes::from(data), keyframe }
}

/// Only the parent starts this, with a folder; else it has nothing to do.
#[test]
fn child_that_records_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let config = RecorderConfig { pre_roll_ns: 300_000_000, post_roll_ns: 200_000_000, max_bytes: 64 << 20 };
    let thread =
        RecorderThread::start(ThreadConfig { recorder: config, ..ThreadConfig::new(&folder.join("episodes")) });
    let thread = thread.unwrap();
    let mut ledger = File::create(folder.join("ledger")).unwrap();
    let start = Instant::now();
    let mut episode: Option<EpisodeId> = None;
    println!("ready");
    for n in 0_u32.. {
        let now_ns = start.elapsed().as_nanos() as u64;
        // A takeover begins every 60 messages and ends 45 later, so that kills meet every state of a file.
        if n % 60 == 30 {
            let id = EpisodeId::new(format!("e{n}")).unwrap();
            let vehicle = VehicleId::new("car").unwrap();
            thread.handle().begin(
                now_ns,
                EpisodeInfo::new(id.clone(), vehicle, PolicyVersion::new("p").unwrap()),
                vec![],
            );
            episode = Some(id);
        }
        if n % 60 == 15
            && let Some(id) = episode.take()
        {
            thread.handle().end(now_ns, id);
        }
        assert!(thread.handle().push(message(now_ns, n)));
        while thread.handle().queued_bytes() > 0 {
            std::thread::sleep(Duration::from_micros(100));
        }
        writeln!(ledger, "{n} {now_ns} {}", episode.as_ref().map_or("-", EpisodeId::as_str)).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Entry {
    sequence: u32,
    log_ns: u64,
    episode: String,
}

fn read_ledger(path: &Path) -> Vec<Entry> {
    let lines = BufReader::new(File::open(path).unwrap()).lines();
    let parse = |line: String| {
        let mut fields = line.split(' ');
        let sequence = fields.next()?.parse().ok()?;
        let log_ns = fields.next()?.parse().ok()?;
        Some(Entry { sequence, log_ns, episode: fields.next()?.to_owned() })
    };
    lines.map_while(|line| parse(line.unwrap())).collect()
}

fn kill_at_a_random_moment(seed: u64) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let episodes = folder.path().join("episodes");
    fs::create_dir(&episodes).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_records_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("ready")), "the child did not start");
    let wait = ChaCha8Rng::seed_from_u64(seed).random_range(200..2_000);
    std::thread::sleep(Duration::from_millis(wait));
    child.kill().unwrap();
    child.wait().unwrap();

    let finished = scan(&episodes).unwrap().len();
    let recovered = recover(&episodes).unwrap();
    assert!(recover(&episodes).unwrap().is_empty());
    let all = scan(&episodes).unwrap();
    assert_eq!(all.len(), finished + recovered.len());
    let ledger = read_ledger(&folder.path().join("ledger"));
    let safe_ns = ledger.last().unwrap().log_ns.saturating_sub(MAY_BE_LOST_NS);
    for entry in &ledger {
        let known = all.iter().any(|episode| episode.id.as_str() == entry.episode);
        assert!(entry.episode == "-" || entry.log_ns > safe_ns || known, "{} is missing", entry.episode);
    }
    for episode in &all {
        check(&episodes.join(&episode.file), &ledger, safe_ns);
    }
    recovered.len()
}

/// All that the ledger has from the file's start to its end, or to the moment from which on it may be lost.
fn check(file: &Path, ledger: &[Entry], safe_ns: u64) {
    let reader = EpisodeReader::open(file).unwrap();
    let info = reader.info();
    let messages: Vec<_> = reader.messages().map(Result::unwrap).collect();
    let found: BTreeSet<u32> = messages.iter().map(|message| message.sequence).collect();
    assert_eq!(found.len(), messages.len(), "a message is there twice");
    for got in &messages {
        assert_eq!(got.data, message(got.log_time_ns, got.sequence).data);
    }
    let complete_ns =
        info.takeover_end_ns.filter(|_| info.recovered.is_none()).map_or(u64::MAX, |end| end + 200_000_000);
    // One that began within what may be lost may lack its pre-roll too: it was just being written.
    if info.takeover_ns > safe_ns {
        return;
    }
    let last_ns = complete_ns.min(safe_ns);
    for entry in ledger.iter().filter(|entry| (info.start_ns..=last_ns).contains(&entry.log_ns)) {
        let of_a_closed_post_roll = info.recovered.is_some() && entry.log_ns > last_of(&messages);
        let belongs = entry.episode == info.id.as_str() || entry.log_ns <= info.takeover_ns;
        assert!(
            found.contains(&entry.sequence) || (of_a_closed_post_roll && !belongs),
            "{} lacks {}",
            info.id,
            entry.sequence
        );
    }
}

fn last_of(messages: &[recorder::EpisodeMessage]) -> u64 {
    messages.last().map_or(0, |message| message.log_time_ns)
}

#[test]
fn killed_at_any_moment_the_recorder_loses_nothing_older_than_250_ms() {
    let mut recovered = 0;
    for batch in 0..KILLS / AT_ONCE {
        let seeds = batch * AT_ONCE..(batch + 1) * AT_ONCE;
        let threads: Vec<_> = seeds.map(|seed| std::thread::spawn(move || kill_at_a_random_moment(seed))).collect();
        recovered += threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>();
    }
    assert!(recovered > 0, "no kill met an open file");
}
