//! Records of the MCAP format as bytes (mcap.dev/spec). Little-endian; texts and maps with their lengths before them.

use super::summary::AttachmentHead;
use mcap::records::op;
use std::collections::BTreeMap;

/// Opcode and length before every record.
pub(super) const HEAD: usize = 9;

/// A record in the making: its length is filled in when it is done.
pub(super) fn record(out: &mut Vec<u8>, opcode: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(opcode);
    let at = out.len();
    out.extend_from_slice(&[0; 8]);
    body(out);
    let length = (out.len() - at - 8) as u64;
    out[at..at + 8].copy_from_slice(&length.to_le_bytes());
}

pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn sized(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

pub(super) fn texts(out: &mut Vec<u8>, map: &BTreeMap<String, String>) {
    sized(out, |out| {
        for (key, value) in map {
            text(out, key);
            text(out, value);
        }
    });
}

/// A map of 16-bit keys to 64-bit values.
pub(super) fn numbers(out: &mut Vec<u8>, map: impl Iterator<Item = (u16, u64)>) {
    sized(out, |out| {
        for (key, value) in map {
            out.extend_from_slice(&key.to_le_bytes());
            out.extend_from_slice(&value.to_le_bytes());
        }
    });
}

pub(super) fn u64s(out: &mut Vec<u8>, values: &[u64]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

pub(super) fn header(out: &mut Vec<u8>, library: &str) {
    record(out, op::HEADER, |out| {
        text(out, "");
        text(out, library);
    });
}

pub(super) fn schema(out: &mut Vec<u8>, id: u16, name: &str, encoding: &str, data: &[u8]) {
    record(out, op::SCHEMA, |out| {
        out.extend_from_slice(&id.to_le_bytes());
        text(out, name);
        text(out, encoding);
        out.extend_from_slice(&(data.len() as u32).to_le_bytes());
        out.extend_from_slice(data);
    });
}

pub(super) fn metadata(out: &mut Vec<u8>, name: &str, entries: &BTreeMap<String, String>) {
    record(out, op::METADATA, |out| {
        text(out, name);
        texts(out, entries);
    });
}

/// An attachment's record up to its content, which is followed by a checksum over all but the first [`HEAD`] bytes.
pub(super) fn attachment_head(about: &AttachmentHead) -> Vec<u8> {
    let mut out = Vec::new();
    record(&mut out, op::ATTACHMENT, |out| {
        u64s(out, &[about.log_ns, about.created_ns]);
        text(out, &about.name);
        text(out, &about.media_type);
        u64s(out, &[about.bytes]);
    });
    let length = (out.len() - HEAD) as u64 + about.bytes + 4;
    out[1..HEAD].copy_from_slice(&length.to_le_bytes());
    out
}

pub(super) fn data_end(out: &mut Vec<u8>, crc: u32) {
    record(out, op::DATA_END, |out| out.extend_from_slice(&crc.to_le_bytes()));
}
