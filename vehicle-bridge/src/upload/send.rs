//! Bytes of an upload on their way to the control plane, a request at a time.

use super::pace::Pace;
use control_plane_client::{ClientError, ControlPlaneClient};
use protocol::api::{UploadStart, UploadState};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// One request carries what goes in so much time, within these bounds, bytes: after each of them something more
/// valuable may go first, and what was acknowledged is never sent again.
const REQUEST_S: f64 = 4.0;
const REQUEST: std::ops::RangeInclusive<u64> = 16 << 10..=4 << 20;

/// Why something is not uploaded (yet).
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The control plane cannot be reached or refuses it.
    #[error(transparent)]
    ControlPlane(#[from] ClientError),
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl UploadError {
    /// Whether asking again later may help. Unlike elsewhere it may after 404 and 409: the upload is not known any more,
    /// or it stands elsewhere, and its next beginning says where.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::ControlPlane(error) => error.may_pass() || matches!(error.status(), Some(404 | 409)),
            Self::File { .. } => false,
        }
    }
}

/// Sends bytes of the file at `path` from `offset` on, as many as fit a request; `seen` hears of every piece.
///
/// # Errors
/// [`UploadError`]; the upload then stands wherever [`ControlPlaneClient::begin_upload`] says.
pub fn append(
    client: &ControlPlaneClient,
    start: &UploadStart,
    path: &Path,
    offset: u64,
    pace: &Pace,
    seen: &mut dyn FnMut(usize),
) -> Result<UploadState, UploadError> {
    let unreadable = |source| UploadError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
    let length = request_bytes(pace.limit_bps()).min(start.bytes.saturating_sub(offset));
    let mut body = pace.read(file, length, seen);
    Ok(client.append_upload(&start.sha256, offset, &mut body)?)
}

fn request_bytes(limit_bps: Option<f64>) -> u64 {
    let bytes = limit_bps.map_or(u64::MAX, |bps| (bps / 8.0 * REQUEST_S) as u64);
    bytes.clamp(*REQUEST.start(), *REQUEST.end())
}
