//! What is larger than anything that is kept in the tree.

use super::id;
use recorder::EpisodeReader;
use recorder::exchange::{edit, rosbag2, silent, verify::verify};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

const MAGIC: &[u8] = b"\x89MCAP0\r\n";
const SIZE: u64 = 70 << 20;

fn record(opcode: u8, body: &[u8]) -> Vec<u8> {
    [&[opcode][..], &(body.len() as u64).to_le_bytes(), body].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A file of `before`, then a record of so many zeros after `fields`, then `behind` within it, then the end.
fn write(path: &Path, before: &[u8], (opcode, fields, behind): (u8, &[u8], &[u8])) {
    let mut file = File::create(path).unwrap();
    let length = fields.len() as u64 + SIZE + behind.len() as u64;
    let head = [MAGIC, &record(1, &[0; 8]), before, &[opcode], &length.to_le_bytes(), fields].concat();
    file.write_all(&head).unwrap();
    file.seek(SeekFrom::Current(SIZE as i64)).unwrap();
    let end = [behind, &record(15, &[0; 4]), &record(2, &[0; 20]), MAGIC].concat();
    file.write_all(&end).unwrap();
}

#[test]
fn an_attachment_of_70_mib_is_read_checked_and_copied() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("attached.mcap");
    let fields = [&[7; 16][..], &text("big"), &text("application/x"), &SIZE.to_le_bytes()].concat();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&fields);
    let zeros = vec![0; 1 << 20];
    (0..70).for_each(|_| crc.update(&zeros));
    let crc = crc.finalize();
    let channel = record(4, &[&[1, 0, 0, 0][..], &text("/x"), &text("json"), &[0; 4]].concat());
    let message = record(5, &[&[1, 0, 0, 0, 0, 0][..], &[9; 16], b"{}"].concat());
    write(&path, &[channel, message].concat(), (9, &fields, &crc.to_le_bytes()));
    let out = dir.path().join("out");
    let done = rosbag2::import(&path, id(), &out, &mut silent).unwrap();
    assert_eq!(done.notes, Vec::<String>::new());
    let reader = EpisodeReader::open(&out.join(&done.episode.file)).unwrap();
    assert_eq!(verify(&reader, &mut silent).problems, Vec::<String>::new());
    assert_eq!(reader.attachment("big").unwrap().unwrap().data.len() as u64, SIZE);
    let cut = edit::cut(&reader, (0, u64::MAX), protocol::EpisodeId::new("cut").unwrap(), &out, &mut silent).unwrap();
    assert!(cut.bytes > SIZE);

    // A wrong checksum is found, and nothing is left of the import.
    write(&path, &[], (9, &fields, &(crc ^ 1).to_le_bytes()));
    let out = dir.path().join("none");
    let error = rosbag2::import(&path, id(), &out, &mut silent).unwrap_err().to_string();
    assert!(error.contains("checksum"), "{error}");
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 0);
}

#[test]
fn a_message_of_70_mib_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("message.mcap");
    let channel = record(4, &[&[1, 0, 0, 0][..], &text("/x"), &text("x"), &[0; 4]].concat());
    write(&path, &channel, (5, &[&[1, 0, 0, 0, 0, 0][..], &[9; 16]].concat(), &[]));
    let done = rosbag2::import(&path, id(), dir.path(), &mut silent).unwrap();
    let reader = EpisodeReader::open(&dir.path().join(&done.episode.file)).unwrap();
    let message = reader.messages().next().unwrap().unwrap();
    assert_eq!(message.data.len() as u64, SIZE);
}

#[test]
fn a_private_record_of_any_size_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private.mcap");
    write(&path, &[], (0x80, &[], &[0; 8]));
    let done = rosbag2::import(&path, id(), dir.path(), &mut silent).unwrap();
    assert!(done.notes.iter().any(|note| note.contains("0x80")), "{:?}", done.notes);
}
