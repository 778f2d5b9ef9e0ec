//! What a file holds and where: by its summary, and by its records where the summary says nothing.
//!
//! By the format everything in the summary may be missing, and messages may lie outside of chunks. Parts of the file
//! that the summary does not account for are read once from beginning to end.

use crate::RecorderError;
use crate::reader::Blocks;
use crate::records::{Channels, HEAD_BYTES, Input, MAX_RECORD_BYTES, Scanner, open_chunk, parse, parse_head};
use mcap::records::{ChunkIndex, MessageHeader, Record, Statistics, op};
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use std::collections::{BTreeMap, BTreeSet};

/// Footer record and magic, the last bytes of a file.
const TAIL_BYTES: u64 = HEAD_BYTES + 20 + 8;
/// Nothing can be summed up before the magic and the record that ends the data.
const FIRST_SUMMARY: u64 = 8 + HEAD_BYTES + 4;
/// Largest summary that is read.
const MAX_SUMMARY_BYTES: u64 = 256 << 20;
/// Messages outside of chunks are read in runs of about this length.
const RUN_BYTES: u64 = 1 << 20;

/// Messages that lie together: a chunk, or a run of messages outside of chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub from_ns: u64,
    pub to_ns: u64,
    pub offset: u64,
    pub length: u64,
    pub is_chunk: bool,
    /// Channels with messages in it; none when nobody counted them.
    pub channels: BTreeSet<u16>,
}

/// Where a record is, with its length over all.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub name: String,
    pub offset: u64,
    pub length: u64,
}

/// What a file holds.
#[derive(Default)]
pub(crate) struct Index {
    pub channels: Channels,
    /// By start of log time.
    pub pieces: Vec<Piece>,
    pub attachments: Vec<Place>,
    pub metadata: Vec<Place>,
    /// Messages by channel.
    pub counts: BTreeMap<u16, u64>,
    pub messages: u64,
    /// Records of kinds that the format does not define.
    pub unknown: u64,
}

impl Index {
    pub(crate) fn read(source: &mut Blocks) -> Result<Self, RecorderError> {
        let (summary, data_end) = places(source)?;
        let mut told = match summary {
            Some(start) => Told::read(source, start)?,
            None => Told::default(),
        };
        let mut covered = Vec::new();
        let is_complete = told.is_complete();
        if is_complete {
            covered = told.covered();
            let statistics = told.statistics.take();
            told.index.messages = statistics.as_ref().map_or(0, |statistics| statistics.message_count);
            told.index.counts = statistics.map(|statistics| statistics.channel_message_counts).unwrap_or_default();
        } else {
            told.index = Self { channels: std::mem::take(&mut told.index.channels), ..Self::default() };
        }
        let mut walk = Walk { index: told.index, run: None, counts: !is_complete };
        let mut at = mcap::MAGIC.len() as u64;
        for (from, to) in covered {
            if from > at {
                walk.through(source, at, from)?;
            }
            at = at.max(to);
        }
        if at < data_end {
            walk.through(source, at, data_end)?;
        }
        let mut index = walk.index;
        index.pieces.sort_by_key(|piece| (piece.from_ns, piece.offset));
        index.attachments.sort_by_key(|place| place.offset);
        index.metadata.sort_by_key(|place| place.offset);
        Ok(index)
    }
}

/// Where the summary starts, if there is one, and what the data end before.
fn places(source: &mut Blocks) -> Result<(Option<u64>, u64), RecorderError> {
    let size = source.size();
    let magic = mcap::MAGIC;
    if size < magic.len() as u64 + TAIL_BYTES {
        return Err(source.damaged(size, format!("{size} bytes are too few for an episode")));
    }
    if source.bytes(0, magic.len() as u64)? != magic {
        return Err(source.damaged(0, "it does not begin as an MCAP file"));
    }
    let footer_at = size - TAIL_BYTES;
    let tail = source.bytes(footer_at, TAIL_BYTES)?;
    if !tail.ends_with(magic) || parse_head(&tail) != Some((op::FOOTER, 20)) {
        return Err(source.damaged(footer_at, "it does not end as an MCAP file: cut off, or not finished"));
    }
    match parse(op::FOOTER, &tail[HEAD_BYTES as usize..][..20]) {
        Ok(Record::Footer(footer)) if footer.summary_start == 0 => Ok((None, footer_at)),
        Ok(Record::Footer(footer)) if !(FIRST_SUMMARY..=footer_at).contains(&footer.summary_start) => {
            Err(source.damaged(footer_at, format!("its summary would start at {}", footer.summary_start)))
        }
        Ok(Record::Footer(footer)) => Ok((Some(footer.summary_start), footer.summary_start)),
        Ok(_) => Err(source.damaged(footer_at, "it has no footer")),
        Err(problem) => Err(source.damaged(footer_at, problem)),
    }
}

/// What a summary tells.
#[derive(Default)]
struct Told {
    index: Index,
    chunks: Vec<ChunkIndex>,
    statistics: Option<Statistics>,
}

impl Told {
    fn read(source: &mut Blocks, start: u64) -> Result<Self, RecorderError> {
        let length = source.size() - start;
        if length > MAX_SUMMARY_BYTES {
            return Err(source.damaged(start, format!("its summary has {length} bytes, more than {MAX_SUMMARY_BYTES}")));
        }
        // The reader checks the summary's checksum from the record that ends the data on, so it is shown one.
        let mut input = vec![op::DATA_END, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut offset = start - input.len() as u64;
        input.extend(source.bytes(start, length)?);
        let mut input = Input::new(input);
        let options = LinearReaderOptions::default()
            .with_skip_start_magic(true)
            .with_emit_chunks(true)
            .with_validate_summary_section_crc(true)
            .with_record_length_limit(MAX_RECORD_BYTES as usize);
        let mut reader = LinearReader::new_with_options(options);
        let mut told = Self::default();
        while let Some(event) = reader.next_event() {
            match event.map_err(|error| source.damaged(offset, error.to_string()))? {
                LinearReadEvent::ReadRequest(wanted) => {
                    let given = input.give(reader.insert(wanted));
                    reader.notify_read(given);
                }
                LinearReadEvent::Record { opcode, data } => {
                    let next = offset + HEAD_BYTES + data.len() as u64;
                    let record = parse(opcode, data).map_err(|problem| source.damaged(offset, problem))?;
                    told.add(record).map_err(|problem| source.damaged(offset, problem))?;
                    offset = next;
                }
            }
        }
        Ok(told)
    }

    fn add(&mut self, record: Record<'_>) -> Result<(), String> {
        match record {
            Record::ChunkIndex(chunk) => {
                // A chunk may hold nothing but definitions.
                if chunk.uncompressed_size > 0 {
                    self.index.pieces.push(Piece {
                        from_ns: chunk.message_start_time,
                        to_ns: chunk.message_end_time,
                        offset: chunk.chunk_start_offset,
                        length: chunk.chunk_length,
                        is_chunk: true,
                        channels: chunk.message_index_offsets.keys().copied().collect(),
                    });
                }
                self.chunks.push(chunk);
            }
            Record::AttachmentIndex(attachment) => self.index.attachments.push(Place {
                name: attachment.name,
                offset: attachment.offset,
                length: attachment.length,
            }),
            Record::MetadataIndex(metadata) => {
                let (name, offset, length) = (metadata.name, metadata.offset, metadata.length);
                self.index.metadata.push(Place { name, offset, length });
            }
            Record::Statistics(statistics) => self.statistics = Some(statistics),
            other => self.index.channels.learn(&other)?,
        }
        Ok(())
    }

    /// Whether it names every channel and counts its messages; where the rest is can be found between what it names.
    fn is_complete(&self) -> bool {
        let Some(statistics) = &self.statistics else { return false };
        let channels = &self.index.channels;
        let known = |id: &u16| channels.get(*id).is_some();
        statistics.channel_count as usize <= channels.len()
            && (statistics.message_count == 0 || !statistics.channel_message_counts.is_empty())
            && self.chunks.iter().all(|chunk| chunk.message_index_offsets.keys().all(known))
    }

    /// The parts of the file that it accounts for, in order: from where to where.
    fn covered(&self) -> Vec<(u64, u64)> {
        let places = self.index.attachments.iter().chain(&self.index.metadata);
        let places = places.map(|place| (place.offset, place.length));
        let chunks = self
            .chunks
            .iter()
            .map(|chunk| (chunk.chunk_start_offset, chunk.chunk_length.saturating_add(chunk.message_index_length)));
        let mut covered: Vec<_> =
            places.chain(chunks).map(|(from, length)| (from, from.saturating_add(length))).collect();
        covered.sort_unstable();
        covered
    }
}

/// Goes through records one by one.
struct Walk {
    index: Index,
    /// Messages outside of chunks that follow each other.
    run: Option<Piece>,
    /// Whether messages are counted here.
    counts: bool,
}

impl Walk {
    /// Takes in what lies from `from` to `to`, or up to the end of the data.
    fn through(&mut self, source: &Blocks, from: u64, to: u64) -> Result<(), RecorderError> {
        let mut scanner = Scanner::between(source.path(), from, to)?;
        let mut body = Vec::new();
        loop {
            let at = scanner.position();
            let opcode = match scanner.next(&mut body)? {
                None | Some(op::DATA_END) => break,
                Some(opcode) => opcode,
            };
            if at == mcap::MAGIC.len() as u64 && opcode != op::HEADER {
                return Err(source.damaged(at, format!("it begins with record {opcode:#04x} in place of a header")));
            }
            let length = scanner.position() - at;
            self.record(source, opcode, &body, at, length)?;
        }
        self.index.pieces.extend(self.run.take());
        Ok(())
    }

    fn record(&mut self, source: &Blocks, opcode: u8, body: &[u8], at: u64, length: u64) -> Result<(), RecorderError> {
        let damaged = |problem: String| source.damaged(at, problem);
        match opcode {
            op::MESSAGE => {
                if let Record::Message { header, .. } = parse(opcode, body).map_err(damaged)? {
                    self.message(&header, at, length);
                }
            }
            op::CHUNK => self.chunk(body, at, length).map_err(damaged)?,
            op::ATTACHMENT => {
                let attached = crate::attachments::Attached::read(&mut source.again()?, at, length)?;
                self.index.attachments.push(Place { name: attached.name, offset: at, length });
            }
            op::METADATA | op::SCHEMA | op::CHANNEL => match parse(opcode, body).map_err(damaged)? {
                Record::Metadata(metadata) => {
                    self.index.metadata.push(Place { name: metadata.name, offset: at, length });
                }
                other => self.index.channels.learn(&other).map_err(damaged)?,
            },
            _ => self.index.unknown += u64::from(crate::records::is_unknown(opcode)),
        }
        Ok(())
    }

    fn count(&mut self, header: &MessageHeader) {
        if self.counts {
            *self.index.counts.entry(header.channel_id).or_default() += 1;
            self.index.messages += 1;
        }
    }

    fn message(&mut self, header: &MessageHeader, at: u64, length: u64) {
        self.count(header);
        let goes_on = self.run.as_ref().is_some_and(|run| run.offset + run.length == at && run.length < RUN_BYTES);
        if !goes_on {
            self.index.pieces.extend(self.run.take());
        }
        let run = self.run.get_or_insert_with(|| piece(at, 0, header.log_time, false));
        run.length += length;
        run.add(header);
    }

    fn chunk(&mut self, body: &[u8], at: u64, length: u64) -> Result<(), String> {
        let mut headers = Vec::new();
        let channels = &mut self.index.channels;
        open_chunk(body, |record| match record {
            Record::Message { header, .. } => {
                headers.push(header);
                Ok(())
            }
            other => channels.learn(&other),
        })?;
        let Some(first) = headers.first() else { return Ok(()) };
        let mut piece = piece(at, length, first.log_time, true);
        for header in &headers {
            self.count(header);
            piece.add(header);
        }
        self.index.pieces.push(piece);
        Ok(())
    }
}

fn piece(offset: u64, length: u64, at_ns: u64, is_chunk: bool) -> Piece {
    Piece { from_ns: at_ns, to_ns: at_ns, offset, length, is_chunk, channels: BTreeSet::new() }
}

impl Piece {
    fn add(&mut self, header: &MessageHeader) {
        self.from_ns = self.from_ns.min(header.log_time);
        self.to_ns = self.to_ns.max(header.log_time);
        self.channels.insert(header.channel_id);
    }
}
