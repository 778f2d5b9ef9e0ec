//! Reads OpenDRIVE files (ASAM OpenDRIVE 1.4 to 1.7) into plain structures.
//!
//! Strict where a guess would be dangerous (numbers, lengths, references to roads and junctions) and lenient where
//! converters are known to be careless: missing lane links, missing paint, unsorted or tiny sections, lengths that are
//! slightly off, lane links that lead nowhere. Elevation, objects and signals are skipped.

mod cubic;
mod geometry;
mod lanes;
mod model;
mod plan_view;
mod read;
mod xml;

#[cfg(test)]
mod geometry_tests;

pub(crate) use geometry::Pose;
pub(crate) use model::{Connection, Contact, LaneRecord, OpenDrive, Road, RoadLink, Section};
pub(crate) use read::{MAX_BYTES, parse};
