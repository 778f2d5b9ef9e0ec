//! What fits on the road: the things around in the lane's coordinates, and the predicates that a path must pass.

use crate::geofence::Geofence;
use crate::pursuit;
use policy::Corridor;
use protocol::Embodiment;
use protocol::v1::{ObjectKind, Pose2, TrackedObject, Waypoint};

/// Most waypoints of a path.
pub const MAX_POINTS: usize = 64;
/// Distances between two waypoints, metres.
pub const SPACING_M: (f64, f64) = (0.2, 10.0);
/// No waypoint is farther away, metres.
pub const FARTHEST_M: f64 = 120.0;
/// A path's turns are at least so much wider than the tightest of the vehicle, so that steering has something in hand.
const TURN_MARGIN: f64 = 1.2;
/// Room kept to what stands beside a path, metres.
pub const ROOM_M: f64 = 0.25;
/// A thing that comes nearer than this to the body of a vehicle in the middle of the lane blocks it, metres.
const BLOCKS_ROOM_M: f64 = 0.2;
/// Things with less than this between them are one blockage, metres.
const CHAIN_M: f64 = 18.0;
/// Slower than this stands, m/s.
const STILL_MPS: f64 = 0.5;
/// A path is checked at places so far apart, metres.
const SAMPLE_M: f64 = 1.0;

/// What of the vehicle matters for where it fits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shape {
    /// From its origin to the front end, metres.
    pub front_m: f64,
    /// From its origin back to the rear end, metres.
    pub rear_m: f64,
    /// Half of its width, metres.
    pub half_width_m: f64,
    /// Radius of the tightest turn that a path may have, metres.
    pub tightest_m: f64,
    /// Speed on a chosen path, m/s.
    pub speed_mps: f64,
}

impl Shape {
    /// That of `embodiment`, which drives paths with `speed_mps` where it can.
    #[must_use]
    pub fn of(embodiment: &Embodiment, speed_mps: f64) -> Self {
        let speed_mps = speed_mps.min(embodiment.fastest_mps());
        let steer = embodiment.channels().steer.and_then(|index| embodiment.action.get(index));
        let most_per_m = steer.map_or(0.0, |c| embodiment.kinematics.curvature_per_m(c.max.min(-c.min), speed_mps));
        Self {
            front_m: embodiment.front_m(),
            rear_m: embodiment.rear_m(),
            half_width_m: embodiment.half_width_m(),
            tightest_m: TURN_MARGIN / most_per_m.max(1e-9),
            speed_mps,
        }
    }
}

/// Something perceived, in the vehicle frame and along the lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thing {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its middle, vehicle frame, metres.
    pub at_m: (f64, f64),
    /// Its direction, vehicle frame.
    pub heading_rad: f64,
    /// Over ground, m/s.
    pub velocity_mps: (f64, f64),
    /// Half of its length and width, metres.
    pub half_m: (f64, f64),
    /// Its nearest and farthest place along the lane, metres from the rear axle.
    pub along_m: (f64, f64),
    /// Its right and left edge from the lane's centre, left positive, metres.
    pub beside_m: (f64, f64),
}

impl Thing {
    /// `object` along `corridor`.
    #[must_use]
    pub fn of(object: &TrackedObject, corridor: Corridor) -> Self {
        let place = corridor.project(object.x_m, object.y_m);
        let (sin, cos) = f64::from(object.heading_rad - place.heading).sin_cos();
        let half_m = (f64::from(object.length_m) / 2.0, f64::from(object.width_m) / 2.0);
        let half_s = half_m.0 * cos.abs() + half_m.1 * sin.abs();
        let half_d = half_m.0 * sin.abs() + half_m.1 * cos.abs();
        let (s, d) = (f64::from(place.s), f64::from(place.d));
        Self {
            kind: object.kind(),
            at_m: (object.x_m.into(), object.y_m.into()),
            heading_rad: object.heading_rad.into(),
            velocity_mps: (object.velocity_x_mps.into(), object.velocity_y_mps.into()),
            half_m,
            along_m: (s - half_s, s + half_s),
            beside_m: (d - half_d, d + half_d),
        }
    }

    /// Whether it stands.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.velocity_mps.0.hypot(self.velocity_mps.1) < STILL_MPS
    }

    /// Whether it is a person, who may walk on at any time.
    #[must_use]
    pub fn is_person(&self) -> bool {
        matches!(self.kind, ObjectKind::Pedestrian | ObjectKind::Cyclist)
    }

    fn blocks_lane(&self, own: &Shape) -> bool {
        let half_m = own.half_width_m + BLOCKS_ROOM_M;
        self.is_still() && !self.is_person() && self.beside_m.0 < half_m && self.beside_m.1 > -half_m
    }

    /// Whether a vehicle of the shape `own` with its origin at `(x, y)` heading `heading_rad` comes nearer than `room_m` to it, by the
    /// separating axes of both bodies, when the thing has moved on for `seconds`.
    #[must_use]
    pub fn is_met(&self, own: &Shape, (x, y): (f64, f64), heading_rad: f64, room_m: f64, seconds: f64) -> bool {
        let (sin, cos) = heading_rad.sin_cos();
        let ahead = (own.front_m - own.rear_m) / 2.0;
        let half = ((own.front_m + own.rear_m) / 2.0 + room_m, own.half_width_m + room_m);
        let thing = (self.at_m.0 + self.velocity_mps.0 * seconds, self.at_m.1 + self.velocity_mps.1 * seconds);
        let between = (thing.0 - x - ahead * cos, thing.1 - y - ahead * sin);
        let (other_sin, other_cos) = self.heading_rad.sin_cos();
        let reach = |ax: f64, ay: f64, (sin, cos): (f64, f64), half: (f64, f64)| {
            half.0 * (ax * cos + ay * sin).abs() + half.1 * (ay * cos - ax * sin).abs()
        };
        [(cos, sin), (-sin, cos), (other_cos, other_sin), (-other_sin, other_cos)].iter().all(|(ax, ay)| {
            let apart = (between.0 * ax + between.1 * ay).abs();
            apart < reach(*ax, *ay, (sin, cos), half) + reach(*ax, *ay, (other_sin, other_cos), self.half_m)
        })
    }
}

/// What stands in the lane ahead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blockage {
    /// Word for the nearest thing.
    pub what: &'static str,
    /// Where it begins and ends along the lane, metres from the rear axle.
    pub near_m: f64,
    /// See `near_m`.
    pub far_m: f64,
    /// Its right and left edge from the lane's centre, metres.
    pub beside_m: (f64, f64),
}

/// The nearest blockage of the lane within `notice_m` of the front end.
#[must_use]
pub fn blockage(own: &Shape, things: &[Thing], notice_m: f64) -> Option<Blockage> {
    let ahead = || things.iter().filter(|t| t.blocks_lane(own) && t.along_m.0 > own.front_m);
    let first = ahead().min_by(|a, b| a.along_m.0.total_cmp(&b.along_m.0))?;
    if first.along_m.0 - own.front_m > notice_m {
        return None;
    }
    let what = match first.kind {
        ObjectKind::Cone => "a cone",
        ObjectKind::Truck => "a truck",
        ObjectKind::Car => "a car",
        _ => "something",
    };
    let mut whole = Blockage { what, near_m: first.along_m.0, far_m: first.along_m.1, beside_m: first.beside_m };
    // Things are few: growing the chain until nothing joins is cheap.
    while let Some(next) = ahead().find(|t| t.along_m.0 < whole.far_m + CHAIN_M && t.along_m.1 > whole.far_m) {
        whole.far_m = next.along_m.1;
    }
    for thing in ahead().filter(|t| t.along_m.0 <= whole.far_m) {
        whole.beside_m = (whole.beside_m.0.min(thing.beside_m.0), whole.beside_m.1.max(thing.beside_m.1));
    }
    Some(whole)
}

/// A path of numbers.
#[must_use]
pub fn is_finite(points: &[Waypoint]) -> bool {
    points.iter().all(|p| p.x_m.is_finite() && p.y_m.is_finite())
}

/// As many waypoints as a path has.
#[must_use]
pub fn is_countable(points: &[Waypoint]) -> bool {
    (2..=MAX_POINTS).contains(&points.len())
}

fn segments(points: &[Waypoint]) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
    let place = |p: &Waypoint| (f64::from(p.x_m), f64::from(p.y_m));
    points.windows(2).map(move |pair| (place(&pair[0]), place(&pair[1])))
}

/// Near the vehicle, no gaps and no heaps.
#[must_use]
pub fn is_evenly_set(points: &[Waypoint]) -> bool {
    let near = |p: &Waypoint| f64::from(p.x_m).hypot(p.y_m.into()) <= FARTHEST_M;
    let even = |(a, b): ((f64, f64), (f64, f64))| (SPACING_M.0..=SPACING_M.1).contains(&(b.0 - a.0).hypot(b.1 - a.1));
    points.iter().all(near) && segments(points).all(even)
}

/// No turn is tighter than the vehicle's: from segment to segment the direction changes by no more than the arc of their
/// mean length allows.
#[must_use]
pub fn is_drivable(points: &[Waypoint], own: &Shape) -> bool {
    let mut before: Option<(f64, f64)> = None;
    segments(points).all(|(a, b)| {
        let (length, heading) = ((b.0 - a.0).hypot(b.1 - a.1), (b.1 - a.1).atan2(b.0 - a.0));
        let turn = before.map_or(0.0, |(_, last)| protocol::units::wrap_angle(heading - last).abs());
        let mean = before.map_or(length, |(last, _)| (last + length) / 2.0);
        before = Some((length, heading));
        turn <= mean / own.tightest_m
    })
}

/// Calls `test` with places of the rear axle along the path and the direction there, until one fails.
fn all_places(points: &[Waypoint], mut test: impl FnMut((f64, f64), f64) -> bool) -> bool {
    segments(points).all(|(a, b)| {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let steps = (dx.hypot(dy) / SAMPLE_M).ceil().max(1.0);
        let heading = dy.atan2(dx);
        (0..=steps as usize).all(|i| {
            let part = i as f64 / steps;
            test((a.0 + part * dx, a.1 + part * dy), heading)
        })
    })
}

/// The body stays between the edges of the road.
#[must_use]
pub fn is_on_road(points: &[Waypoint], own: &Shape, corridor: Corridor) -> bool {
    let Shape { front_m, rear_m, half_width_m, .. } = *own;
    all_places(points, |(x, y), heading| {
        let (sin, cos) = heading.sin_cos();
        [(front_m, half_width_m), (front_m, -half_width_m), (-rear_m, half_width_m), (-rear_m, -half_width_m)]
            .iter()
            .all(|(ahead, left)| {
                let corner = (x + ahead * cos - left * sin, y + ahead * sin + left * cos);
                let place = corridor.project(corner.0 as f32, corner.1 as f32);
                let here = corridor.at(place.s);
                // Where the vehicle stands it stands.
                place.s <= front_m as f32 || (-here.road_right_m..=here.road_left_m).contains(&place.d)
            })
    })
}

/// The body keeps [`ROOM_M`] to everything that stands.
#[must_use]
pub fn is_clear(points: &[Waypoint], own: &Shape, things: &[Thing]) -> bool {
    let still = || things.iter().filter(|t| t.is_still());
    all_places(points, |place, heading| !still().any(|t| t.is_met(own, place, heading, ROOM_M, 0.0)))
}

/// Every place lies inside the permitted area.
#[must_use]
pub fn is_permitted(points: &[Waypoint], pose: &Pose2, geofence: Option<&Geofence>) -> bool {
    geofence.is_none_or(|fence| {
        all_places(points, |place, _| {
            let (x, y) = pursuit::into_map(pose, place);
            fence.contains(x, y)
        })
    })
}
