//! The recorder in real time: its own thread, its own queue, its own files.

use crate::container::MAX_MESSAGE_BYTES;
use crate::drive_log::DriveLogConfig;
use crate::queue::{QueueSender, queue};
use crate::status::{Disk, RecorderStatus};
use crate::worker::{Command, Worker};
use crate::{RecorderConfig, RecorderError};
use crossbeam_channel::{Receiver, unbounded};
use protocol::signing::SigningKey;
use protocol::trigger::Fired;
use protocol::{Attachment, EpisodeId, EpisodeInfo, Message, api};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Is told every message that producers offer, on their own threads, so it must not wait. Live views are such.
pub trait Listener: std::fmt::Debug + Send + Sync {
    /// A message was offered.
    fn hear(&self, message: &Message);
}

/// What the thread needs to know.
#[derive(Debug, Clone)]
pub struct ThreadConfig {
    /// Folder of the episodes; it must exist.
    pub dir: PathBuf,
    /// Ring and post-roll.
    pub recorder: RecorderConfig,
    /// The continuous log beside the episodes; `None` for none.
    pub drive_log: Option<DriveLogConfig>,
    /// Memory for messages on their way to the thread; when it is full the oldest of the lowest priority are dropped
    /// and counted, see [`protocol::topics::Priority`].
    pub queue_bytes: usize,
    /// Memory for what the disk refuses, of all files together. From half of it on messages of low priority are left
    /// out and counted; when the disk takes everything again the files go on as if nothing had been.
    pub write_back_limit_bytes: usize,
    /// Room that is kept free on the disk by removing files of little value, see [`protocol::Trigger::is_evictable`].
    pub reserve_bytes: u64,
    /// Signs finished files; `None` leaves them unsigned.
    pub key: Option<Arc<SigningKey>>,
    /// Hears every message, whether it is kept or not.
    pub listener: Option<Arc<dyn Listener>>,
}

impl ThreadConfig {
    /// 10 s before, 5 s after, 64 MiB of queue and of write-back each, 256 MiB kept free, no drive log, no signatures.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            recorder: RecorderConfig::default(),
            drive_log: None,
            queue_bytes: 64 << 20,
            write_back_limit_bytes: 64 << 20,
            reserve_bytes: 256 << 20,
            key: None,
            listener: None,
        }
    }
}

/// What the thread has to tell.
#[derive(Debug)]
pub enum RecorderEvent {
    /// A file is whole, on disk and has its name.
    Finished(api::Episode),
    /// A part of the drive log is whole.
    Logged(api::Episode),
    /// A file failed; what was written of it is left for [`crate::recover`]. While the episode lasts, and as far back
    /// as the ring reaches, the rest of it goes to another file once the disk is back (`EpisodeInfo::continues`).
    Failed {
        /// Which episode.
        episode: EpisodeId,
        /// What went wrong.
        error: RecorderError,
    },
    /// Removed to make room on the disk.
    Removed(PathBuf),
}

/// Hands messages and triggers to the thread; never waits. Clone it for every producer.
#[derive(Clone)]
pub struct RecorderHandle {
    queue: QueueSender<Command>,
    status: Arc<Mutex<RecorderStatus>>,
    listener: Option<Arc<dyn Listener>>,
}

impl RecorderHandle {
    /// Offers a message; returns whether it got into the queue. What is dropped, this or older ones, is counted in the
    /// episodes it belongs to.
    pub fn push(&self, message: Message) -> bool {
        if let Some(listener) = &self.listener {
            listener.hear(&message);
        }
        if message.data.len() > MAX_MESSAGE_BYTES {
            self.queue.lose(message.topic, message.log_time_ns);
            return false;
        }
        self.queue.push(message)
    }

    /// A takeover begins at `now_ns` on the clock of the log times. Returns whether the thread lives.
    pub fn begin(&self, now_ns: u64, info: EpisodeInfo, attachments: Vec<Attachment>) -> bool {
        self.queue.command(Command::Begin(now_ns, Box::new(info), attachments))
    }

    /// Something else fired at `now_ns`, see [`crate::Recorder::trigger`]; `info` and `attachments` are for an episode
    /// of its own, if it gets one. Returns whether the thread lives.
    pub fn trigger(&self, now_ns: u64, fired: Fired, info: EpisodeInfo, attachments: Vec<Attachment>) -> bool {
        self.queue.command(Command::Trigger(now_ns, fired, Box::new(info), attachments))
    }

    /// A takeover ends: its post-roll starts. Returns whether the thread lives.
    pub fn end(&self, now_ns: u64, id: EpisodeId) -> bool {
        self.queue.command(Command::End(now_ns, id))
    }

    /// Sets cause and reason of an open episode. Returns whether the thread lives.
    pub fn describe(&self, id: EpisodeId, cause: String, reason: String) -> bool {
        self.queue.command(Command::Describe(id, cause, reason))
    }

    /// Memory of the messages in the queue.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// How the recorder is doing.
    #[must_use]
    pub fn status(&self) -> RecorderStatus {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let queued = self.queue.bytes();
        status.waiting_bytes += queued;
        if status.disk == Disk::Well && queued > self.queue.max_bytes() / 2 {
            status.disk = Disk::Slow;
        }
        status
    }
}

/// The running recorder. Dropping it finishes every open file first.
pub struct RecorderThread {
    handle: RecorderHandle,
    events: Receiver<RecorderEvent>,
    join: Option<JoinHandle<()>>,
}

impl RecorderThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`RecorderError::Io`] when the folder is none or there is no thread to be had.
    pub fn start(config: ThreadConfig) -> Result<Self, RecorderError> {
        std::fs::read_dir(&config.dir).map_err(RecorderError::io("read folder", &config.dir))?;
        let (sender, receiver) = queue(config.queue_bytes);
        let (event_sender, events) = unbounded();
        let (dir, listener) = (config.dir.clone(), config.listener.clone());
        let status = Arc::new(Mutex::new(RecorderStatus::default()));
        let worker = Worker::new(config, receiver, event_sender, Arc::clone(&status));
        let spawned = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || worker.run());
        let join = spawned.map_err(RecorderError::io("start a thread for", &dir))?;
        Ok(Self { handle: RecorderHandle { queue: sender, status, listener }, events, join: Some(join) })
    }

    /// For messages and triggers.
    #[must_use]
    pub fn handle(&self) -> &RecorderHandle {
        &self.handle
    }

    /// What there is to tell.
    #[must_use]
    pub fn events(&self) -> &Receiver<RecorderEvent> {
        &self.events
    }

    /// Writes what is queued, finishes every file and returns the events that nobody took. What the disk still refuses
    /// is left as `.part` files for [`crate::recover`].
    #[must_use]
    pub fn shutdown(mut self) -> Vec<RecorderEvent> {
        self.stop();
        self.events.try_iter().collect()
    }

    fn stop(&mut self) {
        self.handle.queue.command(Command::Shutdown);
        if self.join.take().is_some_and(|join| join.join().is_err()) {
            tracing::error!("the recorder's thread panicked; its files will be recovered at the next start");
        }
    }
}

impl Drop for RecorderThread {
    fn drop(&mut self) {
        self.stop();
    }
}
