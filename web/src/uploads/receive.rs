//! Bytes on their way into an upload's file.

use super::partial::blocking;
use super::{Claim, Uploads};
use crate::reply::{ApiError, ApiResult};
use axum::body::BodyDataStream;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::StreamExt;
use protocol::api::UploadState;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A sender that sends nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(30);

/// Appends what `body` brings at `offset`, which must be where the upload stands. What came before the body broke off
/// is kept.
pub async fn receive(
    uploads: &Arc<Uploads>,
    sha256: &str,
    offset: u64,
    body: BodyDataStream,
) -> ApiResult<UploadState> {
    let mut claim = uploads.claim(sha256).await?;
    let (file, end) = {
        let slot = Arc::clone(&claim.slot);
        blocking(move || slot.partial.open()).await?
    };
    if offset != end {
        return Err(ApiError::conflict(format!("offset: {offset} is not valid: the upload stands at {end}")));
    }
    let bytes = claim.slot.partial.start.bytes;
    let mut intake = Intake { file: Some(file), end, bytes };
    let outcome = intake.take_all(body, &mut claim).await;
    intake.sync().await?;
    uploads.received.fetch_add(intake.end - end, Ordering::Relaxed);
    outcome?;
    if intake.end < bytes {
        return Ok(UploadState { offset: intake.end, complete: false });
    }
    uploads.finish(claim).await
}

struct Intake {
    /// Away only while a piece is being written.
    file: Option<File>,
    end: u64,
    bytes: u64,
}

impl Intake {
    async fn take_all(&mut self, mut body: BodyDataStream, claim: &mut Claim) -> ApiResult<()> {
        loop {
            let piece = tokio::select! {
                piece = tokio::time::timeout(SILENCE, body.next()) => piece,
                _ = claim.lost.changed() => {
                    return Err(ApiError::conflict("somebody else goes on with this upload".to_owned()));
                }
            };
            let piece = match piece {
                Ok(Some(Ok(piece))) => piece,
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) => {
                    let text = format!("the body broke off at {}: {error}", self.end);
                    return Err(ApiError::Client(StatusCode::BAD_REQUEST, text));
                }
                Err(_) => {
                    let text = format!("nothing came for {SILENCE:?}; the upload stands at {}", self.end);
                    return Err(ApiError::Client(StatusCode::REQUEST_TIMEOUT, text));
                }
            };
            if piece.len() as u64 > self.bytes - self.end {
                let text = format!("more than the {} bytes came that the upload was begun with", self.bytes);
                return Err(ApiError::Client(StatusCode::PAYLOAD_TOO_LARGE, text));
            }
            self.write(piece).await?;
        }
    }

    async fn write(&mut self, piece: Bytes) -> std::io::Result<()> {
        let Some(mut file) = self.file.take() else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
        let length = piece.len() as u64;
        let file = blocking(move || file.write_all(&piece).map(|()| file)).await?;
        self.file = Some(file);
        self.end += length;
        Ok(())
    }

    async fn sync(&mut self) -> std::io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        blocking(move || file.sync_data()).await
    }
}
