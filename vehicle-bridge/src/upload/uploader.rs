//! The thread that uploads. Everything that it knows is on the disk: the spool says what waits, the control plane says
//! how far each upload is; so it may be killed at any time.

use super::pace::Pace;
use super::prepare::{Preparation, PrepareError};
use super::queue::{self, Need, Waiting};
use super::send::{UploadError, append};
use control_plane_client::{ClientError, ControlPlaneClient};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use protocol::api::{Episode, UploadProgress};
use protocol::{FaultCode, Trigger};
use recorder::signature;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long nothing is done when nothing is to be done.
const NAP: Duration = Duration::from_millis(200);
/// Pauses while the control plane is not reached: the first, the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// How much the thread gives way to others that want the processor.
const NICENESS: i32 = 15;
/// The control plane's answer for what was erased: 410, gone.
const ERASED: u16 = 410;

/// What others see of it.
#[derive(Debug, Default)]
pub struct Board(Mutex<(UploadProgress, usize)>);

impl Board {
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
    board: Arc<Board>,
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
        let (pause, board) = (None, Arc::default());
        Self { client, pace, preparation, spool_dir, waiting, pause, kept_back: 0, board }
    }

    /// Where it tells how it is.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Works until the pace says stop; `episodes` brings new ones.
    pub fn run(mut self, episodes: &Receiver<Episode>) {
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::debug!(%error, "uploads run with the priority of others");
        }
        while !self.pace.is_stopped() {
            self.waiting.extend(episodes.try_iter().map(waiting));
            self.tell();
            let now = Instant::now();
            let paused = self.pause.is_some_and(|(until, _)| now < until);
            let full = self.pace.limit_bps().is_some_and(|bps| bps < 1.0);
            let next = queue::next(&self.waiting, now);
            // Making an episode ready needs no link.
            match next.filter(|index| !paused && (!full || self.waiting[*index].need() == Need::Preparation)) {
                Some(index) => self.step(index),
                None => match episodes.recv_timeout(NAP) {
                    Ok(episode) => self.waiting.push(waiting(episode)),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => std::thread::sleep(NAP),
                },
            }
        }
    }

    fn tell(&self) {
        let mut progress = queue::progress(&self.waiting);
        self.pace.tell(&mut progress);
        *self.board.lock() = (progress, self.kept_back);
    }

    fn step(&mut self, index: usize) {
        let outcome = match self.waiting[index].need() {
            Need::Preparation => self.prepare(index),
            Need::Preview(file) | Need::Content(file) => self.send(index, file),
            Need::Row => self.enter(index),
        };
        match outcome {
            Ok(()) => self.pause = None,
            Err(error) => self.fail(index, &error),
        }
    }

    fn prepare(&mut self, index: usize) -> Result<(), UploadError> {
        let item = &mut self.waiting[index];
        if item.found && self.client.find_episode(&item.episode.id)?.is_some() {
            // Its row was the last thing that was missing.
            self.leave(index);
            return Ok(());
        }
        let file = self.spool_dir.join(&item.episode.file);
        match self.preparation.prepare(&file, &item.episode) {
            Ok((episode, files)) => (item.episode, item.files) = (episode, files),
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
        Ok(())
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
                let board = &self.board;
                let mut seen = |bytes: usize| {
                    let mut shown = board.lock();
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
        self.leave(index);
        Ok(())
    }

    /// The control plane has file and row, or has erased them for good: the episode leaves the spool.
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
                item.files.clear();
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
                    Need::Preview(file) => drop(item.files.remove(file)),
                    _ => item.files.clear(),
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
