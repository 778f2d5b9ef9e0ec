//! Resumable uploads: bytes gather in a file of the data folder, are synchronised to the disk before they are
//! acknowledged, and go to the [`Objects`] whole and checked, or not at all.
//!
//! What a sender says is not trusted: names are made of the hash, the hash is computed here, sizes and numbers are
//! limited, and only vehicles that signed up may send.

mod finish;
mod partial;
mod receive;

pub use receive::receive;

use crate::objects::{ObjectKey, Objects, UploadKind};
use crate::reply::{ApiError, ApiResult};
use crate::store::Store;
use axum::http::StatusCode;
use partial::Partial;
use protocol::api::{UploadStart, UploadState};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedMutexGuard, watch};

/// Uploads that may be under way at once, of all vehicles and of one.
const MOST: usize = 1024;
const MOST_OF_ONE: usize = 64;
/// An upload that nobody went on with for so long is given up.
const STALE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often that is looked after.
const TIDY_EVERY: Duration = Duration::from_secs(3600);
/// Room that stays on the disk, bytes.
const RESERVE: u64 = 64 << 20;
/// How long a request waits for another one on the same upload to end.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// Largest file, bytes.
fn most_bytes(kind: UploadKind) -> u64 {
    match kind {
        UploadKind::Episode => 16 << 30,
        UploadKind::PreviewVideo => 256 << 20,
        UploadKind::PreviewState => 16 << 20,
        UploadKind::Signature => 64 << 10,
    }
}

/// One upload under way.
struct Slot {
    partial: Partial,
    /// Held while something is done with the file.
    work: Arc<tokio::sync::Mutex<()>>,
    /// Counts claims: who comes later interrupts who is still receiving, for a dead connection looks like a slow one.
    claims: watch::Sender<u64>,
}

/// The right to work on an upload, until somebody else claims it.
struct Claim {
    slot: Arc<Slot>,
    lost: watch::Receiver<u64>,
    guard: OwnedMutexGuard<()>,
}

/// All uploads under way.
pub struct Uploads {
    dir: PathBuf,
    objects: Objects,
    store: Store,
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
    received: AtomicU64,
}

impl Uploads {
    /// Takes up what an earlier run left in `dir`.
    pub fn open(dir: &Path, objects: Objects, store: Store) -> std::io::Result<Arc<Self>> {
        std::fs::create_dir_all(dir)?;
        let slots = Partial::all(dir)?.into_iter().map(|partial| (partial.start.sha256.clone(), Slot::new(partial)));
        let uploads = Self {
            dir: dir.to_owned(),
            objects,
            store,
            slots: Mutex::new(slots.collect()),
            received: AtomicU64::new(0),
        };
        Ok(Arc::new(uploads))
    }

    /// Where finished files lie.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Bytes received since the start.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How many are not finished.
    pub fn under_way(&self) -> u64 {
        self.slots().len() as u64
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an upload, or says how far it is. What is stored already is not asked for again.
    pub async fn begin(self: &Arc<Self>, start: UploadStart) -> ApiResult<UploadState> {
        let key = self.check(&start).await?;
        if let Some(bytes) = self.objects.size(&key).await? {
            if bytes != start.bytes {
                let text = format!("bytes: {} is not valid: {} has {bytes}", start.bytes, start.sha256);
                return Err(ApiError::invalid(text));
            }
            self.record(&start, &key).await?;
            return Ok(UploadState { offset: bytes, complete: true });
        }
        let slot = self.slot(&start)?;
        let claim = slot.claim().await?;
        let offset = claim.slot.partial.settle().await?;
        if offset < claim.slot.partial.start.bytes {
            return Ok(UploadState { offset, complete: false });
        }
        self.finish(claim).await
    }

    async fn check(&self, start: &UploadStart) -> ApiResult<ObjectKey> {
        crate::check::sha256("sha256", &start.sha256)?;
        let most = most_bytes(start.kind);
        if !(1..=most).contains(&start.bytes) {
            let text = format!("bytes: {} is not valid: use 1 to {most} for {}", start.bytes, start.kind.label());
            return Err(ApiError::invalid(text));
        }
        if !self.store.knows_vehicle(&start.vehicle).await? {
            let text = format!("vehicle: {} has not signed up", start.vehicle);
            return Err(ApiError::Client(StatusCode::FORBIDDEN, text));
        }
        self.store.may_upload(start).await?;
        Ok(ObjectKey::new(&start.sha256, start.kind)?)
    }

    /// The upload of this content, begun when there is none.
    fn slot(&self, start: &UploadStart) -> ApiResult<Arc<Slot>> {
        let mut slots = self.slots();
        if let Some(slot) = slots.get(&start.sha256) {
            let known = &slot.partial.start;
            if (known.bytes, known.kind) != (start.bytes, start.kind) {
                let text = format!("{} is on its way as {} of {} bytes", start.sha256, known.kind.label(), known.bytes);
                return Err(ApiError::conflict(text));
            }
            return Ok(Arc::clone(slot));
        }
        let of_one = slots.values().filter(|slot| slot.partial.start.vehicle == start.vehicle).count();
        if slots.len() >= MOST || of_one >= MOST_OF_ONE {
            let text = format!("{} uploads of {of_one} are under way: finish one first", slots.len());
            return Err(ApiError::Client(StatusCode::TOO_MANY_REQUESTS, text));
        }
        let free = rustix::fs::statvfs(&self.dir).map_or(u64::MAX, |s| s.f_bavail.saturating_mul(s.f_frsize));
        if free < start.bytes.saturating_add(RESERVE) {
            let text = format!("the control plane's disk has {free} bytes left, not enough for {}", start.bytes);
            return Err(ApiError::Client(StatusCode::INSUFFICIENT_STORAGE, text));
        }
        let slot = Slot::new(Partial::create(&self.dir, start.clone())?);
        slots.insert(start.sha256.clone(), Arc::clone(&slot));
        Ok(slot)
    }

    /// The upload of this content, claimed for bytes that come.
    async fn claim(&self, sha256: &str) -> ApiResult<Claim> {
        crate::check::sha256("sha256", sha256)?;
        let slot = self.slots().get(sha256).cloned();
        let slot = slot.ok_or_else(|| ApiError::not_found(format!("there is no upload of {sha256}: POST it first")))?;
        slot.claim().await
    }

    fn forget(&self, sha256: &str) {
        self.slots().remove(sha256);
    }

    /// Gives up uploads that nobody goes on with.
    fn tidy(&self, older_than: Duration) {
        let slots: Vec<_> = self.slots().iter().map(|(sha256, slot)| (sha256.clone(), Arc::clone(slot))).collect();
        for (sha256, slot) in slots {
            let Ok(_guard) = slot.work.try_lock() else { continue };
            if slot.partial.idle().is_some_and(|idle| idle > older_than) {
                tracing::warn!(vehicle = %slot.partial.start.vehicle, %sha256, "an upload was never finished: removed");
                slot.partial.remove();
                self.forget(&sha256);
            }
        }
    }

    /// Throws away what is on its way and `unwanted`. One that is being written at this moment is refused at its end.
    pub fn abandon(&self, unwanted: impl Fn(&UploadStart) -> bool) {
        let slots: Vec<_> = self.slots().values().filter(|slot| unwanted(&slot.partial.start)).cloned().collect();
        for slot in slots {
            let Ok(_guard) = slot.work.try_lock() else { continue };
            slot.partial.remove();
            self.forget(&slot.partial.start.sha256);
        }
    }

    /// Looks after stale uploads until the server stops.
    pub async fn keep_tidy(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            let uploads = Arc::clone(&self);
            let _ = tokio::task::spawn_blocking(move || uploads.tidy(STALE)).await;
            tokio::select! {
                () = tokio::time::sleep(TIDY_EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

impl Slot {
    fn new(partial: Partial) -> Arc<Self> {
        Arc::new(Self { partial, work: Arc::default(), claims: watch::Sender::new(0) })
    }

    async fn claim(self: Arc<Self>) -> ApiResult<Claim> {
        self.claims.send_modify(|count| *count += 1);
        let lost = self.claims.subscribe();
        let guard = tokio::time::timeout(LOCK_TIMEOUT, Arc::clone(&self.work).lock_owned()).await.map_err(|_| {
            let text = format!("{} is still being stored: ask again", self.partial.start.sha256);
            ApiError::Client(StatusCode::SERVICE_UNAVAILABLE, text)
        })?;
        if self.partial.is_gone() {
            // It was finished or discarded while this request waited.
            let text = format!("the upload of {} ended meanwhile: POST it again", self.partial.start.sha256);
            return Err(ApiError::conflict(text));
        }
        Ok(Claim { slot: self, lost, guard })
    }
}

#[cfg(test)]
mod tests;
