//! Boosted cascades over Haar-like features, evaluated without any library for vision.

mod group;
mod integral;
mod model;
mod scan;

pub(super) use group::group;
pub(super) use model::Cascade;
pub(super) use scan::{Level, Pyramid, Window, scan};
