//! Reading a finished episode.

use crate::RecorderError;
use crate::attachments::Attached;
use crate::file::EPISODE;
use crate::index::{Index, Place};
use crate::messages::{Messages, Selection};
use crate::records::{HEAD_BYTES, MAX_RECORD_BYTES, parse, parse_head};
use mcap::records::{Record, op};
use protocol::{Attachment, EMBODIMENT_ATTACHMENT, Embodiment, EpisodeInfo};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A metadata record: its name and what it holds.
pub(crate) type Metadata = (String, BTreeMap<String, String>);

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
    /// [`RecorderError::Damaged`] for a file that is not an MCAP file, was cut off or altered;
    /// [`RecorderError::NoEpisode`]; [`RecorderError::Metadata`];
    /// [`RecorderError::Io`].
    pub fn open(path: &Path) -> Result<Self, RecorderError> {
        let mut source = Blocks::open(path)?;
        let index = Index::read(&mut source)?;
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

    /// Topics in the order in which they first came. Channels of one topic with one schema, such as two publishers, are
    /// summed up.
    #[must_use]
    pub fn topics(&self) -> Vec<TopicSummary> {
        let mut summaries: Vec<TopicSummary> = Vec::new();
        let mut places: HashMap<(&str, &str), usize> = HashMap::new();
        for (id, channel) in self.index.channels.iter() {
            let messages = self.index.counts.get(&id).copied().unwrap_or(0);
            let place = *places.entry((&channel.topic, &channel.schema)).or_insert(summaries.len());
            match summaries.get_mut(place) {
                Some(known) => known.messages = known.messages.saturating_add(messages),
                None => summaries.push(TopicSummary {
                    topic: channel.topic.to_string(),
                    schema: channel.schema.to_string(),
                    messages,
                }),
            }
        }
        summaries
    }

    /// How many messages there are, by the file's own account.
    #[must_use]
    pub fn message_count(&self) -> u64 {
        self.index.messages
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
    /// [`RecorderError::Damaged`] when it is not where the index says, or its checksum is wrong;
    /// [`RecorderError::TooLarge`] for more than 256 MiB.
    pub fn attachment(&self, name: &str) -> Result<Option<Attachment>, RecorderError> {
        let Some(place) = self.index.attachments.iter().find(|place| place.name == name) else { return Ok(None) };
        let mut source = Blocks::open(&self.path)?;
        let attached = Attached::read(&mut source, place.offset, place.length)?;
        let data = attached.content(&mut source)?.into();
        Ok(Some(Attachment { name: attached.name, media_type: attached.media_type, data }))
    }

    /// What the robot was made of: by the file that the episode carries, or a built-in embodiment by its name. `None` when
    /// it is known by neither.
    ///
    /// # Errors
    /// As [`Self::attachment`].
    pub fn embodiment(&self) -> Result<Option<Embodiment>, RecorderError> {
        let name = &self.info.embodiment;
        let Some(file) = self.attachment(EMBODIMENT_ATTACHMENT)? else { return Ok(Embodiment::by_name(name)) };
        Ok(std::str::from_utf8(&file.data).ok().and_then(|text| Embodiment::told(name, text)))
    }

    /// Every attachment with the file that it can be read from, in the order of the file.
    #[cfg_attr(not(any(feature = "exchange", feature = "video")), allow(dead_code))]
    pub(crate) fn attachments(
        &self,
    ) -> Result<(Blocks, impl Iterator<Item = Result<Attached, RecorderError>> + use<'_>), RecorderError> {
        let mut heads = Blocks::open(&self.path)?;
        let places = self.index.attachments.iter();
        Ok((Blocks::open(&self.path)?, places.map(move |place| Attached::read(&mut heads, place.offset, place.length))))
    }

    /// Every metadata record, in the order of the file; several may have one name.
    #[cfg_attr(not(any(feature = "exchange", feature = "video")), allow(dead_code))]
    pub(crate) fn all_metadata(&self) -> Result<Vec<Metadata>, RecorderError> {
        let mut source = Blocks::open(&self.path)?;
        let records = self.index.metadata.iter();
        records.map(|place| Ok((place.name.clone(), metadata_at(&mut source, place)?))).collect()
    }

    /// Records of kinds that the format does not define.
    #[must_use]
    pub fn unknown_records(&self) -> u64 {
        self.index.unknown
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
        let file = crate::file::open(path).map_err(RecorderError::io("open", path))?;
        let size = file.metadata().map_err(RecorderError::io("look at", path))?.len();
        Ok(Self { file, path: path.to_owned(), size })
    }

    pub(crate) fn damaged(&self, offset: u64, problem: impl Into<String>) -> RecorderError {
        RecorderError::damaged(&self.path, offset, problem)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The same file, opened once more.
    pub(crate) fn again(&self) -> Result<Self, RecorderError> {
        Self::open(&self.path)
    }

    pub(crate) fn bytes(&mut self, offset: u64, length: u64) -> Result<Vec<u8>, RecorderError> {
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
        if length > MAX_RECORD_BYTES {
            let problem = format!("a record has {length} bytes here; at most {MAX_RECORD_BYTES} can be read at once");
            return Err(self.damaged(offset, problem));
        }
        self.record_head(opcode, offset, length)?;
        self.bytes(offset + HEAD_BYTES, length - HEAD_BYTES)
    }

    /// Checks that the record that an index places here is there, and of this length over all.
    pub(crate) fn record_head(&mut self, opcode: u8, offset: u64, length: u64) -> Result<(), RecorderError> {
        if length < HEAD_BYTES {
            return Err(self.damaged(offset, format!("the index says that a record has {length} bytes here")));
        }
        let found = parse_head(&self.bytes(offset, HEAD_BYTES)?);
        if found != Some((opcode, length - HEAD_BYTES)) {
            let problem = format!("the index says record {opcode:#04x} with {length} bytes, there is {found:x?}");
            return Err(self.damaged(offset, problem));
        }
        if offset.checked_add(length).is_none_or(|end| end > self.size) {
            let problem = format!("{length} bytes from here on go beyond the file's {} bytes", self.size);
            return Err(self.damaged(offset, problem));
        }
        Ok(())
    }
}

fn read_metadata(source: &mut Blocks, index: &Index, name: &str) -> Result<BTreeMap<String, String>, RecorderError> {
    let found = index.metadata.iter().rev().find(|metadata| metadata.name == name);
    let place = found.ok_or_else(|| source.damaged(source.size, format!("there is no metadata {name:?}")))?;
    metadata_at(source, place)
}

fn metadata_at(source: &mut Blocks, place: &Place) -> Result<BTreeMap<String, String>, RecorderError> {
    let body = source.record(op::METADATA, place.offset, place.length)?;
    match parse(op::METADATA, &body) {
        Ok(Record::Metadata(record)) => Ok(record.metadata),
        Ok(_) => Err(source.damaged(place.offset, "it is not metadata")),
        Err(problem) => Err(source.damaged(place.offset, problem)),
    }
}
