//! A road's reference line: shapes placed one after the other.

use super::geometry::{Pose, Shape};

/// One `<geometry>`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    pub s: f64,
    pub x: f64,
    pub y: f64,
    pub heading: f64,
    pub length: f64,
    pub shape: Shape,
}

/// At least one geometry, in the order of s.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlanView(Vec<Placed>);

impl PlanView {
    /// Takes the geometries in any order.
    pub fn new(mut geometries: Vec<Placed>) -> Self {
        geometries.sort_by(|a, b| a.s.total_cmp(&b.s));
        Self(geometries)
    }

    /// Where the last geometry ends.
    pub fn end(&self) -> f64 {
        self.0.last().map_or(0.0, |last| last.s + last.length)
    }

    /// The reference line at `s`. A geometry holds until the next one starts, so lengths that are slightly too short
    /// leave no hole; the first one is prolonged backwards.
    pub fn at(&self, s: f64) -> Pose {
        let after = self.0.partition_point(|geometry| geometry.s <= s);
        let Some(placed) = self.0.get(after.saturating_sub(1)) else {
            return Pose { x: 0.0, y: 0.0, heading: 0.0, curvature: 0.0 };
        };
        let local = placed.shape.at(s - placed.s);
        let (sin, cos) = placed.heading.sin_cos();
        Pose {
            x: placed.x + cos * local.x - sin * local.y,
            y: placed.y + sin * local.x + cos * local.y,
            heading: placed.heading + local.heading,
            curvature: local.curvature,
        }
    }
}
