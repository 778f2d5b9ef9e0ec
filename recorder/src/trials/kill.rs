//! A recorder that is killed (SIGKILL) at a random moment.
//!
//! A child process records four cameras' worth of data in real time and keeps a reference log of what the recorder's
//! thread has taken; the parent kills it, recovers its files and compares. Time is counted on the log clock of the
//! messages, so that a busy machine does not change the outcome.

use super::{Random, RecorderTrialError};
use crate::{EpisodeReader, RecorderConfig, RecorderThread, ThreadConfig, recover_all, scan};
use bytes::Bytes;
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, Topic, VehicleId, topics};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Most that a kill may cost, log time.
pub const MAY_BE_LOST_NS: u64 = 250_000_000;
const PRE_ROLL_NS: u64 = 600_000_000;
const POST_ROLL_NS: u64 = 200_000_000;
const TICK: Duration = Duration::from_millis(10);

/// What a kill left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Killed {
    /// Age, before the last message taken, of the oldest message lost; by topic, log time in nanoseconds.
    pub lost_ns: BTreeMap<String, u64>,
    /// Files that were open and are whole now.
    pub recovered: usize,
    /// All files.
    pub files: Vec<PathBuf>,
}

/// Topics of a tick: every how many ticks, and how large.
const LOAD: [(&Topic, u32, usize); 8] = [
    (&topics::VEHICLE_STATE, 2, 300),
    (&topics::CONTROL_COMMAND, 2, 80),
    (&topics::OPERATOR_INPUT, 1, 60),
    (&topics::SCAN, 10, 4_000),
    (&topics::CAMERA_FRONT, 3, 25_000),
    (&topics::CAMERA_LEFT, 3, 15_000),
    (&topics::CAMERA_RIGHT, 3, 15_000),
    (&topics::CAMERA_REAR, 3, 15_000),
];

/// What is on line `line` of the load at number `n`: valid protobuf of any type (one unknown field of noise).
fn content(line: usize, n: u32, bytes: usize) -> Bytes {
    let mut data = vec![0xfa, 0x3f];
    prost::encoding::encode_varint(bytes as u64, &mut data);
    data.extend(Random(u64::from(n) << 8 | line as u64).noise(bytes));
    Bytes::from(data)
}

/// Records into `folder`/episodes, with a reference log beside it, until the process is killed.
///
/// # Errors
/// When it cannot record.
pub fn record_until_killed(folder: &Path) -> Result<(), RecorderTrialError> {
    let dir = folder.join("episodes");
    fs::create_dir_all(&dir).map_err(RecorderTrialError::io("make the folder"))?;
    let recorder = RecorderConfig { pre_roll_ns: PRE_ROLL_NS, post_roll_ns: POST_ROLL_NS, max_bytes: 64 << 20 };
    let thread = RecorderThread::start(ThreadConfig { recorder, reserve_bytes: 0, ..ThreadConfig::new(&dir) })?;
    let mut reference_log =
        File::create(folder.join("reference_log")).map_err(RecorderTrialError::io("make the reference log"))?;
    let mut lines = String::new();
    let mut open = None;
    let start = Instant::now();
    println!("recording");
    for n in 0_u32.. {
        let now_ns = start.elapsed().as_nanos() as u64;
        for (line, (topic, every, bytes)) in
            LOAD.iter().enumerate().filter(|(_, (_, every, _))| n.is_multiple_of(*every))
        {
            let (sequence, data) = (n / every, content(line, n / every, *bytes));
            let keyframe = sequence.is_multiple_of(10);
            let message = Message { topic, sequence, log_time_ns: now_ns, publish_time_ns: now_ns, data, keyframe };
            thread.handle().push(message);
            let _ = writeln!(lines, "{} {sequence} {now_ns}", topic.name);
        }
        // A takeover lasts 450 ms of every 600, so that kills meet every state of a file.
        if n % 60 == 5 {
            let id = EpisodeId::new(format!("e{n}"))?;
            let info = EpisodeInfo::new(id.clone(), VehicleId::new("car")?, PolicyVersion::new("p")?);
            thread.handle().begin(now_ns, info, Vec::new());
            let _ = writeln!(lines, "begin {id} {now_ns}");
            open = Some(id);
        }
        if n % 60 == 50
            && let Some(id) = open.take()
        {
            let _ = writeln!(lines, "end {id} {now_ns}");
            thread.handle().end(now_ns, id);
        }
        while thread.handle().queued_bytes() > 0 {
            std::thread::sleep(Duration::from_micros(100));
        }
        reference_log.write_all(lines.as_bytes()).map_err(RecorderTrialError::io("write the reference log"))?;
        lines.clear();
        std::thread::sleep(TICK);
    }
    Ok(())
}

#[derive(Default)]
struct ReferenceLog {
    /// Topic, sequence, log time.
    messages: Vec<(String, u32, u64)>,
    begins: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
    last_ns: u64,
}

fn read_reference_log(path: &Path) -> Result<ReferenceLog, RecorderTrialError> {
    let mut reference_log = ReferenceLog::default();
    let file = File::open(path).map_err(RecorderTrialError::io("open the reference log"))?;
    for line in BufReader::new(file).lines() {
        let line = line.map_err(RecorderTrialError::io("read the reference log"))?;
        let fields: Vec<_> = line.split(' ').collect();
        // The last line may be cut off.
        let [what, which, at] = fields[..] else { break };
        let Ok(at_ns) = at.parse::<u64>() else { break };
        match (what, which.parse()) {
            ("begin", _) => drop(reference_log.begins.insert(which.to_owned(), at_ns)),
            ("end", _) => drop(reference_log.ends.insert(which.to_owned(), at_ns)),
            (topic, Ok(sequence)) => reference_log.messages.push((topic.to_owned(), sequence, at_ns)),
            _ => break,
        }
        reference_log.last_ns = at_ns;
    }
    Ok(reference_log)
}

/// Starts `child`, which is to call [`record_until_killed`] with `folder` and whose standard output is read, kills it
/// after a time that follows from `seed`, recovers, and compares everything that is left with the reference log.
///
/// # Errors
/// [`RecorderTrialError::Broken`] when a file could not be recovered, holds something else than was recorded, a message
/// twice, or when more than [`MAY_BE_LOST_NS`] is lost.
pub fn kill_once(mut child: Command, folder: &Path, seed: u64) -> Result<Killed, RecorderTrialError> {
    let child = child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(RecorderTrialError::io("start the child"))?;
    let output = child.stdout.take().ok_or_else(|| RecorderTrialError::Broken("the child says nothing".into()))?;
    let started = BufReader::new(output).lines().map_while(Result::ok).any(|line| line.contains("recording"));
    std::thread::sleep(Duration::from_millis(Random(seed).between(100, 2_500)));
    child.kill().and_then(|()| child.wait()).map_err(RecorderTrialError::io("kill the child"))?;
    if !started {
        return Err(RecorderTrialError::Broken("the child did not start to record".into()));
    }
    let dir = folder.join("episodes");
    let recovery = recover_all(&dir)?;
    let reference_log = read_reference_log(&folder.join("reference_log"))?;
    let safe_ns = reference_log.last_ns.saturating_sub(MAY_BE_LOST_NS);
    for (path, error) in &recovery.broken {
        // Killed between a file's making and its first record.
        let name = path.file_name().unwrap_or_default().to_string_lossy().replace(".mcap.broken", "");
        if reference_log.begins.get(&name).is_some_and(|begin| *begin < safe_ns) {
            return Err(RecorderTrialError::Broken(format!("{name} was not recovered: {error}")));
        }
    }
    let episodes = scan(&dir)?;
    for (id, begin_ns) in &reference_log.begins {
        if *begin_ns < safe_ns && !episodes.iter().any(|episode| episode.id.as_str() == id) {
            return Err(RecorderTrialError::Broken(format!("{id} is missing")));
        }
    }
    let mut killed = Killed { recovered: recovery.episodes.len(), ..Killed::default() };
    for episode in episodes {
        let path = dir.join(&episode.file);
        compare(&path, &reference_log, &mut killed)?;
        killed.files.push(path);
    }
    match killed.lost_ns.iter().find(|(_, lost_ns)| **lost_ns > MAY_BE_LOST_NS) {
        Some((topic, lost_ns)) => Err(RecorderTrialError::Broken(format!("{topic} lost {} ms", lost_ns / 1_000_000))),
        None => Ok(killed),
    }
}

fn compare(path: &Path, reference_log: &ReferenceLog, killed: &mut Killed) -> Result<(), RecorderTrialError> {
    let reader = EpisodeReader::open(path)?;
    let info = reader.info();
    let mut found = BTreeSet::new();
    for message in reader.messages() {
        let message = message?;
        let broken = |what: &str| {
            RecorderTrialError::Broken(format!("{}: {} {} {what}", info.id, message.topic(), message.sequence))
        };
        let line = LOAD.iter().position(|(topic, ..)| topic.name == message.topic());
        let line = line.ok_or_else(|| broken("was never recorded"))?;
        if message.data != content(line, message.sequence, LOAD[line].2) {
            return Err(broken("is not what was recorded"));
        }
        if !found.insert((line, message.sequence)) {
            return Err(broken("is there twice"));
        }
    }
    // What a takeover that had only just begun lacks of its pre-roll lies within what may be lost.
    let begin_ns = reference_log.begins.get(info.id.as_str()).copied().unwrap_or(u64::MAX);
    if begin_ns > reference_log.last_ns.saturating_sub(MAY_BE_LOST_NS) {
        return Ok(());
    }
    let until_ns = reference_log.ends.get(info.id.as_str()).map_or(u64::MAX, |end_ns| end_ns + POST_ROLL_NS);
    for (topic, sequence, log_ns) in &reference_log.messages {
        let line = LOAD.iter().position(|(known, ..)| known.name == topic);
        let belongs = (info.start_ns..=until_ns).contains(log_ns);
        if belongs && line.is_none_or(|line| !found.contains(&(line, *sequence))) {
            let lost_ns = killed.lost_ns.entry(topic.clone()).or_default();
            *lost_ns = (*lost_ns).max(reference_log.last_ns.saturating_sub(*log_ns));
        }
    }
    Ok(())
}
