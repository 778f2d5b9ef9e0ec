//! How fast files are written, beside the `mcap` crate's writer as it comes.

use super::load::{MIXED, Mix, SMALL, messages, payload};
use super::{BenchError, Figure, higher};
use crate::container::{ChannelSpec, Writer};
use crate::{EpisodeFile, RecorderError};
use mcap::records::MessageHeader;
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::time::Instant;

/// Repetitions; the best one counts for all, as the machine's other work only ever slows.
const ROUNDS: usize = 8;

pub(super) fn figures(dir: &Path, effort: usize) -> Result<Vec<Figure>, BenchError> {
    let mixed = messages(MIXED, (48 << 20) * effort as u64, 20_000);
    let small = messages(SMALL, (24 << 20) * effort as u64, 700);
    let megabytes = |seconds: f64, messages: &[Message]| payload(messages) * 1e-6 / seconds;
    let (ours, peer) = (best(|| to_memory(&mixed))?, best(|| peer_to_memory(&mixed))?);
    let (ours_small, peer_small) = (best(|| to_memory(&small))?, best(|| peer_to_memory(&small))?);
    let file = best(|| to_file(dir, &mixed))?;
    let rate = |seconds: f64| small.len() as f64 * 1e-6 / seconds;
    let name = "mixed sizes to memory, CRC and index";
    let name_small = "100-byte messages to memory";
    Ok(vec![
        higher(name, megabytes(ours, &mixed), "MB/s", "goal", 1_000.0),
        higher(name, megabytes(ours, &mixed), "MB/s", "mcap crate", megabytes(peer, &mixed)),
        higher(name_small, rate(ours_small), "M/s", "goal", 1.5),
        higher(name_small, rate(ours_small), "M/s", "mcap crate", rate(peer_small)),
        higher("episode file, mixed sizes", megabytes(file, &mixed), "MB/s", "rosbag2 with CRC, published", 88.0),
    ])
}

fn best(mut measure: impl FnMut() -> Result<f64, BenchError>) -> Result<f64, BenchError> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        best = best.min(measure()?);
    }
    Ok(best)
}

fn header(channel_id: u16, message: &Message) -> MessageHeader {
    MessageHeader {
        channel_id,
        sequence: message.sequence,
        log_time: message.log_time_ns,
        publish_time: message.publish_time_ns,
    }
}

/// Memory that has been touched, so that neither writer pays for it.
fn memory_for(messages: &[Message]) -> Vec<u8> {
    let framing = messages.len() * 64;
    std::hint::black_box(vec![1; payload(messages) as usize + framing + (2 << 20)])
}

/// Seconds to write `messages` with checksums, index and hash of nothing but the format into memory that is there.
fn to_memory(messages: &[Message]) -> Result<f64, BenchError> {
    let mut memory = memory_for(messages);
    memory.clear();
    let start = Instant::now();
    let mut writer = Writer::new(memory).map_err(BenchError::io("begin"))?;
    let mut ids: BTreeMap<&str, u16> = BTreeMap::new();
    let none = BTreeMap::new();
    for message in messages {
        let topic = message.topic;
        let id = match ids.get(topic.name) {
            Some(id) => *id,
            None => {
                let spec = ChannelSpec {
                    twin: 0,
                    topic: topic.name,
                    schema: topic.schema,
                    schema_encoding: "protobuf",
                    schema_data: &[],
                    message_encoding: "protobuf",
                    metadata: &none,
                };
                *ids.entry(topic.name).or_insert(writer.channel(&spec).map_err(BenchError::io("define a channel"))?)
            }
        };
        writer.message(&header(id, message), &message.data).map_err(BenchError::io("write to memory"))?;
    }
    writer.end().map_err(BenchError::io("end"))?;
    std::hint::black_box(writer.sink());
    Ok(start.elapsed().as_secs_f64())
}

fn peer_to_memory(messages: &[Message]) -> Result<f64, BenchError> {
    let memory = memory_for(messages);
    let start = Instant::now();
    let mut writer = mcap::Writer::new(Cursor::new(memory))?;
    let mut ids: BTreeMap<&str, u16> = BTreeMap::new();
    for message in messages {
        let topic = message.topic;
        let id = match ids.get(topic.name) {
            Some(id) => *id,
            None => {
                let schema = writer.add_schema(topic.schema, "protobuf", &[])?;
                let id = writer.add_channel(schema, topic.name, "protobuf", &BTreeMap::new())?;
                *ids.entry(topic.name).or_insert(id)
            }
        };
        writer.write_to_known_channel(&header(id, message), &message.data)?;
    }
    writer.finish()?;
    std::hint::black_box(writer.into_inner());
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds from the creation of a file to its final name, hashed and synced.
fn to_file(dir: &Path, messages: &[Message]) -> Result<f64, BenchError> {
    let info = EpisodeInfo::new(EpisodeId::new("bench")?, VehicleId::new("bench")?, PolicyVersion::new("none")?);
    let start = Instant::now();
    let mut file = EpisodeFile::create(dir, &info)?;
    for message in messages {
        file.write(message)?;
    }
    let episode = file.finish(&info)?;
    let seconds = start.elapsed().as_secs_f64();
    let path = dir.join(&episode.file);
    std::fs::remove_file(&path).map_err(RecorderError::io("remove", &path))?;
    Ok(seconds)
}

/// For the other measurements: the same shapes.
pub(super) fn mixed(bytes: u64) -> Vec<Message> {
    let mix: Mix = MIXED;
    messages(mix, bytes, 20_000)
}
