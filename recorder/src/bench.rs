//! How fast episodes are written, for `make bench`.

use crate::{EpisodeFile, EpisodeInfo, Message, RecorderError, Topic, topics};
use bytes::Bytes;
use protocol::{EpisodeId, IdError, PolicyVersion, VehicleId};
use std::path::Path;
use std::time::Instant;

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteSpeed {
    /// What was written.
    pub name: &'static str,
    /// Payload.
    pub bytes: u64,
    /// How many messages.
    pub messages: u64,
    /// From the creation of the file to its final name, with every sync.
    pub seconds: f64,
    /// Size of the file.
    pub file_bytes: u64,
}

impl WriteSpeed {
    /// Payload, 10^6 bytes a second.
    #[must_use]
    pub fn megabytes_per_s(&self) -> f64 {
        self.bytes as f64 * 1e-6 / self.seconds
    }

    /// Messages a second.
    #[must_use]
    pub fn messages_per_s(&self) -> f64 {
        self.messages as f64 / self.seconds
    }
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The file could not be written.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The measurement's name is no identifier.
    #[error(transparent)]
    Id(#[from] IdError),
}

/// Shape of a load: share in percent, smallest and largest size, topic.
type Mix = &'static [(u64, usize, usize, &'static Topic)];

/// Control data, scans and video of one robot: many small messages, most bytes in few large ones.
static MIXED: Mix = &[
    (70, 80, 400, &topics::VEHICLE_STATE),
    (20, 1_000, 4_000, &topics::SCAN),
    (10, 10_000, 60_000, &topics::CAMERA_FRONT),
];
static SMALL: Mix = &[(100, 100, 100, &topics::VEHICLE_STATE)];
static VIDEO: Mix = &[(100, 50_000, 50_000, &topics::CAMERA_FRONT)];

/// Writes `bytes` of payload of each shape (mixed sizes, 100-byte messages, 50 kB video frames) to `dir`, incompressible
/// and the same in every run, and removes the files.
///
/// # Errors
/// [`BenchError::Recorder`] when the disk refuses.
pub fn write_speed(dir: &Path, bytes: u64) -> Result<Vec<WriteSpeed>, BenchError> {
    let loads = [("mixed", MIXED), ("100-byte messages", SMALL), ("50 kB video frames", VIDEO)];
    loads.into_iter().map(|(name, mix)| measure(dir, name, mix, bytes)).collect()
}

fn measure(dir: &Path, name: &'static str, mix: Mix, bytes: u64) -> Result<WriteSpeed, BenchError> {
    let messages = load(mix, bytes);
    let id = EpisodeId::new(format!("bench-{}", std::process::id()))?;
    let info = EpisodeInfo::new(id, VehicleId::new("bench")?, PolicyVersion::new("none")?);
    let start = Instant::now();
    let mut file = EpisodeFile::create(dir, &info)?;
    for message in &messages {
        file.write(message)?;
    }
    let episode = file.finish(&info)?;
    let seconds = start.elapsed().as_secs_f64();
    let path = dir.join(&episode.file);
    std::fs::remove_file(&path).map_err(RecorderError::io("remove", &path))?;
    let bytes = messages.iter().map(|message| message.data.len() as u64).sum();
    Ok(WriteSpeed { name, bytes, messages: messages.len() as u64, seconds, file_bytes: episode.bytes })
}

/// Messages at 1 ms of log time, cut out of one block of noise.
fn load(mix: Mix, bytes: u64) -> Vec<Message> {
    let mut random = Random(7);
    let noise: Vec<u8> = (0..1 << 20).map(|_| random.next() as u8).collect();
    let noise = Bytes::from(noise);
    let mut messages = Vec::new();
    let mut total = 0;
    while total < bytes {
        let mut roll = random.next() % 100;
        let Some((_, low, high, topic)) = mix.iter().find(|(share, ..)| {
            let hit = roll < *share;
            roll = roll.saturating_sub(*share);
            hit
        }) else {
            break;
        };
        let size = low + (random.next() as usize) % (high - low + 1);
        let at = (random.next() as usize) % (noise.len() - size);
        let log_time_ns = messages.len() as u64 * 1_000_000;
        messages.push(Message {
            topic,
            sequence: messages.len() as u32,
            log_time_ns,
            publish_time_ns: log_time_ns,
            data: noise.slice(at..at + size),
            keyframe: true,
        });
        total += size as u64;
    }
    messages
}

/// SplitMix64 (Steele, Lea and Flood 2014): enough for noise.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
