//! What leaves the vehicle without faces and number plates, or without whole cameras.
//!
//! [`RedactionPolicy`] is the `[privacy]` section of the recorder's settings; `redact` makes of an episode another one that
//! may be shown. It reads the pictures twice: first to find regions, so that each can be followed before and after the
//! pictures in which it was seen, then to cover them. Memory goes with a picture a camera and the regions found, not
//! with the episode's length.
//!
//! No detector finds everything. What one does not see in any of several looks stays visible; cameras that must show
//! nobody are left out whole.

#[cfg(feature = "video")]
mod blur;
#[cfg(feature = "video")]
mod cascade;
#[cfg(feature = "video")]
mod detector;
#[cfg(feature = "video")]
mod error;
#[cfg(feature = "video")]
mod film;
#[cfg(feature = "video")]
mod plates;
mod policy;
#[cfg(feature = "video")]
mod redact;
#[cfg(feature = "video")]
mod report;
#[cfg(feature = "video")]
mod track;

#[cfg(feature = "video")]
pub use detector::{BuiltInDetector, Detector, LumaPicture, Region};
#[cfg(feature = "video")]
pub use error::PrivacyError;
pub use policy::{RedactionPolicy, RegionKind};
#[cfg(feature = "video")]
pub use redact::{redact, redact_with};
#[cfg(feature = "video")]
pub use report::{RedactionReport, Regions};
