//! The road network as vehicles use it: lanes seen in their direction of travel, joined into a graph.
//!
//! [`RoadNetwork`] is read from an OpenDRIVE file and never changes afterwards. Roads, lane sections, offsets and widths
//! are gone by then: what is left are lanes with sampled centre lines and the links between them.

mod build;
mod error;
mod joints;
mod lane;
mod limits;
mod report;
mod sample;

pub use error::{Place, RoadError};
pub use lane::{Bounds, CentrePoint, Lane, LaneId, LaneKind, RoadMark, SpeedLimit};
pub use report::{LoadReport, NoteKind, RoadNote};

use crate::opendrive;
use crate::route::{self, Route};
use std::io::Read;
use std::path::Path;

/// The roads delivered with the crate: name and OpenDRIVE text.
const BUILT_IN: [(&str, &str); 3] = [
    ("e6mini", include_str!("../roads/e6mini.xodr")),
    ("fabriksgatan", include_str!("../roads/fabriksgatan.xodr")),
    ("soderleden", include_str!("../roads/soderleden.xodr")),
];

/// The longest route that may be asked for; it takes some 20 MB.
const MAX_ROUTE_M: f64 = 200_000.0;

/// An immutable road network; share it in an `Arc`.
#[derive(Clone, Debug)]
pub struct RoadNetwork {
    name: String,
    xodr: std::sync::Arc<str>,
    lanes: Vec<Lane>,
    bounds: Bounds,
    report: std::sync::Arc<LoadReport>,
}

impl RoadNetwork {
    /// Reads OpenDRIVE (1.4 to 1.8) from `text`, whatever encoding its XML declaration names. Errors name the line, road,
    /// element, attribute and value; what is odd but harmless is in the [`report`](Self::report).
    pub fn from_xodr(name: &str, text: &str) -> Result<Self, RoadError> {
        Self::read(name, text, LoadReport::default())
    }

    fn read(name: &str, text: &str, mut report: LoadReport) -> Result<Self, RoadError> {
        let file = opendrive::parse(text, &mut report)?;
        let lanes = build::build(&file, &mut report)?;
        let bounds = build::bounds(&lanes);
        Ok(Self { name: name.to_owned(), xodr: text.into(), bounds, lanes, report: report.into() })
    }

    /// Reads an OpenDRIVE file's bytes: UTF-8, UTF-16 or UTF-32 with or without a byte order mark, ISO-8859-1 or
    /// Windows-1252. Errors are those of [`from_xodr`](Self::from_xodr), and one for packed files.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, RoadError> {
        if bytes.len() as u64 > opendrive::MAX_BYTES {
            return Err(RoadError::TooLarge { bytes: bytes.len() as u64, limit: opendrive::MAX_BYTES });
        }
        let decoded = opendrive::decode(bytes)?;
        let mut report = LoadReport::default();
        for (kind, detail) in decoded.oddities {
            report.push(RoadNote { kind, line: None, road: None, s_m: None, detail });
        }
        Self::read(name, &decoded.text, report)
    }

    /// Reads the OpenDRIVE file at `path`; the network's name is the file's stem.
    pub fn from_file(path: &Path) -> Result<Self, RoadError> {
        let unreadable = |source| RoadError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        // One byte more than allowed, so that the size check sees what is too large without reading all of it.
        file.take(opendrive::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self::from_bytes(&name, &bytes)
    }

    /// One of the networks delivered with the crate, see [`built_in_names`](Self::built_in_names).
    pub fn built_in(name: &str) -> Result<Self, RoadError> {
        let known = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (name, text) = known.ok_or_else(|| RoadError::UnknownBuiltIn(name.to_owned()))?;
        Self::from_xodr(name, text)
    }

    /// An open plane of 600 m by 20 m, for robots that need no road.
    pub fn plane() -> Result<Self, RoadError> {
        Self::from_xodr("plane", include_str!("../roads/plane.xodr"))
    }

    /// The names [`built_in`](Self::built_in) knows.
    pub fn built_in_names() -> &'static [&'static str] {
        const NAMES: [&str; 3] = [BUILT_IN[0].0, BUILT_IN[1].0, BUILT_IN[2].0];
        &NAMES
    }

    /// The network's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was odd about the file it was read from.
    pub fn report(&self) -> &LoadReport {
        &self.report
    }

    /// The OpenDRIVE text that it was read from, as UTF-8.
    pub fn xodr(&self) -> &str {
        &self.xodr
    }

    /// All lanes of all kinds; a lane's [`LaneId`] is its index here.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// The smallest axis-parallel rectangle around all lane edges.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// A route of at least `min_m` metres where the network allows it, the longest found otherwise. It starts on a
    /// random driving lane, follows successors and turns at random; the same generator state gives the same route.
    pub fn random_route(&self, rng: &mut impl rand::Rng, min_m: f64) -> Result<Route, RoadError> {
        if !(1.0..=MAX_ROUTE_M).contains(&min_m) {
            return Err(RoadError::BadArgument { name: "min_m", expected: "between 1 and 200000 m", value: min_m });
        }
        let legs = route::plan(&self.lanes, rng, min_m);
        Route::along(&self.lanes, &legs).ok_or_else(|| RoadError::NoRoute(self.name.clone()))
    }
}
