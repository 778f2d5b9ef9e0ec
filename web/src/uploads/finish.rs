//! From a whole upload to an object that an episode has.

use super::partial::blocking;
use super::{Claim, Uploads};
use crate::objects::ObjectKey;
use crate::reply::{ApiError, ApiResult};
use axum::http::StatusCode;
use protocol::api::{UploadStart, UploadState};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

impl Uploads {
    /// Checks the hash and stores the content, in a task of its own: a sender that hangs up changes nothing.
    pub(super) async fn finish(self: &Arc<Self>, claim: Claim) -> ApiResult<UploadState> {
        let uploads = Arc::clone(self);
        let done = tokio::spawn(async move { uploads.keep(claim).await });
        done.await.map_err(|e| ApiError::File(std::io::Error::other(e)))?
    }

    async fn keep(&self, claim: Claim) -> ApiResult<UploadState> {
        let Claim { slot, guard, .. } = claim;
        let start = &slot.partial.start;
        let path = slot.partial.path().to_owned();
        let found = blocking(move || hash(&path)).await?;
        if found != start.sha256 {
            slot.partial.remove();
            self.forget(&start.sha256);
            let text =
                format!("the content has SHA-256 {found}, not {}: it was discarded, send it again", start.sha256);
            return Err(ApiError::invalid(text));
        }
        let key = ObjectKey::new(&start.sha256, start.kind)?;
        self.objects.put(&key, slot.partial.path()).await?;
        let recorded = self.record(start, &key).await;
        if matches!(recorded, Err(ApiError::Client(StatusCode::GONE, _))) {
            slot.partial.remove();
            self.forget(&start.sha256);
        }
        recorded?;
        slot.partial.remove();
        self.forget(&start.sha256);
        drop(guard);
        tracing::info!(vehicle = %start.vehicle, episode = %start.episode, kind = start.kind.label(), bytes = start.bytes, "uploaded");
        Ok(UploadState { offset: start.bytes, complete: true })
    }

    /// Enters the object as the episode's; what it takes the place of goes, unless another episode has it too.
    pub(super) async fn record(&self, start: &UploadStart, key: &ObjectKey) -> ApiResult<()> {
        let recorded = self.store.record_file(start, key).await;
        if matches!(recorded, Err(ApiError::Client(StatusCode::GONE, _))) && !self.store.is_used(key).await? {
            self.objects.delete(key).await?;
        }
        let Some(old) = recorded? else { return Ok(()) };
        if !self.store.is_used(&old).await? {
            self.objects.delete(&old).await?;
        }
        Ok(())
    }
}

fn hash(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 17]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}
