//! The recorder in real time: its own thread, its own queue, its own files.

use crate::container::MAX_MESSAGE_BYTES;
use crate::queue::{Next, QueueReceiver, QueueSender, queue};
use crate::{Action, Attachment, EpisodeFile, EpisodeInfo, Message, Recorder, RecorderConfig, RecorderError};
use crossbeam_channel::{Receiver, Sender, unbounded};
use protocol::{EpisodeId, api};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often files are looked after when nothing comes.
const TICK: Duration = Duration::from_millis(20);
/// Messages may come this much later than their log time and still get into an episode that ends then.
const LATE_NS: u64 = 250_000_000;

/// What the thread needs to know.
#[derive(Debug, Clone)]
pub struct ThreadConfig {
    /// Folder of the episodes; it must exist.
    pub dir: PathBuf,
    /// Ring and post-roll.
    pub recorder: RecorderConfig,
    /// Memory for messages on their way to the thread; what does not fit is dropped and counted.
    pub queue_bytes: usize,
}

/// What the thread has to tell.
#[derive(Debug)]
pub enum RecorderEvent {
    /// A file is whole, on disk and has its name.
    Finished(api::Episode),
    /// A file failed; what was written of it is left for [`crate::recover`]. Other episodes go on.
    Failed {
        /// Which episode.
        episode: EpisodeId,
        /// Why.
        error: RecorderError,
    },
}

enum Command {
    Begin(u64, Box<EpisodeInfo>, Vec<Attachment>),
    End(u64, EpisodeId),
    Describe(EpisodeId, String, String),
    Shutdown,
}

/// Hands messages and triggers to the thread; never waits. Clone it for every producer.
#[derive(Clone)]
pub struct RecorderHandle {
    queue: QueueSender<Command>,
}

impl RecorderHandle {
    /// Offers a message; answers whether it got into the queue. One that did not is counted in the episodes it belongs
    /// to.
    pub fn push(&self, message: Message) -> bool {
        if message.data.len() > MAX_MESSAGE_BYTES {
            self.queue.lose(message.topic.name, message.log_time_ns);
            return false;
        }
        self.queue.push(message)
    }

    /// A takeover begins at `now_ns` on the clock of the log times. Answers whether the thread lives.
    pub fn begin(&self, now_ns: u64, info: EpisodeInfo, attachments: Vec<Attachment>) -> bool {
        self.queue.command(Command::Begin(now_ns, Box::new(info), attachments))
    }

    /// A takeover ends: its post-roll starts. Answers whether the thread lives.
    pub fn end(&self, now_ns: u64, id: EpisodeId) -> bool {
        self.queue.command(Command::End(now_ns, id))
    }

    /// Sets cause and reason of an open episode. Answers whether the thread lives.
    pub fn describe(&self, id: EpisodeId, cause: String, reason: String) -> bool {
        self.queue.command(Command::Describe(id, cause, reason))
    }

    /// Memory of the messages in the queue.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
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
        let dir = config.dir.clone();
        let worker = Worker {
            dir: config.dir,
            recorder: Recorder::new(config.recorder),
            queue: receiver,
            files: BTreeMap::new(),
            attachments: BTreeMap::new(),
            events: event_sender,
            newest_ns: 0,
        };
        let spawned = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || worker.run());
        let join = spawned.map_err(RecorderError::io("start a thread for", &dir))?;
        Ok(Self { handle: RecorderHandle { queue: sender }, events, join: Some(join) })
    }

    /// For messages and triggers.
    #[must_use]
    pub fn handle(&self) -> &RecorderHandle {
        &self.handle
    }

    /// Finished and failed episodes.
    #[must_use]
    pub fn events(&self) -> &Receiver<RecorderEvent> {
        &self.events
    }

    /// Writes what is queued, finishes every file and answers the events that nobody took.
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

struct Worker {
    dir: PathBuf,
    recorder: Recorder,
    queue: QueueReceiver<Command>,
    files: BTreeMap<EpisodeId, EpisodeFile>,
    /// Of the episode that is being opened.
    attachments: BTreeMap<EpisodeId, Vec<Attachment>>,
    events: Sender<RecorderEvent>,
    newest_ns: u64,
}

impl Worker {
    fn run(mut self) {
        let mut heard_at = Instant::now();
        loop {
            let next = self.queue.next(TICK);
            self.count_losses();
            match next {
                Next::Message(message) => {
                    self.newest_ns = self.newest_ns.max(message.log_time_ns);
                    let actions = self.recorder.push(message);
                    self.perform(actions);
                }
                Next::Command(Command::Shutdown) | Next::Closed => break,
                Next::Command(command) => self.obey(command),
                Next::Nothing => {
                    // Nobody tells the time, so it is what was heard last and what has passed since.
                    let now_ns = self.newest_ns.saturating_add(heard_at.elapsed().as_nanos() as u64);
                    self.look_after_files(now_ns);
                    self.close_finished(now_ns);
                    continue;
                }
            }
            heard_at = Instant::now();
            self.close_finished(self.newest_ns);
        }
        let actions = self.recorder.close_all(self.newest_ns);
        self.perform(actions);
    }

    fn count_losses(&mut self) {
        for (topic, loss) in self.queue.take_losses() {
            self.recorder.note_loss(topic, loss.log_time_ns, loss.count);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Begin(now_ns, info, attachments) => {
                self.newest_ns = self.newest_ns.max(now_ns);
                let id = info.id.clone();
                self.attachments.insert(id.clone(), attachments);
                let actions = self.recorder.begin(now_ns, *info);
                self.perform(actions);
                self.attachments.remove(&id);
                self.sync(&id);
            }
            Command::End(now_ns, id) => {
                self.newest_ns = self.newest_ns.max(now_ns);
                self.recorder.end(now_ns, &id);
                self.sync(&id);
            }
            Command::Describe(id, cause, reason) => {
                self.recorder.describe(&id, |info| {
                    info.cause = cause;
                    info.reason = reason;
                });
            }
            Command::Shutdown => {}
        }
    }

    fn close_finished(&mut self, now_ns: u64) {
        let actions = self.recorder.poll(now_ns.saturating_sub(LATE_NS));
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Open(info) => {
                    let opened = self.open(&info);
                    self.keep(&info.id, opened);
                }
                Action::Write(id, message) => {
                    let Some(file) = self.files.get_mut(&id) else { continue };
                    match file.write(&message) {
                        Ok(()) => {}
                        Err(RecorderError::TooLarge { .. }) => self.recorder.note_unwritten(&id, message.topic.name),
                        Err(error) => self.fail(id, error),
                    }
                }
                Action::Close(id, info) => {
                    self.flush_before_waiting();
                    let Some(file) = self.files.remove(&id) else { continue };
                    match file.finish(&info) {
                        Ok(episode) => self.tell(RecorderEvent::Finished(episode)),
                        Err(error) => self.fail(id, error),
                    }
                }
            }
        }
    }

    fn open(&self, info: &EpisodeInfo) -> Result<EpisodeFile, RecorderError> {
        let mut file = EpisodeFile::create(&self.dir, info)?;
        for attachment in self.attachments.get(&info.id).into_iter().flatten() {
            file.attach(info.start_ns, attachment)?;
        }
        Ok(file)
    }

    fn keep(&mut self, id: &EpisodeId, opened: Result<EpisodeFile, RecorderError>) {
        match opened {
            Ok(file) => {
                self.files.insert(id.clone(), file);
            }
            Err(error) => self.fail(id.clone(), error),
        }
    }

    fn sync(&mut self, id: &EpisodeId) {
        self.flush_before_waiting();
        if let Some(Err(error)) = self.files.get_mut(id).map(EpisodeFile::sync) {
            self.fail(id.clone(), error);
        }
    }

    /// The disk may take long: what was taken so far must survive a kill in the meantime.
    fn flush_before_waiting(&mut self) {
        self.look_after_files(u64::MAX);
    }

    fn look_after_files(&mut self, now_ns: u64) {
        let mut failed = Vec::new();
        for (id, file) in &mut self.files {
            if let Err(error) = file.flush_if_old(now_ns) {
                failed.push((id.clone(), error));
            }
        }
        failed.into_iter().for_each(|(id, error)| self.fail(id, error));
    }

    fn fail(&mut self, episode: EpisodeId, error: RecorderError) {
        self.files.remove(&episode);
        self.tell(RecorderEvent::Failed { episode, error });
    }

    /// Nobody listening is no error of the recorder's.
    fn tell(&self, event: RecorderEvent) {
        let _ = self.events.send(event);
    }
}
