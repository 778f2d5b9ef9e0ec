//! Takeover episodes: ring buffer with pre-roll, MCAP files that survive a crash, reader and recovery.
//!
//! - [`Recorder`] is the state machine without I/O: it keeps the last seconds of every topic in a ring and answers
//!   triggers with [`RecorderAction`]s. A takeover that begins gets the seconds before it, from a video keyframe
//!   on; takeovers that overlap share their messages.
//! - Its words are `protocol`'s: [`protocol::Message`] goes in, [`protocol::EpisodeInfo`] describes an episode,
//!   [`protocol::trigger`] says what opens one. Noticing triggers is the vehicle core's.
//! - [`EpisodeFile`] writes one episode: `<id>.mcap.part` while it grows, `<id>.mcap` once it is whole and on disk.
//! - [`RecorderThread`] joins them for a robot that drives in real time, with a continuous log at a low rate beside the
//!   episodes; [`write_episode`] is for virtual time.
//! - [`recover`] makes the files whole that a crash cut off; [`EpisodeReader`] reads what any of these wrote.
//! - [`signature`] says who recorded a file and whether it was changed since.
//!
//! # When the disk fails
//!
//! Producers never wait, and the vehicle drives on. Between them and the disk lie a queue and, behind each file, what
//! the disk refuses; both are bounded by bytes. When they fill, what has the lowest priority goes first ([`protocol::topics::Priority`]): side
//! cameras, then lidar, then the front camera, and the record of control last; within the queue the oldest of a kind.
//! A picture whose predecessor is gone is left out until the next keyframe. Every loss is counted by topic in the files.
//! On a full disk finished files of little value are removed, the oldest first ([`protocol::Trigger::is_evictable`]); takeovers,
//! emergency stops and faults never. [`RecorderHandle::status`] tells the vehicle. When the disk is back, files go on
//! without a gap where memory sufficed, and otherwise in another file from what the ring still holds.
//!
//! ```
//! use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, topics, v1};
//! use recorder::{EpisodeReader, write_episode};
//!
//! let dir = tempfile::tempdir()?;
//! let mut info = EpisodeInfo::new(EpisodeId::new("car-1-7")?, VehicleId::new("car-1")?, PolicyVersion::new("p1")?);
//! info.end_ns = 20_000_000;
//! let state = v1::VehicleState { odometer_m: 12.5, ..Default::default() };
//! let messages = [Message::encode(&topics::VEHICLE_STATE, 0, 20_000_000, 19_000_000, &state)];
//! let episode = write_episode(dir.path(), &info, messages)?;
//!
//! let reader = EpisodeReader::open(&dir.path().join(&episode.file))?;
//! for message in reader.messages() {
//!     let message = message?;
//!     assert_eq!(message.topic(), "/vehicle/state");
//!     assert_eq!(message.decode::<v1::VehicleState>()?.odometer_m, 12.5);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it does not do: it knows no clock (log times are handed in, nanoseconds of one clock that does not run
//! backwards), no network and no database.

mod attachments;
pub mod bench;
mod container;
mod disk_space;
mod drive_log;
mod error;
#[cfg(any(feature = "exchange", feature = "video", feature = "view"))]
pub mod exchange;
mod file;
mod index;
mod messages;
#[cfg(feature = "video")]
pub mod preview;
pub mod privacy;
mod queue;
mod reader;
mod recorder;
mod records;
mod recovery;
mod ring;
mod seats;
mod settings;
pub mod signature;
mod status;
mod thread;
pub mod trials;
mod virtual_time;
mod worker;

pub use drive_log::DriveLogConfig;
pub use error::RecorderError;
pub use file::EpisodeFile;
pub use messages::{EpisodeMessage, Messages};
pub use protocol::signing::SigningKey;
pub use reader::{EpisodeReader, TopicSummary};
pub use recorder::{Recorder, RecorderAction, RecorderConfig};
pub use recovery::{Recovery, recover, recover_all, scan};
pub use settings::{Settings, SettingsError};
pub use signature::EpisodeSignature;
pub use status::{Disk, RecorderStatus};
pub use thread::{Listener, RecorderEvent, RecorderHandle, RecorderThread, ThreadConfig};
pub use virtual_time::{write_episode, write_episode_with};
