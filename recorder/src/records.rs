//! Records of an MCAP file one by one, with their place in the file, and nothing taken on trust: lengths are bounded,
//! checksums are checked before content is used.

use crate::RecorderError;
use crate::container::ChannelSpec;
use mcap::records::{Record, op};
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest record, compressed or not, that is read into memory. Attachments are read piece by piece: they may have any
/// size.
pub(crate) const MAX_RECORD_BYTES: u64 = 256 << 20;
/// How much of what is passed over is read at once.
const PIECE_BYTES: usize = 1 << 18;
/// Opcode and length before every record.
pub(crate) const HEAD_BYTES: u64 = 9;

/// Reads a file from its beginning, record by record.
pub(crate) struct Scanner {
    file: BufReader<File>,
    path: PathBuf,
    position: u64,
    size: u64,
    /// Over everything read.
    crc: crc32fast::Hasher,
    /// Over everything before the last record.
    crc_before: crc32fast::Hasher,
}

impl Scanner {
    /// Opens the file and checks how it starts.
    pub(crate) fn open(path: &Path) -> Result<Self, RecorderError> {
        let file = File::open(path).map_err(RecorderError::io("open", path))?;
        let size = file.metadata().map_err(RecorderError::io("look at", path))?.len();
        let mut scanner = Self {
            file: BufReader::with_capacity(PIECE_BYTES, file),
            path: path.to_owned(),
            position: 0,
            size,
            crc: crc32fast::Hasher::new(),
            crc_before: crc32fast::Hasher::new(),
        };
        let mut magic = Vec::new();
        if size < mcap::MAGIC.len() as u64 {
            return Err(scanner.damaged(format!("it has {size} bytes and no MCAP file's beginning")));
        }
        scanner.read(mcap::MAGIC.len(), &mut magic)?;
        if magic != mcap::MAGIC {
            return Err(RecorderError::damaged(path, 0, "it does not begin as an MCAP file"));
        }
        Ok(scanner)
    }

    /// Reads the records from `from` to `to`, which begin and end with one.
    pub(crate) fn between(path: &Path, from: u64, to: u64) -> Result<Self, RecorderError> {
        let mut file = File::open(path).map_err(RecorderError::io("open", path))?;
        file.seek(SeekFrom::Start(from)).map_err(RecorderError::io("read", path))?;
        let capacity = (to.saturating_sub(from) as usize).clamp(64, PIECE_BYTES);
        Ok(Self {
            file: BufReader::with_capacity(capacity, file),
            path: path.to_owned(),
            position: from,
            size: to,
            crc: crc32fast::Hasher::new(),
            crc_before: crc32fast::Hasher::new(),
        })
    }

    /// Where the next record begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next record's opcode, its content in `body`; `None` at the end of the file. Attachments and records that the
    /// format does not define may have any size: their content is passed over, and `body` is empty.
    pub(crate) fn next(&mut self, body: &mut Vec<u8>) -> Result<Option<u8>, RecorderError> {
        let offset = self.position;
        let left = self.size - offset;
        if left == 0 {
            return Ok(None);
        }
        if left < HEAD_BYTES {
            return Err(self.damaged(format!("a record's head is cut off after {left} bytes")));
        }
        self.crc_before = self.crc.clone();
        self.read(HEAD_BYTES as usize, body)?;
        let (opcode, length) = parse_head(body).ok_or_else(|| self.damaged("a record has no head"))?;
        // What a power cut leaves at a file's end is often zeros.
        if opcode == 0 {
            self.position = offset;
            return Err(self.damaged("there is no record 0x00"));
        }
        let passed_over = opcode == op::ATTACHMENT || is_unknown(opcode);
        let room = if passed_over { left - HEAD_BYTES } else { (left - HEAD_BYTES).min(MAX_RECORD_BYTES) };
        if length > room {
            self.position = offset;
            return Err(self.damaged(format!("record {opcode:#04x} says it has {length} bytes, at most {room} can be")));
        }
        if passed_over {
            self.pass_over(length, body)?;
        } else {
            self.read(length as usize, body)?;
        }
        Ok(Some(opcode))
    }

    /// Whether the checksum of the record that ends the data (its `body`), which was read last, is that of all before
    /// it; 0 says that there is none.
    pub(crate) fn data_fits(&self, body: &[u8]) -> bool {
        let saved = body.get(..4).map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        saved == 0 || saved == self.crc_before.clone().finalize()
    }

    fn read(&mut self, length: usize, body: &mut Vec<u8>) -> Result<(), RecorderError> {
        body.resize(length, 0);
        self.file.read_exact(body).map_err(RecorderError::io("read", &self.path))?;
        self.crc.update(body);
        self.position += length as u64;
        Ok(())
    }

    fn pass_over(&mut self, length: u64, body: &mut Vec<u8>) -> Result<(), RecorderError> {
        let mut left = length;
        while left > 0 {
            let piece = left.min(PIECE_BYTES as u64);
            self.read(piece as usize, body)?;
            left -= piece;
        }
        body.clear();
        Ok(())
    }

    fn damaged(&self, problem: impl Into<String>) -> RecorderError {
        RecorderError::damaged(&self.path, self.position, problem)
    }
}

/// Whether the format does not define this record: it is another program's, or of a later version.
pub(crate) fn is_unknown(opcode: u8) -> bool {
    !(op::HEADER..=op::DATA_END).contains(&opcode)
}

/// Opcode and length.
pub(crate) fn parse_head(bytes: &[u8]) -> Option<(u8, u64)> {
    let (&opcode, rest) = bytes.split_first()?;
    let length = rest.get(..8)?.try_into().ok()?;
    Some((opcode, u64::from_le_bytes(length)))
}

/// `mcap::parse_record`, for all records but attachments (see [`crate::attachments`]). Bytes after a record's last field
/// belong to later versions of the format and are passed over.
pub(crate) fn parse(opcode: u8, body: &[u8]) -> Result<Record<'_>, String> {
    if opcode == 0 || opcode == op::ATTACHMENT {
        return Err(format!("there is no record {opcode:#04x} here"));
    }
    mcap::parse_record(opcode, body).map_err(|error| error.to_string())
}

/// A channel with its schema, as a file describes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ChannelRecord {
    /// How many channels before it in its file are described by the same words: publishers of one topic, each of which
    /// numbers its own messages.
    pub twin: u16,
    pub topic: Arc<str>,
    pub schema: Arc<str>,
    pub schema_encoding: String,
    pub schema_data: Arc<[u8]>,
    pub message_encoding: String,
    pub metadata: BTreeMap<String, String>,
}

type SchemaRecord = (Arc<str>, String, Arc<[u8]>);

/// Channels met so far, by id.
#[derive(Default)]
pub(crate) struct Channels {
    /// Each with the first schema of the same words, 0 for a schema without any.
    schemas: BTreeMap<u16, (SchemaRecord, u16)>,
    first_schemas: HashMap<SchemaRecord, u16>,
    channels: BTreeMap<u16, Arc<ChannelRecord>>,
    /// How many channels are described by the same words.
    twins: HashMap<Description, u16>,
}

/// A channel's words: its schema, as the first one of the same words, topic, encoding and metadata.
type Description = (u16, Arc<str>, String, BTreeMap<String, String>);

impl Channels {
    pub(crate) fn get(&self, id: u16) -> Option<&Arc<ChannelRecord>> {
        self.channels.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Arc<ChannelRecord>)> {
        self.channels.iter().map(|(id, channel)| (*id, channel))
    }

    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// Learns from a schema or channel record; other records pass. A schema with id 0 is none, by the format.
    pub(crate) fn learn(&mut self, record: &Record<'_>) -> Result<(), String> {
        match record {
            Record::Schema { header, data } if header.id > 0 => {
                let schema: SchemaRecord = (header.name.as_str().into(), header.encoding.clone(), data.as_ref().into());
                match self.schemas.get(&header.id) {
                    Some((known, _)) if *known != schema => Err(format!("schema {} is defined twice", header.id)),
                    Some(_) => Ok(()),
                    None => {
                        let is_empty = schema.0.is_empty() && schema.1.is_empty() && schema.2.is_empty();
                        let first = self.first_schemas.entry(schema.clone());
                        let first = *first.or_insert(if is_empty { 0 } else { header.id });
                        // Words that are the same lie in memory once.
                        let shared = self.schemas.get(&first).map_or(schema, |(known, _)| known.clone());
                        self.schemas.insert(header.id, (shared, first));
                        Ok(())
                    }
                }
            }
            Record::Channel(channel) => self.learn_channel(channel),
            _ => Ok(()),
        }
    }

    fn learn_channel(&mut self, channel: &mcap::records::Channel) -> Result<(), String> {
        let ((schema, schema_encoding, schema_data), first_schema) = match self.schemas.get(&channel.schema_id) {
            Some(known) => known.clone(),
            None if channel.schema_id == 0 => (("".into(), String::new(), Arc::from([])), 0),
            None => {
                return Err(format!(
                    "channel {:?} names schema {}, which is not there",
                    channel.topic, channel.schema_id
                ));
            }
        };
        let mut record = ChannelRecord {
            twin: 0,
            topic: channel.topic.as_str().into(),
            schema,
            schema_encoding,
            schema_data,
            message_encoding: channel.message_encoding.clone(),
            metadata: channel.metadata.clone(),
        };
        if let Some(known) = self.channels.get(&channel.id) {
            let is_same = known.is_described_as(&record);
            return if is_same { Ok(()) } else { Err(format!("channel {} is defined twice", channel.id)) };
        }
        let (topic, encoding) = (Arc::clone(&record.topic), record.message_encoding.clone());
        let twins = self.twins.entry((first_schema, topic, encoding, record.metadata.clone())).or_default();
        record.twin = *twins;
        *twins = twins.saturating_add(1);
        self.channels.insert(channel.id, Arc::new(record));
        Ok(())
    }
}

impl ChannelRecord {
    /// The same for another file.
    pub(crate) fn spec(&self) -> ChannelSpec<'_> {
        ChannelSpec {
            twin: self.twin,
            topic: &self.topic,
            schema: &self.schema,
            schema_encoding: &self.schema_encoding,
            schema_data: &self.schema_data,
            message_encoding: &self.message_encoding,
            metadata: &self.metadata,
        }
    }

    fn is_described_as(&self, other: &Self) -> bool {
        let Self { twin: _, topic, schema, schema_encoding, schema_data, message_encoding, metadata } = self;
        // Of one file these lie in memory once.
        let is_same_data = Arc::ptr_eq(schema_data, &other.schema_data) || *schema_data == other.schema_data;
        is_same_data
            && (topic, schema) == (&other.topic, &other.schema)
            && (schema_encoding, message_encoding) == (&other.schema_encoding, &other.message_encoding)
            && *metadata == other.metadata
    }
}

/// Opens a chunk record (its `body`) and hands out the records within, only once its checksum is right.
pub(crate) fn open_chunk(body: &[u8], mut each: impl FnMut(Record<'_>) -> Result<(), String>) -> Result<(), String> {
    let Record::Chunk { header, data } = parse(op::CHUNK, body)? else { return Err("it is no chunk".to_owned()) };
    if header.uncompressed_size > MAX_RECORD_BYTES {
        let size = header.uncompressed_size;
        return Err(format!("a chunk says it holds {size} bytes; at most {MAX_RECORD_BYTES} can be read at once"));
    }
    if !["", "zstd", "lz4"].contains(&header.compression.as_str()) {
        let name = &header.compression;
        return Err(format!("a chunk is compressed with {name:?}; zstd and lz4 can be read"));
    }
    // The fixed fields, the compression's name and the data are all that we know of a chunk. What a later version of the
    // format has after them is passed over: the reader below would take it for more records.
    let known = 40 + header.compression.len() + data.len();
    let body = body.get(..known).unwrap_or(body);
    let options = LinearReaderOptions::default()
        .with_skip_start_magic(true)
        .with_skip_end_magic(true)
        .with_prevalidate_chunk_crcs(true)
        .with_record_length_limit(MAX_RECORD_BYTES as usize);
    let mut reader = LinearReader::new_with_options(options);
    let mut input = Input::new([&chunk_head(body)[..], body].concat());
    while let Some(event) = reader.next_event() {
        match event.map_err(|error| error.to_string())? {
            LinearReadEvent::ReadRequest(wanted) => {
                let given = input.give(reader.insert(wanted));
                reader.notify_read(given);
            }
            LinearReadEvent::Record { opcode, data } => each(parse(opcode, data)?)?,
        }
    }
    Ok(())
}

/// Hands out the records of a run outside of chunks.
pub(crate) fn open_run(bytes: &[u8], mut each: impl FnMut(Record<'_>) -> Result<(), String>) -> Result<(), String> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let cut = || "a record outside of chunks is cut off".to_owned();
        let (opcode, length) = parse_head(rest).ok_or_else(cut)?;
        let body = rest.get(HEAD_BYTES as usize..).and_then(|rest| rest.get(..usize::try_from(length).ok()?));
        let body = body.ok_or_else(cut)?;
        each(parse(opcode, body)?)?;
        rest = &rest[HEAD_BYTES as usize + body.len()..];
    }
    Ok(())
}

fn chunk_head(body: &[u8]) -> [u8; HEAD_BYTES as usize] {
    let mut head = [op::CHUNK; HEAD_BYTES as usize];
    head[1..].copy_from_slice(&(body.len() as u64).to_le_bytes());
    head
}

/// Bytes handed to a reader piece by piece.
pub(crate) struct Input {
    bytes: Vec<u8>,
    given: usize,
}

impl Input {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, given: 0 }
    }

    /// Fills `target` as far as there is something left; 0 at the end.
    pub(crate) fn give(&mut self, target: &mut [u8]) -> usize {
        let left = &self.bytes[self.given..];
        let count = left.len().min(target.len());
        target[..count].copy_from_slice(&left[..count]);
        self.given += count;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_the_same_words_are_told_apart_by_their_number() {
        let mut channels = Channels::default();
        let schema = |id, name: &str| Record::Schema {
            header: mcap::records::SchemaHeader { id, name: name.into(), encoding: "json".into() },
            data: std::borrow::Cow::Owned(b"{}".to_vec()),
        };
        let channel = |id, schema_id, topic: &str| {
            Record::Channel(mcap::records::Channel {
                id,
                schema_id,
                topic: topic.into(),
                message_encoding: "json".into(),
                metadata: BTreeMap::new(),
            })
        };
        // Two schemas of the same words are one.
        for record in [schema(1, "A"), schema(2, "A"), schema(3, "B")] {
            channels.learn(&record).unwrap();
        }
        for (id, schema_id, topic) in
            [(1, 1, "/a"), (2, 2, "/a"), (3, 3, "/a"), (4, 1, "/b"), (5, 0, "/a"), (6, 1, "/a")]
        {
            channels.learn(&channel(id, schema_id, topic)).unwrap();
        }
        let twins: Vec<u16> = channels.iter().map(|(_, channel)| channel.twin).collect();
        assert_eq!(twins, [0, 1, 0, 0, 0, 2]);
        // Said again it is the same; said otherwise it is not.
        channels.learn(&channel(2, 1, "/a")).unwrap();
        assert_eq!(channels.learn(&channel(2, 3, "/a")), Err("channel 2 is defined twice".to_owned()));
        assert_eq!(channels.learn(&schema(2, "B")), Err("schema 2 is defined twice".to_owned()));
    }
}
