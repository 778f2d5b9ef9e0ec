//! Perceived objects in the corridor's coordinates.

use super::Own;
use crate::PolicyError;
use crate::corridor::{Corridor, is_sensible, out_of_range};
use protocol::v1::{ObjectKind, TrackedObject};

/// Most objects looked at; the nearest are kept.
const MAX_OBJECTS: usize = 64;
/// Objects farther to the side than this play no part, m.
const SIDE_M: f32 = 14.0;

/// One object along the corridor.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// From the vehicle's origin to its own front end, m.
    own_front: f32,
    /// Its nearest and farthest point along the corridor, m.
    pub near: f32,
    pub far: f32,
    /// Its right and left edge as offsets from the lane's centre, m.
    pub right: f32,
    pub left: f32,
    /// Velocity along the corridor and to its left, m/s.
    pub ahead_mps: f32,
    pub left_mps: f32,
    pub kind: Kind,
}

/// What matters about an object's kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Vehicle,
    Pedestrian,
    Cone,
}

impl Seen {
    /// Offset of its middle from the lane's centre, m.
    pub(super) fn middle(&self) -> f32 {
        0.5 * (self.left + self.right)
    }

    /// Free distance from the front bumper, m; zero beside the vehicle.
    pub(super) fn gap(&self) -> f32 {
        (self.near - self.own_front).max(0.0)
    }

    /// Whether it reaches into the strip between two offsets.
    pub(super) fn within(&self, right: f32, left: f32) -> bool {
        self.right < left && self.left > right
    }

    /// Some of it lies ahead of the front bumper.
    pub(super) fn is_ahead(&self) -> bool {
        self.far > self.own_front
    }

    /// Hardly moves.
    pub(super) fn is_still(&self) -> bool {
        self.ahead_mps.abs() < 0.7 && self.left_mps.abs() < 0.7
    }

    fn new(object: &TrackedObject, corridor: Corridor, own: Own) -> Self {
        let along = corridor.project(object.x_m, object.y_m);
        let (sin, cos) = (object.heading_rad - along.heading).sin_cos();
        let (length, width) = (0.5 * object.length_m.abs(), 0.5 * object.width_m.abs());
        let half_s = length * cos.abs() + width * sin.abs();
        let half_d = length * sin.abs() + width * cos.abs();
        let (sin, cos) = along.heading.sin_cos();
        Self {
            own_front: own.front_m,
            near: along.s - half_s,
            far: along.s + half_s,
            right: along.d - half_d,
            left: along.d + half_d,
            ahead_mps: object.velocity_x_mps * cos + object.velocity_y_mps * sin,
            left_mps: object.velocity_y_mps * cos - object.velocity_x_mps * sin,
            kind: match object.kind() {
                ObjectKind::Pedestrian | ObjectKind::Cyclist => Kind::Pedestrian,
                ObjectKind::Cone => Kind::Cone,
                ObjectKind::Unknown | ObjectKind::Car | ObjectKind::Truck => Kind::Vehicle,
            },
        }
    }
}

/// The objects that may matter, without allocation.
pub(super) struct Objects {
    seen: [Seen; MAX_OBJECTS],
    count: usize,
}

impl Objects {
    pub(super) fn new(objects: &[TrackedObject], corridor: Corridor, own: Own) -> Result<Self, PolicyError> {
        let mut kept = Self { seen: [Seen::default(); MAX_OBJECTS], count: 0 };
        for (index, object) in objects.iter().enumerate() {
            check(index, object)?;
            let seen = Seen::new(object, corridor, own);
            if seen.right < SIDE_M && seen.left > -SIDE_M {
                kept.keep(seen);
            }
        }
        Ok(kept)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Seen> {
        self.seen[..self.count].iter()
    }

    fn keep(&mut self, seen: Seen) {
        if self.count < MAX_OBJECTS {
            self.seen[self.count] = seen;
            self.count += 1;
            return;
        }
        let farthest = self.seen.iter_mut().max_by(|a, b| a.near.abs().total_cmp(&b.near.abs()));
        if let Some(farthest) = farthest.filter(|f| f.near.abs() > seen.near.abs()) {
            *farthest = seen;
        }
    }
}

fn check(index: usize, object: &TrackedObject) -> Result<(), PolicyError> {
    let fields = [
        ("x_m", object.x_m),
        ("y_m", object.y_m),
        ("heading_rad", object.heading_rad),
        ("velocity_x_mps", object.velocity_x_mps),
        ("velocity_y_mps", object.velocity_y_mps),
        ("length_m", object.length_m),
        ("width_m", object.width_m),
    ];
    match fields.into_iter().find(|(_, value)| !is_sensible(*value)) {
        Some((name, value)) => Err(out_of_range(format!("objects[{index}].{name}"), value)),
        None => Ok(()),
    }
}
