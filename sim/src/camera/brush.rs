//! Drawing solid things: flat faces, boxes, sticks and balls in the world.

use super::{
    air::Air,
    canvas::{Canvas, outside},
    tone::Tone,
    view::{Polygon, View},
};

/// A place on the ground with a direction: x ahead, y left, z up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    x: f64,
    y: f64,
    cos: f64,
    sin: f64,
}

impl Frame {
    pub fn new(x_m: f64, y_m: f64, heading_rad: f64) -> Self {
        let (sin, cos) = heading_rad.sin_cos();
        Self { x: x_m, y: y_m, cos, sin }
    }

    /// World point of a point in this frame.
    pub fn at(&self, [ahead, left, up]: [f64; 3]) -> [f64; 3] {
        [self.x + ahead * self.cos - left * self.sin, self.y + ahead * self.sin + left * self.cos, up]
    }

    /// A world point on the ground in this frame.
    pub fn inside(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let (dx, dy) = (x - self.x, y - self.y);
        [dx * self.cos + dy * self.sin, dy * self.cos - dx * self.sin]
    }
}

/// A box whose top may be smaller than its bottom, m in the frame of the thing it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Solid {
    /// Rear and front end at the bottom and at the top.
    pub bottom: [f64; 2],
    pub top: [f64; 2],
    /// Half the width at the bottom and at the top.
    pub half_width: [f64; 2],
    /// Height of bottom and top above the road.
    pub height: [f64; 2],
}

/// The four corners of a face, counter-clockwise from outside, beginning at the lower left.
pub(super) type Face = [[f64; 3]; 4];

/// The faces of a [`Solid`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Faces {
    pub rear: Face,
    pub right: Face,
    pub front: Face,
    pub left: Face,
    pub top: Face,
}

impl Solid {
    pub fn faces(&self, frame: &Frame) -> Faces {
        let corner = |level: usize, end: usize, side: f64| {
            let ends = [self.bottom, self.top][level];
            frame.at([ends[end], side * self.half_width[level], self.height[level]])
        };
        let wall = |a: (usize, f64), b: (usize, f64)| {
            [corner(0, a.0, a.1), corner(0, b.0, b.1), corner(1, b.0, b.1), corner(1, a.0, a.1)]
        };
        let (rear_left, rear_right, front_right, front_left) = ((0, 1.0), (0, -1.0), (1, -1.0), (1, 1.0));
        Faces {
            rear: wall(rear_left, rear_right),
            right: wall(rear_right, front_right),
            front: wall(front_right, front_left),
            left: wall(front_left, rear_left),
            top: [rear_left, rear_right, front_right, front_left].map(|(end, side)| corner(1, end, side)),
        }
    }
}

/// A part of a face: from `u[0]` to `u[1]` of its width and `v[0]` to `v[1]` of its height.
pub(super) fn patch(face: &Face, u: [f64; 2], v: [f64; 2]) -> Face {
    let point = |u: f64, v: f64| {
        let mut point = [0.0; 3];
        for (axis, value) in point.iter_mut().enumerate() {
            let low = face[0][axis] + (face[1][axis] - face[0][axis]) * u;
            let high = face[3][axis] + (face[2][axis] - face[3][axis]) * u;
            *value = low + (high - low) * v;
        }
        point
    };
    [point(u[0], v[0]), point(u[1], v[0]), point(u[1], v[1]), point(u[0], v[1])]
}

/// Light that falls on the sides of things, by side.
const LIGHT: [f64; 5] = [0.80, 0.70, 0.86, 0.94, 1.08];

/// Draws one thing at one distance.
pub(super) struct Brush<'a, 'b> {
    pub view: &'a View,
    pub air: &'a Air,
    pub canvas: &'a mut Canvas<'b>,
    /// Distance of the thing, for the haze.
    pub distance_m: f64,
}

impl Brush<'_, '_> {
    /// A flat face that is seen from outside only. Returns whether it is.
    pub fn face(&mut self, corners: &[[f64; 3]], tone: Tone) -> bool {
        self.face_of(corners, self.air.seen(tone, self.distance_m))
    }

    /// As [`face`](Self::face), for a lamp.
    pub fn lamp(&mut self, corners: &[[f64; 3]], tone: Tone) {
        self.face_of(corners, self.air.seen_lamp(tone, self.distance_m));
    }

    fn face_of(&mut self, corners: &[[f64; 3]], tone: Tone) -> bool {
        let polygon = self.view.polygon(corners);
        let visible = polygon.winding() < 0.0 && !outside(&polygon, self.view);
        if visible {
            self.canvas.fill(&polygon, tone);
        }
        visible
    }

    /// A box in one colour, shaded by side. The order of its faces does not matter: it is convex.
    pub fn solid(&mut self, frame: &Frame, solid: &Solid, tone: Tone) -> Faces {
        let faces = solid.faces(frame);
        let sides = [&faces.rear, &faces.right, &faces.front, &faces.left, &faces.top];
        for (side, light) in sides.into_iter().zip(LIGHT) {
            self.face(side, tone.lit(light));
        }
        faces
    }

    /// A line of constant thickness in the world, always seen broadside.
    pub fn stick(&mut self, a: [f64; 3], b: [f64; 3], thick_m: f64, tone: Tone) {
        let (Some(a), Some(b)) = (self.view.project(a), self.view.project(b)) else { return };
        let half = [a, b].map(|end| 0.5 * thick_m * self.view.focal / end.2);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = dx.hypot(dy);
        // Seen end on, a stick is still as broad as it is thick.
        let (dx, dy) = if length > 1e-3 { (dx / length, dy / length) } else { (0.0, 1.0) };
        let mut polygon = Polygon::EMPTY;
        for (end, half, side) in [(a, half[0], 1.0), (b, half[1], 1.0), (b, half[1], -1.0), (a, half[0], -1.0)] {
            polygon.push(end.0 + dy * half * side, end.1 - dx * half * side);
        }
        self.canvas.fill(&polygon, self.air.seen(tone, self.distance_m));
    }

    /// A sphere, seen as a disc.
    pub fn ball(&mut self, centre: [f64; 3], radius_m: f64, tone: Tone) {
        let Some((x, y, depth)) = self.view.project(centre) else { return };
        let radius = radius_m * self.view.focal / depth;
        let mut polygon = Polygon::EMPTY;
        for corner in 0..12 {
            let (sin, cos) = (f64::from(corner) * std::f64::consts::TAU / 12.0).sin_cos();
            polygon.push(x + radius * cos, y + radius * sin);
        }
        self.canvas.fill(&polygon, self.air.seen(tone, self.distance_m));
    }

    /// An octagonal disc that stands upright along `frame`, seen from both sides.
    pub fn wheel(&mut self, frame: &Frame, [ahead, left, up]: [f64; 3], radius_m: f64, tone: Tone) {
        let mut corners = [[0.0; 3]; 10];
        for (index, corner) in corners.iter_mut().enumerate() {
            let (sin, cos) = (index as f64 * std::f64::consts::TAU / 10.0).sin_cos();
            *corner = frame.at([ahead + radius_m * cos, left, up + radius_m * sin]);
        }
        let polygon = self.view.polygon(&corners);
        self.canvas.fill(&polygon, self.air.seen(tone, self.distance_m));
    }

    /// The shadow of a rectangle on the road, m in the frame.
    pub fn shadow(&mut self, frame: &Frame, half_length: f64, half_width: f64) {
        let soft = 0.5 * self.air.clarity(self.distance_m) * (1.0 - 0.5 * self.air.rain);
        for (grow, share) in [(0.18, 0.4), (0.02, 0.7)] {
            let (l, w) = (half_length + grow, half_width + grow);
            let corners = [[-l, w], [-l, -w], [l, -w], [l, w]].map(|[x, y]| frame.at([x, y, 0.0]));
            self.canvas.darken(&self.view.polygon(&corners), soft * share);
        }
    }
}
