//! MCAP files of rosbag2, and of any other writer: messages of any schema and encoding (such as CDR with `ros2msg`),
//! taken over as they are.
//!
//! Every reader of MCAP that knows the encoding opens the episode; nothing is converted. Attachments and metadata come
//! along.

use super::output::{Output, Stamp};
use super::{ExchangeError, Progress};
use crate::records::{Channels, Scanner, open_chunk, parse};
use crate::recovery::files_ending;
use crate::{Attachment, EpisodeInfo, RecorderError, Source};
use bytes::Bytes;
use mcap::records::{MessageHeader, Record, op};
use protocol::{EpisodeId, PolicyVersion, VehicleId, api};
use std::path::{Path, PathBuf};

/// Reads the file, or all files of the bag's folder, from beginning to end and writes one episode `id` into `dir`.
///
/// # Errors
/// Naming the file and the place of the record that cannot be used.
pub fn import(
    path: &Path,
    id: EpisodeId,
    dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<api::Episode, ExchangeError> {
    let files = files_of(path)?;
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let all: u64 = files.iter().map(size).sum();
    let bad = |error: protocol::IdError| ExchangeError::Asked(error.to_string());
    let (vehicle, policy) = (VehicleId::new("rosbag2").map_err(bad)?, PolicyVersion::new("unknown").map_err(bad)?);
    let mut info = EpisodeInfo::new(id, vehicle, policy);
    info.source = Source::Virtual;
    info.reason = "imported from rosbag2".to_owned();
    let mut output = Output::create(dir, &info)?;
    output.describe(&info, "as in the bag, nanoseconds")?;
    let mut before = 0;
    for file in &files {
        read_file(file, &mut output, &mut |done, _| progress(before + done, all))?;
        before += size(file);
    }
    output.finish(info)
}

/// The bag's files in their order.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, ExchangeError> {
    let foreign = |path: &Path| {
        let problem = "rosbag2 can keep bags in SQLite and whole files compressed; `ros2 bag convert` makes plain MCAP";
        Err(ExchangeError::unfit(path, problem))
    };
    if !path.is_dir() {
        let ending = path.extension().unwrap_or_default();
        return if ending == "db3" || ending == "zstd" { foreign(path) } else { Ok(vec![path.to_owned()]) };
    }
    let mut files = files_ending(path, ".mcap")?;
    if files.is_empty() {
        if files_ending(path, ".db3")?.is_empty() && files_ending(path, ".zstd")?.is_empty() {
            return Err(ExchangeError::unfit(path, "there is no .mcap file in this folder"));
        }
        return foreign(path);
    }
    // bag_2 comes before bag_10.
    files.sort_by_key(|file| (number_of(file), file.clone()));
    Ok(files)
}

fn number_of(file: &Path) -> Option<u64> {
    file.file_stem()?.to_str()?.rsplit_once('_')?.1.parse().ok()
}

fn read_file(path: &Path, output: &mut Output, progress: &mut Progress<'_>) -> Result<(), ExchangeError> {
    let bytes = std::fs::metadata(path).map_err(ExchangeError::io("look at", path))?.len();
    let mut scanner = Scanner::open(path)?;
    let (mut channels, mut body) = (Channels::default(), Vec::new());
    loop {
        let at = scanner.position();
        let Some(opcode) = scanner.next(&mut body)? else { return Ok(()) };
        let damaged = |problem: String| RecorderError::damaged(path, at, problem);
        let mut messages: Vec<(MessageHeader, Bytes)> = Vec::new();
        let mut learn = |record: Record<'_>| match record {
            Record::Message { header, data } => {
                messages.push((header, Bytes::copy_from_slice(&data)));
                Ok(())
            }
            other => channels.learn(&other),
        };
        match opcode {
            op::DATA_END => return Ok(()),
            op::CHUNK => open_chunk(&body, learn).map_err(damaged)?,
            _ => match parse(opcode, &body).map_err(damaged)? {
                Record::Attachment { header, data, .. } => {
                    let data = Bytes::copy_from_slice(&data);
                    let attachment = Attachment { name: header.name, media_type: header.media_type, data };
                    output.attach(header.log_time, &attachment)?;
                }
                Record::Metadata(record) => output.foreign_metadata(&record.name, &record.metadata)?,
                other => learn(other).map_err(damaged)?,
            },
        }
        for (header, data) in messages {
            let channel = channels.get(header.channel_id);
            let channel = channel.ok_or_else(|| damaged(format!("a message names channel {}", header.channel_id)))?;
            let stamp = Stamp { sequence: header.sequence, log_ns: header.log_time, publish_ns: header.publish_time };
            output.take_over(channel, stamp, &data)?;
        }
        progress(scanner.position(), bytes);
    }
}
