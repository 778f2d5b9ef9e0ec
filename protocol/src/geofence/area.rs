//! A permitted area: a simple polygon in the map's plane.

use serde::{Deserialize, Serialize};

/// Most corners: a control tick looks at all of them several times.
pub const MAX_CORNERS: usize = 1_000;
/// Farthest that a corner is from the map's origin along an axis, metres: the quarter of a meridian.
pub const MAX_COORDINATE_M: f64 = 1e7;

/// A simple polygon, its corners in the map's plane in order, metres.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(f64, f64)>", into = "Vec<(f64, f64)>")]
pub struct PermittedArea {
    corners_m: Vec<(f64, f64)>,
}

/// Why corners make no area.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AreaError {
    /// Too few.
    #[error("a permitted area needs at least 3 corners, not {0}")]
    TooFew(usize),
    /// Too many.
    #[error("a permitted area has at most {MAX_CORNERS} corners, not {0}")]
    TooMany(usize),
    /// A corner that is no place on a map.
    #[error(
        "corner {0} of the permitted area is ({1}, {2}); both must be numbers from -{MAX_COORDINATE_M} to {MAX_COORDINATE_M}"
    )]
    Nowhere(usize, f64, f64),
    /// A corner of which the next one is a copy.
    #[error("corner {0} is ({1}, {2}), the same place as the one before it")]
    Twice(usize, f64, f64),
    /// A polygon of which it cannot be said what lies inside.
    #[error(
        "the edge from corner {corner} crosses or touches the one from corner {other}: give the corners in their order round \
         the area"
    )]
    Crossing {
        /// The second edge's first corner.
        corner: usize,
        /// The other edge's first corner.
        other: usize,
    },
}

impl PermittedArea {
    /// The area within `corners_m`.
    ///
    /// # Errors
    /// [`AreaError`] when they make no simple polygon.
    pub fn new(corners_m: Vec<(f64, f64)>) -> Result<Self, AreaError> {
        let count = corners_m.len();
        if count < 3 {
            return Err(AreaError::TooFew(count));
        }
        if count > MAX_CORNERS {
            return Err(AreaError::TooMany(count));
        }
        let is_place = |(x, y): &(f64, f64)| x.abs().max(y.abs()) <= MAX_COORDINATE_M && !x.is_nan() && !y.is_nan();
        if let Some(corner) = corners_m.iter().position(|place| !is_place(place)) {
            return Err(AreaError::Nowhere(corner, corners_m[corner].0, corners_m[corner].1));
        }
        let next = |corner: usize| (corner + 1) % count;
        if let Some(before) = (0..count).find(|corner| corners_m[*corner] == corners_m[next(*corner)]) {
            let (x_m, y_m) = corners_m[next(before)];
            return Err(AreaError::Twice(next(before), x_m, y_m));
        }
        let edge = |corner: usize| (corners_m[corner], corners_m[next(corner)]);
        for corner in 1..count {
            // Neighbours share a corner.
            let mut others = (0..corner - 1).filter(|other| next(corner) != *other);
            if let Some(other) = others.find(|other| meet(edge(*other), edge(corner))) {
                return Err(AreaError::Crossing { corner, other });
            }
        }
        Ok(Self { corners_m })
    }

    /// Its corners in order, metres.
    #[must_use]
    pub fn corners_m(&self) -> &[(f64, f64)] {
        &self.corners_m
    }

    /// Whether a place lies inside, by the crossing number (Shimrat 1962).
    #[must_use]
    pub fn contains(&self, x_m: f64, y_m: f64) -> bool {
        let mut inside = false;
        let Some(mut previous) = self.corners_m.last() else { return false };
        for corner in &self.corners_m {
            let ((ax, ay), (bx, by)) = (*previous, *corner);
            if (ay > y_m) != (by > y_m) && x_m < (bx - ax) * (y_m - ay) / (by - ay) + ax {
                inside = !inside;
            }
            previous = corner;
        }
        inside
    }
}

impl TryFrom<Vec<(f64, f64)>> for PermittedArea {
    type Error = AreaError;
    fn try_from(corners_m: Vec<(f64, f64)>) -> Result<Self, AreaError> {
        Self::new(corners_m)
    }
}

impl From<PermittedArea> for Vec<(f64, f64)> {
    fn from(area: PermittedArea) -> Self {
        area.corners_m
    }
}

type Place = (f64, f64);

/// Whether two line segments have a point in common (by orientation, as in Cormen et al., section 33.1).
fn meet((a, b): (Place, Place), (c, d): (Place, Place)) -> bool {
    let turn = |p: Place, q: Place, r: Place| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0);
    let within = |p: Place, q: Place, r: Place| {
        let between = |low: f64, high: f64, value: f64| low.min(high) <= value && value <= low.max(high);
        between(p.0, q.0, r.0) && between(p.1, q.1, r.1)
    };
    let (of_a, of_b) = (turn(c, d, a), turn(c, d, b));
    let (of_c, of_d) = (turn(a, b, c), turn(a, b, d));
    let apart = |one: f64, other: f64| (one > 0.0 && other < 0.0) || (one < 0.0 && other > 0.0);
    apart(of_a, of_b) && apart(of_c, of_d)
        || of_a == 0.0 && within(c, d, a)
        || of_b == 0.0 && within(c, d, b)
        || of_c == 0.0 && within(a, b, c)
        || of_d == 0.0 && within(a, b, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_and_outside_are_told_apart_even_in_a_notch() {
        let notch = vec![(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 2.0), (0.0, 10.0)];
        let backwards = notch.iter().rev().copied().collect();
        for notch in [notch, backwards].map(|corners| PermittedArea::new(corners).unwrap()) {
            assert!(notch.contains(5.0, 1.0) && notch.contains(0.5, 8.0) && notch.contains(9.5, 8.0));
            assert!(!notch.contains(5.0, 5.0) && !notch.contains(-1.0, 5.0) && !notch.contains(11.0, 5.0));
            assert!(!notch.contains(5.0, -1.0) && !notch.contains(5.0, 11.0));
        }
    }

    #[test]
    fn corners_that_make_no_simple_polygon_are_refused_in_json_too() {
        let refused = |corners: &[(f64, f64)]| PermittedArea::new(corners.to_vec()).unwrap_err();
        assert_eq!(refused(&[(0.0, 0.0), (1.0, 0.0)]), AreaError::TooFew(2));
        assert_eq!(refused(&vec![(0.0, 0.0); 2_000]), AreaError::TooMany(2_000));
        let far = [(0.0, 0.0), (1.0, 2e7), (2.0, 2.0)];
        assert_eq!(refused(&far), AreaError::Nowhere(1, 1.0, 2e7));
        assert!(matches!(refused(&[(f64::NAN, 0.0), (1.0, 0.0), (2.0, 2.0)]), AreaError::Nowhere(0, ..)));
        let closed = [(0.0, 0.0), (10.0, 0.0), (0.0, 10.0), (0.0, 0.0)];
        assert_eq!(refused(&closed), AreaError::Twice(0, 0.0, 0.0));
        let bow_tie = [(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0)];
        assert_eq!(refused(&bow_tie), AreaError::Crossing { corner: 2, other: 0 });
        let touching = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 0.0), (0.0, 10.0)];
        assert!(matches!(refused(&touching), AreaError::Crossing { .. }));
        let error = serde_json::from_str::<PermittedArea>("[[0, 0], [10, 10], [10, 0], [0, 10]]").unwrap_err();
        assert!(error.to_string().contains("corner 2"), "{error}");
        let square = serde_json::from_str::<PermittedArea>("[[0, 0], [10, 0], [10, 10], [0, 10.5]]").unwrap();
        assert_eq!(serde_json::to_string(&square).unwrap(), "[[0.0,0.0],[10.0,0.0],[10.0,10.0],[0.0,10.5]]");
    }
}
