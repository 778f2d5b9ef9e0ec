//! Reads OpenDRIVE files (ASAM OpenDRIVE 1.4 to 1.8) into plain structures.
//!
//! Strict where a guess would be dangerous (numbers, units, the side of the road, two roads of one id) and lenient where
//! converters are known to be careless: encodings, references that lead nowhere, geometries and sections without length
//! or out of order, lengths that are off. What was odd is noted. Elevation, objects and signals are skipped.

mod cubic;
mod geometry;
mod lanes;
mod links;
mod model;
mod plan_view;
mod read;
mod shapes;
mod speeds;
mod text;
mod xml;

#[cfg(test)]
mod geometry_tests;

pub(crate) use geometry::Pose;
pub(crate) use model::{Connection, Contact, LaneRecord, OpenDrive, Road, RoadLink, Section, SpeedRecord};
pub(crate) use read::{MAX_BYTES, parse};
pub(crate) use text::decode;
