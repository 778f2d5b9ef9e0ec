//! Everything that comes from outside, as functions of bytes that may neither panic, hang nor ask for memory without
//! bounds.
//!
//! cargo-fuzz calls them with instrumentation (`make fuzz`, docs/fuzzing.md); a test of this crate calls them without,
//! with the kept corpus and all that ever broke them. An input is what a file or a packet holds wherever bytes alone can
//! get anywhere; where a checksum or a signature would turn all of them away, the first byte chooses whether the function
//! puts the right one around them.

mod config;
mod control_plane;
mod dataset;
mod episode;
mod film;
mod gate;
mod grants;
mod input;
mod logs;
mod media;
mod opendrive;
mod picture;
mod policy;
mod robot;
pub mod seeds;
mod sound;
mod wire;

pub use dataset::{DATASET, SEGMENT, SEGMENT_FROM};
pub use grants::key;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, in the order of their names.
pub const TARGETS: [Target; 15] = [
    ("config", config::run),
    ("control_plane", control_plane::run),
    ("dataset", dataset::run),
    ("episode", episode::run),
    ("film", film::run),
    ("gate", gate::run),
    ("grants", grants::run),
    ("logs", logs::run),
    ("media", media::run),
    ("opendrive", opendrive::run),
    ("picture", picture::run),
    ("policy", policy::run),
    ("robot", robot::run),
    ("sound", sound::run),
    ("wire", wire::run),
];

/// Runs one input of a target.
///
/// # Panics
/// When there is no such target, and when the input breaks something.
pub fn run(target: &str, bytes: &[u8]) {
    match TARGETS.iter().find(|(name, _)| *name == target) {
        Some((_, run)) => run(bytes),
        None => panic!("there is no target {target:?}"),
    }
}
