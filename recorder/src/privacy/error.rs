//! Why an episode could not be redacted.

use crate::RecorderError;
use crate::exchange::ExchangeError;

/// Why an episode could not be redacted. Nothing is left behind under the episode's name.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyError {
    /// The episode could not be read or the new one written.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

impl From<RecorderError> for PrivacyError {
    fn from(error: RecorderError) -> Self {
        Self::Exchange(error.into())
    }
}
