//! A lane and what it is made of.

/// Index of a lane in [`RoadNetwork::lanes`](super::RoadNetwork::lanes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub usize);

/// What a lane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneKind {
    /// General traffic, ramps and bidirectional lanes included.
    Driving,
    /// Paved, but for emergencies only (OpenDRIVE `shoulder` and `stop`).
    Shoulder,
    /// A hard edge: kerb or verge.
    Border,
    /// For pedestrians.
    Sidewalk,
    /// For bicycles.
    Biking,
    /// Divides the two directions.
    Median,
    /// Anything else: parking, tram, bus, restricted, none.
    Other,
}

/// The painted line between two lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoadMark {
    /// No paint.
    None,
    /// A solid line, doubles included.
    Solid,
    /// A broken line.
    Broken,
    /// Mixed doubles, dots, kerbs, grass.
    Other,
}

/// A sample of a lane's centre line, in the direction of travel; x and y in the network's own metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CentrePoint {
    /// Distance along the centre line from the lane's first point.
    pub s_m: f64,
    /// East, or whatever the network's x means.
    pub x_m: f64,
    /// North, or whatever the network's y means.
    pub y_m: f64,
    /// Direction of travel, counter-clockwise from +x. Continuous along the lane, so it may leave -pi..pi.
    pub heading_rad: f64,
    /// Curvature of the lane's own centre line, positive where it bends left.
    pub curvature_per_m: f64,
    /// Distance from the centre line to the lane's left edge.
    pub left_m: f64,
    /// Distance from the centre line to the lane's right edge.
    pub right_m: f64,
}

impl CentrePoint {
    /// The lane's width here in metres.
    pub fn width_m(&self) -> f64 {
        self.left_m + self.right_m
    }
}

/// A lane of one lane section, seen in its direction of travel.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    /// Its index in the network.
    pub id: LaneId,
    /// What it is for.
    pub kind: LaneKind,
    /// Centre line, at least two points about 1 m apart. Point `i` of two lanes of the same lane section lies at the
    /// same place along the road (counted from the other end where they run in opposite directions).
    pub centre: Vec<CentrePoint>,
    /// Lanes that continue this one without a gap.
    pub successors: Vec<LaneId>,
    /// Lanes that this one continues.
    pub predecessors: Vec<LaneId>,
    /// The driving lane of the same direction directly to the left, if this is a driving lane.
    pub left: Option<LaneId>,
    /// The driving lane of the same direction directly to the right, if this is a driving lane.
    pub right: Option<LaneId>,
    /// The driving lane of the other direction directly across the centre line.
    pub opposite: Option<LaneId>,
    /// Speed limits in the direction of travel, at least one; the usual ones for the type of road where the file names
    /// none. Each holds from its start until the next one's.
    pub speed_limits: Vec<SpeedLimit>,
    /// Paint at the left edge.
    pub left_mark: RoadMark,
    /// Paint at the right edge.
    pub right_mark: RoadMark,
    /// Length of the centre line.
    pub length_m: f64,
}

impl Lane {
    /// The speed limit `s_m` along the centre line, m/s; before the start and past the end it is that of the end.
    #[must_use]
    pub fn speed_limit_mps(&self, s_m: f64) -> f64 {
        let after = self.speed_limits.partition_point(|limit| limit.from_m <= s_m);
        self.speed_limits.get(after.saturating_sub(1)).map_or(0.0, |limit| limit.limit_mps)
    }
}

/// A speed limit and where on its lane it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpeedLimit {
    /// Distance along the lane's centre line.
    pub from_m: f64,
    /// The limit in m/s.
    pub limit_mps: f64,
}

/// An axis-parallel rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Smallest x in metres.
    pub min_x_m: f64,
    /// Smallest y in metres.
    pub min_y_m: f64,
    /// Largest x in metres.
    pub max_x_m: f64,
    /// Largest y in metres.
    pub max_y_m: f64,
}
