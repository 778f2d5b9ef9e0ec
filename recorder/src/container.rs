//! The MCAP container as episodes need it: whatever was flushed survives a kill, and the file's hash is known when it
//! is finished.
//!
//! The `mcap` crate with seeking writes an open chunk behind a placeholder length, which no reader gets past after a
//! crash. Without seeking it holds the open chunk in memory and appends it whole, so a crash leaves a sound prefix and
//! loses only the open chunk. We therefore never seek, and close chunks by size and by log time ourselves.

use crate::{Attachment, RecorderError};
use mcap::records::MessageHeader;
use mcap::write::{Metadata, NoSeek};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A chunk closes when it holds this much...
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// ... or spans this much log time.
pub(crate) const CHUNK_NS: u64 = 200_000_000;
/// Largest message or attachment written. Readers accept records of twice this.
pub(crate) const MAX_MESSAGE_BYTES: usize = 32 << 20;
/// Fast; video does not get smaller anyhow.
const ZSTD_LEVEL: u32 = 1;

/// Passes bytes to the file and hashes them on the way.
struct HashedFile {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for HashedFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.write_all(buffer)?;
        self.hash.update(buffer);
        self.bytes += buffer.len() as u64;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A channel as the file describes it.
pub(crate) struct ChannelSpec<'a> {
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

pub(crate) struct Container {
    writer: mcap::Writer<NoSeek<HashedFile>>,
    /// A second handle, for fsync.
    file: File,
    path: PathBuf,
    chunk: OpenChunk,
}

#[derive(Default)]
struct OpenChunk {
    bytes: usize,
    log_ns: Option<(u64, u64)>,
}

impl OpenChunk {
    fn add(&mut self, log_ns: u64, bytes: usize) {
        self.bytes += bytes;
        self.log_ns = Some(self.log_ns.map_or((log_ns, log_ns), |(lo, hi)| (lo.min(log_ns), hi.max(log_ns))));
    }

    fn spans(&self, log_ns: u64) -> u64 {
        self.log_ns.map_or(0, |(lo, hi)| hi.max(log_ns) - lo.min(log_ns))
    }
}

impl Container {
    /// Starts a file at `path`; `replace` says whether one that is there gives way.
    pub(crate) fn create(path: &Path, replace: bool) -> Result<Self, RecorderError> {
        let mut options = File::options();
        options.write(true).truncate(replace);
        let opened = if replace { options.create(true).open(path) } else { options.create_new(true).open(path) };
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => RecorderError::Exists { path: path.to_owned() },
            _ => RecorderError::io("create", path)(error),
        })?;
        let second = file.try_clone().map_err(RecorderError::io("open again", path))?;
        let hashed = HashedFile { file: BufWriter::with_capacity(1 << 16, file), hash: Sha256::new(), bytes: 0 };
        let options = mcap::WriteOptions::new()
            .profile("")
            .library(concat!("takeover ", env!("CARGO_PKG_VERSION")))
            .chunk_size(None)
            .disable_seeking(true)
            .compression(Some(mcap::Compression::Zstd))
            .compression_level(ZSTD_LEVEL)
            .compression_threads(0);
        let writer = options.create(NoSeek::new(hashed)).map_err(write_error(path))?;
        Ok(Self { writer, file: second, path: path.to_owned(), chunk: OpenChunk::default() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The id of this channel, written when it is new.
    pub(crate) fn channel(&mut self, spec: &ChannelSpec<'_>) -> Result<u16, RecorderError> {
        let schema = match (spec.schema, spec.schema_encoding) {
            ("", "") => 0,
            (name, encoding) => {
                self.writer.add_schema(name, encoding, spec.schema_data).map_err(write_error(&self.path))?
            }
        };
        let added = self.writer.add_channel(schema, spec.topic, spec.message_encoding, spec.metadata);
        added.map_err(write_error(&self.path))
    }

    pub(crate) fn message(&mut self, header: &MessageHeader, data: &[u8]) -> Result<(), RecorderError> {
        if data.len() > MAX_MESSAGE_BYTES {
            let what = format!("message of channel {} at {} ns", header.channel_id, header.log_time);
            return Err(too_large(what, data.len()));
        }
        if self.chunk.spans(header.log_time) >= CHUNK_NS {
            self.flush()?;
        }
        self.writer.write_to_known_channel(header, data).map_err(write_error(&self.path))?;
        self.chunk.add(header.log_time, data.len());
        if self.chunk.bytes >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    pub(crate) fn metadata(&mut self, name: &str, entries: BTreeMap<String, String>) -> Result<(), RecorderError> {
        let record = Metadata { name: name.to_owned(), metadata: entries };
        self.writer.write_metadata(&record).map_err(write_error(&self.path))?;
        self.flush()
    }

    pub(crate) fn attachment(&mut self, log_ns: u64, attachment: &Attachment) -> Result<(), RecorderError> {
        if attachment.data.len() > MAX_MESSAGE_BYTES {
            return Err(too_large(format!("attachment {:?}", attachment.name), attachment.data.len()));
        }
        let record = mcap::Attachment {
            log_time: log_ns,
            create_time: 0,
            name: attachment.name.clone(),
            media_type: attachment.media_type.clone(),
            data: attachment.data.as_ref().into(),
        };
        self.writer.attach(&record).map_err(write_error(&self.path))?;
        self.flush()
    }

    /// Closes the open chunk and hands everything to the operating system: it survives the process.
    pub(crate) fn flush(&mut self) -> Result<(), RecorderError> {
        self.chunk = OpenChunk::default();
        self.writer.flush().map_err(write_error(&self.path))
    }

    /// Flushes when the open chunk holds a message older than [`CHUNK_NS`].
    pub(crate) fn flush_if_old(&mut self, now_ns: u64) -> Result<(), RecorderError> {
        if self.chunk.log_ns.is_some_and(|(oldest, _)| now_ns.saturating_sub(oldest) >= CHUNK_NS) {
            self.flush()?;
        }
        Ok(())
    }

    /// As [`Self::flush`], and waits until the data are on the disk: they survive a power cut.
    pub(crate) fn sync(&mut self) -> Result<(), RecorderError> {
        self.flush()?;
        self.file.sync_data().map_err(RecorderError::io("sync", &self.path))
    }

    /// Writes the summary, waits for the disk and gives the file its final name.
    pub(crate) fn finish(mut self, target: &Path) -> Result<Finished, RecorderError> {
        self.writer.finish().map_err(write_error(&self.path))?;
        let mut hashed = self.writer.into_inner().into_inner();
        hashed.flush().map_err(RecorderError::io("write", &self.path))?;
        self.file.sync_all().map_err(RecorderError::io("sync", &self.path))?;
        fs::rename(&self.path, target).map_err(RecorderError::io("rename to its final name", &self.path))?;
        sync_folder(target)?;
        Ok(Finished { bytes: hashed.bytes, sha256: hex::encode(hashed.hash.finalize()) })
    }
}

fn write_error(path: &Path) -> impl Fn(mcap::McapError) -> RecorderError {
    let path = path.to_owned();
    move |source| RecorderError::Write { path: path.clone(), source }
}

fn too_large(what: String, bytes: usize) -> RecorderError {
    RecorderError::TooLarge { what, bytes: bytes as u64, limit: MAX_MESSAGE_BYTES as u64 }
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
