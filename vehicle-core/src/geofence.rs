//! The permitted area: a polygon in the map's plane that the vehicle does not leave.

use protocol::v1::Pose2;

/// Distance kept to the edge at standstill, metres.
pub const MARGIN_M: f64 = 2.0;
/// Places looked at along the way to the standstill.
const SAMPLES: usize = 8;
/// Outside, an operator may creep back at this speed, m/s.
pub const CREEP_MPS: f64 = 1.5;

/// A simple polygon, its corners in the map's plane in order.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Vec<(f64, f64)>", into = "Vec<(f64, f64)>")]
pub struct Geofence {
    corners: Vec<(f64, f64)>,
}

/// Why a polygon is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GeofenceError {
    /// Too few corners.
    #[error("a permitted area needs at least 3 corners, not {0}")]
    TooFew(usize),
    /// A corner that is no place.
    #[error("corner {0} of the permitted area is ({1}, {2}); both must be finite")]
    NotFinite(usize, f64, f64),
}

impl TryFrom<Vec<(f64, f64)>> for Geofence {
    type Error = GeofenceError;

    fn try_from(corners: Vec<(f64, f64)>) -> Result<Self, GeofenceError> {
        Self::new(corners)
    }
}

impl From<Geofence> for Vec<(f64, f64)> {
    fn from(area: Geofence) -> Self {
        area.corners
    }
}

impl Geofence {
    /// The area within `corners`.
    ///
    /// # Errors
    /// [`GeofenceError`] when they make no polygon.
    pub fn new(corners: Vec<(f64, f64)>) -> Result<Self, GeofenceError> {
        if corners.len() < 3 {
            return Err(GeofenceError::TooFew(corners.len()));
        }
        match corners.iter().position(|(x, y)| !(x.is_finite() && y.is_finite())) {
            Some(index) => Err(GeofenceError::NotFinite(index, corners[index].0, corners[index].1)),
            None => Ok(Self { corners }),
        }
    }

    /// Whether a place lies inside, by the crossing number (Shimrat 1962).
    #[must_use]
    pub fn contains(&self, x_m: f64, y_m: f64) -> bool {
        let mut inside = false;
        let mut previous = self.corners[self.corners.len() - 1];
        for corner in &self.corners {
            let ((ax, ay), (bx, by)) = (previous, *corner);
            if (ay > y_m) != (by > y_m) && x_m < (bx - ax) * (y_m - ay) / (by - ay) + ax {
                inside = !inside;
            }
            previous = *corner;
        }
        inside
    }

    /// Whether the way along the arc of `curvature_per_m` from `pose` stays inside for `ahead_m` and the margin.
    #[must_use]
    pub fn allows(&self, pose: &Pose2, curvature_per_m: f64, ahead_m: f64) -> bool {
        let whole = ahead_m + MARGIN_M;
        (0..=SAMPLES).all(|index| {
            let s = whole * index as f64 / SAMPLES as f64;
            let heading = pose.heading_rad + curvature_per_m * s / 2.0;
            self.contains(pose.x_m + s * heading.cos(), pose.y_m + s * heading.sin())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square() -> Geofence {
        Geofence::new(vec![(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)]).unwrap()
    }

    fn at(x_m: f64, y_m: f64, heading_rad: f64) -> Pose2 {
        Pose2 { x_m, y_m, heading_rad }
    }

    #[test]
    fn inside_and_outside_are_told_apart_even_in_a_notch() {
        let notch = Geofence::new(vec![(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 2.0), (0.0, 10.0)]).unwrap();
        assert!(notch.contains(5.0, 1.0) && notch.contains(0.5, 8.0) && notch.contains(9.5, 8.0));
        assert!(!notch.contains(5.0, 5.0) && !notch.contains(-1.0, 5.0) && !notch.contains(11.0, 5.0));
        assert!(!notch.contains(5.0, -1.0) && !notch.contains(5.0, 11.0));
    }

    #[test]
    fn the_way_to_the_standstill_and_the_margin_must_fit() {
        assert!(square().allows(&at(50.0, 50.0, 0.0), 0.0, 47.9));
        assert!(!square().allows(&at(50.0, 50.0, 0.0), 0.0, 48.1));
        assert!(square().allows(&at(50.0, 50.0, std::f64::consts::PI), 0.0, 47.9));
        // A left turn of 30 m radius ends before the right edge.
        assert!(square().allows(&at(60.0, 20.0, 0.0), 1.0 / 30.0, 45.0));
        assert!(!square().allows(&at(60.0, 20.0, 0.0), 0.0, 45.0));
        assert!(!square().allows(&at(60.0, 20.0, 0.0), -1.0 / 30.0, 45.0));
    }

    #[test]
    fn a_polygon_without_area_or_with_a_corner_nowhere_is_refused() {
        assert_eq!(Geofence::new(vec![(0.0, 0.0), (1.0, 0.0)]), Err(GeofenceError::TooFew(2)));
        let nowhere = Geofence::new(vec![(0.0, 0.0), (1.0, f64::INFINITY), (2.0, 2.0)]);
        assert_eq!(nowhere, Err(GeofenceError::NotFinite(1, 1.0, f64::INFINITY)));
        assert!(Geofence::new(vec![(f64::NAN, 0.0), (1.0, 0.0), (2.0, 2.0)]).is_err());
    }
}
