//! An episode's messages in the order of log time, piece by piece.

use crate::RecorderError;
use crate::index::{Index, Piece};
use crate::reader::Blocks;
use crate::records::{ChannelRecord, open_chunk, open_run};
use bytes::Bytes;
use mcap::records::{Record, op};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most that is held in memory for chunks whose log times overlap.
const MAX_PENDING_BYTES: usize = 512 << 20;

/// A message as the file has it.
#[derive(Debug, Clone)]
pub struct EpisodeMessage {
    channel: Arc<ChannelRecord>,
    /// Number within the topic, as its publisher counts.
    pub sequence: u32,
    /// When the recorder got it, nanoseconds.
    pub log_time_ns: u64,
    /// When its content was true, nanoseconds.
    pub publish_time_ns: u64,
    /// Its encoding.
    pub data: Bytes,
}

impl EpisodeMessage {
    /// Where it belongs.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.channel.topic
    }

    /// Full protobuf name of its type.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.channel.schema
    }

    /// Which channel it came by; several may have one topic.
    #[cfg(feature = "exchange")]
    pub(crate) fn channel_key(&self) -> usize {
        Arc::as_ptr(&self.channel) as usize
    }

    /// Everything that the file says of its channel.
    #[cfg(any(feature = "exchange", feature = "video", feature = "view"))]
    pub(crate) fn channel(&self) -> &Arc<ChannelRecord> {
        &self.channel
    }

    /// Whether it is a message of this schema as we write them: other programs have their own encodings of the same.
    #[must_use]
    pub fn is(&self, schema: &str) -> bool {
        self.schema() == schema && self.channel.message_encoding == "protobuf"
    }

    /// Its content.
    ///
    /// # Errors
    /// [`RecorderError::WrongType`] when the file says it is something else, [`RecorderError::Decode`] when it is no
    /// such message.
    pub fn decode<T: prost::Message + prost::Name + Default>(&self) -> Result<T, RecorderError> {
        let wanted = T::full_name();
        if self.schema() != wanted {
            return Err(RecorderError::WrongType {
                topic: self.topic().to_owned(),
                schema: self.schema().to_owned(),
                wanted,
            });
        }
        T::decode(self.data.clone()).map_err(|source| RecorderError::Decode {
            topic: self.topic().to_owned(),
            log_time_ns: self.log_time_ns,
            schema: wanted,
            source,
        })
    }
}

/// Which messages are wanted.
pub(crate) struct Selection {
    topics: Option<BTreeSet<String>>,
    log_time_ns: (Bound<u64>, Bound<u64>),
}

impl Selection {
    pub(crate) fn new(topics: Option<BTreeSet<String>>, log_time_ns: impl RangeBounds<u64>) -> Self {
        Self { topics, log_time_ns: (log_time_ns.start_bound().cloned(), log_time_ns.end_bound().cloned()) }
    }

    fn wants(&self, channel: &ChannelRecord, log_ns: u64) -> bool {
        self.wants_topic(channel) && self.log_time_ns.contains(&log_ns)
    }

    fn wants_topic(&self, channel: &ChannelRecord) -> bool {
        self.topics.as_ref().is_none_or(|topics| topics.contains(&*channel.topic))
    }

    fn wants_piece(&self, piece: &Piece, index: &Index) -> bool {
        let (from, to) = self.log_time_ns;
        let not_before = match from {
            Bound::Included(from) => piece.to_ns >= from,
            Bound::Excluded(from) => piece.to_ns > from,
            Bound::Unbounded => true,
        };
        let not_after = match to {
            Bound::Included(to) => piece.from_ns <= to,
            Bound::Excluded(to) => piece.from_ns < to,
            Bound::Unbounded => true,
        };
        let ids = &piece.channels;
        let has_topic = ids.is_empty()
            || ids.iter().any(|id| index.channels.get(*id).is_none_or(|channel| self.wants_topic(channel)));
        not_before && not_after && has_topic
    }
}

/// In the order of log time, then of place in the file.
struct Pending {
    key: Reverse<(u64, u64, usize)>,
    message: EpisodeMessage,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Pending {}
impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// Iterator over an episode's messages; ends after the first error.
pub struct Messages {
    path: PathBuf,
    source: Option<Blocks>,
    index: Arc<Index>,
    selection: Selection,
    next_piece: usize,
    pending: BinaryHeap<Pending>,
    pending_bytes: usize,
    failed: bool,
}

impl Messages {
    pub(crate) fn new(path: &Path, index: Arc<Index>, selection: Selection) -> Self {
        Self {
            path: path.to_owned(),
            source: None,
            index,
            selection,
            next_piece: 0,
            pending: BinaryHeap::new(),
            pending_bytes: 0,
            failed: false,
        }
    }

    /// Loads every piece that may hold something older than what is pending.
    fn fill(&mut self) -> Result<(), RecorderError> {
        let index = Arc::clone(&self.index);
        while let Some(piece) = index.pieces.get(self.next_piece) {
            if self.pending.peek().is_some_and(|first| first.key.0.0 < piece.from_ns) {
                return Ok(());
            }
            self.next_piece += 1;
            if self.selection.wants_piece(piece, &index) {
                self.load(piece)?;
            }
        }
        Ok(())
    }

    fn load(&mut self, piece: &Piece) -> Result<(), RecorderError> {
        let at = piece.offset;
        let source = match &mut self.source {
            Some(source) => source,
            None => self.source.insert(Blocks::open(&self.path)?),
        };
        let body = match piece.is_chunk {
            true => source.record(op::CHUNK, at, piece.length)?,
            false => source.bytes(at, piece.length)?,
        };
        let (index, selection) = (&self.index, &self.selection);
        let (pending, pending_bytes) = (&mut self.pending, &mut self.pending_bytes);
        let mut number = 0;
        let each = |record: Record<'_>| -> Result<(), String> {
            let Record::Message { header, data } = record else { return Ok(()) };
            let channel = index.channels.get(header.channel_id);
            let channel = channel.ok_or_else(|| format!("a message names channel {}", header.channel_id))?;
            let log_ns = header.log_time;
            if !(piece.from_ns..=piece.to_ns).contains(&log_ns) {
                return Err(format!("a message at {log_ns} ns lies outside of the times in the index"));
            }
            number += 1;
            if !selection.wants(channel, log_ns) {
                return Ok(());
            }
            *pending_bytes += data.len() + size_of::<Pending>();
            if *pending_bytes > MAX_PENDING_BYTES {
                return Err(format!("more than {MAX_PENDING_BYTES} bytes of messages overlap in time"));
            }
            let message = EpisodeMessage {
                channel: Arc::clone(channel),
                sequence: header.sequence,
                log_time_ns: log_ns,
                publish_time_ns: header.publish_time,
                data: Bytes::copy_from_slice(&data),
            };
            pending.push(Pending { key: Reverse((log_ns, at, number)), message });
            Ok(())
        };
        let opened = if piece.is_chunk { open_chunk(&body, each) } else { open_run(&body, each) };
        opened.map_err(|problem| source.damaged(at, problem))
    }
}

impl Iterator for Messages {
    type Item = Result<EpisodeMessage, RecorderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if let Err(error) = self.fill() {
            self.failed = true;
            return Some(Err(error));
        }
        let first = self.pending.pop()?;
        self.pending_bytes -= first.message.data.len() + size_of::<Pending>();
        Some(Ok(first.message))
    }
}
