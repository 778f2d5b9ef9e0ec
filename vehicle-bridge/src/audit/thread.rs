//! The log's thread: the only shell that touches the disk.

use super::file::AuditFile;
use super::{AuditError, AuditEvent};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Events that wait for the disk.
const QUEUE: usize = 4_096;
const POLL_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Shared {
    /// Events that found no room since the last `missing` record.
    missing: AtomicU64,
    /// The disk refuses.
    failing: AtomicBool,
    stop: AtomicBool,
}

struct Note {
    wall_ms: u64,
    us: u64,
    event: AuditEvent,
}

/// Puts events into the log from any thread, and never waits.
#[derive(Clone)]
pub struct AuditHandle {
    notes: Sender<Note>,
    shared: Arc<Shared>,
}

impl AuditHandle {
    /// Notes what happened at `us` of the vehicle's clock.
    pub fn note(&self, us: u64, event: AuditEvent) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.notes.try_send(Note { wall_ms: wall_ms(), us, event })
        {
            self.shared.missing.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the log is not kept at the moment: the disk refuses, or is too slow.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed) || self.shared.missing.load(Ordering::Relaxed) > 0
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The thread; dropping it writes what waits, enters `ended` and ends it.
pub struct AuditThread {
    handle: AuditHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl AuditThread {
    /// Continues the log of `vehicle` in `folder`.
    ///
    /// # Errors
    /// [`AuditError`] when the log cannot be opened.
    pub fn start(folder: &Path, vehicle: &str) -> Result<Self, AuditError> {
        let file = AuditFile::open(folder, vehicle, wall_ms())?;
        let (notes, queue) = bounded(QUEUE);
        let shared = Arc::new(Shared::default());
        let worker = Worker { file, queue, shared: Arc::clone(&shared) };
        let spawned = std::thread::Builder::new().name("audit".to_owned()).spawn(move || worker.run());
        let thread = spawned.map_err(|source| AuditError::Io {
            action: "start the thread for",
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self { handle: AuditHandle { notes, shared }, thread: Some(thread) })
    }

    /// For whoever notes something.
    #[must_use]
    pub fn handle(&self) -> AuditHandle {
        self.handle.clone()
    }
}

impl Drop for AuditThread {
    fn drop(&mut self) {
        self.handle.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    file: AuditFile,
    queue: Receiver<Note>,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(mut self) {
        let mut last_us = 0;
        loop {
            let stop = self.shared.stop.load(Ordering::Relaxed);
            let timeout = if stop { Duration::ZERO } else { POLL_TIMEOUT };
            match self.queue.recv_timeout(timeout) {
                Ok(note) => {
                    last_us = note.us;
                    let batch: Vec<Note> = std::iter::once(note).chain(self.queue.try_iter().take(QUEUE)).collect();
                    self.write(batch);
                }
                Err(RecvTimeoutError::Timeout) if !stop => self.retry(last_us),
                Err(_) => break,
            }
        }
        self.write(vec![Note { wall_ms: wall_ms(), us: last_us, event: AuditEvent::Ended }]);
    }

    fn write(&mut self, batch: Vec<Note>) {
        let mut written = Ok(());
        for Note { wall_ms, us, event } in batch {
            if written.is_ok() {
                written = self.note_missing(us).and_then(|()| self.file.append(wall_ms, us, event));
                if written.is_ok() {
                    continue;
                }
            }
            self.shared.missing.fetch_add(1, Ordering::Relaxed);
        }
        self.finish(written);
    }

    /// After a failure: tries whether the disk is back, so that the log says at once what it lacks.
    fn retry(&mut self, us: u64) {
        if self.shared.failing.load(Ordering::Relaxed) || self.shared.missing.load(Ordering::Relaxed) > 0 {
            let written = self.note_missing(us);
            self.finish(written);
        }
    }

    fn finish(&mut self, written: Result<(), AuditError>) {
        let result = written.and_then(|()| self.file.sync());
        let failing = result.is_err();
        if let Err(error) = result
            && !self.shared.failing.load(Ordering::Relaxed)
        {
            tracing::error!(%error, "the audit log is not kept");
        }
        self.shared.failing.store(failing, Ordering::Relaxed);
    }

    fn note_missing(&mut self, us: u64) -> Result<(), AuditError> {
        let events = self.shared.missing.swap(0, Ordering::Relaxed);
        if events == 0 {
            return Ok(());
        }
        self.file.append(wall_ms(), us, AuditEvent::Missing { events }).inspect_err(|_| {
            self.shared.missing.fetch_add(events, Ordering::Relaxed);
        })
    }
}
