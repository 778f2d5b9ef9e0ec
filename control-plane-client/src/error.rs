//! The one error type.

use crate::ControlPlaneAddressError;

/// Why a call of the control plane failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] ControlPlaneAddressError),
    /// More is asked for than fits the address of a request.
    #[error("{name} has {bytes} bytes, more than a request can carry; ask for less")]
    TooLong {
        /// The longest filter.
        name: String,
        /// Its length.
        bytes: usize,
    },
    /// There is no connection.
    #[error(
        "no control plane answers at {address}: {reason}; start one there with `takeover web`, or name another with \
         --control-plane"
    )]
    Unreachable {
        /// The control plane's address.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The connection broke, or the answer did not come in time; the control plane may have done what it was asked.
    #[error("the connection to the control plane at {address} was lost in {call}: {reason}")]
    Lost {
        /// The control plane's address.
        address: String,
        /// What was asked, such as `POST /api/v1/trips`.
        call: String,
        /// What happened.
        reason: String,
    },
    /// The control plane answered that it will not, or not now.
    #[error("the control plane at {address} refuses {call} ({status}): {reason}")]
    Refused {
        /// The control plane's address.
        address: String,
        /// What was asked.
        call: String,
        /// HTTP status.
        status: u16,
        /// The control plane's own words.
        reason: String,
    },
    /// What was answered is not what a control plane of this release answers.
    #[error("the answer of {address} to {call} cannot be read: {reason}")]
    Unreadable {
        /// The control plane's address.
        address: String,
        /// What was asked.
        call: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The user ended the program meanwhile.
    #[error("interrupted while the control plane at {address} was asked")]
    Interrupted {
        /// The control plane's address.
        address: String,
    },
}

impl ClientError {
    /// Whether the same call may well succeed a little later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost { .. } => true,
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500..),
            Self::Address(_) | Self::TooLong { .. } | Self::Unreadable { .. } | Self::Interrupted { .. } => false,
        }
    }

    /// What is wrong, for a sentence that names address and call itself.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Unreachable { reason, .. } | Self::Lost { reason, .. } | Self::Unreadable { reason, .. } => {
                reason.clone()
            }
            Self::Refused { status, reason, .. } => format!("{reason} ({status})"),
            Self::Address(_) | Self::TooLong { .. } | Self::Interrupted { .. } => self.to_string(),
        }
    }

    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}
