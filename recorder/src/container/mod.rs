//! The MCAP container as episodes need it: whatever was flushed survives a kill, a disk that refuses for a while costs
//! nothing, and the file's hash is known when it is finished.
//!
//! The `mcap` crate's writer is dead after the first error and builds a compressor for every chunk; recording needs
//! neither. This one holds the open chunk in memory and appends it whole, so that a crash leaves a sound prefix and
//! loses only the open chunk. Chunks are closed by size and by log time.

mod chunk;
mod encode;
mod sink;
mod summary;

pub(crate) use sink::{DiskFile, Sink};

use crate::RecorderError;
use crate::attachments::Attached;
use crate::reader::Blocks;
use chunk::Chunk;
use mcap::records::MessageHeader;
use protocol::Attachment;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use summary::{AttachmentHead, Summary};

/// A chunk closes when it holds this much...
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// ... or spans this much log time: less than the 200 ms that are promised, so that a late tick still leaves a kill no
/// more than 250 ms to take.
pub(crate) const CHUNK_NS: u64 = 160_000_000;
/// Largest message or attachment that is recorded.
pub(crate) const MAX_MESSAGE_BYTES: usize = 32 << 20;
/// Largest message that is taken over from another file. Readers accept records of twice this.
pub(crate) const MAX_COPIED_BYTES: usize = 128 << 20;
/// Names the writer in every file.
const LIBRARY: &str = concat!("takeover ", env!("CARGO_PKG_VERSION"));

/// A channel as the file describes it.
pub(crate) struct ChannelSpec<'a> {
    /// Which of several channels with the same words it is; see [`crate::records::ChannelRecord::twin`].
    pub twin: u16,
    pub topic: &'a str,
    pub schema: &'a str,
    pub schema_encoding: &'a str,
    pub schema_data: &'a [u8],
    pub message_encoding: &'a str,
    pub metadata: &'a BTreeMap<String, String>,
}

/// Size and hash of a finished file.
pub(crate) struct Finished {
    pub bytes: u64,
    pub sha256: String,
}

/// Writes one file's records into a sink.
pub(crate) struct Writer<S> {
    sink: S,
    position: u64,
    /// Over the whole data section.
    crc: crc32fast::Hasher,
    chunk: Chunk,
    summary: Summary,
    /// Schema ids by name, encoding and definition.
    schemas: BTreeMap<(String, String, Vec<u8>), u16>,
    /// By record, with id 0: the ids of all channels of these words, by [`ChannelSpec::twin`].
    channels: HashMap<Vec<u8>, Vec<u16>>,
    /// By channel: whether its messages are worth compressing.
    compressible: Vec<bool>,
}

impl<S: Sink> Writer<S> {
    pub(crate) fn new(sink: S) -> io::Result<Self> {
        let mut writer = Self {
            sink,
            position: 0,
            crc: crc32fast::Hasher::new(),
            chunk: Chunk::new()?,
            summary: Summary::default(),
            schemas: BTreeMap::new(),
            channels: HashMap::new(),
            compressible: Vec::new(),
        };
        let mut start = mcap::MAGIC.to_vec();
        encode::header(&mut start, LIBRARY);
        writer.append(&start)?;
        Ok(writer)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.append(bytes)?;
        self.crc.update(bytes);
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// The id of this channel, defined in the open chunk when it is new. Its twins before it are defined first, so that
    /// readers tell them apart as the source does.
    pub(crate) fn channel(&mut self, spec: &ChannelSpec<'_>) -> io::Result<u16> {
        let schema = self.schema(spec)?;
        // Two channels are the same when their records would be, but for the id, unless one file tells them apart.
        let mut record = Vec::new();
        summary::channel(&mut record, 0, schema, spec);
        let twins = self.channels.entry(record).or_default();
        while twins.len() <= usize::from(spec.twin) {
            let id = u16::try_from(self.compressible.len()).ok().filter(|id| *id < u16::MAX);
            let id = id.ok_or_else(|| too_many("channels"))?;
            twins.push(id);
            self.compressible.push(spec.schema != "foxglove.CompressedVideo");
            self.summary.channel_count += 1;
            let mut record = Vec::new();
            summary::channel(&mut record, id, schema, spec);
            self.chunk.define(&record);
            self.summary.channels.extend_from_slice(&record);
        }
        Ok(twins[usize::from(spec.twin)])
    }

    fn schema(&mut self, spec: &ChannelSpec<'_>) -> io::Result<u16> {
        if spec.schema.is_empty() && spec.schema_encoding.is_empty() && spec.schema_data.is_empty() {
            return Ok(0);
        }
        let key = (spec.schema.to_owned(), spec.schema_encoding.to_owned(), spec.schema_data.to_vec());
        if let Some(&id) = self.schemas.get(&key) {
            return Ok(id);
        }
        let id = u16::try_from(self.schemas.len() + 1).map_err(|_| too_many("schemas"))?;
        let mut record = Vec::new();
        encode::schema(&mut record, id, spec.schema, spec.schema_encoding, spec.schema_data);
        self.chunk.define(&record);
        self.summary.schemas.extend_from_slice(&record);
        self.summary.schema_count += 1;
        self.schemas.insert(key, id);
        Ok(id)
    }

    /// Adds a message; closes chunks that are full.
    pub(crate) fn message(&mut self, header: &MessageHeader, data: &[u8]) -> io::Result<()> {
        let log_ns = header.log_time;
        if self.chunk.span().is_some_and(|(lo, hi)| hi.max(log_ns) - lo.min(log_ns) >= CHUNK_NS) {
            self.flush()?;
        }
        let compressible = self.compressible.get(usize::from(header.channel_id)).copied().unwrap_or(true);
        self.chunk.message(header, data, compressible);
        self.summary.count(header.channel_id);
        if self.chunk.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    pub(crate) fn metadata(&mut self, name: &str, entries: &BTreeMap<String, String>) -> io::Result<()> {
        self.flush()?;
        let mut record = Vec::new();
        encode::metadata(&mut record, name, entries);
        self.summary.metadata(self.position, record.len() as u64, name);
        self.append(&record)
    }

    pub(crate) fn attachment(&mut self, log_ns: u64, attachment: &Attachment) -> io::Result<()> {
        let mut crc = self.begin_attachment(AttachmentHead {
            log_ns,
            created_ns: 0,
            bytes: attachment.data.len() as u64,
            name: attachment.name.clone(),
            media_type: attachment.media_type.clone(),
        })?;
        crc.update(&attachment.data);
        self.append(&attachment.data)?;
        self.append(&crc.finalize().to_le_bytes())
    }

    /// Writes what comes before an attachment's content; the caller appends the content and the checksum.
    fn begin_attachment(&mut self, about: AttachmentHead) -> io::Result<crc32fast::Hasher> {
        self.flush()?;
        let head = encode::attachment_head(&about);
        let length = head.len() as u64 + about.bytes + 4;
        self.summary.attachment(self.position, length, about);
        self.append(&head)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head[encode::HEAD..]);
        Ok(crc)
    }

    /// Closes the open chunk.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let (sink, crc, position) = (&mut self.sink, &mut self.crc, &mut self.position);
        let entry = self.chunk.close(*position, |bytes, of_bytes| {
            sink.append(bytes)?;
            crc.combine(of_bytes);
            *position += bytes.len() as u64;
            Ok(())
        })?;
        self.summary.chunk(entry);
        Ok(())
    }

    /// Writes what ends a file.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.flush()?;
        let mut end = Vec::new();
        encode::data_end(&mut end, self.crc.clone().finalize());
        self.append(&end)?;
        let summary = self.summary.encode(self.position);
        self.append(&summary)
    }

    pub(crate) fn sink(&self) -> &S {
        &self.sink
    }
}

/// A file on disk while it is written.
pub(crate) struct Container {
    writer: Writer<DiskFile>,
    path: PathBuf,
    ended: bool,
}

impl Container {
    /// Starts a file at `path`; `replace` says whether one that is there is replaced. Up to `write_back_limit_bytes`
    /// wait in memory while the disk refuses them.
    pub(crate) fn create(path: &Path, replace: bool, write_back_limit_bytes: usize) -> Result<Self, RecorderError> {
        let mut options = File::options();
        options.write(true).truncate(replace);
        let opened = if replace { options.create(true).open(path) } else { options.create_new(true).open(path) };
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => RecorderError::Exists { path: path.to_owned() },
            _ => RecorderError::io("create", path)(error),
        })?;
        // Tells a recovery that somebody lives who writes this; where locks are unknown, nobody is told.
        let _ = file.try_lock();
        let writer =
            Writer::new(DiskFile::new(file, write_back_limit_bytes)).map_err(RecorderError::io("write", path))?;
        Ok(Self { writer, path: path.to_owned(), ended: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn channel(&mut self, spec: &ChannelSpec<'_>) -> Result<u16, RecorderError> {
        self.writer.channel(spec).map_err(RecorderError::io("write", &self.path))
    }

    pub(crate) fn message(&mut self, header: &MessageHeader, data: &[u8]) -> Result<(), RecorderError> {
        if data.len() > MAX_COPIED_BYTES {
            let what = format!("message of channel {} at {} ns", header.channel_id, header.log_time);
            return Err(RecorderError::TooLarge { what, bytes: data.len() as u64, limit: MAX_COPIED_BYTES as u64 });
        }
        self.writer.message(header, data).map_err(RecorderError::io("write", &self.path))
    }

    pub(crate) fn metadata(&mut self, name: &str, entries: &BTreeMap<String, String>) -> Result<(), RecorderError> {
        self.writer.metadata(name, entries).map_err(RecorderError::io("write", &self.path))
    }

    pub(crate) fn attachment(&mut self, log_ns: u64, attachment: &Attachment) -> Result<(), RecorderError> {
        if attachment.data.len() > MAX_MESSAGE_BYTES {
            return Err(RecorderError::TooLarge {
                what: format!("attachment {:?}", attachment.name),
                bytes: attachment.data.len() as u64,
                limit: MAX_MESSAGE_BYTES as u64,
            });
        }
        self.writer.attachment(log_ns, attachment).map_err(RecorderError::io("write", &self.path))
    }

    /// Takes over an attachment of another file, of any size.
    pub(crate) fn attachment_from(&mut self, attached: &Attached, source: &mut Blocks) -> Result<(), RecorderError> {
        let (path, writer) = (&self.path, &mut self.writer);
        let about = AttachmentHead {
            log_ns: attached.log_ns,
            created_ns: attached.created_ns,
            bytes: attached.bytes,
            name: attached.name.clone(),
            media_type: attached.media_type.clone(),
        };
        let mut crc = writer.begin_attachment(about).map_err(RecorderError::io("write", path))?;
        attached.copy(source, &mut |piece| {
            crc.update(piece);
            writer.append(piece).map_err(RecorderError::io("write", path))
        })?;
        writer.append(&crc.finalize().to_le_bytes()).map_err(RecorderError::io("write", path))
    }

    /// Flushes when the open chunk holds a message older than [`CHUNK_NS`].
    pub(crate) fn flush_if_old(&mut self, now_ns: u64) -> Result<(), RecorderError> {
        if self.writer.chunk.span().is_some_and(|(oldest, _)| now_ns.saturating_sub(oldest) >= CHUNK_NS) {
            self.writer.flush().map_err(RecorderError::io("write", &self.path))?;
        }
        Ok(())
    }

    /// Flushes and waits until the data are on the disk: they survive a power cut. Does nothing while the disk refuses.
    pub(crate) fn sync(&mut self) -> Result<(), RecorderError> {
        self.writer.flush().map_err(RecorderError::io("write", &self.path))?;
        if self.writer.sink.retry() {
            self.writer.sink.sync_data().map_err(RecorderError::io("sync", &self.path))?;
        }
        Ok(())
    }

    /// Offers the disk again what it refused. Returns whether nothing waits any more.
    ///
    /// # Errors
    /// [`RecorderError::Io`] when the file is not where it was: the disk was changed, or somebody removed it.
    pub(crate) fn retry(&mut self) -> Result<bool, RecorderError> {
        if !self.writer.sink.is_at(&self.path) {
            return Err(RecorderError::io("find", &self.path)(io::ErrorKind::NotFound.into()));
        }
        Ok(self.writer.sink.retry())
    }

    pub(crate) fn disk(&self) -> &DiskFile {
        self.writer.sink()
    }

    /// Writes the summary, once.
    pub(crate) fn end(&mut self) -> Result<(), RecorderError> {
        if !self.ended {
            self.writer.end().map_err(RecorderError::io("write", &self.path))?;
            self.ended = true;
        }
        Ok(())
    }

    /// Waits for the disk and gives the ended file its final name; `None` while the disk refuses what belongs into it.
    pub(crate) fn settle(&mut self, target: &Path) -> Result<Option<Finished>, RecorderError> {
        self.end()?;
        let disk = &mut self.writer.sink;
        if !disk.retry() {
            return Ok(None);
        }
        disk.sync_all().map_err(RecorderError::io("sync", &self.path))?;
        fs::rename(&self.path, target).map_err(RecorderError::io("rename to its final name", &self.path))?;
        sync_folder(target)?;
        let (bytes, sha256) = disk.sum();
        Ok(Some(Finished { bytes, sha256 }))
    }

    /// As [`Self::settle`], for a disk that is not waited for.
    pub(crate) fn finish(mut self, target: &Path) -> Result<Finished, RecorderError> {
        let path = self.path.clone();
        let refused = || RecorderError::io("write", &path)(io::ErrorKind::StorageFull.into());
        self.settle(target)?.ok_or_else(refused)
    }
}

/// The format numbers them with 16 bits.
fn too_many(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("a file can hold {} {what}", u16::MAX))
}

/// Makes a rename or removal in the folder of `path` last.
pub(crate) fn sync_folder(path: &Path) -> Result<(), RecorderError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(RecorderError::io("sync folder", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_channels_of_the_same_words_as_a_file_can_hold_are_written() {
        let metadata = BTreeMap::new();
        // With a schema that one would not want to copy for each.
        let schema = vec![b'x'; 1 << 12];
        let spec = |twin| ChannelSpec {
            twin,
            topic: "/a",
            schema: "A",
            schema_encoding: "x",
            schema_data: &schema,
            message_encoding: "x",
            metadata: &metadata,
        };
        let mut writer = Writer::new(Vec::new()).unwrap();
        // The last one needs all before it, which are then there.
        assert_eq!(writer.channel(&spec(3)).unwrap(), 3);
        for twin in 0..u16::MAX {
            assert_eq!(writer.channel(&spec(twin)).unwrap(), twin);
        }
        let error = writer.channel(&spec(u16::MAX)).unwrap_err().to_string();
        assert!(error.contains("65535 channels"), "{error}");
        assert_eq!(writer.summary.channel_count, u16::MAX);
    }
}
