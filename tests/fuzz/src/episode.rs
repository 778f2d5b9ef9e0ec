//! MCAP files that anybody may have made, through everything that reads one: reader, recovery, check, cut, merge, export,
//! import, preview.

use crate::input::{Input, folder};
use protocol::EpisodeId;
use recorder::EpisodeReader;
use recorder::exchange::{edit, lerobot, rosbag2, silent, table, verify};
use std::fs;
use std::path::Path;

/// A record's opcode and length.
const HEAD: usize = 9;
const MAGIC: &[u8] = b"\x89MCAP0\r\n";

pub fn run(bytes: &[u8]) {
    let Some(folder) = folder() else { return };
    let mut input = Input(bytes);
    let file = match input.u8() % 4 {
        0 => input.0.to_vec(),
        1 => records(input),
        2 => chunked(input),
        // As the tests of the recorder have it: whatever is in the file, recovery keeps its promises.
        _ => {
            let kept = recorder::trials::read_hostile(folder.path(), input.0);
            assert!(kept.is_ok(), "{kept:?}");
            return;
        }
    };
    tools(folder.path(), &file);
}

/// The input as records with lengths that fit: opcode and content, one after another.
fn whole(mut input: Input<'_>) -> Vec<u8> {
    let mut records = Vec::new();
    while !input.is_empty() {
        let opcode = input.u8();
        let content = input.piece();
        records.push(opcode);
        records.extend_from_slice(&(content.len() as u64).to_le_bytes());
        records.extend_from_slice(content);
    }
    records
}

fn record(file: &mut Vec<u8>, opcode: u8, content: &[u8]) {
    file.reserve(HEAD + content.len());
    file.push(opcode);
    file.extend_from_slice(&(content.len() as u64).to_le_bytes());
    file.extend_from_slice(content);
}

fn records(input: Input<'_>) -> Vec<u8> {
    [MAGIC, &whole(input), MAGIC].concat()
}

/// Two texts, empty, as a header has them.
const HEADER: [u8; 8] = [0; 8];

/// The input as records within one uncompressed chunk whose checksum fits, the piece before it as records after it.
fn chunked(mut input: Input<'_>) -> Vec<u8> {
    let after = whole(Input(input.piece()));
    let inside = whole(input);
    let mut chunk = Vec::new();
    chunk.extend_from_slice(&0_u64.to_le_bytes());
    chunk.extend_from_slice(&u64::MAX.to_le_bytes());
    chunk.extend_from_slice(&(inside.len() as u64).to_le_bytes());
    // 0: there is no checksum.
    chunk.extend_from_slice(&0_u32.to_le_bytes());
    chunk.extend_from_slice(&0_u32.to_le_bytes());
    chunk.extend_from_slice(&(inside.len() as u64).to_le_bytes());
    chunk.extend_from_slice(&inside);
    let mut file = MAGIC.to_vec();
    record(&mut file, 1, &HEADER);
    record(&mut file, 6, &chunk);
    file.extend_from_slice(&after);
    record(&mut file, 15, &[0; 4]);
    record(&mut file, 2, &[0; 20]);
    file.extend_from_slice(MAGIC);
    file
}

fn id(name: &str) -> Option<EpisodeId> {
    EpisodeId::new(name).ok()
}

fn tools(folder: &Path, bytes: &[u8]) {
    let path = folder.join("hostile.mcap");
    let out = folder.join("out");
    let (Some(cut), Some(merged), Some(imported)) = (id("cut"), id("merged"), id("imported")) else { return };
    if fs::write(&path, bytes).and_then(|()| fs::create_dir(&out)).is_err() {
        return;
    }
    if let Ok(reader) = EpisodeReader::open(&path) {
        let _ = verify::verify(&reader, &mut silent);
        let info = reader.info();
        let span = (info.start_ns, info.start_ns / 2 + info.end_ns / 2);
        let _ = edit::cut(&reader, span, cut, &out, &mut silent);
        let _ = table::States::read(&reader, &mut silent).map(|table| table.write_csv(&out.join("states.csv")));
        let _ = recorder::preview::make(&path, &out);
        let _ = lerobot::export(std::slice::from_ref(&path), &out.join("dataset"), None, None, &mut silent);
        if let Ok(again) = EpisodeReader::open(&path) {
            let _ = edit::merge(&[reader, again], merged, &out, &mut silent);
        }
    }
    if let Ok(made) = rosbag2::import(&path, imported, &out, &mut silent) {
        let made = EpisodeReader::open(&out.join(&made.episode.file));
        let sound = made.as_ref().is_ok_and(|made| made.messages().all(|message| message.is_ok()));
        assert!(sound, "what was imported cannot be read: {:?}", made.err());
    }
}
