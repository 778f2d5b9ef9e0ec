//! What takes processor time, redactions and previews, on a thread that gives way to everything else: what is ready
//! leaves meanwhile.

use super::prepare::{Preparation, PrepareError};
use super::queue::OutFile;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use protocol::EpisodeId;
use protocol::api::Episode;
use std::path::PathBuf;
use std::thread::JoinHandle;

/// How much the thread gives way to others that want the processor: only the idle have less (setpriority(2)).
const NICENESS: i32 = 15;

/// Something to be made.
#[derive(Debug)]
pub(super) enum Job {
    /// The copy that may leave of the file of an episode.
    Redaction(PathBuf, Box<Episode>),
    /// The preview of an episode that is ready.
    Previews(PathBuf, EpisodeId),
}

/// What was made.
#[derive(Debug)]
pub(super) enum Made {
    /// An episode that is ready, or why it is not.
    Ready(EpisodeId, Result<(Box<Episode>, Vec<OutFile>), PrepareError>),
    /// All previews that could be made.
    Previews(EpisodeId, Vec<OutFile>),
}

/// One thread, one job at a time.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: Option<Sender<Job>>,
    made: Receiver<Made>,
    busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// # Errors
    /// When the system starts no thread.
    pub(super) fn start(preparation: Preparation) -> std::io::Result<Self> {
        let (jobs, todo) = bounded::<Job>(1);
        let (done, made) = unbounded();
        let work = move || {
            give_way(NICENESS);
            for job in todo {
                let outcome = match job {
                    Job::Redaction(file, row) => {
                        let ready = preparation.prepare(&file, &row);
                        Made::Ready(row.id, ready.map(|(episode, files)| (Box::new(episode), files)))
                    }
                    Job::Previews(path, id) => {
                        let previews = preparation.previews(&path, &id);
                        Made::Previews(id, previews)
                    }
                };
                if done.send(outcome).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("upload-prepare".to_owned()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), made, busy: false, thread: Some(thread) })
    }

    /// Whether a job would have to wait.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Begins `job`; only for a worker that is not busy.
    pub(super) fn begin(&mut self, job: Job) {
        self.busy = true;
        if let Some(jobs) = &self.jobs {
            // The thread ends only when this sender does.
            let _ = jobs.send(job);
        }
    }

    /// Where results come; each is to be told to [`Self::end`].
    pub(super) fn made(&self) -> &Receiver<Made> {
        &self.made
    }

    /// Its result was taken.
    pub(super) fn end(&mut self) {
        self.busy = false;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Lets others that want the processor go before this thread, by so much.
pub(super) fn give_way(niceness: i32) {
    if let Err(error) = rustix::process::nice(niceness) {
        tracing::debug!(%error, niceness, "a thread runs with the priority of others");
    }
}
