//! The recorder's part of `takeover bench`: its figures, two hundred kills, a thousand overlapping takeovers, and
//! Python's packages as peers and judges where they are installed (`make test` installs them).

use crate::bench::Row;
use anyhow::{Context, bail};
use bytes::Bytes;
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, foxglove, topics, v1};
use recorder::exchange::{lerobot, silent};
use recorder::trials::{Killed, TrialFrame, kill_once, overlapping_takeovers};
use recorder::write_episode;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use video::{H264Config, H264Encoder, I420, Reference, VideoEncoder};

const KILLS: u64 = 200;
const KILLS_AT_ONCE: usize = 6;
const TAKEOVERS: usize = 1_000;
/// The same, to see that it runs.
const FEW_KILLS: u64 = 4;
const FEW_TAKEOVERS: usize = 20;
/// Files that a judge is given at once.
const BATCH: usize = 100;

/// Everything, with files in a folder of its own under the system's temporary one; `quick` leaves out what Python does
/// at length and kills and takes over a few times only.
///
/// # Errors
/// When something cannot be measured, or a proof fails.
pub(crate) fn rows(effort: usize, quick: bool) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir().context("cannot make a folder for the recorder's figures")?;
    let python = python();
    if python.is_none() {
        let text = "Python's packages are not installed, so nothing of Python is measured; `make test` installs them";
        crate::output::or_unread(say!("{text}"))?;
    }
    let mut rows: Vec<Row> = recorder::bench::run(folder.path(), effort)?.into_iter().map(Row::from).collect();
    let (kill_count, takeovers) = if quick { (FEW_KILLS, FEW_TAKEOVERS) } else { (KILLS, TAKEOVERS) };
    if let Some(python) = python.as_deref().filter(|_| !quick) {
        rows.extend(peers(python, &rows)?);
    }
    rows.push(dataset(folder.path(), effort)?);
    rows.push(kills(python.as_deref(), kill_count)?);
    rows.push(overlaps(folder.path(), python.as_deref(), takeovers)?);
    Ok(rows)
}

/// The Python with the judges' packages, if there is one.
fn python() -> Option<PathBuf> {
    let folder = Path::new(&std::env::var_os("HOME")?).join(".cache/takeover/python");
    let python = folder.join("bin/python");
    (folder.join("ready").exists() && python.exists()).then_some(python)
}

fn script(name: &str, text: &str, python: &Path, arguments: &[String]) -> anyhow::Result<String> {
    let output = Command::new(python).arg("-c").arg(text).args(arguments).output();
    let output = output.with_context(|| format!("cannot run {}", python.display()))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn peers(python: &Path, rows: &[Row]) -> anyhow::Result<Vec<Row>> {
    let answer = script("peers.py", include_str!("../recorder/tests/peers.py"), python, &[])?;
    let figures: serde_json::Value = serde_json::from_str(&answer).context("peers.py printed no figures")?;
    let ours = |name: &str| rows.iter().find(|row| row.name == name).map(|row| (row.name.clone(), row.value));
    let mut beside = Vec::new();
    for (name, unit, peer, key) in [
        ("mixed sizes to memory, CRC and index", "MB/s", "Python mcap", "mcap_mixed_mb_s"),
        ("mixed sizes to memory, CRC and index", "MB/s", "Python rosbags, no CRC", "rosbags_mixed_mb_s"),
        ("100-byte messages to memory", "M/s", "Python mcap", "mcap_small_m_s"),
        ("100-byte messages to memory", "M/s", "Python rosbags", "rosbags_small_m_s"),
        ("replay, mixed sizes, in order of time", "MB/s", "Python mcap", "mcap_replay_mb_s"),
    ] {
        if let (Some((name, value)), Some(peer_value)) = (ours(name), figures[key].as_f64()) {
            beside.push(Row::higher(name, value, unit, peer, peer_value));
        }
    }
    Ok(beside)
}

/// Kills a recording child process `count` times; the worst loss of any topic.
fn kills(python: Option<&Path>, count: u64) -> anyhow::Result<Row> {
    let next = AtomicU64::new(0);
    let worst_ns = Mutex::new(0_u64);
    let work = || -> anyhow::Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return Ok(());
            }
            let folder = tempfile::tempdir()?;
            let mut child = Command::new(std::env::current_exe()?);
            child.args(["bench", "--record-until-killed"]).arg(folder.path());
            let killed = kill_once(child, folder.path(), seed).with_context(|| format!("kill {seed}"))?;
            if let Some(python) = python {
                judge(python, &killed.files, false)?;
            }
            let lost_ns = longest(&killed);
            let mut worst_ns = worst_ns.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *worst_ns = (*worst_ns).max(lost_ns);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..KILLS_AT_ONCE).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a kill panicked"))??;
        }
        anyhow::Ok(())
    })?;
    let worst_ms = worst_ns.into_inner().unwrap_or_default() as f64 * 1e-6;
    Ok(Row::lower(format!("SIGKILL, most lost of {count} kills"), worst_ms, "ms", "goal", 250.0))
}

fn longest(killed: &Killed) -> u64 {
    killed.lost_ns.values().copied().max().unwrap_or(0)
}

/// A thousand overlapping takeovers: how many messages were audited; every film is decoded where PyAV is installed.
fn overlaps(folder: &Path, python: Option<&Path>, takeovers: usize) -> anyhow::Result<Row> {
    let done = overlapping_takeovers(folder, takeovers, &film(64)?, 20)?;
    if let Some(python) = python {
        for files in done.files.chunks(BATCH) {
            judge(python, files, true)?;
        }
    }
    let files = done.files.len() as f64;
    Ok(Row::higher("overlapping takeovers without a fault", files, "files", "goal", takeovers as f64))
}

fn judge(python: &Path, files: &[PathBuf], video: bool) -> anyhow::Result<()> {
    let mut arguments: Vec<String> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    if arguments.is_empty() {
        return Ok(());
    }
    if video {
        arguments.push("--video".into());
    }
    script("judge.py", include_str!("../recorder/tests/judge.py"), python, &arguments).map(drop)
}

/// Two seconds of a small moving picture, `side` pixels wide and high, at 20 Hz, a keyframe every second.
///
/// # Errors
/// When the encoder refuses.
pub fn film(side: usize) -> anyhow::Result<Vec<TrialFrame>> {
    moving_picture((side, side), 20, 100_000)
}

fn moving_picture((width, height): (usize, usize), fps: usize, bitrate_bps: u32) -> anyhow::Result<Vec<TrialFrame>> {
    let mut encoder = H264Encoder::new(H264Config { bitrate_bps, ..H264Config::new(width, height, fps as f64) })?;
    let chroma = vec![128; width * height / 4];
    let mut frames = Vec::new();
    for n in 0..2 * fps {
        let y: Vec<u8> =
            (0..width * height).map(|i| if (i % width + n).is_multiple_of(16) { 220 } else { 40 }).collect();
        let picture = I420 { width, height, y: &y, u: &chroma, v: &chroma };
        let frame = encoder.encode(picture, (n * 1_000_000 / fps) as u64, Reference::Previous)?;
        let frame = frame.context("the encoder left a picture out")?;
        frames.push(TrialFrame { data: Bytes::from(frame.data.to_vec()), keyframe: frame.keyframe });
    }
    Ok(frames)
}

/// How much faster than real time an episode of four cameras becomes a LeRobotDataset.
fn dataset(folder: &Path, effort: usize) -> anyhow::Result<Row> {
    const FPS: u64 = 30;
    const STATES_HZ: u64 = 50;
    let seconds = 30 * effort as u64;
    let film = moving_picture((1280, 720), FPS as usize, 6_000_000)?;
    let mut messages = Vec::new();
    for n in 0..seconds * STATES_HZ {
        let (at, sequence) = (n * 1_000_000_000 / STATES_HZ, n as u32);
        let state = v1::VehicleState { sequence: n, observation: vec![n as f64; 4], ..Default::default() };
        let author = if n.is_multiple_of(2) { v1::Author::Operator } else { v1::Author::Policy };
        let action = vec![n as f64; 2];
        let command = v1::ControlCommand { author: author.into(), action: action.clone(), ..Default::default() };
        let proposal = v1::PolicyProposal { action, ..Default::default() };
        messages.push(Message::encode(&topics::VEHICLE_STATE, sequence, at, at, &state));
        messages.push(Message::encode(&topics::CONTROL_COMMAND, sequence, at, at, &command));
        messages.push(Message::encode(&topics::CONTROL_PROPOSAL, sequence, at, at, &proposal));
    }
    for n in 0..seconds * FPS {
        let at = n * 1_000_000_000 / FPS;
        let frame = &film[n as usize % film.len()];
        let content =
            foxglove::CompressedVideo { data: frame.data.clone(), format: "h264".to_owned(), ..Default::default() };
        for &camera in &topics::CAMERAS {
            let message = Message::encode(camera, n as u32, at, at, &content);
            messages.push(Message { keyframe: frame.keyframe, ..message });
        }
    }
    messages.sort_by_key(|message| message.log_time_ns);
    let mut info = EpisodeInfo::new(EpisodeId::new("dataset")?, VehicleId::new("bench")?, PolicyVersion::new("none")?);
    info.end_ns = seconds * 1_000_000_000;
    let path = folder.join(write_episode(folder, &info, messages)?.file);
    let started = Instant::now();
    let mut eye = crate::episode::eye()?;
    let done = lerobot::export(&[path], &folder.join("lerobot"), None, Some(&mut eye), &mut silent)?;
    let times = seconds as f64 / started.elapsed().as_secs_f64();
    if done.frames as u64 != seconds * FPS || !done.left_out.is_empty() {
        bail!("the dataset has {} rows and lacks {:?}", done.frames, done.left_out);
    }
    Ok(Row::higher("LeRobot v3 export, four 720p cameras", times, "x real", "goal", 10.0))
}
