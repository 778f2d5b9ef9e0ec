//! The permitted area: polygons in the map's plane that the vehicle does not leave.

use protocol::geofence::PermittedArea;
use protocol::v1::Pose2;

/// Distance kept to the edge at standstill, metres.
pub const MARGIN_M: f64 = 2.0;
/// Places looked at along the way to the standstill.
const SAMPLES: usize = 8;
/// Outside, an operator may creep back at this speed, m/s.
pub const CREEP_MPS: f64 = 1.5;

/// Where a vehicle may drive: inside every one of the areas that it was given.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Geofence {
    areas: Vec<PermittedArea>,
}

impl Geofence {
    /// Inside all of `areas`; nothing when there are none, which is everywhere.
    #[must_use]
    pub fn of(areas: impl IntoIterator<Item = PermittedArea>) -> Option<Self> {
        let areas: Vec<_> = areas.into_iter().collect();
        (!areas.is_empty()).then_some(Self { areas })
    }

    /// Whether a place lies inside all areas.
    #[must_use]
    pub fn contains(&self, x_m: f64, y_m: f64) -> bool {
        self.areas.iter().all(|area| area.contains(x_m, y_m))
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

    fn rectangle(width_m: f64, depth_m: f64) -> PermittedArea {
        PermittedArea::new(vec![(0.0, 0.0), (width_m, 0.0), (width_m, depth_m), (0.0, depth_m)]).unwrap()
    }

    fn square() -> Geofence {
        Geofence::of([rectangle(100.0, 100.0)]).unwrap()
    }

    fn at(x_m: f64, y_m: f64, heading_rad: f64) -> Pose2 {
        Pose2 { x_m, y_m, heading_rad }
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
    fn of_two_areas_only_what_both_have_in_common_is_permitted() {
        let both = Geofence::of([rectangle(100.0, 40.0), rectangle(40.0, 100.0)]).unwrap();
        assert!(both.contains(20.0, 20.0) && !both.contains(80.0, 20.0) && !both.contains(20.0, 80.0));
        assert!(both.allows(&at(20.0, 20.0, 0.0), 0.0, 17.9) && !both.allows(&at(20.0, 20.0, 0.0), 0.0, 18.1));
        assert_eq!(Geofence::of([]), None);
    }
}
