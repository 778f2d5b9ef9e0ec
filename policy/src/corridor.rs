//! The route ahead as a curve with coordinates: distance along it and offset to its left.

use crate::PolicyError;
use protocol::v1::CorridorPoint;
use std::f32::consts::{PI, TAU};

/// Fewest stations that make a curve.
const MIN_STATIONS: usize = 2;
/// No quantity of a corridor or an object reaches this magnitude; keeps squares finite in `f32`.
pub(crate) const LIMIT: f64 = 1e6;

/// A checked corridor: finite, at least two stations, distances increasing.
#[derive(Debug, Clone, Copy)]
pub struct Corridor<'a>(&'a [CorridorPoint]);

/// Where something is along the corridor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Along {
    /// Distance along the corridor, m; negative behind its first station.
    pub s: f32,
    /// Offset to the left of the lane's centre, m.
    pub d: f32,
    /// Heading of the corridor there, rad, vehicle frame.
    pub heading: f32,
}

impl<'a> Corridor<'a> {
    /// Checks `points`.
    ///
    /// # Errors
    /// [`PolicyError`] with the value that makes them no curve.
    pub fn new(points: &'a [CorridorPoint]) -> Result<Self, PolicyError> {
        if points.len() < MIN_STATIONS {
            return Err(PolicyError::Missing {
                what: format!("a corridor: {} stations, need 2 or more", points.len()),
            });
        }
        for (index, p) in points.iter().enumerate() {
            let fields = fields(p);
            if !fields.iter().all(|(_, v)| is_sensible(*v)) {
                let (name, value) = fields.into_iter().find(|(_, v)| !is_sensible(*v)).unwrap_or_default();
                return Err(out_of_range(format!("corridor[{index}].{name}"), value));
            }
            if index > 0 && p.s_m <= points[index - 1].s_m {
                return Err(PolicyError::CorridorOrder { index, s_m: p.s_m, before_m: points[index - 1].s_m });
            }
        }
        Ok(Self(points))
    }

    pub(crate) fn first(self) -> &'a CorridorPoint {
        &self.0[0]
    }

    /// Stations from the vehicle to `s_m` ahead, at least the first.
    pub(crate) fn until(self, s_m: f32) -> &'a [CorridorPoint] {
        let end = self.0.partition_point(|p| p.s_m <= s_m).max(1);
        &self.0[..end]
    }

    /// The station at `s_m`, interpolated, held at the ends.
    #[must_use]
    pub fn at(self, s_m: f32) -> CorridorPoint {
        let last = self.0.len() - 1;
        let next = self.0.partition_point(|p| p.s_m <= s_m);
        if next == 0 || next > last {
            return self.0[next.min(last)];
        }
        let (a, b) = (&self.0[next - 1], &self.0[next]);
        let t = (s_m - a.s_m) / (b.s_m - a.s_m);
        let mix = |a: f32, b: f32| a + t * (b - a);
        CorridorPoint {
            s_m,
            x_m: mix(a.x_m, b.x_m),
            y_m: mix(a.y_m, b.y_m),
            heading_rad: wrap(a.heading_rad + t * wrap(b.heading_rad - a.heading_rad)),
            curvature_per_m: mix(a.curvature_per_m, b.curvature_per_m),
            // Limits do not grow gradually: between two stations the stricter one holds.
            speed_limit_mps: a.speed_limit_mps.min(b.speed_limit_mps),
            ..*a
        }
    }

    /// Coordinates of a point of the vehicle frame: nearest station, its tangent, bent by its curvature. Before the
    /// first and after the last station the tangent goes on.
    #[must_use]
    pub fn project(self, x: f32, y: f32) -> Along {
        let mut best = 0;
        let mut least = f32::INFINITY;
        for (i, p) in self.0.iter().enumerate() {
            let squared = (x - p.x_m).powi(2) + (y - p.y_m).powi(2);
            if squared < least {
                (best, least) = (i, squared);
            }
        }
        let p = &self.0[best];
        let (sin, cos) = p.heading_rad.sin_cos();
        let (dx, dy) = (x - p.x_m, y - p.y_m);
        let ahead = dx * cos + dy * sin;
        let inside = ahead.clamp(-3.0, 3.0);
        let bend = if best == 0 && ahead < 0.0 { 0.0 } else { p.curvature_per_m * inside };
        Along { s: p.s_m + ahead, d: dy * cos - dx * sin - 0.5 * bend * inside, heading: wrap(p.heading_rad + bend) }
    }
}

/// An angle brought into (-pi, pi].
pub(crate) fn wrap(rad: f32) -> f32 {
    let r = rad.rem_euclid(TAU);
    if r > PI { r - TAU } else { r }
}

/// Finite, and of a magnitude that a road can have.
pub(crate) fn is_sensible(value: f32) -> bool {
    value.abs() < LIMIT as f32
}

pub(crate) fn out_of_range(what: String, value: f32) -> PolicyError {
    PolicyError::OutOfRange { what, value: f64::from(value), limit: LIMIT }
}

fn fields(p: &CorridorPoint) -> [(&'static str, f32); 12] {
    [
        ("s_m", p.s_m),
        ("x_m", p.x_m),
        ("y_m", p.y_m),
        ("heading_rad", p.heading_rad),
        ("curvature_per_m", p.curvature_per_m),
        ("lane_left_m", p.lane_left_m),
        ("lane_right_m", p.lane_right_m),
        ("drivable_left_m", p.drivable_left_m),
        ("drivable_right_m", p.drivable_right_m),
        ("road_left_m", p.road_left_m),
        ("road_right_m", p.road_right_m),
        ("speed_limit_mps", p.speed_limit_mps),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A left bend of 50 m radius.
    fn bend() -> Vec<CorridorPoint> {
        let radius = 50.0f32;
        (0..41)
            .map(|i| {
                let s_m = 3.0 * i as f32;
                let a = s_m / radius;
                CorridorPoint {
                    s_m,
                    x_m: radius * a.sin(),
                    y_m: radius * (1.0 - a.cos()),
                    heading_rad: a,
                    curvature_per_m: 1.0 / radius,
                    ..Default::default()
                }
            })
            .collect()
    }

    #[test]
    fn points_beside_a_bend_get_their_distance_and_offset() {
        let points = bend();
        let corridor = Corridor::new(&points).unwrap();
        for (s, d) in [(10.0f32, 0.0f32), (31.3, 2.0), (58.6, -1.5), (100.1, 3.0)] {
            let a = s / 50.0;
            let r = 50.0 - d;
            let found = corridor.project(r * a.sin(), 50.0 - r * a.cos());
            assert!((found.s - s).abs() < 0.15 && (found.d - d).abs() < 0.02, "{s} {d}: {} {}", found.s, found.d);
            assert!((found.heading - a).abs() < 0.01);
        }
        let behind = corridor.project(-20.0, -2.0);
        assert!((behind.s + 20.0).abs() < 1e-4 && (behind.d + 2.0).abs() < 1e-4);
    }

    #[test]
    fn stations_that_run_backwards_are_refused() {
        let mut points = bend();
        points[7].s_m = 1.0;
        assert!(matches!(Corridor::new(&points), Err(PolicyError::CorridorOrder { index: 7, .. })));
        points[5].y_m = f32::NAN;
        let error = Corridor::new(&points).err().unwrap().to_string();
        assert!(error.starts_with("corridor[5].y_m is NaN"), "{error}");
    }
}
