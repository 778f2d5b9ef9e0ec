//! Outlines of things on the ground: overlap, rays, lines of sight.

use crate::scene::Actor;
use protocol::v1::ObjectKind;

/// The outline of a thing on the ground: a box, or a circle of the same width for people and cones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Footprint {
    /// Centre, east, m.
    pub x_m: f64,
    /// Centre, north, m.
    pub y_m: f64,
    /// Cosine of the heading.
    pub cos: f64,
    /// Sine of the heading.
    pub sin: f64,
    /// Half of the length along the heading, m; the radius of a circle.
    pub half_length_m: f64,
    /// Half of the width, m; the radius of a circle.
    pub half_width_m: f64,
    /// A circle instead of a box.
    pub round: bool,
}

impl Footprint {
    /// The outline of `actor`: people and cones are round.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        let (sin, cos) = actor.heading_rad.sin_cos();
        Self {
            x_m: actor.x_m,
            y_m: actor.y_m,
            cos,
            sin,
            half_length_m: actor.length_m / 2.0,
            half_width_m: actor.width_m / 2.0,
            round: matches!(actor.kind, ObjectKind::Cone | ObjectKind::Pedestrian),
        }
    }

    /// Radius of the smallest circle around it, m.
    #[must_use]
    pub fn reach_m(&self) -> f64 {
        if self.round { self.half_width_m } else { self.half_length_m.hypot(self.half_width_m) }
    }

    /// A point of the world in the outline's own axes.
    #[must_use]
    pub fn local(&self, x_m: f64, y_m: f64) -> (f64, f64) {
        let (dx, dy) = (x_m - self.x_m, y_m - self.y_m);
        (dx * self.cos + dy * self.sin, dy * self.cos - dx * self.sin)
    }

    /// Whether a box and this outline share ground (separating axes; `self` must be a box).
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let reach = self.reach_m() + other.reach_m();
        let (dx, dy) = (other.x_m - self.x_m, other.y_m - self.y_m);
        if dx * dx + dy * dy > reach * reach {
            return false;
        }
        if other.round {
            let (x, y) = self.local(other.x_m, other.y_m);
            let (ox, oy) = ((x.abs() - self.half_length_m).max(0.0), (y.abs() - self.half_width_m).max(0.0));
            return ox * ox + oy * oy <= other.half_width_m * other.half_width_m;
        }
        !(self.separates(other) || other.separates(self))
    }

    /// Whether one of this box's own axes separates the two boxes.
    fn separates(&self, other: &Self) -> bool {
        let (x, y) = self.local(other.x_m, other.y_m);
        let along = (self.cos * other.cos + self.sin * other.sin).abs();
        let across = (self.cos * other.sin - self.sin * other.cos).abs();
        x.abs() > self.half_length_m + other.half_length_m * along + other.half_width_m * across
            || y.abs() > self.half_width_m + other.half_length_m * across + other.half_width_m * along
    }

    /// Distance along the ray from (`x_m`, `y_m`) in the direction of unit vector (`ux`, `uy`) to the outline; zero from
    /// inside, `None` when the ray misses.
    #[must_use]
    pub fn ray_m(&self, x_m: f64, y_m: f64, ux: f64, uy: f64) -> Option<f64> {
        if self.round {
            let (dx, dy) = (self.x_m - x_m, self.y_m - y_m);
            let along = dx * ux + dy * uy;
            let across = dx * uy - dy * ux;
            let rest = self.half_width_m * self.half_width_m - across * across;
            let far = along + rest.max(0.0).sqrt();
            return (rest >= 0.0 && far >= 0.0).then(|| (along - rest.sqrt()).max(0.0));
        }
        let (px, py) = self.local(x_m, y_m);
        let (vx, vy) = (ux * self.cos + uy * self.sin, uy * self.cos - ux * self.sin);
        let (near_x, far_x) = slab(px, vx, self.half_length_m)?;
        let (near_y, far_y) = slab(py, vy, self.half_width_m)?;
        let (near, far) = (near_x.max(near_y), far_x.min(far_y));
        (far >= near && far >= 0.0).then(|| near.max(0.0))
    }
}

/// Where a point moving from `p` at `v` is within `half` of zero.
fn slab(p: f64, v: f64, half: f64) -> Option<(f64, f64)> {
    if v.abs() < 1e-12 {
        return (p.abs() <= half).then_some((f64::NEG_INFINITY, f64::INFINITY));
    }
    let (a, b) = ((-half - p) / v, (half - p) / v);
    Some((a.min(b), a.max(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn car(x_m: f64, y_m: f64, heading: f64) -> Footprint {
        let (sin, cos) = heading.sin_cos();
        Footprint { x_m, y_m, cos, sin, half_length_m: 2.3, half_width_m: 0.9, round: false }
    }

    fn person(x_m: f64, y_m: f64) -> Footprint {
        Footprint { half_length_m: 0.3, half_width_m: 0.3, round: true, ..car(x_m, y_m, 0.0) }
    }

    #[test]
    fn cars_side_by_side_do_not_touch_until_their_sides_meet() {
        let ego = car(0.0, 0.0, 0.0);
        assert!(!ego.overlaps(&car(0.0, 1.81, 0.0)));
        assert!(ego.overlaps(&car(0.0, 1.79, 0.0)));
        assert!(!ego.overlaps(&car(4.61, 0.0, 0.0)));
        assert!(ego.overlaps(&car(3.1, 0.0, std::f64::consts::FRAC_PI_2)));
        assert!(!ego.overlaps(&car(3.3, 0.0, std::f64::consts::FRAC_PI_2)));
    }

    #[test]
    fn a_person_at_the_corner_is_missed_by_a_hair() {
        let ego = car(0.0, 0.0, 0.0);
        assert!(!ego.overlaps(&person(2.3 + 0.22, 0.9 + 0.22)));
        assert!(ego.overlaps(&person(2.3 + 0.20, 0.9 + 0.20)));
    }

    #[test]
    fn rays_end_at_the_near_side() {
        assert_eq!(car(10.0, 0.0, 0.0).ray_m(0.0, 0.0, 1.0, 0.0), Some(7.7));
        assert_eq!(person(10.0, 0.0).ray_m(0.0, 0.0, 1.0, 0.0), Some(9.7));
        assert_eq!(car(-10.0, 0.0, 0.0).ray_m(0.0, 0.0, 1.0, 0.0), None);
        assert_eq!(car(10.0, 1.0, 0.0).ray_m(0.0, 0.0, 1.0, 0.0), None);
        assert_eq!(car(0.0, 0.0, 0.0).ray_m(0.0, 0.0, 1.0, 0.0), Some(0.0));
    }
}
