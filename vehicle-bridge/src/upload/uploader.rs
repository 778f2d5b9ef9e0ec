//! The thread that uploads. Everything that it knows is on the disk: the spool says what waits, the control plane says
//! how far each upload is; so it may be killed at any time.

use super::pace::Pace;
use super::prepare::{Preparation, PrepareError};
use super::queue::{self, Making, Need, OutFile, Waiting};
use super::send::{UploadError, append};
use super::worker::{Job, Made, Worker, give_way};
use control_plane_client::{ClientError, ControlPlaneClient};
use crossbeam_channel::{Receiver, select};
use protocol::api::{Episode, UploadProgress};
use protocol::{EpisodeId, FaultCode, Trigger};
use recorder::signature;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long nothing is done when nothing is to be done.
const NAP: Duration = Duration::from_millis(200);
/// Pauses while the control plane is not reached: the first, the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// How much the thread gives way to others that want the processor: it has a third of their share, by the weights of
/// Linux (335 to 1,024), so that episodes leave a machine that is never idle.
const NICENESS: i32 = 5;
/// The control plane's answer for what was erased: 410, gone.
const ERASED: u16 = 410;

/// What others see of it.
#[derive(Debug, Default)]
pub struct SharedProgress(Mutex<(UploadProgress, usize)>);

impl SharedProgress {
    fn lock(&self) -> std::sync::MutexGuard<'_, (UploadProgress, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is.
    #[must_use]
    pub fn progress(&self) -> UploadProgress {
        self.lock().0
    }

    /// A fault that a person has to look at.
    #[must_use]
    pub fn fault(&self) -> Option<FaultCode> {
        (self.lock().1 > 0).then_some(FaultCode::UploadRedactionFailed)
    }
}

/// See the module.
pub struct Uploader {
    client: ControlPlaneClient,
    pace: Pace,
    preparation: Preparation,
    spool_dir: PathBuf,
    waiting: Vec<Waiting>,
    /// Ends of pauses while nothing is reached, and their length.
    pause: Option<(Instant, Duration)>,
    /// Episodes that stay in the spool because they could not be redacted.
    kept_back: usize,
    progress: Arc<SharedProgress>,
}

impl Uploader {
    /// An uploader of the finished episodes in `spool_dir`; `found` are those that an earlier run left there. `client`
    /// repeats nothing: the uploader does, in its own order.
    #[must_use]
    pub fn new(
        client: ControlPlaneClient,
        pace: Pace,
        preparation: Preparation,
        spool_dir: PathBuf,
        found: Vec<Episode>,
    ) -> Self {
        preparation.keep_only(&found.iter().map(|episode| &episode.id).collect::<Vec<_>>());
        let waiting = found.into_iter().map(|episode| Waiting { found: true, ..waiting(episode) }).collect();
        let (pause, progress) = (None, Arc::default());
        Self { client, pace, preparation, spool_dir, waiting, pause, kept_back: 0, progress }
    }

    /// Where it tells how it is.
    #[must_use]
    pub fn progress(&self) -> Arc<SharedProgress> {
        Arc::clone(&self.progress)
    }

    /// Works until the pace says stop; `episodes` brings new ones.
    pub fn run(mut self, episodes: &Receiver<Episode>) {
        give_way(NICENESS);
        let mut worker = match Worker::start(self.preparation.clone()) {
            Ok(worker) => worker,
            Err(error) => {
                return tracing::error!(%error, "no uploads: the system cannot start a thread; restart the bridge");
            }
        };
        while !self.pace.is_stopped() {
            self.waiting.extend(episodes.try_iter().map(waiting));
            while let Ok(made) = worker.made().try_recv() {
                worker.end();
                self.take_in(made);
            }
            self.tell();
            let now = Instant::now();
            let paused = self.pause.is_some_and(|(until, _)| now < until);
            let full = self.pace.limit_bps().is_some_and(|bps| bps < 1.0);
            let next = queue::next(&self.waiting, now).and_then(|index| Some((index, self.waiting[index].need()?)));
            let redacts = self.preparation.redacts() && next.is_some_and(|(_, need)| need == Need::Preparation);
            // What uploads wait for goes before what nobody waits for.
            if !worker.is_busy() && (paused || !redacts) {
                self.make_preview(&mut worker);
            }
            // Making an episode ready needs no link.
            match next.filter(|(_, need)| !paused && (!full || *need == Need::Preparation)) {
                Some((index, need)) => self.step(index, need, &mut worker),
                None => self.rest(episodes, &mut worker),
            }
        }
    }

    /// Nothing is to be done here until something comes, or for a moment.
    fn rest(&mut self, episodes: &Receiver<Episode>, worker: &mut Worker) {
        let made = worker.made().clone();
        select! {
            recv(episodes) -> episode => match episode {
                Ok(episode) => self.waiting.push(waiting(episode)),
                // The recorder has ended.
                Err(_) => std::thread::sleep(NAP),
            },
            recv(made) -> made => if let Ok(made) = made {
                worker.end();
                self.take_in(made);
            },
            default(NAP) => {}
        }
    }

    /// Begins the most valuable preview that is missing.
    fn make_preview(&mut self, worker: &mut Worker) {
        let Some(index) = queue::next_preview(&self.waiting) else { return };
        let item = &mut self.waiting[index];
        if let Some(whole) = item.whole() {
            worker.begin(Job::Previews(whole.path.clone(), item.episode.id.clone()));
            item.preview = Making::Begun;
        }
    }

    fn take_in(&mut self, made: Made) {
        match made {
            Made::Ready(id, ready) => match self.index_of(&id) {
                Some(index) => self.take_ready(index, ready.map(|(episode, files)| (*episode, files))),
                None => self.preparation.forget(&id),
            },
            Made::Previews(id, previews) => match self.index_of(&id) {
                Some(index) => self.waiting[index].add_previews(previews),
                // It has left meanwhile.
                None => self.preparation.forget(&id),
            },
        }
    }

    fn index_of(&self, id: &EpisodeId) -> Option<usize> {
        self.waiting.iter().position(|item| item.episode.id == *id)
    }

    fn tell(&self) {
        let mut progress = queue::progress(&self.waiting);
        self.pace.tell(&mut progress);
        *self.progress.lock() = (progress, self.kept_back);
    }

    fn step(&mut self, index: usize, need: Need, worker: &mut Worker) {
        let outcome = match need {
            Need::Preparation => self.prepare(index, worker),
            Need::Preview(file) | Need::Content(file) => self.send(index, file),
            Need::Row => self.enter(index),
            Need::Departure => {
                self.leave(index);
                Ok(())
            }
        };
        match outcome {
            Ok(()) => self.pause = None,
            Err(error) => self.fail(index, &error),
        }
    }

    fn prepare(&mut self, index: usize, worker: &mut Worker) -> Result<(), UploadError> {
        let item = &mut self.waiting[index];
        if item.found && !item.entered {
            match self.client.find_episode(&item.episode.id)? {
                // Its row was the last thing that was missing.
                Some(row) if row.preview => {
                    self.leave(index);
                    return Ok(());
                }
                row => item.entered = row.is_some(),
            }
        }
        let file = self.spool_dir.join(&item.episode.file);
        if !self.preparation.redacts() {
            let ready = self.preparation.prepare(&file, &item.episode);
            self.take_ready(index, ready);
        } else if worker.is_busy() {
            item.not_before = Some(Instant::now() + NAP);
        } else {
            worker.begin(Job::Redaction(file, Box::new(item.episode.clone())));
            item.redacting = true;
        }
        Ok(())
    }

    /// Notes that an episode is ready, or why it is not.
    fn take_ready(&mut self, index: usize, ready: Result<(Episode, Vec<OutFile>), PrepareError>) {
        let item = &mut self.waiting[index];
        item.redacting = false;
        match ready {
            Ok((episode, files)) => item.make_ready(episode, files),
            Err(PrepareError::Gone(path)) => {
                tracing::warn!(file = %path.display(), "an episode is gone before it was uploaded: removed to make room");
                self.drop_item(index);
            }
            Err(error @ PrepareError::Redaction { .. }) => {
                tracing::error!(%error, "an episode stays on the vehicle");
                self.kept_back += 1;
                self.drop_item(index);
            }
            Err(error) => {
                tracing::error!(%error, "an episode is not ready for upload");
                item.wait_longer(Instant::now());
            }
        }
    }

    fn drop_item(&mut self, index: usize) {
        let item = self.waiting.remove(index);
        self.preparation.forget(&item.episode.id);
    }

    fn send(&mut self, index: usize, file: usize) -> Result<(), UploadError> {
        let item = &self.waiting[index];
        let (start, out) = (item.start(&item.files[file]), &item.files[file]);
        let state = match out.offset {
            None => self.client.begin_upload(&start)?,
            Some(offset) => {
                let progress = &self.progress;
                let mut seen = |bytes: usize| {
                    let mut shown = progress.lock();
                    shown.0.bytes = shown.0.bytes.saturating_sub(bytes as u64);
                    self.pace.tell(&mut shown.0);
                };
                append(&self.client, &start, &out.path, offset, &self.pace, &mut seen)?
            }
        };
        let item = &mut self.waiting[index];
        item.succeed();
        (item.files[file].offset, item.files[file].done) = (Some(state.offset), state.complete);
        Ok(())
    }

    fn enter(&mut self, index: usize) -> Result<(), UploadError> {
        self.client.add_episode(&self.waiting[index].episode)?;
        let episode = &self.waiting[index].episode;
        let (id, bytes, left) = (episode.id.clone(), episode.bytes, queue::progress(&self.waiting));
        tracing::info!(%id, bytes, left = left.episodes, left_bytes = left.bytes, "episode uploaded");
        self.waiting[index].entered = true;
        Ok(())
    }

    /// The control plane has file, row and preview, or has erased them for good: the episode leaves the spool.
    fn leave(&mut self, index: usize) {
        let item = self.waiting.remove(index);
        let file = self.spool_dir.join(&item.episode.file);
        for path in [signature::path_beside(&file), file] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(%error, file = %path.display(), "an uploaded episode stays in the spool");
                }
                _ => {}
            }
        }
        self.preparation.forget(&item.episode.id);
    }

    fn fail(&mut self, index: usize, error: &UploadError) {
        let now = Instant::now();
        let item = &mut self.waiting[index];
        match error {
            // What answers without being a control plane is as good as none.
            UploadError::ControlPlane(error) if error.status().is_none() => {
                item.ask_again();
                let length = self.pause.map_or(PAUSE.0, |(_, length)| (2 * length).min(PAUSE.1));
                if self.pause.is_none() && !self.pace.is_stopped() {
                    tracing::info!(%error, waiting = self.waiting.len(), "uploads wait");
                }
                self.pause = Some((now + length, length));
            }
            UploadError::File { .. } => {
                tracing::warn!(%error, id = %item.episode.id, "made ready again for upload");
                item.start_over();
                item.wait_longer(now);
            }
            UploadError::ControlPlane(ClientError::Refused { status: ERASED, .. }) => {
                tracing::warn!(%error, id = %item.episode.id, "an erased episode leaves the vehicle, too");
                self.leave(index);
            }
            // The vehicle's registration is on its way, by the control-plane sync.
            UploadError::ControlPlane(cause) if error.may_pass() || cause.status() == Some(403) => {
                tracing::debug!(%error, id = %item.episode.id, "upload interrupted");
                item.ask_again();
                item.wait_longer(now);
            }
            UploadError::ControlPlane(_) => {
                tracing::warn!(%error, id = %item.episode.id, "upload refused; tried again later");
                match item.need() {
                    // People can do without; the episode must not wait for it.
                    Some(Need::Preview(file)) => drop(item.files.remove(file)),
                    _ => item.start_over(),
                }
                item.wait_longer(now);
            }
        }
    }
}

fn waiting(episode: Episode) -> Waiting {
    let trigger = episode.trigger.as_deref().and_then(Trigger::by_label).unwrap_or_default();
    Waiting::new(episode, trigger)
}
