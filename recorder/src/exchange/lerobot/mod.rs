//! LeRobotDataset v3: `meta/info.json`, `meta/stats.json`, `meta/tasks.parquet`, `meta/episodes`, `data` and `videos`.
//!
//! A row is a picture of the front camera that every other camera has too; the rate is the pictures'. `observation.state`
//! is the newest state before the picture was taken, `action` the first command after that, both in single precision as
//! training wants them; `complementary_info.is_intervention` says that the operator was the command's author. The H.264 is
//! taken over as it was recorded, never encoded again. `complementary_info.log_time_ns` keeps the true times,
//! `meta/takeover.json` the episodes' descriptions; both are what [`import`] restores an episode from. Other datasets'
//! features come along as JSON topics under `/lerobot/`, numbers and texts, and so do those with a name of ours in another
//! form; their single pictures as `foxglove.CompressedImage` on `/camera/NAME/image`. What an import leaves out or changes
//! is told in its notes.

mod export;
mod films;
mod frames;
mod import;
mod listing;
mod meta;
mod pairing;
mod rows;
mod stats;

pub use export::{Exported, KeyframeSampler, export};
pub use import::import;

/// Format version that is written and read.
pub const VERSION: &str = "v3.0";

const STATE: &str = "observation.state";
const ACTION: &str = "action";
const INTERVENTION: &str = "complementary_info.is_intervention";
const AUTHOR: &str = "complementary_info.author";
const PROPOSAL: &str = "complementary_info.proposal";
const POSE: &str = "complementary_info.pose";
const LOG_TIME: &str = "complementary_info.log_time_ns";
/// Features of ours, which have topics of their own.
const OURS: [&str; 7] = [STATE, ACTION, INTERVENTION, AUTHOR, PROPOSAL, POSE, LOG_TIME];
/// Topics of features that are none of ours.
const FOREIGN: &str = "/lerobot/";
/// Metadata record of an imported episode: task, features, robot.
const RECORD: &str = "lerobot";
/// What every dataset has.
const DEFAULT: [&str; 5] = ["timestamp", "frame_index", "episode_index", "index", "task_index"];

/// Whether a feature is one of ours: a name says little, other people have a `complementary_info.pose` too.
fn is_ours(name: &str, feature: &meta::Feature) -> bool {
    let widths = match name {
        POSE => 4..=4,
        INTERVENTION | AUTHOR | LOG_TIME => 1..=1,
        _ => 0..=usize::MAX,
    };
    OURS.contains(&name) && !feature.is_text() && widths.contains(&feature.width())
}
