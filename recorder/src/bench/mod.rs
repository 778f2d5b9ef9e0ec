//! Figures of the recorder, for `make bench`: each beside the goal it is held to, or a peer measured at its side.

mod live;
mod load;
mod read;
mod write;

use crate::RecorderError;
use std::path::Path;

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// What was measured.
    pub name: &'static str,
    /// The result.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// Whether less is better.
    pub less_is_better: bool,
    /// The goal or the peer.
    pub peer: &'static str,
    /// The peer's figure.
    pub peer_value: f64,
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The recorder.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// A name is not an identifier.
    #[error(transparent)]
    Id(#[from] protocol::IdError),
    /// The peer's writer or reader.
    #[error("the mcap crate: {0}")]
    Peer(#[from] mcap::McapError),
    /// The measurement's own files.
    #[error("{0}: {1}")]
    Io(&'static str, std::io::Error),
    /// Something that the measurement relies on did not come.
    #[error("{0}")]
    Missing(&'static str),
}

impl BenchError {
    fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io(what, error)
    }
}

fn higher(name: &'static str, value: f64, unit: &'static str, peer: &'static str, peer_value: f64) -> Figure {
    Figure { name, value, unit, less_is_better: false, peer, peer_value }
}

fn lower(name: &'static str, value: f64, unit: &'static str, peer: &'static str, peer_value: f64) -> Figure {
    Figure { name, value, unit, less_is_better: true, peer, peer_value }
}

/// Measures everything, with files in `dir`, which is left as it was. `effort` multiplies the amount of data.
///
/// # Errors
/// [`BenchError`] when something cannot be measured.
pub fn run(dir: &Path, effort: usize) -> Result<Vec<Figure>, BenchError> {
    // The live ones first: memory that others have given back would hide what they take.
    let live = live::figures(dir)?;
    let mut figures = write::figures(dir, effort)?;
    figures.extend(read::figures(dir, effort)?);
    figures.extend(live);
    Ok(figures)
}
