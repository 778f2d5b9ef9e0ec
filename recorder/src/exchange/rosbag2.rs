//! MCAP files of rosbag2, and of any other writer: messages of any schema and encoding (such as CDR with `ros2msg`),
//! taken over as they are.
//!
//! Every reader of MCAP that knows the encoding opens the episode; nothing is converted. Attachments and metadata come
//! along. What the format allows is read: chunks or none, an index or none, records of other programs, several
//! publishers on one topic. Messages that rosbag2 compressed one by one are decompressed.

mod bag;

use super::output::{Output, Stamp};
use super::report::{Imported, Notes};
use super::{ExchangeError, ExchangeProgress};
use crate::RecorderError;
use crate::attachments::Attached;
use crate::index::Index;
use crate::reader::Blocks;
use crate::records::{Channels, Scanner, is_unknown, open_chunk, parse};
use bag::Bag;
use bytes::Bytes;
use mcap::records::{MessageHeader, Record, op};
use protocol::{EpisodeId, EpisodeInfo, EpisodeSource, PolicyVersion, Trigger, VehicleId};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest message after decompression.
const MAX_MESSAGE_BYTES: u64 = 128 << 20;

/// Reads the file, or all files of the bag's folder, from beginning to end and writes one episode `id` into `dir`.
///
/// # Errors
/// Naming the file and the place of the record that cannot be used.
pub fn import(
    path: &Path,
    id: EpisodeId,
    dir: &Path,
    progress: &mut ExchangeProgress<'_>,
) -> Result<Imported, ExchangeError> {
    let mut notes = Notes::default();
    let bag = Bag::open(path, &mut notes)?;
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let all: u64 = bag.files.iter().map(size).sum();
    let bad = |error: protocol::IdError| ExchangeError::Asked(error.to_string());
    let (vehicle, policy) = (VehicleId::new("rosbag2").map_err(bad)?, PolicyVersion::new("unknown").map_err(bad)?);
    let mut info = EpisodeInfo::new(id, vehicle, policy);
    info.source = EpisodeSource::Virtual;
    info.trigger = Trigger::Import;
    info.reason = "imported from rosbag2".to_owned();
    let mut output = Output::create(dir, &info)?;
    output.describe(&info, "as in the bag, nanoseconds")?;
    let mut before = 0;
    for file in &bag.files {
        let mut reading = Reading::new(file, &mut output, &mut notes, bag.is_compressed);
        reading.all(&mut |done| progress(before + done, all))?;
        before += size(file);
    }
    if output.span_ns().is_none() {
        notes.say("there is no message in it");
    }
    output.finish_import(info, ("rosbag2", path), notes)
}

/// One file on its way into an episode.
struct Reading<'a> {
    path: &'a Path,
    output: &'a mut Output,
    notes: &'a mut Notes,
    is_compressed: bool,
    channels: Channels,
    /// What the summary says of channels that the data name too late or never.
    summed_up: Option<Channels>,
    unknown: BTreeSet<u8>,
    unknown_records: usize,
}

impl<'a> Reading<'a> {
    fn new(path: &'a Path, output: &'a mut Output, notes: &'a mut Notes, is_compressed: bool) -> Self {
        let (channels, unknown) = (Channels::default(), BTreeSet::new());
        Self { path, output, notes, is_compressed, channels, summed_up: None, unknown, unknown_records: 0 }
    }

    fn all(&mut self, progress: &mut dyn FnMut(u64)) -> Result<(), ExchangeError> {
        let mut scanner = Scanner::open(self.path)?;
        let mut source = Blocks::open(self.path)?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut body = Vec::new();
        loop {
            let at = scanner.position();
            let Some(opcode) = scanner.next(&mut body)? else {
                self.notes.say(format!("{name} has no end: whoever wrote it was cut off"));
                break;
            };
            match opcode {
                op::DATA_END if !scanner.data_fits(&body) => {
                    let problem = "the checksum over the data before does not fit";
                    return Err(RecorderError::damaged(self.path, at, problem).into());
                }
                op::DATA_END => break,
                op::ATTACHMENT => {
                    let attached = Attached::read(&mut source, at, scanner.position() - at)?;
                    self.output.attach(&attached, &mut source)?;
                }
                _ => self.record(opcode, &body, at)?,
            }
            progress(scanner.position());
        }
        if self.unknown_records > 0 {
            let kinds: Vec<String> = self.unknown.iter().map(|opcode| format!("{opcode:#04x}")).collect();
            let note = format!(
                "{name}: {} records of kinds that MCAP does not define ({}) are left out",
                self.unknown_records,
                kinds.join(", ")
            );
            self.notes.say(note);
        }
        Ok(())
    }

    fn record(&mut self, opcode: u8, body: &[u8], at: u64) -> Result<(), ExchangeError> {
        let damaged = |problem: String| RecorderError::damaged(self.path, at, problem);
        let mut messages: Vec<(MessageHeader, Bytes)> = Vec::new();
        let (channels, unknown, unknown_records) = (&mut self.channels, &mut self.unknown, &mut self.unknown_records);
        let mut learn = |record: Record<'_>| match record {
            Record::Message { header, data } => {
                messages.push((header, Bytes::copy_from_slice(&data)));
                Ok(())
            }
            Record::Unknown { opcode, .. } => {
                unknown.insert(opcode);
                *unknown_records += 1;
                Ok(())
            }
            other => channels.learn(&other),
        };
        match opcode {
            op::CHUNK => open_chunk(body, learn).map_err(damaged)?,
            op::METADATA => {
                if let Record::Metadata(record) = parse(opcode, body).map_err(damaged)? {
                    let renamed = self.output.foreign_metadata(&record.name, &record.metadata)?;
                    if let Some(other) = renamed {
                        self.notes.say(format!("its metadata {:?} is kept as {other:?}", record.name));
                    }
                }
            }
            op::SCHEMA | op::CHANNEL | op::MESSAGE => {
                let record = parse(opcode, body).map_err(damaged)?;
                learn(record).map_err(damaged)?;
            }
            _ if is_unknown(opcode) => {
                unknown.insert(opcode);
                *unknown_records += 1;
            }
            _ => {}
        }
        for (header, data) in messages {
            self.message(&header, &data, at)?;
        }
        Ok(())
    }

    fn message(&mut self, header: &MessageHeader, data: &Bytes, at: u64) -> Result<(), ExchangeError> {
        let damaged = |problem: String| RecorderError::damaged(self.path, at, problem);
        if self.channels.get(header.channel_id).is_none() && self.summed_up.is_none() {
            // Read at most once, and only for files that need it.
            let summary = Blocks::open(self.path).and_then(|mut source| Index::read(&mut source));
            self.summed_up = Some(summary.map(|index| index.channels).unwrap_or_default());
        }
        let summed_up = || self.summed_up.as_ref().and_then(|channels| channels.get(header.channel_id));
        let channel = self.channels.get(header.channel_id).or_else(summed_up);
        let channel = channel.ok_or_else(|| damaged(format!("a message names channel {}", header.channel_id)))?;
        let stamp = Stamp { sequence: header.sequence, log_ns: header.log_time, publish_ns: header.publish_time };
        if !self.is_compressed {
            return self.output.take_over(channel, stamp, data);
        }
        let mut content = Vec::new();
        let read = zstd::stream::Decoder::new(&data[..])
            .and_then(|decoder| decoder.take(MAX_MESSAGE_BYTES + 1).read_to_end(&mut content));
        read.map_err(|error| {
            damaged(format!("a message of {} should be compressed with zstd, and is not: {error}", channel.topic))
        })?;
        if content.len() as u64 > MAX_MESSAGE_BYTES {
            let topic = &channel.topic;
            let problem = format!("a message of {topic} has more than {MAX_MESSAGE_BYTES} bytes when decompressed");
            return Err(damaged(problem).into());
        }
        self.output.take_over(channel, stamp, &content)
    }
}
