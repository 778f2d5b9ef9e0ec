//! The open chunk: messages gathered in memory until they go to the file as one piece.

use super::encode::{HEAD, record, text, u64s};
use crc32fast::Hasher;
use mcap::records::{MessageHeader, op};
use std::io;
use zstd::bulk::Compressor;

/// Fast: half as long as level 1 for small messages, and a fiftieth of their size more left over; what does not compress
/// is not even tried.
const ZSTD_LEVEL: i32 = -2;
/// Start time, end time, uncompressed size, checksum, length of the compression's name, length of the records.
const FIXED: usize = 8 + 8 + 8 + 4 + 4 + 8;
/// A chunk is compressed unless this share of it (in eighths) is video, which does not get smaller.
const VIDEO_EIGHTHS: usize = 6;

/// What the summary says about a closed chunk.
pub(super) struct ChunkEntry {
    pub from_ns: u64,
    pub to_ns: u64,
    pub offset: u64,
    pub length: u64,
    /// Channel and place of its index record in the file.
    pub indexes: Vec<(u16, u64)>,
    pub indexes_length: u64,
    pub compression: &'static str,
    pub compressed: u64,
    pub uncompressed: u64,
}

pub(super) struct Chunk {
    /// Room for the record's head, then the records.
    bytes: Vec<u8>,
    /// Log times and offsets by channel, as the index records hold them.
    index: Vec<Vec<u8>>,
    span: Option<(u64, u64)>,
    video: usize,
    compressor: Compressor<'static>,
    /// The compressed chunk; kept for its memory.
    packed: Vec<u8>,
}

/// The records of an uncompressed chunk start here in its buffer.
const START: usize = HEAD + FIXED;

impl Chunk {
    pub(super) fn new() -> io::Result<Self> {
        let compressor = Compressor::new(ZSTD_LEVEL)?;
        Ok(Self { bytes: vec![0; START], index: Vec::new(), span: None, video: 0, compressor, packed: Vec::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == START
    }

    /// Uncompressed size.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - START
    }

    /// First and last log time.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        self.span
    }

    /// Adds records that are no messages.
    pub(super) fn define(&mut self, records: &[u8]) {
        self.bytes.extend_from_slice(records);
    }

    pub(super) fn message(&mut self, header: &MessageHeader, data: &[u8], compressible: bool) {
        let channel = usize::from(header.channel_id);
        if self.index.len() <= channel {
            self.index.resize_with(channel + 1, Vec::new);
        }
        let at = self.bytes.len();
        u64s(&mut self.index[channel], &[header.log_time, (at - START) as u64]);
        let mut head = [0; HEAD + 22];
        head[0] = op::MESSAGE;
        head[1..9].copy_from_slice(&(22 + data.len() as u64).to_le_bytes());
        head[9..11].copy_from_slice(&header.channel_id.to_le_bytes());
        head[11..15].copy_from_slice(&header.sequence.to_le_bytes());
        head[15..23].copy_from_slice(&header.log_time.to_le_bytes());
        head[23..31].copy_from_slice(&header.publish_time.to_le_bytes());
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(data);
        if !compressible {
            self.video += self.bytes.len() - at;
        }
        let log_ns = header.log_time;
        self.span = Some(self.span.map_or((log_ns, log_ns), |(lo, hi)| (lo.min(log_ns), hi.max(log_ns))));
    }

    /// Hands the chunk and its indexes, with their checksum, to `write` as one piece that will lie at `offset`, and
    /// restarts.
    pub(super) fn close(
        &mut self,
        offset: u64,
        write: impl FnOnce(&[u8], &Hasher) -> io::Result<()>,
    ) -> io::Result<ChunkEntry> {
        let uncompressed = self.len();
        let records = hash(&self.bytes[START..]);
        let (from_ns, to_ns) = self.span.unwrap_or_default();
        let compress = self.video * 8 < uncompressed * VIDEO_EIGHTHS;
        let compression = if compress { "zstd" } else { "" };
        let start = START + compression.len();
        if compress {
            self.pack(start)?;
        }
        let out = if compress { &mut self.packed } else { &mut self.bytes };
        let compressed = out.len() - start;
        let mut head = Vec::with_capacity(start);
        head.push(op::CHUNK);
        u64s(&mut head, &[(out.len() - HEAD) as u64, from_ns, to_ns, uncompressed as u64]);
        head.extend_from_slice(&records.clone().finalize().to_le_bytes());
        text(&mut head, compression);
        u64s(&mut head, &[compressed as u64]);
        out[..start].copy_from_slice(&head);
        let length = out.len();
        let indexes = append_indexes(out, offset, &mut self.index);
        // The records' checksum is known already where they lie as they are.
        let mut crc = hash(&out[..start]);
        crc.combine(&if compress { hash(&out[start..length]) } else { records });
        crc.update(&out[length..]);
        let written = write(out, &crc);
        let entry = ChunkEntry {
            from_ns,
            to_ns,
            offset,
            length: length as u64,
            indexes,
            indexes_length: (out.len() - length) as u64,
            compression,
            compressed: compressed as u64,
            uncompressed: uncompressed as u64,
        };
        self.bytes.truncate(START);
        self.span = None;
        self.video = 0;
        written.map(|()| entry)
    }

    /// Compresses the records into `packed`, from `start` on.
    fn pack(&mut self, start: usize) -> io::Result<()> {
        let records = &self.bytes[START..];
        self.packed.clear();
        self.packed.resize(start, 0);
        self.packed.reserve(zstd::zstd_safe::compress_bound(records.len()));
        let mut out = io::Cursor::new(std::mem::take(&mut self.packed));
        out.set_position(start as u64);
        self.compressor.compress_to_buffer(records, &mut out)?;
        self.packed = out.into_inner();
        Ok(())
    }
}

fn hash(bytes: &[u8]) -> Hasher {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher
}

/// Adds the index records of a chunk that will lie at `offset` and empties `index`.
fn append_indexes(out: &mut Vec<u8>, offset: u64, index: &mut [Vec<u8>]) -> Vec<(u16, u64)> {
    let mut places = Vec::new();
    for (channel, entries) in index.iter_mut().enumerate().filter(|(_, entries)| !entries.is_empty()) {
        let channel = channel as u16;
        places.push((channel, offset + out.len() as u64));
        record(out, op::MESSAGE_INDEX, |out| {
            out.extend_from_slice(&channel.to_le_bytes());
            out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
            out.extend_from_slice(entries);
        });
        entries.clear();
    }
    places
}
