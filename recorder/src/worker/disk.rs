//! The worker when the disk is full, read-only, slow or gone.
//!
//! - What the disk refuses waits in memory behind its file. From half of that memory on messages are left out by what
//!   they are worth, the least first, so that the record of control lasts longest; all of it is counted.
//! - On a full disk files are evicted by the rule of [`crate::disk_space`].
//! - A file that vanished, or whose folder cannot be written, is given up; its episode goes on in another file from the
//!   ring as soon as one can be made.

use super::{Interrupted, Recording, Rest, Settling, Worker, copy_of};
use crate::RecorderError;
use crate::disk_space::{evict, free_bytes};
use crate::drive_log::DriveLog;
use crate::status::Disk;
use crate::thread::RecorderEvent;
use protocol::topics::Priority;
use protocol::{EpisodeId, EpisodeInfo};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How often what waits is offered to the disk again.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often folders are read and files opened again.
const TIDY_EVERY: Duration = Duration::from_millis(500);
/// Least room that is made at once.
const LEAST_EVICTION_BYTES: u64 = 8 << 20;

/// What is not written any more when `waiting` of `limit` bytes wait for the disk.
fn shedding_level(waiting: usize, limit: usize) -> Option<Priority> {
    match waiting.saturating_mul(8) / limit.max(1) {
        0..4 => None,
        4 => Some(Priority::Side),
        5 => Some(Priority::Bulk),
        6 => Some(Priority::View),
        _ => Some(Priority::Control),
    }
}

impl Worker {
    /// Offers files what waits for them, makes room, opens again what was interrupted, and tells how it went.
    pub(super) fn look_after_disk(&mut self) {
        self.shedding_level = shedding_level(self.waiting(), self.config.write_back_limit_bytes);
        if self.looked_at.elapsed() < LOOK_EVERY {
            return;
        }
        self.looked_at = Instant::now();
        self.retry_files();
        self.settle();
        if self.tidied_at.is_none_or(|at| at.elapsed() >= TIDY_EVERY) {
            self.tidied_at = Some(Instant::now());
            self.evict();
            self.resume();
        }
        self.publish();
    }

    /// At the end: one attempt more for everything.
    pub(super) fn last_attempt(&mut self) {
        self.retry_files();
        self.evict();
        self.settle();
        self.resume();
        self.publish();
    }

    fn waiting(&mut self) -> usize {
        let open = self.files.values_mut().map(|recording| recording.file.container().disk().waiting());
        let ended = self.settling.iter_mut().map(|settling| settling.file.container().disk().waiting());
        open.chain(ended).sum()
    }

    fn retry_files(&mut self) {
        let mut failed = Vec::new();
        let log_fails = self.drive_log.as_ref().is_some_and(DriveLog::is_interrupted);
        if self.interrupted.is_empty() && !log_fails {
            self.trouble = None;
        }
        for (id, recording) in &mut self.files {
            match recording.file.container().retry() {
                Ok(true) => {}
                Ok(false) => self.trouble = recording.file.container().disk().refusal().map(copy_of),
                Err(error) => failed.push((id.clone(), error)),
            }
        }
        failed.into_iter().for_each(|(id, error)| self.interrupt(id, error, None));
    }

    fn settle(&mut self) {
        for Settling { mut file, info } in std::mem::take(&mut self.settling) {
            match file.settle(&info) {
                Ok(Some(episode)) => self.finished(episode),
                Ok(None) => {
                    self.trouble = file.container().disk().refusal().map(copy_of);
                    self.settling.push(Settling { file, info });
                }
                Err(error) => self.report(info.id, error),
            }
        }
    }

    /// Gives a file up. `ended` is the episode's description when it is over.
    pub(super) fn interrupt(&mut self, id: EpisodeId, error: RecorderError, ended: Option<EpisodeInfo>) {
        let Some(recording) = self.files.remove(&id) else { return };
        // A file that is still there keeps what was synced; one that is not takes everything with it.
        let kept = recording.file.path().exists();
        let since_ns = if kept { recording.synced_ns } else { recording.start_ns };
        let part = if kept { recording.part + 1 } else { recording.part };
        let attachments = recording.attachments;
        self.interrupted.insert(id.clone(), Interrupted { attachments, since_ns, part, ended });
        self.report(id, error);
    }

    fn resume(&mut self) {
        for (id, mut interrupted) in std::mem::take(&mut self.interrupted) {
            if let Err(error) = self.resume_one(&id, &mut interrupted) {
                if !matches!(error, RecorderError::Exists { .. }) {
                    self.note_trouble(error);
                } else {
                    interrupted.part += 1;
                }
                self.interrupted.insert(id, interrupted);
            }
        }
    }

    fn resume_one(&mut self, id: &EpisodeId, interrupted: &mut Interrupted) -> Result<(), RecorderError> {
        let known = interrupted.ended.clone().or_else(|| self.recorder.description(id).cloned());
        let Some(mut info) = known else { return Ok(()) };
        let until_ns = interrupted.ended.as_ref().map_or(u64::MAX, |info| info.end_ns);
        let (mut messages, _) = self.recorder.held(interrupted.since_ns);
        messages.retain(|message| message.log_time_ns <= until_ns);
        let Some(first) = messages.first() else { return Ok(()) };
        info.start_ns = first.log_time_ns;
        info.actual_pre_roll_ns = info.takeover_ns.saturating_sub(info.start_ns);
        let rest = (interrupted.part > 1)
            .then(|| EpisodeId::new(format!("{id}.{}", interrupted.part)).ok())
            .flatten()
            .map(|name| Rest { id: name, of: id.clone() });
        if let Some(Rest { id, of }) = &rest {
            (info.id, info.continues) = (id.clone(), Some(of.clone()));
        }
        let file = self.start(&info, &interrupted.attachments)?;
        let (attachments, part) = (std::mem::take(&mut interrupted.attachments), interrupted.part);
        let start_ns = info.start_ns;
        self.files
            .insert(id.clone(), Recording { file, attachments, rest, part, start_ns, synced_ns: interrupted.since_ns });
        messages.iter().for_each(|message| self.write(id, message));
        if let Some(info) = interrupted.ended.take() {
            self.close(id.clone(), info);
        }
        Ok(())
    }

    fn evict(&mut self) {
        let full = self.trouble.as_ref().is_some_and(|error| Disk::of(error) == Disk::Full);
        let free = free_bytes(&self.config.dir).unwrap_or(u64::MAX);
        let missing = self.config.reserve_bytes.saturating_sub(free);
        if !full && missing == 0 {
            return;
        }
        let wanted = missing.max(self.waiting() as u64).max(LEAST_EVICTION_BYTES);
        let log = self.drive_log.as_ref().map(|log| log.dir().to_owned());
        let dirs: Vec<_> = [Some(self.config.dir.as_path()), log.as_deref()].into_iter().flatten().collect();
        match evict(&dirs, wanted) {
            Ok(gone) => {
                self.removed_files += gone.len() as u64;
                gone.into_iter().for_each(|path| self.tell(RecorderEvent::Removed(path)));
            }
            Err(error) => self.note_trouble(error),
        }
    }

    /// Keeps what the disk said for the status.
    pub(super) fn note_trouble(&mut self, error: RecorderError) {
        tracing::debug!(%error, "the recorder's disk");
        if let RecorderError::Io { source, .. } = error {
            self.trouble = Some(source);
        }
    }

    fn publish(&mut self) {
        let waiting_bytes = self.waiting();
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.disk = self.trouble.as_ref().map_or(Disk::Well, Disk::of);
        status.detail = self.trouble.as_ref().map_or_else(String::new, ToString::to_string);
        status.waiting_bytes = waiting_bytes;
        status.lost = self.recorder.lost().values().sum();
        status.removed_files = self.removed_files;
        status.interrupted = self.interrupted.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuller_the_memory_the_more_is_left_out() {
        let levels: Vec<_> = (0..=8).map(|n| shedding_level(n, 8)).collect();
        let [side, bulk, view, control] = Priority::ALL.map(Some);
        assert_eq!(levels, [None, None, None, None, side, bulk, view, control, control]);
        assert_eq!(shedding_level(0, 0), None);
    }
}
