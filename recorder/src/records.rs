//! Records of an MCAP file one by one, with their place in the file, and nothing taken on trust: lengths are bounded,
//! checksums are checked before content is used.

use crate::RecorderError;
use mcap::records::{Record, op};
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest record, compressed or not, that is read.
pub(crate) const MAX_RECORD_BYTES: u64 = 64 << 20;
/// Opcode and length before every record.
pub(crate) const HEAD_BYTES: u64 = 9;

/// Reads a file from its beginning, record by record.
pub(crate) struct Scanner {
    file: BufReader<File>,
    path: PathBuf,
    position: u64,
    size: u64,
}

impl Scanner {
    /// Opens the file and checks how it starts.
    pub(crate) fn open(path: &Path) -> Result<Self, RecorderError> {
        let file = File::open(path).map_err(RecorderError::io("open", path))?;
        let size = file.metadata().map_err(RecorderError::io("look at", path))?.len();
        let mut scanner =
            Self { file: BufReader::with_capacity(1 << 18, file), path: path.to_owned(), position: 0, size };
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

    /// Where the next record begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next record's opcode, its content in `body`; `None` at the end of the file.
    pub(crate) fn next(&mut self, body: &mut Vec<u8>) -> Result<Option<u8>, RecorderError> {
        let offset = self.position;
        let left = self.size - offset;
        if left == 0 {
            return Ok(None);
        }
        if left < HEAD_BYTES {
            return Err(self.damaged(format!("a record's head is cut off after {left} bytes")));
        }
        self.read(HEAD_BYTES as usize, body)?;
        let (opcode, length) = parse_head(body).ok_or_else(|| self.damaged("a record has no head"))?;
        // What a power cut leaves at a file's end is often zeros.
        if opcode == 0 {
            self.position = offset;
            return Err(self.damaged("there is no record 0x00"));
        }
        let room = (left - HEAD_BYTES).min(MAX_RECORD_BYTES);
        if length > room {
            self.position = offset;
            return Err(self.damaged(format!("record {opcode:#04x} says it has {length} bytes, at most {room} can be")));
        }
        self.read(length as usize, body)?;
        Ok(Some(opcode))
    }

    fn read(&mut self, length: usize, body: &mut Vec<u8>) -> Result<(), RecorderError> {
        body.resize(length, 0);
        self.file.read_exact(body).map_err(RecorderError::io("read", &self.path))?;
        self.position += length as u64;
        Ok(())
    }

    fn damaged(&self, problem: impl Into<String>) -> RecorderError {
        RecorderError::damaged(&self.path, self.position, problem)
    }
}

/// Opcode and length.
pub(crate) fn parse_head(bytes: &[u8]) -> Option<(u8, u64)> {
    let (&opcode, rest) = bytes.split_first()?;
    let length = rest.get(..8)?.try_into().ok()?;
    Some((opcode, u64::from_le_bytes(length)))
}

/// `mcap::parse_record`, made safe for an attachment that is shorter than its own fields.
pub(crate) fn parse(opcode: u8, body: &[u8]) -> Result<Record<'_>, String> {
    if opcode == 0 {
        return Err("there is no record 0x00".to_owned());
    }
    if opcode == op::ATTACHMENT && !attachment_fits(body) {
        return Err(format!("an attachment of {} bytes ends within its own fields", body.len()));
    }
    mcap::parse_record(opcode, body).map_err(|error| error.to_string())
}

fn attachment_fits(body: &[u8]) -> bool {
    let text_end = |start: usize| {
        let length = u32::from_le_bytes(body.get(start..start + 4)?.try_into().ok()?);
        let end = start + 4 + length as usize;
        (end <= body.len()).then_some(end)
    };
    // Two times of 8 bytes, name, media type, length of the data (8), data, checksum (4).
    text_end(16).and_then(text_end).is_some_and(|end| end + 8 + 4 <= body.len())
}

/// A channel with its schema, as a file describes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ChannelRecord {
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
    schemas: BTreeMap<u16, SchemaRecord>,
    channels: BTreeMap<u16, Arc<ChannelRecord>>,
}

impl Channels {
    pub(crate) fn get(&self, id: u16) -> Option<&Arc<ChannelRecord>> {
        self.channels.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Arc<ChannelRecord>)> {
        self.channels.iter().map(|(id, channel)| (*id, channel))
    }

    /// Learns from a schema or channel record; other records pass.
    pub(crate) fn learn(&mut self, record: &Record<'_>) -> Result<(), String> {
        match record {
            Record::Schema { header, data } => {
                let schema: SchemaRecord = (header.name.as_str().into(), header.encoding.clone(), data.as_ref().into());
                match self.schemas.get(&header.id) {
                    _ if header.id == 0 => Err("a schema has id 0".to_owned()),
                    Some(known) if *known != schema => Err(format!("schema {} is defined twice", header.id)),
                    Some(_) => Ok(()),
                    None => {
                        self.schemas.insert(header.id, schema);
                        Ok(())
                    }
                }
            }
            Record::Channel(channel) => self.learn_channel(channel),
            _ => Ok(()),
        }
    }

    fn learn_channel(&mut self, channel: &mcap::records::Channel) -> Result<(), String> {
        let (schema, schema_encoding, schema_data) = match self.schemas.get(&channel.schema_id) {
            Some(schema) => schema.clone(),
            None if channel.schema_id == 0 => ("".into(), String::new(), Arc::from([])),
            None => {
                return Err(format!(
                    "channel {:?} names schema {}, which is not there",
                    channel.topic, channel.schema_id
                ));
            }
        };
        let record = ChannelRecord {
            topic: channel.topic.as_str().into(),
            schema,
            schema_encoding,
            schema_data,
            message_encoding: channel.message_encoding.clone(),
            metadata: channel.metadata.clone(),
        };
        match self.channels.get(&channel.id) {
            Some(known) if **known != record => Err(format!("channel {} is defined twice", channel.id)),
            Some(_) => Ok(()),
            None => {
                self.channels.insert(channel.id, Arc::new(record));
                Ok(())
            }
        }
    }
}

/// Opens a chunk record (its `body`) and hands out the records within, only once its checksum is right.
pub(crate) fn open_chunk(body: &[u8], mut each: impl FnMut(Record<'_>) -> Result<(), String>) -> Result<(), String> {
    let Record::Chunk { header, data } = parse(op::CHUNK, body)? else { return Err("it is no chunk".to_owned()) };
    if header.uncompressed_size > MAX_RECORD_BYTES {
        return Err(format!("a chunk says it holds {} bytes, more than {MAX_RECORD_BYTES}", header.uncompressed_size));
    }
    // The fixed fields, the compression's name and the data are all that a chunk has; anything after them would be
    // taken for more records by the reader below.
    let expected = 40 + header.compression.len() + data.len();
    if body.len() != expected {
        return Err(format!("a chunk has {} bytes instead of {expected}", body.len()));
    }
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
