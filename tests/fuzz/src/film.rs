//! Films: MP4 files, pictures on their way through a redaction and into a preview, the models that look for faces.

use crate::input::{Input, folder};
use crate::seeds;
use recorder::privacy::{BuiltInDetector, RedactionPolicy, RegionKind, redact_with};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use video::mp4::Mp4Reader;

/// Frames of a film that are read; the rest is more of the same.
const FRAMES: usize = 64;
/// Pictures of an input.
const PICTURES: usize = 8;

pub fn run(bytes: &[u8]) {
    let Some(folder) = folder() else { return };
    let mut input = Input(bytes);
    match input.u8() % 4 {
        0 => file(folder.path(), input.0),
        1 => pictures(folder.path(), input),
        2 => model(folder.path(), input.0),
        _ => played(folder.path(), input.0),
    }
}

fn file(folder: &Path, bytes: &[u8]) {
    let path = folder.join("film.mp4");
    if fs::write(&path, bytes).is_err() {
        return;
    }
    let Ok(mut reader) = Mp4Reader::open(&path) else { return };
    for index in 0..reader.frames().min(FRAMES) {
        assert!(reader.keyframe_before(index) <= index);
        let _ = reader.frame(index);
    }
    let _ = (reader.codec(), reader.keyframe_before(usize::MAX), reader.frame(usize::MAX));
}

fn played(folder: &Path, bytes: &[u8]) {
    let path = folder.join("film.mp4");
    if fs::write(&path, bytes).is_ok() {
        let _ = vehicle_bridge::source::fuzz_film(&path);
    }
}

/// Access units with their lengths before them.
fn pictures(folder: &Path, mut input: Input<'_>) {
    let format = if input.u8().is_multiple_of(8) { "h265" } else { "h264" };
    let mut film = Vec::new();
    while !input.is_empty() && film.len() < PICTURES {
        film.push(input.piece().to_vec());
    }
    let Ok(episode) = seeds::episode(folder, "e", &film, format) else { return };
    let out = folder.join("out");
    if fs::create_dir(&out).is_err() {
        return;
    }
    let _ = recorder::preview::make(&episode, &out);
    let kinds = BTreeSet::from([RegionKind::Plates]);
    let policy = RedactionPolicy { blur: kinds.clone(), ..RedactionPolicy::default() };
    let Ok(mut detector) = BuiltInDetector::load(&kinds) else { return };
    let before = fs::read(&episode).unwrap_or_default();
    if let Err(error) = redact_with(&episode, &out, &policy, &mut detector, &mut |_, _| ()) {
        assert!(!error.to_string().is_empty());
        assert!(!out.join("e.mcap").exists() && !out.join("e.mcap.part").exists(), "half a redacted file is left");
    }
    assert_eq!(fs::read(&episode).unwrap_or_default(), before, "the episode was changed");
}

/// The text of a cascade in the place of OpenCV's.
fn model(folder: &Path, bytes: &[u8]) {
    for name in ["haarcascade_frontalface_alt2.xml", "haarcascade_profileface.xml"] {
        if fs::write(folder.join(name), bytes).is_err() {
            return;
        }
    }
    let kinds = BTreeSet::from([RegionKind::Faces]);
    let Ok(mut detector) = BuiltInDetector::load_from(&kinds, &[folder.to_owned()]) else { return };
    let luma: Vec<u8> = (0..96 * 64).map(|index: u32| (index % 96 * 2) as u8).collect();
    let look = recorder::privacy::LumaPicture { luma: &luma, width: 96, height: 64, number: 0 };
    let _ = recorder::privacy::Detector::look(&mut detector, &look);
}
