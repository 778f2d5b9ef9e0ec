//! Damaged and hostile files: the reader and the recovery answer with an error or with what was really written, and
//! never with a panic.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use protocol::{Attachment, EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, topics, v1};
use recorder::{EpisodeMessage, EpisodeReader, RecorderError, write_episode_with};
use std::fs;
use std::path::Path;

fn info() -> EpisodeInfo {
    let id = EpisodeId::new("e").unwrap();
    let mut info = EpisodeInfo::new(id, VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap());
    info.cause = "safety".into();
    info.end_ns = 2_000_000_000;
    info
}

/// An episode of 60 messages on two topics in several chunks, with an attachment.
fn sample(dir: &Path) -> Vec<u8> {
    let messages = (0..60_u32).map(|n| {
        let at = u64::from(n) * 30_000_000;
        if n % 2 == 0 {
            let state =
                v1::VehicleState { sequence: n.into(), faults: vec!["x".repeat(n as usize)], ..Default::default() };
            Message::encode(&topics::VEHICLE_STATE, n, at, at / 2, &state)
        } else {
            let authority = v1::AuthorityState { epoch: n.into(), ..Default::default() };
            Message::encode(&topics::AUTHORITY, n, at, at / 2, &authority)
        }
    });
    let map = Attachment { name: "map".into(), media_type: "text/plain".into(), data: "road".into() };
    let episode = write_episode_with(dir, &info(), &[map], messages).unwrap();
    fs::read(dir.join(episode.file)).unwrap()
}

/// Everything that a reader gives, or its first error.
fn read(path: &Path) -> Result<(EpisodeInfo, Vec<EpisodeMessage>), RecorderError> {
    let reader = EpisodeReader::open(path)?;
    let messages = reader.messages().collect::<Result<Vec<_>, _>>()?;
    if let Some(map) = reader.attachment("map")? {
        assert_eq!(map.data, "road");
    }
    Ok((reader.info().clone(), messages))
}

fn same(a: &[EpisodeMessage], b: &[EpisodeMessage]) -> bool {
    let key = |m: &EpisodeMessage| {
        (m.topic().to_owned(), m.schema().to_owned(), m.sequence, m.log_time_ns, m.publish_time_ns, m.data.clone())
    };
    a.iter().map(key).eq(b.iter().map(key))
}

#[test]
fn any_flipped_bit_is_found_or_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let whole = sample(dir.path());
    let (_, messages) = read(&dir.path().join("e.mcap")).unwrap();
    assert_eq!(messages.len(), 60);
    let path = dir.path().join("flipped.mcap");
    let (mut tried, mut found) = (0, 0);
    for at in (0..whole.len()).step_by(11) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        tried += 1;
        fs::write(&path, &bytes).unwrap();
        match read(&path) {
            Ok((got_info, got)) => {
                assert!(got_info == info() && same(&got, &messages), "byte {at} changed what is read");
            }
            Err(error) => {
                found += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(found > tried / 3, "{found} of {tried}");
}

#[test]
fn a_file_cut_off_anywhere_is_refused_with_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let whole = sample(dir.path());
    let path = dir.path().join("cut.mcap");
    for length in (0..whole.len()).step_by(17) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = read(&path).unwrap_err();
        assert!(matches!(error, RecorderError::Damaged { .. }) && error.to_string().contains("byte "), "{error}");
    }
}

#[test]
fn lengths_beyond_all_bounds_neither_allocate_nor_overflow() {
    let dir = tempfile::tempdir().unwrap();
    let whole = sample(dir.path());
    let path = dir.path().join("long.mcap");
    for at in (0..whole.len() - 8).step_by(41) {
        for value in [u64::MAX, u64::MAX - 8, 1 << 40, 0] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            fs::write(&path, &bytes).unwrap();
            let _ = read(&path);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rubbish_within_a_file_never_panics(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
                                          cut in any::<prop::sample::Index>(), keep in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = sample(dir.path());
        fs::remove_file(dir.path().join("e.mcap")).unwrap();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !keep {
            bytes.truncate(cut.index(bytes.len()));
        }
        recorder::trials::read_hostile(dir.path(), &bytes).unwrap();
    }
}
