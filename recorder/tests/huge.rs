//! Files that are, or claim to be, far larger than any memory: an error that names the place, at once and within bounds.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use protocol::{EpisodeId, EpisodeInfo, PolicyVersion, VehicleId};
use recorder::{EpisodeFile, EpisodeReader, RecorderError, recover_all};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

const HUNDRED_GB: u64 = 100_000_000_000;
const MAGIC: &[u8] = b"\x89MCAP0\r\n";
/// Most memory that this process may ever have taken.
const BOUND_MB: f64 = 500.0;

fn most_memory_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1.024e-3
}

/// A record's head and body.
fn record(opcode: u8, length: u64, body: &[u8]) -> Vec<u8> {
    [&[opcode][..], &length.to_le_bytes(), body].concat()
}

fn footer(summary_at: u64) -> Vec<u8> {
    let body = [&summary_at.to_le_bytes()[..], &[0; 12]].concat();
    [record(0x02, 20, &body), MAGIC.to_vec()].concat()
}

fn refused(path: &Path, place: &str) {
    let opened = EpisodeReader::open(path);
    let Err(error @ RecorderError::Damaged { .. }) = opened.map(|_| ()) else { panic!("it opened") };
    assert!(error.to_string().contains(place), "{error}");
    assert!(most_memory_mb() < BOUND_MB, "{} MB", most_memory_mb());
}

#[test]
fn a_hundred_gigabytes_are_refused_without_reading_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.mcap");
    let mut file = File::create(&path).unwrap();
    file.write_all(MAGIC).unwrap();
    if file.set_len(HUNDRED_GB).is_err() {
        println!("this file system holds no sparse file of 100 GB: nothing is checked");
        return;
    }
    refused(&path, "byte 99999999963");
    // A footer that calls all of it a summary, and one that points beyond it.
    file.seek(SeekFrom::Start(HUNDRED_GB - 37)).unwrap();
    file.write_all(&footer(100)).unwrap();
    refused(&path, "byte 100: its summary has 99999999900 bytes");
    file.seek(SeekFrom::Start(HUNDRED_GB - 37)).unwrap();
    file.write_all(&footer(u64::MAX)).unwrap();
    refused(&path, "byte 99999999963");
    fs::rename(&path, dir.path().join("huge.mcap.part")).unwrap();
    let recovery = recover_all(dir.path()).unwrap();
    assert!(recovery.broken[0].1.to_string().contains("byte 8"), "{:?}", recovery.broken);
    assert!(most_memory_mb() < BOUND_MB);
}

#[test]
fn records_and_chunks_that_claim_a_hundred_gigabytes_cost_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let info = EpisodeInfo::new(
        EpisodeId::new("e").unwrap(),
        VehicleId::new("car").unwrap(),
        PolicyVersion::new("p").unwrap(),
    );
    // A sound beginning, and then something that lies about its size.
    let part = EpisodeFile::create(dir.path(), &info).unwrap().path().to_owned();
    let sound = fs::read(&part).unwrap();
    let chunk = |claimed: u64, data: &[u8]| {
        let times = [0; 16];
        let sizes =
            [&claimed.to_le_bytes()[..], &[0; 4], &4_u32.to_le_bytes(), b"zstd", &(data.len() as u64).to_le_bytes()];
        let body = [&times[..], &sizes.concat(), data].concat();
        record(0x06, body.len() as u64, &body)
    };
    let bomb = zstd_of_zeros();
    for lie in [
        record(0x06, HUNDRED_GB, &[]),
        record(0x0c, u64::MAX, &[]),
        chunk(HUNDRED_GB, &[1, 2, 3]),
        chunk(1 << 30, &bomb),
        chunk(100, &bomb),
    ] {
        fs::write(&part, [&sound[..], &lie].concat()).unwrap();
        let recovery = recover_all(dir.path()).unwrap();
        assert_eq!(recovery.episodes.len(), 1);
        let path = dir.path().join("e.mcap");
        let recovered = EpisodeReader::open(&path).unwrap().info().recovered.clone().unwrap();
        assert!(recovered.skipped_records == 1 || recovered.cut_at == sound.len() as u64, "{recovered:?}");
        assert!(most_memory_mb() < BOUND_MB, "{} MB", most_memory_mb());
    }
}

/// A gigabyte of zeros, compressed.
fn zstd_of_zeros() -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..1024).for_each(|_| encoder.write_all(&zeros).unwrap());
    encoder.finish().unwrap()
}
