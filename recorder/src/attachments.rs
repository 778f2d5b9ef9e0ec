//! Attachments, which may have any size: read piece by piece, and copied from file to file without being held.

use crate::RecorderError;
use crate::reader::Blocks;
use crate::records::HEAD_BYTES;
use mcap::records::op;

/// Longest name or media type.
const MAX_TEXT_BYTES: u64 = 1 << 20;
/// How much of an attachment is in memory at once.
const PIECE_BYTES: u64 = 1 << 18;
/// Largest attachment that is handed out in one piece.
pub(crate) const MAX_HELD_BYTES: u64 = 256 << 20;

/// An attachment as its record describes it, its content still in the file.
#[derive(Debug)]
pub(crate) struct Attached {
    pub name: String,
    pub media_type: String,
    pub log_ns: u64,
    pub created_ns: u64,
    /// Size of the content.
    pub bytes: u64,
    data_at: u64,
    /// Everything before the content, which the checksum is over as well.
    head: Vec<u8>,
    crc: u32,
}

/// The fields before the content, read one after the other.
struct Fields<'a> {
    source: &'a mut Blocks,
    begin: u64,
    end: u64,
    read: Vec<u8>,
}

impl Fields<'_> {
    fn take(&mut self, length: u64) -> Result<Vec<u8>, RecorderError> {
        let at = self.begin + self.read.len() as u64;
        if length > self.end - at {
            return Err(self.source.damaged(at, "an attachment ends within its own fields"));
        }
        let bytes = self.source.bytes(at, length)?;
        self.read.extend_from_slice(&bytes);
        Ok(bytes)
    }

    fn number(&mut self, bytes: u64) -> Result<u64, RecorderError> {
        let bytes = self.take(bytes)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn text(&mut self) -> Result<String, RecorderError> {
        let at = self.begin + self.read.len() as u64;
        let length = self.number(4)?;
        if length > MAX_TEXT_BYTES {
            let problem = format!("an attachment has a text of {length} bytes, at most {MAX_TEXT_BYTES} can be");
            return Err(self.source.damaged(at, problem));
        }
        let bytes = self.take(length)?;
        String::from_utf8(bytes).map_err(|_| self.source.damaged(at, "an attachment's text is not UTF-8"))
    }
}

impl Attached {
    /// Reads what the record at `offset` with `length` bytes over all says before its content.
    pub(crate) fn read(source: &mut Blocks, offset: u64, length: u64) -> Result<Self, RecorderError> {
        source.record_head(op::ATTACHMENT, offset, length)?;
        let (begin, end) = (offset + HEAD_BYTES, offset + length);
        let mut fields = Fields { source: &mut *source, begin, end, read: Vec::new() };
        let (log_ns, created_ns) = (fields.number(8)?, fields.number(8)?);
        let (name, media_type) = (fields.text()?, fields.text()?);
        let bytes = fields.number(8)?;
        let head = fields.read;
        let data_at = begin + head.len() as u64;
        // After the content is the checksum; what a later version of the format has behind that is passed over.
        if (end - data_at).checked_sub(4).is_none_or(|room| bytes > room) {
            let problem = format!("an attachment says it has {bytes} bytes, {} are left in its record", end - data_at);
            return Err(source.damaged(data_at - 8, problem));
        }
        let crc = source.bytes(data_at + bytes, 4)?;
        let crc = crc.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
        Ok(Self { name, media_type, log_ns, created_ns, bytes, data_at, head, crc })
    }

    /// Hands out the content piece by piece and checks it.
    pub(crate) fn copy(
        &self,
        source: &mut Blocks,
        each: &mut dyn FnMut(&[u8]) -> Result<(), RecorderError>,
    ) -> Result<(), RecorderError> {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&self.head);
        let (mut at, end) = (self.data_at, self.data_at + self.bytes);
        while at < end {
            let piece = source.bytes(at, (end - at).min(PIECE_BYTES))?;
            crc.update(&piece);
            each(&piece)?;
            at += piece.len() as u64;
        }
        let calculated = crc.finalize();
        // 0 says that there is none.
        if self.crc != 0 && self.crc != calculated {
            let problem = format!("attachment {:?} has checksum {calculated:08x}, not {:08x}", self.name, self.crc);
            return Err(source.damaged(end, problem));
        }
        Ok(())
    }

    /// Reads the content once, only to check it.
    pub(crate) fn check(&self, source: &mut Blocks) -> Result<(), RecorderError> {
        self.copy(source, &mut |_| Ok(()))
    }

    /// The content in one piece.
    pub(crate) fn content(&self, source: &mut Blocks) -> Result<Vec<u8>, RecorderError> {
        if self.bytes > MAX_HELD_BYTES {
            let what = format!("attachment {:?}, which is wanted in one piece,", self.name);
            return Err(RecorderError::TooLarge { what, bytes: self.bytes, limit: MAX_HELD_BYTES });
        }
        let mut content = Vec::with_capacity(self.bytes as usize);
        self.copy(source, &mut |piece| {
            content.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(content)
    }
}
