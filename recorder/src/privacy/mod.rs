//! What leaves the vehicle without faces and number plates, or without whole cameras.
//!
//! [`Policy`] is the `[privacy]` section of the recorder's settings; `redact` makes of an episode another one that may
//! be shown.

#[cfg(feature = "video")]
mod error;
mod policy;
#[cfg(feature = "video")]
mod report;

#[cfg(feature = "video")]
pub use error::PrivacyError;
pub use policy::{Kind, Policy};
#[cfg(feature = "video")]
pub use report::{RedactionReport, redact};
