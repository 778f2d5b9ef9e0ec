//! Takeovers at random moments of a long drive, many of which overlap: every file must hold exactly what was recorded
//! between its start and its end, once.

use super::{Random, RecorderTrialError};
use crate::{EpisodeFile, EpisodeReader, Recorder, RecorderAction, RecorderConfig};
use bytes::Bytes;
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, Topic, VehicleId, foxglove, topics};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const MS: u64 = 1_000_000;

/// A coded picture.
#[derive(Debug, Clone)]
pub struct TrialFrame {
    /// An Annex B access unit.
    pub data: Bytes,
    /// Decoding can start here.
    pub keyframe: bool,
}

/// Outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overlapped {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Most that were written at once.
    pub most_at_once: usize,
    /// Messages in all files.
    pub messages: u64,
}

/// Drives with `takeovers` takeovers of up to 15 s, half of them within the episodes of others, records them into
/// `dir` and reads every file again. `film` is shown over and over at 20 Hz; it begins with a keyframe and has one at
/// least every second.
///
/// # Errors
/// [`RecorderTrialError::Broken`] naming the first gap, duplicate or missing pre-roll.
pub fn overlapping_takeovers(
    dir: &Path,
    takeovers: usize,
    film: &[TrialFrame],
    seed: u64,
) -> Result<Overlapped, RecorderTrialError> {
    let mut random = Random(seed);
    let (mut plan, mut at) = (Vec::new(), 12_000 * MS);
    for n in 0..takeovers {
        let apart = if random.next().is_multiple_of(2) { 4_000 } else { 20_000 };
        at += random.between(1, apart) * MS + random.between(0, MS);
        plan.push((at, true, n));
        plan.push((at + random.between(0, 15_000) * MS, false, n));
    }
    plan.sort_unstable_by_key(|&(at, begins, n)| (at, !begins, n));
    let mut drive = Drive::new(dir, film);
    let mut triggers = plan.iter().peekable();
    while triggers.peek().is_some() || !drive.files.is_empty() {
        drive.now_ms += 10;
        while let Some(&(at, begins, n)) = triggers.next_if(|(at, ..)| *at < drive.now_ms * MS) {
            drive.trigger(at, begins, n)?;
        }
        drive.record()?;
    }
    for index in 0..drive.done.files.len() {
        drive.audit(index)?;
    }
    Ok(drive.done)
}

struct Drive<'a> {
    dir: &'a Path,
    film: &'a [TrialFrame],
    recorder: Recorder,
    now_ms: u64,
    files: BTreeMap<EpisodeId, EpisodeFile>,
    done: Overlapped,
}

fn episode(n: usize) -> Result<EpisodeId, RecorderTrialError> {
    Ok(EpisodeId::new(format!("takeover-{n:04}"))?)
}

/// Period of a topic, milliseconds.
fn period_ms(topic: &str) -> Option<u64> {
    [&topics::VEHICLE_STATE, &topics::SCAN, &topics::CAMERA_FRONT]
        .into_iter()
        .zip([20, 100, 50])
        .find(|(known, _)| known.name == topic)
        .map(|(_, period)| period)
}

impl<'a> Drive<'a> {
    fn new(dir: &'a Path, film: &'a [TrialFrame]) -> Self {
        let config = RecorderConfig { max_bytes: 1 << 30, ..RecorderConfig::default() };
        let recorder = Recorder::new(config);
        Self { dir, film, recorder, now_ms: 0, files: BTreeMap::new(), done: Overlapped::default() }
    }

    fn trigger(&mut self, at_ns: u64, begins: bool, n: usize) -> Result<(), RecorderTrialError> {
        let id = episode(n)?;
        if begins {
            let info = EpisodeInfo::new(id, VehicleId::new("car")?, PolicyVersion::new("p")?);
            let actions = self.recorder.begin(at_ns, info);
            self.perform(actions)
        } else {
            self.recorder.end(at_ns, &id);
            Ok(())
        }
    }

    fn record(&mut self) -> Result<(), RecorderTrialError> {
        let (ms, now_ns) = (self.now_ms, self.now_ms * MS);
        let mut messages = Vec::new();
        if ms % 20 == 0 {
            messages.push(plain(&topics::VEHICLE_STATE, ms / 20, now_ns));
        }
        if ms % 100 == 0 {
            messages.push(plain(&topics::SCAN, ms / 100, now_ns));
        }
        if ms % 50 == 0 {
            let frame = &self.film[(ms / 50) as usize % self.film.len()];
            let content = foxglove::CompressedVideo {
                timestamp: None,
                frame_id: "front".into(),
                data: frame.data.clone(),
                format: "h264".into(),
            };
            let message = Message::encode(&topics::CAMERA_FRONT, (ms / 50) as u32, now_ns, now_ns, &content);
            messages.push(Message { keyframe: frame.keyframe, ..message });
        }
        for message in messages {
            let actions = self.recorder.push(message);
            self.perform(actions)?;
        }
        let actions = self.recorder.poll(now_ns.saturating_sub(1));
        self.perform(actions)
    }

    fn perform(&mut self, actions: Vec<RecorderAction>) -> Result<(), RecorderTrialError> {
        for action in actions {
            match action {
                RecorderAction::Open(info) => {
                    self.files.insert(info.id.clone(), EpisodeFile::create(self.dir, &info)?);
                }
                RecorderAction::Write(id, message) => {
                    if let Some(file) = self.files.get_mut(&id) {
                        file.write(&message)?;
                    }
                }
                RecorderAction::Close(id, info) => {
                    if let Some(file) = self.files.remove(&id) {
                        self.done.files.push(self.dir.join(file.finish(&info)?.file));
                    }
                }
            }
        }
        self.done.most_at_once = self.done.most_at_once.max(self.files.len());
        Ok(())
    }

    fn audit(&mut self, index: usize) -> Result<(), RecorderTrialError> {
        let reader = EpisodeReader::open(&self.done.files[index])?;
        let info = reader.info();
        let broken = |what: String| RecorderTrialError::Broken(format!("{}: {what}", info.id));
        let mut found: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for message in reader.messages() {
            let message = message?;
            if !found.entry(message.topic().to_owned()).or_default().insert(message.sequence.into()) {
                return Err(broken(format!("{} {} is there twice", message.topic(), message.sequence)));
            }
            self.done.messages += 1;
        }
        for topic in [&topics::VEHICLE_STATE, &topics::SCAN, &topics::CAMERA_FRONT] {
            let period_ns = period_ms(topic.name).unwrap_or(1) * MS;
            let expected: BTreeSet<u64> = (info.start_ns.div_ceil(period_ns)..=info.end_ns / period_ns).collect();
            if found.get(topic.name) != Some(&expected) {
                let got = found.get(topic.name).map_or(0, BTreeSet::len);
                return Err(broken(format!("{}: {got} messages, {} expected", topic.name, expected.len())));
            }
        }
        let early_ns = info.takeover_ns - info.start_ns;
        if !(10_000 * MS..11_001 * MS).contains(&early_ns) || !info.drops.is_empty() {
            return Err(broken(format!("begins {} ms before, drops {:?}", early_ns / MS, info.drops)));
        }
        Ok(())
    }
}

fn plain(topic: &'static Topic, sequence: u64, at_ns: u64) -> Message {
    let data = Bytes::from_static(&[]);
    Message { topic, sequence: sequence as u32, log_time_ns: at_ns, publish_time_ns: at_ns, data, keyframe: false }
}
