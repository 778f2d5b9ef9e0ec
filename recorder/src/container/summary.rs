//! What a file's summary section says, gathered while it is written.

use super::chunk::ChunkEntry;
use super::encode::{self, numbers, record, text, u64s};
use mcap::records::op;

struct Place {
    offset: u64,
    length: u64,
}

/// What is known of an attachment before its content.
#[derive(Clone)]
pub(super) struct AttachmentHead {
    pub log_ns: u64,
    pub created_ns: u64,
    pub bytes: u64,
    pub name: String,
    pub media_type: String,
}

struct AttachmentEntry {
    place: Place,
    about: AttachmentHead,
}

#[derive(Default)]
pub(super) struct Summary {
    /// Records of schemas and channels, repeated.
    pub schemas: Vec<u8>,
    pub channels: Vec<u8>,
    pub schema_count: u16,
    pub channel_count: u16,
    /// Messages by channel.
    pub messages: Vec<u64>,
    span: Option<(u64, u64)>,
    chunks: Vec<ChunkEntry>,
    attachments: Vec<AttachmentEntry>,
    metadata: Vec<(Place, String)>,
}

impl Summary {
    pub(super) fn count(&mut self, channel: u16) {
        let channel = usize::from(channel);
        if self.messages.len() <= channel {
            self.messages.resize(channel + 1, 0);
        }
        self.messages[channel] += 1;
    }

    pub(super) fn chunk(&mut self, chunk: ChunkEntry) {
        // A chunk may hold nothing but definitions.
        if !chunk.indexes.is_empty() {
            let (lo, hi) = self.span.unwrap_or((chunk.from_ns, chunk.to_ns));
            self.span = Some((lo.min(chunk.from_ns), hi.max(chunk.to_ns)));
        }
        self.chunks.push(chunk);
    }

    pub(super) fn attachment(&mut self, offset: u64, length: u64, about: AttachmentHead) {
        self.attachments.push(AttachmentEntry { place: Place { offset, length }, about });
    }

    pub(super) fn metadata(&mut self, offset: u64, length: u64, name: &str) {
        self.metadata.push((Place { offset, length }, name.to_owned()));
    }

    /// The section as it will lie at `offset`, with the footer and the magic.
    pub(super) fn encode(&self, offset: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut groups = Vec::new();
        let mut group = |out: &mut Vec<u8>, opcode: u8, add: &dyn Fn(&mut Vec<u8>)| {
            let from = out.len();
            add(out);
            if out.len() > from {
                groups.push((opcode, from as u64 + offset, (out.len() - from) as u64));
            }
        };
        group(&mut out, op::SCHEMA, &|out| out.extend_from_slice(&self.schemas));
        group(&mut out, op::CHANNEL, &|out| out.extend_from_slice(&self.channels));
        group(&mut out, op::STATISTICS, &|out| self.statistics(out));
        group(&mut out, op::CHUNK_INDEX, &|out| self.chunks.iter().for_each(|chunk| chunk_index(out, chunk)));
        group(&mut out, op::ATTACHMENT_INDEX, &|out| self.attachments.iter().for_each(|a| attachment_index(out, a)));
        group(&mut out, op::METADATA_INDEX, &|out| {
            for (place, name) in &self.metadata {
                record(out, op::METADATA_INDEX, |out| {
                    u64s(out, &[place.offset, place.length]);
                    text(out, name);
                });
            }
        });
        let offsets_at = offset + out.len() as u64;
        for (opcode, at, length) in groups {
            record(&mut out, op::SUMMARY_OFFSET, |out| {
                out.push(opcode);
                u64s(out, &[at, length]);
            });
        }
        footer(&mut out, offset, offsets_at);
        out
    }

    fn statistics(&self, out: &mut Vec<u8>) {
        record(out, op::STATISTICS, |out| {
            u64s(out, &[self.messages.iter().sum()]);
            out.extend_from_slice(&self.schema_count.to_le_bytes());
            for count in [self.channel_count.into(), self.attachments.len(), self.metadata.len(), self.chunks.len()] {
                out.extend_from_slice(&(count as u32).to_le_bytes());
            }
            let (from_ns, to_ns) = self.span.unwrap_or_default();
            u64s(out, &[from_ns, to_ns]);
            let counts = self.messages.iter().enumerate().map(|(channel, &count)| (channel as u16, count));
            numbers(out, counts.filter(|(_, count)| *count > 0));
        });
    }
}

fn chunk_index(out: &mut Vec<u8>, chunk: &ChunkEntry) {
    record(out, op::CHUNK_INDEX, |out| {
        u64s(out, &[chunk.from_ns, chunk.to_ns, chunk.offset, chunk.length]);
        numbers(out, chunk.indexes.iter().copied());
        u64s(out, &[chunk.indexes_length]);
        text(out, chunk.compression);
        u64s(out, &[chunk.compressed, chunk.uncompressed]);
    });
}

fn attachment_index(out: &mut Vec<u8>, attachment: &AttachmentEntry) {
    record(out, op::ATTACHMENT_INDEX, |out| {
        let AttachmentEntry { place, about } = attachment;
        u64s(out, &[place.offset, place.length, about.log_ns, about.created_ns, about.bytes]);
        text(out, &about.name);
        text(out, &about.media_type);
    });
}

/// The checksum covers the summary and the footer up to itself.
fn footer(out: &mut Vec<u8>, summary_at: u64, offsets_at: u64) {
    out.push(op::FOOTER);
    u64s(out, &[20, summary_at, offsets_at]);
    let crc = crc32fast::hash(out);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(mcap::MAGIC);
}

pub(super) fn channel(out: &mut Vec<u8>, id: u16, schema: u16, spec: &super::ChannelSpec<'_>) {
    record(out, op::CHANNEL, |out| {
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&schema.to_le_bytes());
        text(out, spec.topic);
        text(out, spec.message_encoding);
        encode::texts(out, spec.metadata);
    });
}
