//! The journal's thread: a disk may take its time, the control thread may not.

use super::journal::{Journal, JournalError};
use protocol::PolicyVersion;
use protocol::api::Disengagement;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vehicle_core::mileage::Metres;

/// What was written is brought to the disk this often.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What the thread has not taken yet.
#[derive(Default)]
struct Waiting {
    /// The newest balance: an older one is of no use.
    balance: Option<(u64, BTreeMap<PolicyVersion, Metres>)>,
    disengagements: Vec<Disengagement>,
    stop: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    failing: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Waiting {
        let idle = |w: &mut Waiting| w.balance.is_none() && w.disengagements.is_empty() && !w.stop;
        let mut waiting = self.wake.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let stop = waiting.stop;
        Waiting { stop, ..std::mem::replace(&mut *waiting, Waiting { stop, ..Waiting::default() }) }
    }
}

/// The control thread's end. Nothing here waits, until it is dropped: then everything is brought to the disk.
pub(super) struct JournalThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl JournalThread {
    pub(super) fn start(journal: Journal) -> Self {
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        Self { shared, thread: Some(super::spawn("journal", move || run(journal, &own))) }
    }

    /// The newest balance.
    pub(super) fn write(&self, epoch: u64, metres: &BTreeMap<PolicyVersion, Metres>) {
        let mut waiting = self.shared.lock();
        match &mut waiting.balance {
            Some((last, known)) => {
                *last = epoch;
                known.clone_from(metres);
            }
            none => *none = Some((epoch, metres.clone())),
        }
        self.shared.wake.notify_one();
    }

    /// Enters a disengagement.
    pub(super) fn add(&self, disengagement: Disengagement) {
        self.shared.lock().disengagements.push(disengagement);
        self.shared.wake.notify_one();
    }

    /// Whether the disk refuses.
    pub(super) fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }
}

impl Drop for JournalThread {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the journal's thread ended unexpectedly; please report this");
        }
    }
}

fn run(mut journal: Journal, shared: &Shared) {
    let mut synced = Instant::now();
    loop {
        let waiting = shared.take();
        let stop = waiting.stop;
        let kept = keep(&mut journal, &waiting, stop || synced.elapsed() >= SYNC_EVERY, &mut synced);
        let failing = kept.is_err();
        if let Err(error) = kept
            && !shared.failing.load(Ordering::Relaxed)
        {
            tracing::error!(%error, "the journal is kept in memory only");
        }
        shared.failing.store(failing, Ordering::Relaxed);
        if stop {
            return;
        }
    }
}

fn keep(journal: &mut Journal, waiting: &Waiting, sync: bool, synced: &mut Instant) -> Result<(), JournalError> {
    // One that fails must not keep the others from being tried.
    let mut result = Ok(());
    for disengagement in &waiting.disengagements {
        result = result.and(journal.add(disengagement));
    }
    if let Some((epoch, metres)) = &waiting.balance {
        result = result.and(journal.write(*epoch, metres));
    }
    if sync {
        *synced = Instant::now();
        result = result.and(journal.sync());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{EpisodeId, VehicleId};

    #[test]
    fn whatever_was_handed_over_is_there_after_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let thread = JournalThread::start(Journal::open(dir.path()).unwrap());
        let entry = Disengagement {
            id: EpisodeId::new("e").unwrap(),
            vehicle: VehicleId::new("c").unwrap(),
            policy: PolicyVersion::new("v1").unwrap(),
            cause: "safety".into(),
            at_ms: 5,
            map: "m".into(),
            clock_ahead_ms: None,
        };
        let metres =
            |m| BTreeMap::from([(PolicyVersion::new("v1").unwrap(), Metres { autonomous_m: m, manual_m: 0.0 })]);
        for epoch in 1..=100 {
            thread.write(epoch, &metres(epoch as f64));
        }
        thread.add(entry.clone());
        assert!(!thread.is_failing());
        drop(thread);
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!((journal.balance().epoch, journal.balance().metres.clone()), (100, metres(100.0)));
        assert_eq!(journal.disengagements().unwrap(), [entry]);
    }

    #[test]
    fn a_balance_that_does_not_fit_is_a_failure_and_the_next_one_that_does_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let thread = JournalThread::start(Journal::open(dir.path()).unwrap());
        let version = |n: u32| (PolicyVersion::new(format!("v{n}")).unwrap(), Metres::default());
        let wait_until = |failing: bool| {
            while thread.is_failing() != failing {
                std::thread::yield_now();
            }
        };
        thread.write(1, &(0..5_000).map(version).collect());
        wait_until(true);
        thread.write(2, &BTreeMap::new());
        wait_until(false);
    }
}
