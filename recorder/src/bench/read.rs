//! How fast files are read: whole, and from a moment on.

use super::write::mixed;
use super::{BenchError, Figure, higher, lower};
use crate::{EpisodeReader, RecorderError, write_episode};
use protocol::{EpisodeId, EpisodeInfo, PolicyVersion, VehicleId};
use std::path::Path;
use std::time::Instant;

const SEEKS: u64 = 50;

pub(super) fn figures(dir: &Path, effort: usize) -> Result<Vec<Figure>, BenchError> {
    let messages = mixed((128 << 20) * effort as u64);
    let info = EpisodeInfo::new(EpisodeId::new("bench-read")?, VehicleId::new("bench")?, PolicyVersion::new("none")?);
    let last_ns = messages.last().map_or(0, |message| message.log_time_ns);
    let count = messages.len();
    let path = dir.join(write_episode(dir, &info, messages)?.file);
    let result = measure(&path, count, last_ns);
    std::fs::remove_file(&path).map_err(RecorderError::io("remove", &path))?;
    result
}

fn measure(path: &Path, count: usize, last_ns: u64) -> Result<Vec<Figure>, BenchError> {
    let start = Instant::now();
    let (mut bytes, mut found) = (0, 0);
    for message in EpisodeReader::open(path)?.messages() {
        bytes += message?.data.len();
        found += 1;
    }
    let ours = bytes as f64 * 1e-6 / start.elapsed().as_secs_f64();
    if found != count {
        return Err(BenchError::Missing("messages are missing when read again"));
    }
    let start = Instant::now();
    let whole = std::fs::read(path).map_err(BenchError::io("read"))?;
    let mut peer_bytes = 0;
    for message in mcap::MessageStream::new(&whole)? {
        peer_bytes += message?.data.len();
    }
    let peer = peer_bytes as f64 * 1e-6 / start.elapsed().as_secs_f64();
    drop(whole);
    let start = Instant::now();
    for n in 0..SEEKS {
        let from_ns = last_ns * n / SEEKS;
        let reader = EpisodeReader::open(path)?;
        let first = reader.select(Some(["/vehicle/state"]), from_ns..).next();
        first.ok_or(BenchError::Missing("nothing was found by seeking"))??;
    }
    let seek_ms = start.elapsed().as_secs_f64() * 1e3 / SEEKS as f64;
    Ok(vec![
        higher("replay, mixed sizes, in order of time", ours, "MB/s", "mcap crate, in file order", peer),
        lower("opening a 134 MB file at a moment", seek_ms, "ms", "goal", 10.0),
    ])
}
