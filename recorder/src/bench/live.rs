//! The recorder's thread: what a producer waits, how soon a file is done, how much memory it takes.

use super::{BenchError, Figure, lower};
use crate::trials::Random;
use crate::{DriveLogConfig, RecorderConfig, RecorderEvent, RecorderThread, ThreadConfig};
use bytes::Bytes;
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, topics};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const MS: u64 = 1_000_000;
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn figures(dir: &Path) -> Result<Vec<Figure>, BenchError> {
    let folder = dir.join("recorder-bench");
    fs::create_dir_all(&folder).map_err(BenchError::io("make a folder"))?;
    let memory = memory_bound(&folder);
    let mut figures = stalled(&folder);
    let finish = time_to_finish(&folder);
    fs::remove_dir_all(&folder).map_err(BenchError::io("remove the folder"))?;
    if let Ok(stalled) = &mut figures {
        stalled.extend([finish?, memory?]);
    }
    figures
}

fn info(id: &str) -> Result<EpisodeInfo, BenchError> {
    Ok(EpisodeInfo::new(EpisodeId::new(id)?, VehicleId::new("bench")?, PolicyVersion::new("none")?))
}

/// One tick of 20 ms: state, command, and a picture of each of four cameras, 20 Mbit/s in all.
struct Cameras {
    noise: Bytes,
    random: Random,
}

impl Cameras {
    fn new() -> Self {
        let mut random = Random(3);
        Self { noise: Bytes::from(random.noise(1 << 20)), random }
    }

    /// Copies, so that every message has memory of its own.
    fn tick(&mut self, n: u64, at_ns: u64) -> Vec<Message> {
        let sizes = [(&topics::VEHICLE_STATE, 300), (&topics::CONTROL_COMMAND, 80)];
        let pictures = topics::CAMERAS.iter().map(|&camera| (camera, 12_500));
        let message = |(topic, bytes): (_, usize)| {
            let at = self.random.between(0, 500_000) as usize;
            Message {
                topic,
                sequence: n as u32,
                log_time_ns: at_ns,
                publish_time_ns: at_ns,
                data: Bytes::copy_from_slice(&self.noise[at..at + bytes]),
                keyframe: n.is_multiple_of(25),
            }
        };
        sizes.into_iter().chain(pictures).map(message).collect()
    }
}

fn offer(thread: &RecorderThread, messages: Vec<Message>) {
    for message in messages {
        thread.handle().push(message);
    }
}

/// Microseconds that a push takes at the worst thousandth and at the worst, while the disk takes nothing: the drive
/// log's file is a pipe that nobody reads, so that the thread hangs in a write.
fn stalled(folder: &Path) -> Result<Vec<Figure>, BenchError> {
    let (dir, log) = (folder.join("stalled"), folder.join("stalled-log"));
    for made in [&dir, &log] {
        fs::create_dir_all(made).map_err(BenchError::io("make a folder"))?;
    }
    let pipe = log.join("log-20.mcap.part");
    let made = Command::new("mkfifo").arg(&pipe).status().map_err(BenchError::io("make a pipe"))?;
    if !made.success() {
        return Err(BenchError::Missing("this system makes no pipes"));
    }
    let drive_log = Some(DriveLogConfig { period_ns: 0, ..DriveLogConfig::new(log, info("log")?) });
    let thread = RecorderThread::start(ThreadConfig { drive_log, queue_bytes: 32 << 20, ..ThreadConfig::new(&dir) })?;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        let pipe = File::open(pipe);
        let _ = released.recv();
        pipe.and_then(|mut pipe| std::io::copy(&mut pipe, &mut std::io::sink()))
    });
    thread.handle().begin(0, info("stalled")?, Vec::new());
    let mut cameras = Cameras::new();
    let mut times = Vec::new();
    for n in 1..=5_000 {
        let messages = cameras.tick(n, n * 20 * MS);
        for message in messages {
            let start = Instant::now();
            thread.handle().push(message);
            times.push(start.elapsed().as_nanos() as f64 * 1e-3);
        }
    }
    let full = thread.handle().queued_bytes() > 24 << 20;
    let _ = release.send(());
    drop(thread.shutdown());
    let _ = reader.join();
    if !full {
        return Err(BenchError::Missing("the pipe did not stall the recorder"));
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(vec![lower("producer's push, disk stalled, p99.9", at(0.999), "us", "goal", 100.0)])
}

/// Milliseconds from the end of the post-roll to the finished file, ten seconds of four cameras before it; the median.
fn time_to_finish(folder: &Path) -> Result<Figure, BenchError> {
    let dir = folder.join("finish");
    fs::create_dir_all(&dir).map_err(BenchError::io("make a folder"))?;
    let recorder = RecorderConfig { post_roll_ns: 500 * MS, ..RecorderConfig::default() };
    let thread = RecorderThread::start(ThreadConfig { recorder, ..ThreadConfig::new(&dir) })?;
    let mut cameras = Cameras::new();
    let mut n = 0;
    let mut push = |at_ns| {
        n += 1;
        offer(&thread, cameras.tick(n, at_ns));
    };
    let mut times = Vec::new();
    for round in 0..5_u64 {
        let begin_ns = (round + 1) * 100_000 * MS;
        (0..500).for_each(|tick| push(begin_ns - 10_000 * MS + tick * 20 * MS));
        let info = info(&format!("finish-{round}"))?;
        let id = info.id.clone();
        thread.handle().begin(begin_ns, info, Vec::new());
        let start = Instant::now();
        thread.handle().end(begin_ns + 500 * MS, id);
        let over = Duration::from_millis(1_000);
        loop {
            if thread.events().try_iter().any(|event| matches!(event, RecorderEvent::Finished(_))) {
                times.push(start.elapsed().saturating_sub(over).as_secs_f64() * 1e3);
                break;
            }
            if start.elapsed() > TIMEOUT {
                return Err(BenchError::Missing("an episode was not finished"));
            }
            if thread.handle().queued_bytes() == 0 {
                push(begin_ns + start.elapsed().as_nanos() as u64);
            }
            std::thread::sleep(Duration::from_millis(4));
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(lower("end of post-roll to finished file", times[times.len() / 2], "ms", "goal", 200.0))
}

/// Most memory, MB, while a gigabyte goes through a ring of 64 MiB and a queue of 16 MiB into an open episode; the bound
/// is what these and what waits for the disk may take, and 8 MiB for the open chunk, the compressor and this
/// measurement.
fn memory_bound(folder: &Path) -> Result<Figure, BenchError> {
    let dir = folder.join("memory");
    fs::create_dir_all(&dir).map_err(BenchError::io("make a folder"))?;
    let recorder = RecorderConfig { max_bytes: 64 << 20, pre_roll_ns: 600_000 * MS, ..RecorderConfig::default() };
    let config =
        ThreadConfig { recorder, queue_bytes: 16 << 20, write_back_limit_bytes: 16 << 20, ..ThreadConfig::new(&dir) };
    let before = resident_mb().ok_or(BenchError::Missing("this system does not tell the memory in use"))?;
    let thread = RecorderThread::start(config)?;
    thread.handle().begin(0, info("memory")?, Vec::new());
    let mut cameras = Cameras::new();
    let mut most: f64 = 0.0;
    for n in 1..=20_000 {
        offer(&thread, cameras.tick(n, n * 20 * MS));
        // As fast as the disk takes it: a queue that drops pictures would keep the ring empty.
        while thread.handle().queued_bytes() > 12 << 20 {
            std::thread::sleep(Duration::from_millis(1));
        }
        if n % 100 == 0 {
            most = most.max(resident_mb().unwrap_or(0.0) - before);
        }
    }
    drop(thread.shutdown());
    Ok(lower("memory while 1 GB is recorded", most, "MB", "ring, queue, write-back and 8 MiB", 104.0 * 1.048_576))
}

fn resident_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib * 1.024e-3)
}
