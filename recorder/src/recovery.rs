//! Recovers files after a crash of their writer, and finds the complete ones.

use crate::attachments::Attached;
use crate::container::{Container, sync_folder};
use crate::file::{EPISODE, EPISODE_BEGUN, file_name};
use crate::reader::Blocks;
use crate::records::{Channels, Scanner, open_chunk, parse};
use crate::{EpisodeReader, RecorderError, seats};
use bytes::Bytes;
use mcap::records::{MessageHeader, Record, op};
use protocol::{EpisodeInfo, Recovered, SeatId, api, topics};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// What [`recover_all`] found.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Episodes that are whole now, by file name.
    pub episodes: Vec<api::Episode>,
    /// Files that could not be read and were set aside as `.mcap.broken`, with the reason.
    pub broken: Vec<(PathBuf, RecorderError)>,
    /// Files that a living recorder is writing; they were left alone.
    pub busy: Vec<PathBuf>,
}

/// Recovers every `.mcap.part` file in `dir`: what can be read is written again as a proper file with an index, and
/// its description says where it was cut. Files that are still being written are left alone; calling it again changes
/// nothing. Broken files are reported to the log.
///
/// # Errors
/// [`RecorderError::Io`] when the folder cannot be used or the disk refuses.
pub fn recover(dir: &Path) -> Result<Vec<api::Episode>, RecorderError> {
    let recovery = recover_all(dir)?;
    for (path, error) in &recovery.broken {
        tracing::error!(file = %path.display(), %error, "an episode could not be recovered and was set aside");
    }
    Ok(recovery.episodes)
}

/// As [`recover`], and tells about broken files instead of logging them.
///
/// # Errors
/// As [`recover`].
pub fn recover_all(dir: &Path) -> Result<Recovery, RecorderError> {
    let mut recovery = Recovery::default();
    for part in files_ending(dir, ".mcap.part")? {
        if is_being_written(&part) {
            tracing::warn!(file = %part.display(), "left alone: it is being written");
            recovery.busy.push(part);
            continue;
        }
        match recover_one(&part) {
            Ok(episode) => recovery.episodes.push(episode),
            Err(error @ (RecorderError::Damaged { .. } | RecorderError::Metadata(_))) => {
                recovery.broken.push((set_aside(&part)?, error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(recovery)
}

/// The catalogue's rows for every finished file in `dir`, by file name: for episodes that were written but never
/// registered. Files that cannot be read are reported to the log and left out.
///
/// # Errors
/// [`RecorderError::Io`] when the folder cannot be read.
pub fn scan(dir: &Path) -> Result<Vec<api::Episode>, RecorderError> {
    let mut episodes = Vec::new();
    for path in files_ending(dir, ".mcap")? {
        match describe(&path) {
            Ok(episode) => episodes.push(episode),
            Err(error) => tracing::error!(file = %path.display(), %error, "an episode file cannot be read"),
        }
    }
    Ok(episodes)
}

/// The row of one finished file.
fn describe(path: &Path) -> Result<api::Episode, RecorderError> {
    let reader = EpisodeReader::open(path)?;
    let (bytes, sha256) = crate::signature::sum(path)?;
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Ok(reader.info().to_api(name, bytes, sha256))
}

pub(crate) fn files_ending(dir: &Path, ending: &str) -> Result<Vec<PathBuf>, RecorderError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(RecorderError::io("read folder", dir))? {
        let path = entry.map_err(RecorderError::io("read folder", dir))?.path();
        // What other systems put beside files (`._name`) is hidden and none of ours.
        let ours = |name: &str| name.ends_with(ending) && !name.starts_with('.');
        let named = path.file_name().and_then(|name| name.to_str()).is_some_and(ours);
        if named && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn recover_one(part: &Path) -> Result<api::Episode, RecorderError> {
    // The writer may have died between the last byte and the new name.
    if let Ok(reader) = EpisodeReader::open(part) {
        let target = part.with_file_name(file_name(&reader.info().id));
        let file = File::open(part).and_then(|file| file.sync_all());
        file.map_err(RecorderError::io("sync", part))?;
        fs::rename(part, &target).map_err(RecorderError::io("rename", part))?;
        sync_folder(&target)?;
        return describe(&target);
    }
    let fresh = part.with_extension("recovering");
    let rewritten = rewrite(part, &fresh);
    let (target, complete) = match rewritten {
        Ok(done) => done,
        Err(error) => {
            // Nothing is lost with it: the `.part` file is still there.
            match fs::remove_file(&fresh) {
                Err(other) if other.kind() != std::io::ErrorKind::NotFound => {
                    return Err(RecorderError::io("remove", &fresh)(other));
                }
                _ => return Err(error),
            }
        }
    };
    if complete {
        fs::remove_file(part).map_err(RecorderError::io("remove", part))?;
        sync_folder(part)?;
    } else {
        set_aside(part)?;
    }
    describe(&target)
}

/// Whether whoever writes this file still lives: the writer holds a lock that ends with its process.
fn is_being_written(part: &Path) -> bool {
    let locked = File::open(part).map(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)));
    locked.unwrap_or(false)
}

/// Gives a file that must be kept but not be met again another name.
fn set_aside(part: &Path) -> Result<PathBuf, RecorderError> {
    let broken = part.with_extension("broken");
    let mut free = broken.clone();
    let mut number = 1;
    while free.exists() {
        number += 1;
        free = broken.with_extension(format!("broken{number}"));
    }
    fs::rename(part, &free).map_err(RecorderError::io("set aside", part))?;
    sync_folder(&free)?;
    Ok(free)
}

/// Writes what can be read of `part` to `fresh` and gives that its final name. Returns the name, and whether `part`
/// holds nothing more that another reader might save.
fn rewrite(part: &Path, fresh: &Path) -> Result<(PathBuf, bool), RecorderError> {
    let mut scanner = Scanner::open(part)?;
    let mut source = Blocks::open(part)?;
    let mut copy = Copy::new(Container::create(fresh, true, 0)?);
    let mut body = Vec::new();
    let cut_at = loop {
        let at = scanner.position();
        match scanner.next(&mut body) {
            Ok(Some(op::DATA_END)) => break at,
            Ok(Some(opcode)) => {
                let copied = match opcode {
                    op::ATTACHMENT => copy.attachment(&mut source, at, scanner.position() - at),
                    _ => copy.record(opcode, &body),
                };
                match copied {
                    Ok(()) => {}
                    Err(Refused::Content(problem)) => {
                        tracing::error!(file = %part.display(), offset = at, problem, "a damaged record is left out");
                        copy.skipped += 1;
                    }
                    Err(Refused::Write(error)) => return Err(error),
                }
            }
            Ok(None) => break at,
            Err(RecorderError::Damaged { .. }) => break at,
            Err(error) => return Err(error),
        }
    };
    let Some(mut info) = copy.info.take() else {
        return Err(RecorderError::damaged(part, cut_at, "what can be read before does not say which episode it is"));
    };
    let skipped_records = copy.skipped;
    info.recovered = Some(Recovered { cut_at, skipped_records });
    copy.set_times(&mut info);
    copy.add_seats(&mut info);
    copy.out.metadata(EPISODE, &info.to_metadata())?;
    let target = part.with_file_name(file_name(&info.id));
    copy.out.finish(&target)?;
    Ok((target, skipped_records == 0))
}

enum Refused {
    /// The record cannot be used.
    Content(String),
    /// The disk does not take it.
    Write(RecorderError),
}

impl From<RecorderError> for Refused {
    fn from(error: RecorderError) -> Self {
        match error {
            RecorderError::Io { .. } => Self::Write(error),
            other => Self::Content(other.to_string()),
        }
    }
}

impl From<String> for Refused {
    fn from(problem: String) -> Self {
        Self::Content(problem)
    }
}

/// One file's records on their way into another.
struct Copy {
    out: Container,
    channels: Channels,
    /// Ids in `out` by ids in the old file.
    ids: BTreeMap<u16, u16>,
    info: Option<EpisodeInfo>,
    log_ns: Option<(u64, u64)>,
    skipped: u64,
    seats: BTreeSet<SeatId>,
}

impl Copy {
    fn new(out: Container) -> Self {
        Self {
            out,
            channels: Channels::default(),
            ids: BTreeMap::new(),
            info: None,
            log_ns: None,
            skipped: 0,
            seats: BTreeSet::new(),
        }
    }

    fn record(&mut self, opcode: u8, body: &[u8]) -> Result<(), Refused> {
        match opcode {
            op::CHUNK => self.chunk(body),
            // Written anew with the chunks.
            op::HEADER | op::MESSAGE_INDEX => Ok(()),
            _ => match parse(opcode, body)? {
                Record::Metadata(record) => self.metadata(&record),
                Record::Message { header, data } => self.message(header, &data),
                other => Ok(self.channels.learn(&other)?),
            },
        }
    }

    /// Checked before anything of it is written.
    fn attachment(&mut self, source: &mut Blocks, at: u64, length: u64) -> Result<(), Refused> {
        let attached = Attached::read(source, at, length)?;
        attached.check(source)?;
        Ok(self.out.attachment_from(&attached, source)?)
    }

    /// A chunk counts as a whole: it is opened and checked before anything of it is written.
    fn chunk(&mut self, body: &[u8]) -> Result<(), Refused> {
        let mut messages = Vec::new();
        let channels = &mut self.channels;
        open_chunk(body, |record| match record {
            Record::Message { header, data } => {
                messages.push((header, Bytes::copy_from_slice(&data)));
                Ok(())
            }
            other => channels.learn(&other),
        })?;
        messages.into_iter().try_for_each(|(header, data)| self.message(header, &data))
    }

    fn metadata(&mut self, record: &mcap::records::Metadata) -> Result<(), Refused> {
        if record.name == EPISODE || record.name == EPISODE_BEGUN {
            self.info = Some(EpisodeInfo::from_metadata(&record.metadata).map_err(RecorderError::from)?);
        }
        if record.name == EPISODE { Ok(()) } else { Ok(self.out.metadata(&record.name, &record.metadata)?) }
    }

    fn message(&mut self, mut header: MessageHeader, data: &[u8]) -> Result<(), Refused> {
        let old = header.channel_id;
        header.channel_id = match self.ids.get(&old) {
            Some(&id) => id,
            None => {
                let channel = self.channels.get(old).ok_or_else(|| format!("a message names channel {old}"))?;
                let id = self.out.channel(&channel.spec())?;
                self.ids.insert(old, id);
                id
            }
        };
        self.out.message(&header, data)?;
        if self.channels.get(old).is_some_and(|channel| *channel.topic == *topics::AUTHORITY.name) {
            self.seats.extend(seats::holder(data));
        }
        let (lo, hi) = self.log_ns.unwrap_or((header.log_time, header.log_time));
        self.log_ns = Some((lo.min(header.log_time), hi.max(header.log_time)));
        Ok(())
    }

    fn set_times(&self, info: &mut EpisodeInfo) {
        let (first, last) = self.log_ns.unwrap_or((info.start_ns, info.start_ns));
        info.start_ns = first;
        info.end_ns = last;
        info.actual_pre_roll_ns = info.takeover_ns.saturating_sub(first);
    }

    /// The description was written when the episode began; others may have taken the wheel since.
    fn add_seats(&self, info: &mut EpisodeInfo) {
        let more = self.seats.iter().filter(|seat| !info.seats.contains(seat)).cloned().collect::<Vec<_>>();
        info.seats.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EpisodeFile;
    use protocol::{Attachment, EpisodeId, Message, PolicyVersion, VehicleId, v1};
    use std::io::Write;

    fn info(id: &str) -> EpisodeInfo {
        EpisodeInfo::new(EpisodeId::new(id).unwrap(), VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap())
    }

    fn state(n: u64) -> Message {
        let state = v1::VehicleState { sequence: n, ..Default::default() };
        Message::encode(&topics::VEHICLE_STATE, n as u32, n * 20_000_000, n * 20_000_000 - 1, &state)
    }

    /// A `.part` file as a killed process leaves it, with messages 1 to 100.
    fn killed(dir: &Path, id: &str) -> PathBuf {
        let mut file = EpisodeFile::create(dir, &info(id)).unwrap();
        let map = Attachment { name: "map.xodr".into(), media_type: "application/xml".into(), data: "<x/>".into() };
        file.attach(0, &map).unwrap();
        (1..=100).for_each(|n| file.write(&state(n)).unwrap());
        file.flush_if_old(u64::MAX).unwrap();
        let path = file.path().to_owned();
        // As a kill would: nothing of the writer's end runs.
        drop(file);
        path
    }

    fn sequences(dir: &Path, file: &str) -> Vec<u64> {
        let reader = EpisodeReader::open(&dir.join(file)).unwrap();
        reader.messages().map(|m| m.unwrap().decode::<v1::VehicleState>().unwrap().sequence).collect()
    }

    #[test]
    fn a_killed_writer_loses_nothing_that_was_flushed_and_recovery_repeats_to_nothing() {
        let dir = tempfile::tempdir().unwrap();
        killed(dir.path(), "e");
        let episodes = recover(dir.path()).unwrap();
        assert_eq!(episodes.len(), 1);
        assert_eq!(sequences(dir.path(), "e.mcap"), (1..=100).collect::<Vec<_>>());
        let reader = EpisodeReader::open(&dir.path().join("e.mcap")).unwrap();
        assert_eq!(reader.info().recovered.as_ref().unwrap().skipped_records, 0);
        assert_eq!((reader.info().start_ns, reader.info().end_ns), (20_000_000, 2_000_000_000));
        assert_eq!(reader.attachment("map.xodr").unwrap().unwrap().data, "<x/>");
        assert!(recover(dir.path()).unwrap().is_empty());
        assert_eq!(scan(dir.path()).unwrap(), episodes);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_being_written_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = EpisodeFile::create(dir.path(), &info("e")).unwrap();
        file.write(&state(1)).unwrap();
        let recovery = recover_all(dir.path()).unwrap();
        assert!(recovery.episodes.is_empty() && recovery.broken.is_empty());
        assert_eq!(recovery.busy, [file.path()]);
        file.finish(&info("e")).unwrap();
        assert_eq!(sequences(dir.path(), "e.mcap"), [1]);
    }

    #[test]
    fn cut_anywhere_the_messages_before_the_cut_are_saved_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let whole = fs::read(killed(dir.path(), "e")).unwrap();
        let mut most = 0;
        for length in (0..=whole.len()).step_by(97).chain([whole.len()]) {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("e.mcap.part"), &whole[..length]).unwrap();
            let recovery = recover_all(dir.path()).unwrap();
            if recovery.episodes.is_empty() {
                assert!(most == 0 && dir.path().join("e.mcap.broken").exists(), "at {length}");
                assert!(recovery.broken[0].1.to_string().contains("byte"), "{}", recovery.broken[0].1);
                continue;
            }
            let got = sequences(dir.path(), "e.mcap");
            assert!(got.len() >= most && got == (1..=got.len() as u64).collect::<Vec<_>>(), "at {length}");
            most = got.len();
        }
        assert_eq!(most, 100);
    }

    #[test]
    fn a_flipped_bit_costs_its_chunk_and_the_original_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let whole = fs::read(killed(dir.path(), "e")).unwrap();
        let mut kept = 0;
        // The last chunks; the first one also holds the channels.
        for at in (whole.len() - 1_000..whole.len()).step_by(29) {
            let dir = tempfile::tempdir().unwrap();
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(dir.path().join("e.mcap.part"), &bytes).unwrap();
            recover(dir.path()).unwrap();
            let got = sequences(dir.path(), "e.mcap");
            assert!(got.len() >= 40 && got.is_sorted(), "at {at}: {}", got.len());
            let broken = dir.path().join("e.mcap.broken");
            if broken.exists() {
                // A flip in an index costs no message.
                kept += u32::from(got.len() < 100);
                assert_eq!(fs::read(broken).unwrap(), bytes);
            }
        }
        assert!(kept > 0, "no flip met a chunk's content");
    }

    #[test]
    fn a_finished_file_that_missed_its_rename_keeps_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let done = EpisodeFile::create(dir.path(), &info("e")).unwrap().finish(&info("e")).unwrap();
        fs::rename(dir.path().join("e.mcap"), dir.path().join("e.mcap.part")).unwrap();
        assert_eq!(recover(dir.path()).unwrap(), [done]);
    }

    #[test]
    fn a_crash_of_the_recovery_itself_is_recovered() {
        let dir = tempfile::tempdir().unwrap();
        let part = killed(dir.path(), "e");
        let bytes = fs::read(&part).unwrap();
        fs::write(dir.path().join("e.mcap.recovering"), &bytes[..500]).unwrap();
        recover(dir.path()).unwrap();
        // It was renamed, but the part was not removed any more.
        fs::write(&part, &bytes).unwrap();
        recover(dir.path()).unwrap();
        assert_eq!(sequences(dir.path(), "e.mcap").len(), 100);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn rubbish_is_set_aside_and_never_removed() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..2 {
            fs::write(dir.path().join("x.mcap.part"), b"hello, this is not an episode").unwrap();
            let recovery = recover_all(dir.path()).unwrap();
            assert_eq!(recovery.broken.len(), 1);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), round + 1);
        }
        let mut file = File::create(dir.path().join("y.mcap")).unwrap();
        file.write_all(b"no").unwrap();
        assert!(scan(dir.path()).unwrap().is_empty());
    }
}
