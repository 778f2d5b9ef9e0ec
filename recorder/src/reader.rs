//! Reading a finished episode.

use crate::file::EPISODE;
use crate::messages::{Messages, Selection};
use crate::records::{Channels, HEAD_BYTES, Input, MAX_RECORD_BYTES, parse, parse_head};
use crate::{Attachment, EpisodeInfo, RecorderError};
use bytes::Bytes;
use mcap::records::{AttachmentIndex, ChunkIndex, MetadataIndex, Record, Statistics, op};
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Footer record and magic, the last bytes of a file.
const TAIL_BYTES: u64 = HEAD_BYTES + 20 + 8;
/// Nothing can be summed up before the magic and the record that ends the data.
const FIRST_SUMMARY: u64 = 8 + HEAD_BYTES + 4;
/// Largest summary that is read.
const MAX_SUMMARY_BYTES: u64 = 256 << 20;

/// What a file holds of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSummary {
    /// Name.
    pub topic: String,
    /// Full protobuf name of its messages.
    pub schema: String,
    /// How many.
    pub messages: u64,
}

/// What the summary section says.
#[derive(Default)]
pub(crate) struct Index {
    pub channels: Channels,
    /// By start of log time.
    pub chunks: Vec<ChunkIndex>,
    attachments: Vec<AttachmentIndex>,
    metadata: Vec<MetadataIndex>,
    statistics: Option<Statistics>,
}

/// A finished episode file. Memory goes with its index and its largest chunks, never with its length; a damaged or
/// hostile file gives an error that names the place.
pub struct EpisodeReader {
    path: PathBuf,
    index: Arc<Index>,
    info: EpisodeInfo,
}

impl EpisodeReader {
    /// Opens a file and reads its index and description.
    ///
    /// # Errors
    /// [`RecorderError::Damaged`] for a file that is no MCAP file, was cut off or altered;
    /// [`RecorderError::NoEpisode`]; [`RecorderError::Metadata`];
    /// [`RecorderError::Io`].
    pub fn open(path: &Path) -> Result<Self, RecorderError> {
        let mut source = Blocks::open(path)?;
        let index = read_index(&mut source)?;
        if !index.metadata.iter().any(|metadata| metadata.name == EPISODE) {
            return Err(RecorderError::NoEpisode { path: path.to_owned() });
        }
        let info = EpisodeInfo::from_metadata(&read_metadata(&mut source, &index, EPISODE)?)?;
        Ok(Self { path: path.to_owned(), index: Arc::new(index), info })
    }

    /// The episode's description.
    #[must_use]
    pub fn info(&self) -> &EpisodeInfo {
        &self.info
    }

    /// Which file it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Topics in the order in which they first came.
    #[must_use]
    pub fn topics(&self) -> Vec<TopicSummary> {
        let counts = self.index.statistics.as_ref().map(|statistics| &statistics.channel_message_counts);
        let count = |id| counts.and_then(|counts| counts.get(&id)).copied().unwrap_or(0);
        let summaries = self.index.channels.iter().map(|(id, channel)| TopicSummary {
            topic: channel.topic.to_string(),
            schema: channel.schema.to_string(),
            messages: count(id),
        });
        summaries.collect()
    }

    /// How many messages there are, by the file's own account.
    #[must_use]
    pub fn message_count(&self) -> u64 {
        self.index.statistics.as_ref().map_or(0, |statistics| statistics.message_count)
    }

    /// Every message in the order of log time, in file order where times are equal.
    #[must_use]
    pub fn messages(&self) -> Messages {
        self.select(None::<[&str; 0]>, ..)
    }

    /// Messages of these topics only (`None` for all) with log times in `log_time_ns`; chunks without any are skipped.
    #[must_use]
    pub fn select<'a>(
        &self,
        topics: Option<impl IntoIterator<Item = &'a str>>,
        log_time_ns: impl RangeBounds<u64>,
    ) -> Messages {
        let topics = topics.map(|topics| topics.into_iter().map(str::to_owned).collect());
        Messages::new(&self.path, Arc::clone(&self.index), Selection::new(topics, log_time_ns))
    }

    /// Another metadata record, such as `clock` or `software`.
    ///
    /// # Errors
    /// [`RecorderError::Damaged`] when there is none of this name, or not where the index says.
    pub fn metadata(&self, name: &str) -> Result<BTreeMap<String, String>, RecorderError> {
        read_metadata(&mut Blocks::open(&self.path)?, &self.index, name)
    }

    /// Names of the metadata records, in the order of the file.
    pub fn metadata_names(&self) -> impl Iterator<Item = &str> {
        self.index.metadata.iter().map(|metadata| metadata.name.as_str())
    }

    /// Names of the attachments.
    pub fn attachment_names(&self) -> impl Iterator<Item = &str> {
        self.index.attachments.iter().map(|attachment| attachment.name.as_str())
    }

    /// An attachment's content; `None` when there is none of this name.
    ///
    /// # Errors
    /// [`RecorderError::Damaged`] when it is not where the index says, or its checksum is wrong.
    pub fn attachment(&self, name: &str) -> Result<Option<Attachment>, RecorderError> {
        let Some(index) = self.index.attachments.iter().find(|index| index.name == name) else { return Ok(None) };
        let body = Blocks::open(&self.path)?.record(op::ATTACHMENT, index.offset, index.length)?;
        match parse(op::ATTACHMENT, &body) {
            Ok(Record::Attachment { header, data, .. }) => Ok(Some(Attachment {
                name: header.name,
                media_type: header.media_type,
                data: Bytes::copy_from_slice(&data),
            })),
            Ok(_) => Err(RecorderError::damaged(&self.path, index.offset, "it is no attachment")),
            Err(problem) => Err(RecorderError::damaged(&self.path, index.offset, problem)),
        }
    }
}

/// Pieces of a file, within its bounds.
pub(crate) struct Blocks {
    file: File,
    path: PathBuf,
    size: u64,
}

impl Blocks {
    pub(crate) fn open(path: &Path) -> Result<Self, RecorderError> {
        let file = File::open(path).map_err(RecorderError::io("open", path))?;
        let size = file.metadata().map_err(RecorderError::io("look at", path))?.len();
        Ok(Self { file, path: path.to_owned(), size })
    }

    pub(crate) fn damaged(&self, offset: u64, problem: impl Into<String>) -> RecorderError {
        RecorderError::damaged(&self.path, offset, problem)
    }

    fn bytes(&mut self, offset: u64, length: u64) -> Result<Vec<u8>, RecorderError> {
        if offset.checked_add(length).is_none_or(|end| end > self.size) {
            let problem = format!("{length} bytes from here on go beyond the file's {} bytes", self.size);
            return Err(self.damaged(offset, problem));
        }
        let mut bytes = vec![0; length as usize];
        let read = self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(RecorderError::io("read", &self.path))?;
        Ok(bytes)
    }

    /// The body of the record that an index places here, with this length over all.
    pub(crate) fn record(&mut self, opcode: u8, offset: u64, length: u64) -> Result<Vec<u8>, RecorderError> {
        if !(HEAD_BYTES..=MAX_RECORD_BYTES).contains(&length) {
            return Err(self.damaged(offset, format!("the index says that a record has {length} bytes here")));
        }
        let mut bytes = self.bytes(offset, length)?;
        let found = parse_head(&bytes);
        if found != Some((opcode, length - HEAD_BYTES)) {
            let problem = format!("the index says record {opcode:#04x} with {length} bytes, there is {found:x?}");
            return Err(self.damaged(offset, problem));
        }
        Ok(bytes.split_off(HEAD_BYTES as usize))
    }
}

fn read_metadata(source: &mut Blocks, index: &Index, name: &str) -> Result<BTreeMap<String, String>, RecorderError> {
    let found = index.metadata.iter().rev().find(|metadata| metadata.name == name);
    let place = found.ok_or_else(|| source.damaged(source.size, format!("there is no metadata {name:?}")))?;
    let body = source.record(op::METADATA, place.offset, place.length)?;
    match parse(op::METADATA, &body) {
        Ok(Record::Metadata(record)) => Ok(record.metadata),
        Ok(_) => Err(source.damaged(place.offset, "it is no metadata")),
        Err(problem) => Err(source.damaged(place.offset, problem)),
    }
}

/// Where the summary section starts, by the footer.
fn summary_start(source: &mut Blocks) -> Result<u64, RecorderError> {
    let size = source.size;
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
        Ok(Record::Footer(footer)) if footer.summary_start == 0 => Err(source.damaged(footer_at, "it has no summary")),
        Ok(Record::Footer(footer)) if !(FIRST_SUMMARY..=footer_at).contains(&footer.summary_start) => {
            Err(source.damaged(footer_at, format!("its summary would start at {}", footer.summary_start)))
        }
        Ok(Record::Footer(footer)) => Ok(footer.summary_start),
        Ok(_) => Err(source.damaged(footer_at, "it has no footer")),
        Err(problem) => Err(source.damaged(footer_at, problem)),
    }
}

fn read_index(source: &mut Blocks) -> Result<Index, RecorderError> {
    let start = summary_start(source)?;
    let length = source.size - start;
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
    let mut index = Index::default();
    while let Some(event) = reader.next_event() {
        match event.map_err(|error| source.damaged(offset, error.to_string()))? {
            LinearReadEvent::ReadRequest(wanted) => {
                let given = input.give(reader.insert(wanted));
                reader.notify_read(given);
            }
            LinearReadEvent::Record { opcode, data } => {
                let next = offset + HEAD_BYTES + data.len() as u64;
                let record = parse(opcode, data).map_err(|problem| source.damaged(offset, problem))?;
                index.add(record).map_err(|problem| source.damaged(offset, problem))?;
                offset = next;
            }
        }
    }
    index.chunks.sort_by_key(|chunk| (chunk.message_start_time, chunk.chunk_start_offset));
    Ok(index)
}

impl Index {
    fn add(&mut self, record: Record<'_>) -> Result<(), String> {
        match record {
            Record::ChunkIndex(chunk) => self.chunks.push(chunk),
            Record::AttachmentIndex(attachment) => self.attachments.push(attachment),
            Record::MetadataIndex(metadata) => self.metadata.push(metadata),
            Record::Statistics(statistics) => self.statistics = Some(statistics),
            other => self.channels.learn(&other)?,
        }
        Ok(())
    }
}
