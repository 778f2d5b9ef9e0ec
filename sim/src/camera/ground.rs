//! Everything flat: grass, carriageway, shoulders, sidewalks.
//!
//! Lane surfaces are filled into a map of one material a pixel first; then every row below the horizon is shaded in one
//! pass, since haze and grain depend on the row alone.

use super::{
    FAR_M,
    air::Air,
    canvas::{Rows, Span, scan},
    grain::{Grain, GrainRow},
    tone::Tone,
    view::{GroundRow, Seen, View},
};
use crate::road::{CentrePoint, Lane, LaneKind};
use video::I420Buffer;

/// What the ground is made of, in the order of painting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Material {
    Grass,
    Verge,
    Sidewalk,
    Kerb,
    Paving,
    Biking,
    Shoulder,
    Asphalt,
}

const MATERIALS: [Material; 8] = [
    Material::Grass,
    Material::Verge,
    Material::Sidewalk,
    Material::Kerb,
    Material::Paving,
    Material::Biking,
    Material::Shoulder,
    Material::Asphalt,
];

impl Material {
    fn of(kind: LaneKind, width_m: f64) -> Self {
        match kind {
            LaneKind::Driving => Self::Asphalt,
            LaneKind::Shoulder => Self::Shoulder,
            LaneKind::Sidewalk => Self::Sidewalk,
            LaneKind::Biking => Self::Biking,
            LaneKind::Median => Self::Verge,
            // A kerb is narrow; what OpenDRIVE calls a border beside a motorway is the verge.
            LaneKind::Border if width_m > 0.8 => Self::Verge,
            LaneKind::Border => Self::Kerb,
            LaneKind::Other => Self::Paving,
        }
    }

    fn tone(self) -> Tone {
        Tone::rgb(match self {
            Self::Grass => 0x5F7F44,
            Self::Verge => 0x7C8560,
            Self::Sidewalk => 0x9C9A96,
            Self::Kerb => 0xB9B7B1,
            Self::Paving => 0x757370,
            Self::Biking => 0x8A5F55,
            Self::Shoulder => 0x66676A,
            Self::Asphalt => 0x55575B,
        })
    }

    /// Strength of the grain as a share of full luma.
    fn roughness(self) -> f64 {
        match self {
            Self::Grass => 0.22,
            Self::Verge => 0.18,
            Self::Sidewalk | Self::Kerb => 0.06,
            Self::Paving | Self::Biking => 0.09,
            Self::Shoulder | Self::Asphalt => 0.10,
        }
    }

    /// How much a film of water darkens it and makes it mirror the sky.
    fn gloss(self) -> f64 {
        match self {
            Self::Grass | Self::Verge => 0.15,
            _ => 1.0,
        }
    }
}

/// Adjoining lanes are sampled and simplified apart: this much of overlap hides the seams, m.
const OVERLAP_M: f64 = 0.06;
/// A lane's edge may be this far off once simplified, m.
const TOLERANCE_M: f64 = 0.015;
const LONGEST_PIECE_M: f64 = 12.0;
const PIECES_IN_STRIP: usize = 6;

/// A stretch of a lane: pairs of points on its left and right edge.
#[derive(Clone, Debug)]
struct Strip {
    material: Material,
    edges: Vec<[[f64; 2]; 2]>,
    middle: [f64; 2],
    radius_m: f64,
}

/// The prepared surfaces and the map they are painted into.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    strips: Vec<Strip>,
    grain: Grain,
    materials: Vec<u8>,
    seen: Vec<[Seen; 2]>,
}

impl Ground {
    pub fn new(lanes: &[Lane]) -> Self {
        let mut strips: Vec<Strip> = lanes.iter().flat_map(strips_of).collect();
        // Stable, so that equal materials keep the network's order.
        strips.sort_by_key(|strip| strip.material);
        Self { strips, grain: Grain::new(), materials: Vec::new(), seen: Vec::new() }
    }

    pub fn draw(&mut self, view: &View, air: &Air, spans: &mut Vec<Span>, out: &mut I420Buffer) {
        self.paint(view, spans);
        self.shade(view, air, out);
    }

    fn paint(&mut self, view: &View, spans: &mut Vec<Span>) {
        self.materials.clear();
        self.materials.resize(view.width * view.height, Material::Grass as u8);
        for strip in &self.strips {
            if !view.may_see(strip.middle[0], strip.middle[1], strip.radius_m, FAR_M) {
                continue;
            }
            self.seen.clear();
            self.seen.extend(strip.edges.iter().map(|edge| edge.map(|[x, y]| view.seen([x, y, 0.0]))));
            for (a, b) in self.seen.iter().zip(self.seen.iter().skip(1)) {
                let polygon = view.polygon_of_seen(&[a[0], a[1], b[1], b[0]]);
                scan(&polygon, view.width, view.height, Rows::Centred, spans);
                for span in spans.iter() {
                    let line = &mut self.materials[span.row * view.width..][..view.width];
                    line[span.pixels()].fill(strip.material as u8);
                }
            }
        }
    }

    fn shade(&self, view: &View, air: &Air, out: &mut I420Buffer) {
        let (width, chroma_width) = (out.width, out.chroma_width());
        for row in view.first_ground_row()..out.height {
            let Some(ground) = view.ground_row(row) else { continue };
            let shades = RowShades::new(view, air, &ground);
            let materials = &self.materials[row * width..][..width];
            self.shade_luma(&shades, materials, &mut out.y[row * width..][..width]);
            if row % 2 == 0 {
                let chroma = row / 2 * chroma_width..(row / 2 + 1) * chroma_width;
                let planes = out.u[chroma.clone()].iter_mut().zip(out.v[chroma].iter_mut());
                for ((u, v), material) in planes.zip(materials.iter().step_by(2)) {
                    [_, *u, *v] = shades.base[usize::from(material & 7)];
                }
            }
        }
    }

    fn shade_luma(&self, shades: &RowShades, materials: &[u8], line: &mut [u8]) {
        let mut grain = shades.grain;
        for (sample, material) in line.iter_mut().zip(materials) {
            let (fine, coarse) = self.grain.next(&mut grain);
            let material = usize::from(material & 7);
            let [strength_fine, strength_coarse] = shades.strength[material];
            let noise = fine.wrapping_mul(strength_fine).wrapping_add(coarse.wrapping_mul(strength_coarse)) >> 14;
            *sample = i32::from(shades.base[material][0]).wrapping_add(noise).clamp(16, 235) as u8;
        }
    }
}

/// The eight materials as one row of the picture shows them.
struct RowShades {
    base: [[u8; 3]; 8],
    strength: [[i32; 2]; 8],
    grain: GrainRow,
}

impl RowShades {
    fn new(view: &View, air: &Air, ground: &GroundRow) -> Self {
        let ahead_m = ground.ahead_m.abs();
        let apart_m = ahead_m * ahead_m / (view.lens_m * view.focal);
        let grain = Grain::row(ground.origin, ground.step, apart_m);
        // Where a row spans several texels of the coarsest level, grain would be mere flicker.
        let calm = (-ahead_m / 90.0).exp() * air.clarity(ahead_m) * (1.0 - 0.4 * air.rain);
        // Water mirrors the sky at a grazing angle (Fresnel).
        let mirror = 0.45 * air.rain * (1.0 - view.lens_m / view.lens_m.hypot(ahead_m)).powi(3);
        let base = MATERIALS.map(|material| {
            let wet = material.tone().lit(1.0 - 0.3 * air.rain * material.gloss());
            air.seen(wet, ahead_m).mix(air.haze, mirror * material.gloss()).yuv()
        });
        let strength = MATERIALS.map(|material| {
            // 219 levels of luma; grain of 127 is full; 14 bits of fraction.
            let full = 219.0 / 127.0 * 16384.0 * material.roughness() * calm;
            [(full * (1.0 - grain.coarse)) as i32, (full * grain.coarse) as i32]
        });
        Self { base, strength, grain }
    }
}

/// The point at `left_m` to the left of a lane's centre line.
pub(super) fn beside(point: &CentrePoint, left_m: f64) -> [f64; 2] {
    let (sin, cos) = point.heading_rad.sin_cos();
    [point.x_m - left_m * sin, point.y_m + left_m * cos]
}

fn strips_of(lane: &Lane) -> Vec<Strip> {
    let kept = simplified(&lane.centre);
    let width = lane.centre.iter().map(CentrePoint::width_m).fold(0.0, f64::max);
    let material = Material::of(lane.kind, width);
    let mut edges: Vec<_> = kept.iter().map(|point| edge_of(point)).collect();
    if let [first, .., last] = kept[..] {
        lengthen(&mut edges, first, last);
    }
    let mut strips = Vec::new();
    let mut start = 0;
    while start + 1 < edges.len() {
        let end = (start + PIECES_IN_STRIP).min(edges.len() - 1);
        strips.push(strip(material, edges[start..=end].to_vec()));
        start = end;
    }
    strips
}

fn edge_of(point: &CentrePoint) -> [[f64; 2]; 2] {
    // A lane that has tapered to nothing stays nothing.
    let overlap = if point.width_m() > 0.02 { OVERLAP_M } else { 0.0 };
    [beside(point, point.left_m + overlap), beside(point, -point.right_m - overlap)]
}

/// Lets a lane reach a little into the ones before and after it.
fn lengthen(edges: &mut [[[f64; 2]; 2]], first: &CentrePoint, last: &CentrePoint) {
    let shift = |edge: &mut [[f64; 2]; 2], heading: f64, by: f64| {
        for corner in edge {
            corner[0] += by * heading.cos();
            corner[1] += by * heading.sin();
        }
    };
    if let [start, .., end] = edges {
        shift(start, first.heading_rad, -OVERLAP_M);
        shift(end, last.heading_rad, OVERLAP_M);
    }
}

fn strip(material: Material, edges: Vec<[[f64; 2]; 2]>) -> Strip {
    let (middle, radius_m) = circle_around(edges.iter().flatten());
    Strip { material, edges, middle, radius_m }
}

/// A circle around points: not the smallest, but a good one.
pub(super) fn circle_around<'a>(points: impl Iterator<Item = &'a [f64; 2]> + Clone) -> ([f64; 2], f64) {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for point in points.clone() {
        for axis in 0..2 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    let middle = [0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1])];
    let radius = points.map(|p| (p[0] - middle[0]).hypot(p[1] - middle[1])).fold(0.0, f64::max);
    (middle, radius)
}

/// Leaves out points whose edges lie close enough to the straight line between the ones kept.
pub(super) fn simplified(centre: &[CentrePoint]) -> Vec<&CentrePoint> {
    let mut kept: Vec<&CentrePoint> = centre.first().into_iter().collect();
    let mut from = 0;
    while from + 1 < centre.len() {
        let mut to = from + 1;
        while to + 1 < centre.len() && is_straight(&centre[from..=to + 1]) {
            to += 1;
        }
        kept.push(&centre[to]);
        from = to;
    }
    kept
}

fn is_straight(points: &[CentrePoint]) -> bool {
    let [first, inner @ .., last] = points else { return true };
    last.s_m - first.s_m <= LONGEST_PIECE_M
        && [1.0, -1.0].iter().all(|side| {
            let edge = |p: &CentrePoint| beside(p, if *side > 0.0 { p.left_m } else { -p.right_m });
            let (a, b) = (edge(first), edge(last));
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let length = dx.hypot(dy).max(1e-9);
            inner.iter().all(|p| {
                let [x, y] = edge(p);
                ((x - a[0]) * dy - (y - a[1]) * dx).abs() <= TOLERANCE_M * length
            })
        })
}
