//! What the recorder's thread does: messages from the queue into the ring and the files, and files that live through a
//! disk that does not.

mod disk;

use crate::drive_log::DriveLog;
use crate::queue::{Losses, Next, QueueReceiver};
use crate::status::RecorderStatus;
use crate::thread::{RecorderEvent, ThreadConfig};
use crate::{EpisodeFile, EpisodeSignature, Recorder, RecorderAction, RecorderError, signature};
use crossbeam_channel::Sender;
use protocol::topics::{self, Priority};
use protocol::trigger::Fired;
use protocol::{Attachment, EpisodeId, EpisodeInfo, Message, api};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often files are looked after when nothing comes.
const TICK: Duration = Duration::from_millis(20);
/// Messages may come this much later than their log time and still get into an episode that ends then.
const LATE_NS: u64 = 100_000_000;

pub(crate) enum Command {
    Begin(u64, Box<EpisodeInfo>, Vec<Attachment>),
    Trigger(u64, Fired, Box<EpisodeInfo>, Vec<Attachment>),
    End(u64, EpisodeId),
    Describe(EpisodeId, String, String),
    Shutdown,
}

/// A file that is being written for an episode.
struct Recording {
    file: EpisodeFile,
    attachments: Vec<Attachment>,
    /// The episode whose rest it is, its own name and when it starts, when the disk failed under an earlier file.
    rest: Option<Rest>,
    /// Which file of the episode it is, from 1.
    part: u32,
    /// First log time that belongs to it.
    start_ns: u64,
    /// Everything up to here is on the disk.
    synced_ns: u64,
}

#[derive(Clone)]
struct Rest {
    id: EpisodeId,
    of: EpisodeId,
}

/// An episode without a file, until the disk is back.
struct Interrupted {
    attachments: Vec<Attachment>,
    /// What is missing begins here.
    since_ns: u64,
    /// Which file the next one is.
    part: u32,
    /// Its description, when it has ended meanwhile.
    ended: Option<EpisodeInfo>,
}

/// A file that is complete but for what the disk has not taken yet.
struct Settling {
    file: EpisodeFile,
    info: EpisodeInfo,
}

pub(crate) struct Worker {
    config: ThreadConfig,
    recorder: Recorder,
    queue: QueueReceiver<Command>,
    files: BTreeMap<EpisodeId, Recording>,
    interrupted: BTreeMap<EpisodeId, Interrupted>,
    settling: Vec<Settling>,
    drive_log: Option<DriveLog>,
    /// Of the episode that is being opened.
    attachments: Vec<Attachment>,
    events: Sender<RecorderEvent>,
    status: Arc<Mutex<RecorderStatus>>,
    newest_ns: u64,
    /// Messages of this priority and lower ones are not written.
    shedding_level: Option<Priority>,
    /// What the disk said, since it was last well.
    trouble: Option<std::io::Error>,
    removed_files: u64,
    looked_at: Instant,
    tidied_at: Option<Instant>,
}

impl Worker {
    pub(crate) fn new(
        mut config: ThreadConfig,
        queue: QueueReceiver<Command>,
        events: Sender<RecorderEvent>,
        status: Arc<Mutex<RecorderStatus>>,
    ) -> Self {
        Self {
            recorder: Recorder::new(config.recorder.clone()),
            drive_log: config.drive_log.take().map(DriveLog::new),
            config,
            queue,
            files: BTreeMap::new(),
            interrupted: BTreeMap::new(),
            settling: Vec::new(),
            attachments: Vec::new(),
            events,
            status,
            newest_ns: 0,
            shedding_level: None,
            trouble: None,
            removed_files: 0,
            looked_at: Instant::now(),
            tidied_at: None,
        }
    }

    pub(crate) fn run(mut self) {
        let mut heard_at = Instant::now();
        loop {
            let (losses, next) = self.queue.next(TICK);
            self.count_losses(&losses);
            match next {
                Next::Message(message) => self.take(message),
                Next::Command(Command::Shutdown) | Next::Closed => break,
                Next::Command(command) => self.obey(command),
                Next::Nothing => {
                    // Nobody tells the time, so it is what was heard last and what has passed since.
                    let now_ns = self.newest_ns.saturating_add(heard_at.elapsed().as_nanos() as u64);
                    self.flush_files(now_ns);
                    self.close_finished(now_ns);
                    self.look_after_disk();
                    continue;
                }
            }
            heard_at = Instant::now();
            self.close_finished(self.newest_ns);
            self.look_after_disk();
        }
        let actions = self.recorder.close_all(self.newest_ns);
        self.perform(actions);
        self.last_attempt();
        let finished = self.drive_log.as_mut().map(DriveLog::finish);
        self.log_result(finished.unwrap_or(Ok(None)));
    }

    fn take(&mut self, message: Message) {
        self.newest_ns = self.newest_ns.max(message.log_time_ns);
        let logged = self.drive_log.as_mut().map_or(Ok(None), |log| log.push(&message));
        self.log_result(logged);
        let actions = self.recorder.push(message);
        self.perform(actions);
    }

    fn log_result(&mut self, result: Result<Option<api::Episode>, RecorderError>) {
        match result {
            Ok(Some(part)) => {
                if let Some(dir) = self.drive_log.as_ref().map(|log| log.dir().to_owned()) {
                    self.sign(&dir, &part);
                }
                self.tell(RecorderEvent::Logged(part));
            }
            Ok(None) => {}
            Err(error) => self.note_trouble(error),
        }
    }

    fn count_losses(&mut self, losses: &Losses) {
        for loss in losses.values() {
            self.recorder.note_loss(loss.topic, loss.log_time_ns, loss.count);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Begin(now_ns, info, attachments) => {
                self.newest_ns = self.newest_ns.max(now_ns);
                let id = info.id.clone();
                self.attachments = attachments;
                let actions = self.recorder.begin(now_ns, *info);
                self.perform(actions);
                self.sync(&id);
            }
            Command::Trigger(now_ns, fired, info, attachments) => {
                self.newest_ns = self.newest_ns.max(now_ns);
                let id = info.id.clone();
                self.attachments = attachments;
                let actions = self.recorder.trigger(now_ns, fired, || *info);
                self.perform(actions);
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

    fn perform(&mut self, actions: Vec<RecorderAction>) {
        for action in actions {
            match action {
                RecorderAction::Open(info) => self.open(&info),
                RecorderAction::Write(id, message) => self.write(&id, &message),
                RecorderAction::Close(id, info) => self.close(id, info),
            }
        }
    }

    fn open(&mut self, info: &EpisodeInfo) {
        let attachments = std::mem::take(&mut self.attachments);
        match self.start(info, &attachments) {
            Ok(file) => {
                let (start_ns, synced_ns) = (info.start_ns, info.start_ns);
                let recording = Recording { file, attachments, rest: None, part: 1, start_ns, synced_ns };
                self.files.insert(info.id.clone(), recording);
            }
            Err(error @ RecorderError::Exists { .. }) => {
                self.tell(RecorderEvent::Failed { episode: info.id.clone(), error });
            }
            Err(error) => {
                let interrupted = Interrupted { attachments, since_ns: info.start_ns, part: 1, ended: None };
                self.interrupted.insert(info.id.clone(), interrupted);
                self.report(info.id.clone(), error);
            }
        }
    }

    fn start(&self, info: &EpisodeInfo, attachments: &[Attachment]) -> Result<EpisodeFile, RecorderError> {
        let mut file = EpisodeFile::with_write_back(&self.config.dir, info, self.config.write_back_limit_bytes)?;
        for attachment in attachments {
            match file.attach(info.start_ns, attachment) {
                // The episode is worth more than its attachment.
                Err(error @ RecorderError::TooLarge { .. }) => tracing::error!(%error, "an attachment is left out"),
                other => other?,
            }
        }
        Ok(file)
    }

    fn write(&mut self, id: &EpisodeId, message: &Message) {
        let Some(recording) = self.files.get_mut(id) else { return };
        if self.shedding_level.is_some_and(|shedding_level| topics::priority(message.topic) <= shedding_level) {
            self.recorder.note_unwritten(id, message.topic);
            return;
        }
        match recording.file.write(message) {
            Ok(()) => {}
            Err(RecorderError::TooLarge { .. }) => self.recorder.note_unwritten(id, message.topic),
            Err(error) => self.interrupt(id.clone(), error, None),
        }
    }

    fn close(&mut self, id: EpisodeId, mut info: EpisodeInfo) {
        self.flush_files(u64::MAX);
        let Some(mut recording) = self.files.remove(&id) else {
            if let Some(interrupted) = self.interrupted.get_mut(&id) {
                interrupted.ended = Some(info);
            }
            return;
        };
        let whole = info.clone();
        if let Some(Rest { id, of }) = &recording.rest {
            (info.id, info.continues, info.start_ns) = (id.clone(), Some(of.clone()), recording.start_ns);
            info.actual_pre_roll_ns = info.takeover_ns.saturating_sub(info.start_ns);
        }
        match recording.file.end(&info).and_then(|()| recording.file.settle(&info)) {
            Ok(Some(episode)) => self.finished(episode),
            Ok(None) => self.settling.push(Settling { file: recording.file, info }),
            Err(error) => {
                self.files.insert(id.clone(), recording);
                self.interrupt(id, error, Some(whole));
            }
        }
    }

    fn finished(&mut self, episode: api::Episode) {
        let dir = self.config.dir.clone();
        self.sign(&dir, &episode);
        self.tell(RecorderEvent::Finished(episode));
    }

    fn sign(&mut self, dir: &Path, file: &api::Episode) {
        let Some(key) = &self.config.key else { return };
        let signature = EpisodeSignature::new(key, &file.file, file.bytes, &file.sha256);
        if let Err(error) = signature::write_beside(&dir.join(&file.file), &signature) {
            self.note_trouble(error);
        }
    }

    /// The disk may take long: what was taken so far must survive a kill in the meantime.
    fn sync(&mut self, id: &EpisodeId) {
        self.flush_files(u64::MAX);
        let newest_ns = self.newest_ns;
        let Some(recording) = self.files.get_mut(id) else { return };
        match recording.file.sync() {
            Ok(()) if recording.file.container().disk().waiting() == 0 => recording.synced_ns = newest_ns,
            Ok(()) => {}
            Err(error) => self.interrupt(id.clone(), error, None),
        }
    }

    fn flush_files(&mut self, now_ns: u64) {
        let mut failed = Vec::new();
        for (id, recording) in &mut self.files {
            if let Err(error) = recording.file.flush_if_old(now_ns) {
                failed.push((id.clone(), error));
            }
        }
        failed.into_iter().for_each(|(id, error)| self.interrupt(id, error, None));
        let logged = self.drive_log.as_mut().map_or(Ok(()), |log| log.flush_if_old(now_ns));
        self.log_result(logged.map(|()| None));
    }

    fn report(&mut self, episode: EpisodeId, error: RecorderError) {
        if let RecorderError::Io { source, .. } = &error {
            self.trouble = Some(copy_of(source));
        }
        self.tell(RecorderEvent::Failed { episode, error });
    }

    /// Nobody listening is no error of the recorder's.
    fn tell(&self, event: RecorderEvent) {
        let _ = self.events.send(event);
    }
}

fn copy_of(error: &std::io::Error) -> std::io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), std::io::Error::from_raw_os_error)
}
