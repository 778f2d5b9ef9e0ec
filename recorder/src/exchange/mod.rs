//! Episodes from and for other tools: cut and merge, check, export, import, live view.
//!
//! - [`edit`] cuts and merges, [`verify`] reads everything once and says what is wrong.
//! - [`lerobot`] writes and reads LeRobotDataset v3, [`table`] CSV and Parquet of states.
//! - [`rosbag2`] and [`comma2k19`] make episodes of other recordings.
//! - [`view`] serves `foxglove.sdk.v1` to live viewers, from a running robot or an episode.
//!
//! Every input is taken for hostile: an error names file and place, and memory goes with the largest piece that the
//! formats allow, never with a length that a file claims.

#[cfg(feature = "exchange")]
pub mod comma2k19;
#[cfg(any(feature = "exchange", feature = "video"))]
#[cfg_attr(not(feature = "exchange"), allow(dead_code))]
mod draft;
#[cfg(feature = "exchange")]
pub mod edit;
mod error;
#[cfg(feature = "exchange")]
pub mod lerobot;
#[cfg(feature = "exchange")]
mod npy;
// Its part for importers is not needed without them.
#[cfg(any(feature = "exchange", feature = "video"))]
#[cfg_attr(not(feature = "exchange"), allow(dead_code))]
pub(crate) mod output;
#[cfg(feature = "exchange")]
pub mod parquet;
#[cfg(any(feature = "exchange", feature = "video"))]
#[cfg_attr(not(feature = "exchange"), allow(dead_code))]
mod report;
#[cfg(feature = "exchange")]
pub mod rosbag2;
#[cfg(feature = "exchange")]
pub mod table;
#[cfg(feature = "exchange")]
pub mod verify;
#[cfg(feature = "view")]
pub mod view;

#[cfg(any(feature = "exchange", feature = "video"))]
pub use draft::discard_drafts;
pub use error::ExchangeError;
#[cfg(any(feature = "exchange", feature = "video"))]
pub use report::{Imported, import_notes};

/// Is told how much of how much is done; the unit is the caller's affair only as a share.
pub type ExchangeProgress<'a> = dyn FnMut(u64, u64) + 'a;

/// For callers that show nothing.
pub fn silent(_done: u64, _of: u64) {}
