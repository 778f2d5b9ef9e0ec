//! The pinhole: from the world to the picture.

use super::CameraSpec;
use protocol::v1::Pose2;

/// Nothing nearer than this in front of the lens is drawn, m.
const NEAR_M: f64 = 0.3;

/// A point in the camera's frame, m: right, up, and along the optical axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub right: f64,
    pub up: f64,
    pub depth: f64,
}

/// Where the rays of one row meet the ground: the point of the column `x` is `origin + x * step`.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroundRow {
    /// World point under the centre of the first pixel, m.
    pub origin: [f64; 2],
    /// From one pixel to the next, m.
    pub step: [f64; 2],
    /// Distance along the ground in the car's direction, m.
    pub ahead_m: f64,
}

/// A convex polygon in the picture: pixels, y down. Large enough for an octagon clipped by a plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polygon {
    points: [(f64, f64); 14],
    len: usize,
}

impl Polygon {
    pub const EMPTY: Self = Self { points: [(0.0, 0.0); 14], len: 0 };

    /// Adds a corner; corners beyond the capacity are dropped.
    pub fn push(&mut self, x: f64, y: f64) {
        if let Some(slot) = self.points.get_mut(self.len) {
            *slot = (x, y);
            self.len += 1;
        }
    }

    pub fn points(&self) -> &[(f64, f64)] {
        &self.points[..self.len]
    }

    /// Twice the signed area; negative when the corners run counter-clockwise as the eye sees them.
    pub fn winding(&self) -> f64 {
        let points = self.points();
        let next = points.iter().cycle().skip(1);
        points.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum()
    }
}

/// A camera at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub width: usize,
    pub height: usize,
    /// Focal length, pixels.
    pub focal: f64,
    pub heading_rad: f64,
    /// Lens above the road, m.
    pub lens_m: f64,
    centre: [f64; 2],
    position: [f64; 2],
    heading: [f64; 2],
    pitch: [f64; 2],
    /// Tangent of half the widest horizontal angle at which ground can be seen.
    spread: f64,
}

fn within(value: f64, low: f64, high: f64, otherwise: f64) -> f64 {
    if value.is_finite() { value.clamp(low, high) } else { otherwise }
}

/// Coordinates beyond a million kilometres are as good as not finite.
fn coordinate(value: f64) -> f64 {
    within(value, -1e9, 1e9, 0.0)
}

impl View {
    pub fn new(spec: &CameraSpec, ego: &Pose2) -> Self {
        let (width, height) = (spec.width as f64, spec.height as f64);
        let half = 0.5 * within(spec.horizontal_fov_rad, 0.05, 3.0, 1.2);
        let (along_y, along_x) = coordinate(ego.heading_rad).sin_cos();
        let heading_rad = coordinate(ego.heading_rad) + within(spec.yaw_rad, -7.0, 7.0, 0.0);
        let (sin, cos) = heading_rad.sin_cos();
        let (pitch_sin, pitch_cos) = within(spec.pitch_rad, -1.2, 1.2, 0.0).sin_cos();
        let [forward, left] = [spec.forward_m, spec.left_m].map(|offset| within(offset, -50.0, 50.0, 0.0));
        let focal = 0.5 * width / half.tan();
        // The lowest row sees the ground at a steeper angle, hence a little wider than the optical axis.
        let steepest = (pitch_cos + 0.5 * height / focal * pitch_sin).max(0.05);
        Self {
            width: spec.width,
            height: spec.height,
            focal,
            heading_rad,
            lens_m: within(spec.height_m, 0.05, 500.0, 1.4),
            centre: [0.5 * width, 0.5 * height],
            position: [
                coordinate(ego.x_m) + forward * along_x - left * along_y,
                coordinate(ego.y_m) + forward * along_y + left * along_x,
            ],
            heading: [cos, sin],
            pitch: [pitch_cos, pitch_sin],
            spread: half.tan() / steepest.min(1.0),
        }
    }

    /// The world point as (ahead of the lens, left of it) along the ground, m.
    pub fn on_ground(&self, x_m: f64, y_m: f64) -> [f64; 2] {
        let (dx, dy) = (x_m - self.position[0], y_m - self.position[1]);
        let [cos, sin] = self.heading;
        [dx * cos + dy * sin, dy * cos - dx * sin]
    }

    /// Whether anything of a circle on the ground may be in the picture and within `far_m`.
    pub fn may_see(&self, x_m: f64, y_m: f64, radius_m: f64, far_m: f64) -> bool {
        let [ahead, left] = self.on_ground(x_m, y_m);
        let wide = radius_m * self.spread.hypot(1.0);
        ahead > -radius_m && ahead - radius_m < far_m && left.abs() <= ahead * self.spread + wide
    }

    /// A world point in the camera's frame.
    pub fn seen(&self, [x, y, z]: [f64; 3]) -> Seen {
        let [ahead, left] = self.on_ground(x, y);
        let above = z - self.lens_m;
        let [cos, sin] = self.pitch;
        Seen { right: -left, up: above * cos - ahead * sin, depth: ahead * cos + above * sin }
    }

    fn pixel(&self, p: Seen) -> (f64, f64) {
        let scale = self.focal / p.depth;
        (self.centre[0] + scale * p.right, self.centre[1] - scale * p.up)
    }

    /// Pixel and depth of a world point, none when it is behind the near plane.
    pub fn project(&self, point: [f64; 3]) -> Option<(f64, f64, f64)> {
        let seen = self.seen(point);
        let (x, y) = self.pixel(seen);
        (seen.depth > NEAR_M).then_some((x, y, seen.depth))
    }

    /// A convex polygon of world points in the picture, cut off at the near plane.
    pub fn polygon(&self, corners: &[[f64; 3]]) -> Polygon {
        let mut seen = [Seen { right: 0.0, up: 0.0, depth: 0.0 }; 12];
        let len = corners.len().min(seen.len());
        for (slot, &corner) in seen.iter_mut().zip(corners) {
            *slot = self.seen(corner);
        }
        self.polygon_of_seen(&seen[..len])
    }

    /// As [`polygon`](Self::polygon), for points that are in the camera's frame already.
    pub fn polygon_of_seen(&self, corners: &[Seen]) -> Polygon {
        let mut polygon = Polygon::EMPTY;
        let Some(mut previous) = corners.last().copied() else { return polygon };
        for &corner in corners {
            if (corner.depth > NEAR_M) != (previous.depth > NEAR_M) {
                let (x, y) = self.pixel(on_near_plane(previous, corner));
                polygon.push(x, y);
            }
            if corner.depth > NEAR_M {
                let (x, y) = self.pixel(corner);
                polygon.push(x, y);
            }
            previous = corner;
        }
        polygon
    }

    /// Row of the horizon in pixels from the upper edge.
    pub fn horizon(&self) -> f64 {
        self.centre[1] + self.focal * self.pitch[1] / self.pitch[0]
    }

    /// Where the row `row` meets the ground, none for rows of the sky.
    pub fn ground_row(&self, row: usize) -> Option<GroundRow> {
        let slope = (self.centre[1] - (row as f64 + 0.5)) / self.focal;
        let [pitch_cos, pitch_sin] = self.pitch;
        let drop = -(pitch_sin + slope * pitch_cos);
        if drop <= 1e-6 {
            return None;
        }
        let depth = self.lens_m / drop;
        let ahead_m = depth * (pitch_cos - slope * pitch_sin);
        let [cos, sin] = self.heading;
        let across = depth / self.focal;
        let left = depth * (self.centre[0] - 0.5) / self.focal;
        let [x, y] = self.position;
        let origin = [x + ahead_m * cos - left * sin, y + ahead_m * sin + left * cos];
        Some(GroundRow { origin, step: [across * sin, -across * cos], ahead_m })
    }

    /// First row below the horizon.
    pub fn first_ground_row(&self) -> usize {
        (self.horizon() + 0.5).max(0.0).min(self.height as f64) as usize
    }

    /// Where the lens is on the ground, m.
    pub fn position(&self) -> [f64; 2] {
        self.position
    }

    /// Unit vector to the right of the picture, along the ground.
    pub fn right(&self) -> [f64; 2] {
        [self.heading[1], -self.heading[0]]
    }
}

fn on_near_plane(a: Seen, b: Seen) -> Seen {
    let share = (NEAR_M - a.depth) / (b.depth - a.depth);
    let between = |p: f64, q: f64| p + (q - p) * share;
    Seen { right: between(a.right, b.right), up: between(a.up, b.up), depth: NEAR_M }
}
