//! The launcher's parts: the demo that closes the loop on one machine, the scripted operator's seat, the benchmarks.
//!
//! Everything that a product needs lives in the crates beside this one; here they are only started and shown.

#[macro_use]
pub mod output;

pub mod audit;
pub mod bench;
pub mod bridge;
pub mod control_plane;
pub mod demo;
pub mod drawing;
pub mod embodiment;
pub mod episode;
pub mod evaluate;
pub mod gate;
pub mod geofence;
pub mod latency_study;
pub mod link_report;
pub mod netem;
pub mod operator;
pub mod policy;
pub mod recording_bench;
pub mod road;
pub mod seat;
pub mod seat_choice;
pub mod train;
