//! Where uploaded files lie: in a folder or in an S3 bucket, under names that are made of their content, so that the
//! same content lies there once and no sender chooses a name.

mod key;
mod open;

pub use key::{ObjectKey, UploadKind, is_sha256};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// Larger files go in parts of this size; S3 wants at least 5 MiB a part and takes 10,000 parts.
const PART_BYTES: usize = 8 << 20;
/// Parts on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// Why content cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The place that was asked for makes no sense or cannot be used.
    #[error("cannot keep objects in {place:?}: {problem}; choose a folder or s3://BUCKET/PREFIX with --objects")]
    Place {
        /// As it was given.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// No such name can be.
    #[error("{0:?} is not an object's name: use sha256/AB/AB….mcap with 64 lower-case hex digits")]
    Key(String),
    /// There is nothing under this name.
    #[error("there is no object {0}")]
    Missing(ObjectKey),
    /// The folder or the bucket refuses or does not answer.
    #[error("object {key}: {cause}{}", clock_hint(cause))]
    Store {
        /// The object's name.
        key: String,
        /// What the store said.
        cause: object_store::Error,
    },
    /// The file to be stored cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// S3 refuses requests that are signed more than 15 minutes before or after its own time.
fn clock_hint(cause: &object_store::Error) -> &'static str {
    let said = format!("{cause:?}");
    match said.contains("RequestTimeTooSkewed") || said.contains("RequestExpired") {
        true => {
            "; this machine's clock and the storage's differ by more than 15 minutes: set this machine's clock (NTP)"
        }
        false => "",
    }
}

/// Result of everything here.
pub type ObjectsResult<T> = Result<T, ObjectsError>;

/// A folder or a bucket.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// The folder, when it is one.
    folder: Option<PathBuf>,
}

impl Objects {
    /// Stores the file's content; it is durable when this returns. Storing it again changes nothing.
    ///
    /// # Errors
    /// [`ObjectsError::Read`], [`ObjectsError::Store`].
    pub async fn put(&self, key: &ObjectKey, file: &Path) -> ObjectsResult<()> {
        let unreadable = |cause| ObjectsError::Read { path: file.to_owned(), cause };
        let refused = |cause| ObjectsError::Store { key: key.to_string(), cause };
        let mut source = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let first = read_part(&mut source).await.map_err(unreadable)?;
        if first.len() < PART_BYTES {
            return self.store.put(&key.path(), PutPayload::from(first)).await.map(drop).map_err(refused);
        }
        let upload = self.store.put_multipart(&key.path()).await.map_err(refused)?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut next = first;
        while !next.is_empty() {
            parts.wait_for_capacity(PARTS_AT_ONCE).await.map_err(refused)?;
            parts.put(next);
            next = match read_part(&mut source).await {
                Ok(part) => part,
                Err(cause) => {
                    if let Err(error) = parts.abort().await {
                        tracing::warn!(%error, %key, "parts of an upload that failed stay in the store");
                    }
                    return Err(unreadable(cause));
                }
            };
        }
        parts.finish().await.map(drop).map_err(refused)
    }

    /// Size of what lies there, bytes; `None` when nothing does.
    ///
    /// # Errors
    /// [`ObjectsError::Store`].
    pub async fn size(&self, key: &ObjectKey) -> ObjectsResult<Option<u64>> {
        match self.store.head(&key.path()).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(cause) => Err(ObjectsError::Store { key: key.to_string(), cause }),
        }
    }

    /// The content, or `range` of its bytes, piece by piece.
    ///
    /// # Errors
    /// [`ObjectsError::Missing`], [`ObjectsError::Store`], at once or in the stream.
    pub async fn get(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> ObjectsResult<impl Stream<Item = ObjectsResult<Bytes>> + use<>> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let name = key.to_string();
        let found = self.store.get_opts(&key.path(), options).await.map_err(|cause| match cause {
            object_store::Error::NotFound { .. } => ObjectsError::Missing(key.clone()),
            cause => ObjectsError::Store { key: name.clone(), cause },
        })?;
        Ok(found.into_stream().map_err(move |cause| ObjectsError::Store { key: name.clone(), cause }))
    }

    /// Removes it. Whether it was there.
    ///
    /// # Errors
    /// [`ObjectsError::Store`].
    pub async fn delete(&self, key: &ObjectKey) -> ObjectsResult<bool> {
        // S3 answers the same for what never was there, so it is asked before.
        let was_there = self.size(key).await?.is_some();
        match self.store.delete(&key.path()).await {
            Ok(()) => Ok(was_there),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(cause) => Err(ObjectsError::Store { key: key.to_string(), cause }),
        }
    }

    /// Everything that lies there, with its size in bytes, in no order. Files with other names are left out.
    pub fn list(&self) -> impl Stream<Item = ObjectsResult<(ObjectKey, u64)>> + use<> {
        self.store.list(None).filter_map(|entry| async move {
            match entry {
                Ok(meta) => ObjectKey::parse(meta.location.as_ref()).ok().map(|key| Ok((key, meta.size))),
                Err(cause) => Some(Err(ObjectsError::Store { key: "list".into(), cause })),
            }
        })
    }

    /// Where a key's file lies, when objects are kept in a folder.
    #[must_use]
    pub fn file(&self, key: &ObjectKey) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(key.as_str()))
    }
}

/// Up to [`PART_BYTES`], less only at the end.
async fn read_part(source: &mut tokio::fs::File) -> std::io::Result<Bytes> {
    let mut part = BytesMut::new();
    while part.len() < PART_BYTES {
        part.reserve((PART_BYTES - part.len()).min(1 << 20));
        let most = (PART_BYTES - part.len()) as u64;
        if source.take(most).read_buf(&mut part).await? == 0 {
            break;
        }
    }
    Ok(part.freeze())
}

#[cfg(test)]
mod tests;
