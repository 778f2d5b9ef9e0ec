//! Names made of content.

use super::ObjectsError;
use object_store::path::Path;
use std::fmt;

pub use protocol::api::UploadKind;

/// The name of an object: `sha256/`, the first two hex digits, `/`, all 64, and an ending by which other tools know
/// what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Of content with this SHA-256 (64 lower-case hex digits).
    ///
    /// # Errors
    /// [`ObjectsError::Key`] when it is no such hash.
    pub fn new(sha256: &str, kind: UploadKind) -> Result<Self, ObjectsError> {
        if !is_sha256(sha256) {
            return Err(ObjectsError::Key(sha256.to_owned()));
        }
        Ok(Self(format!("sha256/{}/{sha256}.{}", &sha256[..2], kind.ending())))
    }

    /// Reads what [`Self::as_str`] gave.
    ///
    /// # Errors
    /// [`ObjectsError::Key`].
    pub fn parse(text: &str) -> Result<Self, ObjectsError> {
        let bad = || ObjectsError::Key(text.to_owned());
        let (hash, ending) = text.rsplit('/').next().and_then(|name| name.split_once('.')).ok_or_else(bad)?;
        let kind = UploadKind::ALL.into_iter().find(|kind| kind.ending() == ending).ok_or_else(bad)?;
        let key = Self::new(hash, kind).map_err(|_| bad())?;
        if key.0 == text { Ok(key) } else { Err(bad()) }
    }

    /// As it is stored in the catalogue.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The content's SHA-256, hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        let name = self.0.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    pub(super) fn path(&self) -> Path {
        Path::from(self.0.as_str())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether it is a SHA-256 as this program writes it.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
