//! What is kept of an OpenDRIVE file.

use super::{cubic::Cubics, plan_view::PlanView};
use crate::road::{LaneKind, RoadMark};

/// A whole file. Roads are in the order of the file and referred to by index.
#[derive(Clone, Debug)]
pub(crate) struct OpenDrive {
    pub roads: Vec<Road>,
    pub connections: Vec<Connection>,
}

/// One `<road>`.
#[derive(Clone, Debug)]
pub(crate) struct Road {
    pub id: String,
    /// End of the plan view; the `length` attribute agrees with it closely.
    pub length: f64,
    pub left_hand_traffic: bool,
    pub predecessor: Option<RoadLink>,
    pub successor: Option<RoadLink>,
    /// Where a type of road begins, with its limit or the usual speed.
    pub speeds: Vec<SpeedRecord>,
    pub plan_view: PlanView,
    pub lane_offset: Cubics,
    /// In the order of s, at least one.
    pub sections: Vec<Section>,
}

/// A speed limit that holds from `s` until the next record, m/s; `None` where the file takes one back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SpeedRecord {
    pub s: f64,
    pub limit_mps: Option<f64>,
}

/// What lies at a road's end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RoadLink {
    /// Another road (by index) and which end of it; `None` where the file does not say.
    Road(usize, Option<Contact>),
    /// A junction, by index.
    Junction(usize),
}

/// One of a road's two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contact {
    Start,
    End,
}

/// One `<laneSection>`; it ends where the next one starts.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub s: f64,
    /// Left lanes have positive ids, right lanes negative ones; from the leftmost (largest id) to the rightmost,
    /// without the centre lane.
    pub lanes: Vec<LaneRecord>,
    /// Paint on the centre line.
    pub centre_mark: RoadMark,
}

/// One `<lane>` other than the centre lane. The s of its polynomials counts along the road, not the section.
#[derive(Clone, Debug)]
pub(crate) struct LaneRecord {
    pub id: i64,
    pub kind: LaneKind,
    /// Lateral position of the outer edge, where the file gives borders instead of widths.
    pub border: Cubics,
    pub width: Cubics,
    pub predecessors: Vec<i64>,
    pub successors: Vec<i64>,
    pub speeds: Vec<SpeedRecord>,
    pub mark: RoadMark,
    /// Used against the direction its side has by the rule of the road.
    pub reversed: bool,
}

/// One `<connection>` of a junction: a road that comes in and one that leads on.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub junction: usize,
    pub incoming: usize,
    /// The connecting road, or the linked road of a direct junction.
    pub outgoing: usize,
    pub contact: Option<Contact>,
    /// Lane ids (from, to).
    pub lane_links: Vec<(i64, i64)>,
}
