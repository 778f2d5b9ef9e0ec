//! The recorder's part of `takeover bench`: its figures, two hundred kills, a thousand overlapping takeovers, and
//! Python's packages as peers and judges where they are installed (`make test` installs them).

use crate::bench::Row;
use anyhow::{Context, bail};
use bytes::Bytes;
use link::video::{H264Config, H264Encoder, I420, Reference, VideoEncoder};
use recorder::trials::{Frame, Killed, kill_once, overlapping_takeovers};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const KILLS: u64 = 200;
const KILLS_AT_ONCE: usize = 6;
const TAKEOVERS: usize = 1_000;
/// Files that a judge is given at once.
const BATCH: usize = 100;

/// Everything, with files in a folder of its own under the system's temporary one.
///
/// # Errors
/// When something cannot be measured, or a proof fails.
pub(crate) fn rows(effort: usize) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir().context("cannot make a folder for the recorder's figures")?;
    let python = python();
    if python.is_none() {
        println!("Python's packages are not installed, so nothing of Python is measured; `make test` installs them");
    }
    let mut rows: Vec<Row> = recorder::bench::run(folder.path(), effort)?.into_iter().map(Row::from).collect();
    if let Some(python) = &python {
        rows.extend(peers(python, &rows)?);
    }
    rows.push(kills(python.as_deref(), KILLS)?);
    rows.push(overlaps(folder.path(), python.as_deref())?);
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
    Ok(Row::lower("SIGKILL, most lost of 200 kills", worst_ms, "ms", "goal", 250.0))
}

fn longest(killed: &Killed) -> u64 {
    killed.lost_ns.values().copied().max().unwrap_or(0)
}

/// A thousand overlapping takeovers: how many messages were audited; every film is decoded where PyAV is installed.
fn overlaps(folder: &Path, python: Option<&Path>) -> anyhow::Result<Row> {
    let done = overlapping_takeovers(folder, TAKEOVERS, &film()?, 20)?;
    if let Some(python) = python {
        for files in done.files.chunks(BATCH) {
            judge(python, files, true)?;
        }
    }
    let files = done.files.len() as f64;
    Ok(Row::higher("overlapping takeovers without a fault", files, "files", "goal", TAKEOVERS as f64))
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

/// Two seconds of a small moving picture at 20 Hz, a keyframe every second.
///
/// # Errors
/// When the encoder refuses.
pub fn film() -> anyhow::Result<Vec<Frame>> {
    const SIDE: usize = 64;
    let mut encoder = H264Encoder::new(H264Config { bitrate_bps: 100_000, ..H264Config::new(SIDE, SIDE, 20.0) })?;
    let chroma = vec![128; SIDE * SIDE / 4];
    let mut frames = Vec::new();
    for n in 0..40_usize {
        let y: Vec<u8> = (0..SIDE * SIDE).map(|i| if (i % SIDE + n).is_multiple_of(16) { 220 } else { 40 }).collect();
        let picture = I420 { width: SIDE, height: SIDE, y: &y, u: &chroma, v: &chroma };
        let frame = encoder.encode(picture, n as u64 * 50_000, Reference::Previous)?;
        let frame = frame.context("the encoder left a picture out")?;
        frames.push(Frame { data: Bytes::from(frame.data.to_vec()), keyframe: frame.keyframe });
    }
    Ok(frames)
}
