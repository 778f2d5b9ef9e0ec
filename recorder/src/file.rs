//! One episode's file while it is written.

use crate::RecorderError;
use crate::container::{ChannelSpec, Container, MAX_MESSAGE_BYTES};
use mcap::records::MessageHeader;
use protocol::{Attachment, EpisodeId, EpisodeInfo, EpisodeSource, Message, Topic, api};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// Name of the metadata record with the complete description, written last.
pub(crate) const EPISODE: &str = "episode";
/// Name of the metadata record with the description as known at the beginning; all that a crash leaves.
pub(crate) const EPISODE_BEGUN: &str = "episode_begun";

/// Name of the metadata record that says where the items are that remote driving has to log by annex 3 of the German
/// ordinance (StVFernLV, BGBl. 2025 I Nr. 176).
pub(crate) const DATA_LOG: &str = "stvfernlv_annex_3";

/// Name of the metadata record of an imported episode: of what it was made, and what was left out or changed.
#[cfg(any(feature = "exchange", feature = "video"))]
pub(crate) const IMPORT: &str = "import";

/// Opens a file to read it. A pipe would be waited for, and a folder opened.
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is a folder, a pipe or a device, not a file"));
    }
    File::open(path)
}

/// The finished file's name.
pub(crate) fn file_name(id: &EpisodeId) -> String {
    format!("{id}.mcap")
}

/// The name while it grows.
pub(crate) fn part_path(dir: &Path, id: &EpisodeId) -> PathBuf {
    dir.join(format!("{id}.mcap.part"))
}

/// An episode's file: `DIR/<id>.mcap.part` until [`EpisodeFile::finish`] makes it `DIR/<id>.mcap`.
///
/// After a kill everything older than 200 ms of log time is in the `.part` file, and [`crate::recover`] makes it whole.
/// After an error of any method but a [`RecorderError::TooLarge`] the file is dead: drop it and recover it later.
pub struct EpisodeFile {
    container: Container,
    target: PathBuf,
    channels: BTreeMap<&'static str, u16>,
    channel_metadata: BTreeMap<String, String>,
}

impl EpisodeFile {
    /// Starts the file with what is known of the episode.
    ///
    /// # Errors
    /// [`RecorderError::Exists`] when the episode has a file already; [`RecorderError::Io`].
    pub fn create(dir: &Path, info: &EpisodeInfo) -> Result<Self, RecorderError> {
        let target = dir.join(file_name(&info.id));
        match target.try_exists() {
            Ok(true) => Err(RecorderError::Exists { path: target }),
            Ok(false) => Self::start(dir, info, target, false, 0),
            Err(error) => Err(RecorderError::io("look for", &target)(error)),
        }
    }

    /// As [`Self::create`], but an earlier attempt at the same episode is replaced.
    pub(crate) fn replace(dir: &Path, info: &EpisodeInfo) -> Result<Self, RecorderError> {
        Self::start(dir, info, dir.join(file_name(&info.id)), true, 0)
    }

    /// As [`Self::create`], for a disk that may refuse for a while: up to `write_back_limit_bytes` wait in memory.
    pub(crate) fn with_write_back(
        dir: &Path,
        info: &EpisodeInfo,
        write_back_limit_bytes: usize,
    ) -> Result<Self, RecorderError> {
        let target = dir.join(file_name(&info.id));
        if target.exists() {
            return Err(RecorderError::Exists { path: target });
        }
        Self::start(dir, info, target, false, write_back_limit_bytes)
    }

    fn start(
        dir: &Path,
        info: &EpisodeInfo,
        target: PathBuf,
        replace: bool,
        write_back_limit_bytes: usize,
    ) -> Result<Self, RecorderError> {
        let mut container = Container::create(&part_path(dir, &info.id), replace, write_back_limit_bytes)?;
        container.metadata(EPISODE_BEGUN, &info.to_metadata())?;
        container.metadata("clock", &clock(info.source))?;
        container.metadata("software", &software(info))?;
        container.metadata(DATA_LOG, &data_log())?;
        let channel_metadata = BTreeMap::from([("vehicle".to_owned(), info.vehicle.to_string())]);
        Ok(Self { container, target, channels: BTreeMap::new(), channel_metadata })
    }

    /// Where it is now.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.container.path()
    }

    /// Writes a message, once.
    ///
    /// # Errors
    /// [`RecorderError::TooLarge`] leaves the file as it was; after any other the file is dead.
    pub fn write(&mut self, message: &Message) -> Result<(), RecorderError> {
        if message.data.len() > MAX_MESSAGE_BYTES {
            return Err(RecorderError::TooLarge {
                what: format!("message of {} at {} ns", message.topic.name, message.log_time_ns),
                bytes: message.data.len() as u64,
                limit: MAX_MESSAGE_BYTES as u64,
            });
        }
        let header = MessageHeader {
            channel_id: self.channel(message.topic)?,
            sequence: message.sequence,
            log_time: message.log_time_ns,
            publish_time: message.publish_time_ns,
        };
        self.container.message(&header, &message.data)
    }

    /// Puts a file into the file.
    ///
    /// # Errors
    /// [`RecorderError::TooLarge`] leaves the file as it was; after any other the file is dead.
    pub fn attach(&mut self, log_time_ns: u64, attachment: &Attachment) -> Result<(), RecorderError> {
        self.container.attachment(log_time_ns, attachment)
    }

    /// Hands messages older than 200 ms at `now_ns` to the operating system, so that they survive the process. Needed
    /// only when no newer message comes, which would do the same.
    ///
    /// # Errors
    /// [`RecorderError::Io`].
    pub fn flush_if_old(&mut self, now_ns: u64) -> Result<(), RecorderError> {
        self.container.flush_if_old(now_ns)
    }

    /// Waits until everything written so far is on the disk.
    ///
    /// # Errors
    /// [`RecorderError::Io`].
    pub fn sync(&mut self) -> Result<(), RecorderError> {
        self.container.sync()
    }

    /// Completes the file with the final description, waits for the disk and renames it.
    ///
    /// # Errors
    /// [`RecorderError::Io`]; the `.part` file is left for [`crate::recover`].
    pub fn finish(mut self, info: &EpisodeInfo) -> Result<api::Episode, RecorderError> {
        self.container.metadata(EPISODE, &info.to_metadata())?;
        let finished = self.container.finish(&self.target)?;
        Ok(info.to_api(file_name(&info.id), finished.bytes, finished.sha256))
    }

    /// Writes the final description and the summary.
    pub(crate) fn end(&mut self, info: &EpisodeInfo) -> Result<(), RecorderError> {
        self.container.metadata(EPISODE, &info.to_metadata())?;
        self.container.end()
    }

    /// Gives the ended file its name once the disk has it all; `None` while it refuses.
    pub(crate) fn settle(&mut self, info: &EpisodeInfo) -> Result<Option<api::Episode>, RecorderError> {
        let finished = self.container.settle(&self.target)?;
        Ok(finished.map(|finished| info.to_api(file_name(&info.id), finished.bytes, finished.sha256)))
    }

    pub(crate) fn container(&mut self) -> &mut Container {
        &mut self.container
    }

    fn channel(&mut self, topic: &'static Topic) -> Result<u16, RecorderError> {
        if let Some(&id) = self.channels.get(topic.name) {
            return Ok(id);
        }
        let descriptors = protocol::schema::descriptor_set(topic.schema).ok_or_else(|| {
            RecorderError::UnknownSchema { topic: topic.name.to_owned(), schema: topic.schema.to_owned() }
        })?;
        let id = self.container.channel(&ChannelSpec {
            twin: 0,
            topic: topic.name,
            schema: topic.schema,
            schema_encoding: "protobuf",
            schema_data: &descriptors,
            message_encoding: "protobuf",
            metadata: &self.channel_metadata,
        })?;
        self.channels.insert(topic.name, id);
        Ok(id)
    }
}

fn clock(source: EpisodeSource) -> BTreeMap<String, String> {
    let epoch = match source {
        EpisodeSource::Live => "vehicle's clock, nanoseconds since 1970",
        EpisodeSource::Virtual => "virtual clock, nanoseconds",
    };
    BTreeMap::from([
        ("log_time".to_owned(), format!("when the recorder got the message; {epoch}")),
        (
            "publish_time".to_owned(),
            format!("when the content was true: a picture's capture, what a proposal saw; {epoch}"),
        ),
    ])
}

/// Item of the annex, and the record or topic that holds it.
fn data_log() -> BTreeMap<String, String> {
    let items = [
        ("vehicle", "metadata episode: vehicle"),
        (
            "position",
            "/gnss where there is a receiver; /ego/pose and /vehicle/state world_from_vehicle in the frame of the map",
        ),
        (
            "number and times of remote driving, its start and end",
            "/takeover/event, kind takeover: takeover_id, start_time, end_time, seat_id, epoch; the drive log has all \
             of them",
        ),
        (
            "number and times of released manoeuvres",
            "/takeover/event, kind manoeuvre; /authority question and chosen_path",
        ),
        ("monitoring, faults and software", "/vehicle/state faults; /policy/status; /log; metadata software"),
        ("environment and weather", "/surroundings: visibility_m, friction, objects; /camera/*; /scan; /lidar"),
        (
            "network",
            "/link/stats: round_trip_ms, loss, bitrate_bps, target_bitrate_bps (what the path bears), command_age_ms, \
             picture_age_ms, latency by stage",
        ),
        (
            "safety systems, active and passive, their state and who set them off",
            "/control/command gate and author; /authority reason, estop_latched, speed_limit; /vehicle/state faults",
        ),
        (
            "acceleration, along and across",
            "/vehicle/state observation: acceleration_mps2; across it is speed_mps times yaw_rate_radps",
        ),
        ("speed", "/vehicle/state observation: speed_mps"),
        ("lights", "/authority hazards_on"),
        ("power supply", "/vehicle/state supply_v; 0 where the vehicle does not measure it"),
        (
            "commands and information from outside",
            "/operator/input beside /control/proposal and /control/command; /takeover/event; /authority epoch, seat_id",
        ),
    ];
    items.into_iter().map(|(item, place)| (item.to_owned(), place.to_owned())).collect()
}

fn software(info: &EpisodeInfo) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("vehicle".to_owned(), info.software.clone()),
        ("recorder".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ])
}
