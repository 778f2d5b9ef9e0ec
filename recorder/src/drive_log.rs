//! The continuous log at a low rate, beside the episodes: what the vehicle did all day, in files that are turned over by
//! size and by time.

use crate::{EpisodeFile, RecorderError};
use protocol::topics::{self, Priority};
use protocol::{EpisodeId, EpisodeInfo, Message, MetadataError, Trigger, api};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How the drive log is kept.
#[derive(Debug, Clone)]
pub struct DriveLogConfig {
    /// Folder of its files, beside that of the episodes; made when it is missing.
    pub dir: PathBuf,
    /// Whose log, and under which software, map, ...; identity and times are the log's own.
    pub describe: EpisodeInfo,
    /// Least time between two messages of a topic that comes at a fixed rate, nanoseconds.
    pub period_ns: u64,
    /// A file is turned over when its messages are this many bytes...
    pub max_bytes: u64,
    /// ... or span this much time, nanoseconds.
    pub max_ns: u64,
}

impl DriveLogConfig {
    /// 5 Hz, files of 64 MiB or ten minutes.
    #[must_use]
    pub fn new(dir: PathBuf, describe: EpisodeInfo) -> Self {
        Self { dir, describe, period_ns: 200_000_000, max_bytes: 64 << 20, max_ns: 600_000_000_000 }
    }
}

/// Chooses what of a stream of messages goes into the log: no pictures and point clouds; events, logs and
/// what comes once a second or less whole; everything else at the period.
#[derive(Debug)]
struct Downsampler {
    period_ns: u64,
    last: BTreeMap<&'static str, u64>,
}

impl Downsampler {
    fn takes(&mut self, message: &Message) -> bool {
        match topics::priority(message.topic) {
            Priority::Side | Priority::Bulk | Priority::View => return false,
            Priority::Control => {}
        }
        if topics::is_event(message.topic) {
            return true;
        }
        let now_ns = message.log_time_ns;
        let due = self.last.get(message.topic.name).is_none_or(|last| now_ns.abs_diff(*last) >= self.period_ns);
        if due {
            self.last.insert(message.topic.name, now_ns);
        }
        due
    }
}

struct Segment {
    file: EpisodeFile,
    info: EpisodeInfo,
    bytes: u64,
}

/// After an error the log pauses for this long: a full disk must not be covered with beginnings of files.
const PAUSE_NS: u64 = 1_000_000_000;

/// The log's files. An error costs the file in progress; a second later another is started.
pub(crate) struct DriveLog {
    config: DriveLogConfig,
    downsampler: Downsampler,
    segment: Option<Segment>,
    paused_until_ns: u64,
}

impl DriveLog {
    pub(crate) fn new(config: DriveLogConfig) -> Self {
        let downsampler = Downsampler { period_ns: config.period_ns, last: BTreeMap::new() };
        Self { config, downsampler, segment: None, paused_until_ns: 0 }
    }

    /// Whether an error stopped it and nothing was written since.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.segment.is_none() && self.paused_until_ns > 0
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        &self.config.dir
    }

    /// Takes what it wants of the message; returns a file that is finished by it.
    pub(crate) fn push(&mut self, message: &Message) -> Result<Option<api::Episode>, RecorderError> {
        let now_ns = message.log_time_ns;
        if now_ns < self.paused_until_ns || !self.downsampler.takes(message) {
            return Ok(None);
        }
        let full = self.segment.as_ref().is_some_and(|segment| {
            segment.bytes >= self.config.max_bytes || now_ns.abs_diff(segment.info.start_ns) >= self.config.max_ns
        });
        let result = if full { self.finish() } else { Ok(None) };
        let result = result.and_then(|finished| self.write(message).map(|()| finished));
        if result.is_err() {
            self.segment = None;
            self.paused_until_ns = now_ns.saturating_add(PAUSE_NS);
        }
        result
    }

    fn write(&mut self, message: &Message) -> Result<(), RecorderError> {
        let segment = match &mut self.segment {
            Some(segment) => segment,
            None => {
                let segment = self.start(message.log_time_ns)?;
                self.segment.insert(segment)
            }
        };
        segment.file.write(message)?;
        segment.bytes += message.data.len() as u64;
        segment.info.end_ns = segment.info.end_ns.max(message.log_time_ns);
        Ok(())
    }

    fn start(&self, now_ns: u64) -> Result<Segment, RecorderError> {
        let config = &self.config;
        std::fs::create_dir_all(&config.dir).map_err(RecorderError::io("make folder", &config.dir))?;
        let mut info = config.describe.clone();
        let id = EpisodeId::new(format!("log-{}", now_ns / 1_000_000));
        info.id =
            id.map_err(|error| MetadataError { key: "id", value: now_ns.to_string(), problem: error.to_string() })?;
        info.trigger = Trigger::DriveLog;
        info.cause = Trigger::DriveLog.cause().label().to_owned();
        (info.start_ns, info.end_ns, info.takeover_ns) = (now_ns, now_ns, now_ns);
        Ok(Segment { file: EpisodeFile::replace(&config.dir, &info)?, info, bytes: 0 })
    }

    /// Hands what is older than 200 ms to the operating system.
    pub(crate) fn flush_if_old(&mut self, now_ns: u64) -> Result<(), RecorderError> {
        let result = self.segment.as_mut().map_or(Ok(()), |segment| segment.file.flush_if_old(now_ns));
        if let (Err(_), Some(segment)) = (&result, &self.segment) {
            self.paused_until_ns = segment.info.end_ns.saturating_add(PAUSE_NS);
            self.segment = None;
        }
        result
    }

    /// Finishes the file in progress.
    pub(crate) fn finish(&mut self) -> Result<Option<api::Episode>, RecorderError> {
        self.segment.take().map(|segment| segment.file.finish(&segment.info)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EpisodeReader;
    use bytes::Bytes;
    use protocol::{PolicyVersion, VehicleId};

    const MS: u64 = 1_000_000;

    fn message(topic: &'static protocol::Topic, ms: u64) -> Message {
        let data = Bytes::from(vec![0; 100]);
        Message { topic, sequence: ms as u32, log_time_ns: ms * MS, publish_time_ns: ms * MS, data, keyframe: true }
    }

    #[test]
    fn a_day_is_kept_at_a_low_rate_in_files_that_follow_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let id = EpisodeId::new("x").unwrap();
        let describe = EpisodeInfo::new(id, VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap());
        let config = DriveLogConfig { max_ns: 10_000 * MS, ..DriveLogConfig::new(dir.path().join("log"), describe) };
        let mut log = DriveLog::new(config);
        let mut files = Vec::new();
        for ms in (0..60_000).step_by(20) {
            for topic in [&topics::VEHICLE_STATE, &topics::CAMERA_FRONT, &topics::SCAN] {
                files.extend(log.push(&message(topic, ms)).unwrap());
            }
            if ms % 1_000 == 20 {
                files.extend(log.push(&message(&topics::TAKEOVER_EVENT, ms)).unwrap());
            }
        }
        files.extend(log.finish().unwrap());
        assert_eq!(files.len(), 6);
        let mut times = Vec::new();
        for file in files {
            let reader = EpisodeReader::open(&dir.path().join("log").join(file.file)).unwrap();
            assert_eq!(reader.info().trigger, Trigger::DriveLog);
            let topics: Vec<_> = reader.topics().iter().map(|t| (t.topic.clone(), t.messages)).collect();
            assert_eq!(topics, [("/vehicle/state".into(), 50), ("/takeover/event".into(), 10)]);
            times.extend(reader.select(Some(["/vehicle/state"]), ..).map(|m| m.unwrap().log_time_ns / MS));
        }
        assert_eq!(times, (0..60_000).step_by(200).collect::<Vec<_>>());
    }
}
