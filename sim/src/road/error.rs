//! What can go wrong between a road file and a route.

use std::fmt;
use std::path::PathBuf;

/// Where in a road file something is: the line, and the road or junction around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Counted from 1.
    pub line: u32,
    /// `road` or `junction`, and its id.
    pub owner: Option<(String, String)>,
    /// Distance along the road, m.
    pub s_m: Option<f64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some((kind, id)) = &self.owner {
            write!(f, ", {kind} {id}")?;
        }
        self.s_m.map_or(Ok(()), |s_m| write!(f, ", s={s_m}"))
    }
}

/// Why a road network or a route could not be had. Positions are lines of the OpenDRIVE text, counted from 1.
#[derive(Debug, thiserror::Error)]
pub enum RoadError {
    /// The robot has no drivetrain.
    #[error("embodiment {embodiment:?} does not drive: it has no place on a road")]
    CannotDrive {
        /// Its name.
        embodiment: String,
    },
    /// The file could not be read.
    #[error("cannot read the road file {path}: {source}")]
    Read {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is larger than any file this reader accepts.
    #[error("the road file has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most allowed.
        limit: u64,
    },
    /// The file is an archive or packed.
    #[error("the road file is packed ({0}): unpack it and give the .xodr file inside")]
    Packed(&'static str),
    /// The text is not well-formed XML.
    #[error("the road file is not well-formed XML: {0}")]
    Xml(String),
    /// The root element is something else.
    #[error("line {line}: the root element is <{found}>, not <OpenDRIVE>")]
    NotOpenDrive {
        /// The line of the file.
        line: u32,
        /// The root element's name.
        found: String,
    },
    /// A required attribute is absent.
    #[error("{place}: <{element}> lacks the attribute {attribute:?}")]
    MissingAttribute {
        /// The place in the file.
        place: Box<Place>,
        /// The element.
        element: String,
        /// The attribute it should have.
        attribute: String,
    },
    /// An attribute's value cannot be used.
    #[error("{place}: <{element}> has {attribute}={value:?}: {problem}")]
    BadValue {
        /// The place in the file.
        place: Box<Place>,
        /// The element.
        element: String,
        /// The attribute.
        attribute: String,
        /// Its value as written.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A required child element is absent.
    #[error("{place}: <{element}> lacks a <{child}>")]
    MissingElement {
        /// The place in the file.
        place: Box<Place>,
        /// The element.
        element: String,
        /// The child it should have.
        child: String,
    },
    /// The network would need too much memory.
    #[error("the network has about {points:.0} centre-line points, more than the {limit} allowed")]
    TooManyPoints {
        /// Estimated points of all lanes.
        points: f64,
        /// The most allowed.
        limit: usize,
    },
    /// A polynomial of the file runs away.
    #[error("road {road:?}: at s={s_m} m the {what} lies {value} m beside the reference line")]
    WildLane {
        /// The road's id.
        road: String,
        /// Where along it.
        s_m: f64,
        /// Lane offset or lane edge.
        what: &'static str,
        /// How far out.
        value: f64,
    },
    /// The pieces of a plan view do not meet.
    #[error("road {road:?}: the plan view jumps by {jump_m} m near s={s_m} m")]
    Torn {
        /// The road's id.
        road: String,
        /// Where along it.
        s_m: f64,
        /// How far.
        jump_m: f64,
    },
    /// The file has no road with a lane.
    #[error("the road file has no road with lanes")]
    NoRoads,
    /// No network of this name is built in.
    #[error("no built-in road network is called {0:?}")]
    UnknownBuiltIn(String),
    /// No driving lane to start on.
    #[error("the road network {0:?} has no driving lane to start a route on")]
    NoRoute(String),
    /// A number asked for makes no sense.
    #[error("{name} must be {expected}, got {value}")]
    BadArgument {
        /// The argument.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it was.
        value: f64,
    },
}
