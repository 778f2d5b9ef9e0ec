//! Filling convex polygons, row by row.

use super::{
    tone::Tone,
    view::{Polygon, View},
};
use video::I420Buffer;

/// What a polygon covers of one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub row: usize,
    /// Left and right end, pixels.
    pub from: f64,
    pub to: f64,
    /// Share of the row's height that is covered.
    pub cover: f64,
}

impl Span {
    /// The pixels whose centres are inside.
    pub fn pixels(&self) -> std::ops::Range<usize> {
        round_up(self.from - 0.5)..round_up(self.to - 0.5)
    }
}

/// Ceiling of a number that is known not to be negative or huge; `f64::ceil` is a library call on the baseline CPU.
fn round_up(value: f64) -> usize {
    let whole = value.max(0.0) as usize;
    if (whole as f64) < value { whole.wrapping_add(1) } else { whole }
}

/// How the first and the last row of a polygon count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Rows whose centre line is inside: polygons that share an edge neither overlap nor leave a gap.
    Centred,
    /// All rows touched, by the share that is covered: thin things fade instead of flickering.
    Covered,
}

/// Lists what a convex polygon covers of a picture of this size.
pub(super) fn scan(polygon: &Polygon, width: usize, height: usize, rows: Rows, spans: &mut Vec<Span>) {
    spans.clear();
    let points = polygon.points();
    let Some(&last) = points.last() else { return };
    let mut top = f64::INFINITY;
    let mut bottom = f64::NEG_INFINITY;
    for point in points {
        if !(point.0.is_finite() && point.1.is_finite()) {
            return;
        }
        top = top.min(point.1);
        bottom = bottom.max(point.1);
    }
    let shift = if rows == Rows::Centred { 0.5 } else { 0.0 };
    let first_row = if rows == Rows::Centred { round_up(top - 0.5) } else { top.max(0.0) as usize };
    let end_row = round_up((bottom - shift).min(height as f64)).min(height);
    for row in first_row..end_row {
        let (upper, lower) = match rows {
            Rows::Centred => (row as f64, row as f64 + 1.0),
            Rows::Covered => (top.max(row as f64), bottom.min(row as f64 + 1.0)),
        };
        let middle = 0.5 * (upper + lower);
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut a = last;
        for &b in points {
            if (a.1 <= middle) != (b.1 <= middle) {
                let x = a.0 + (middle - a.1) * (b.0 - a.0) / (b.1 - a.1);
                from = from.min(x);
                to = to.max(x);
            }
            a = b;
        }
        let (from, to) = (from.max(0.0), to.min(width as f64));
        if to > from {
            spans.push(Span { row, from, to, cover: lower - upper });
        }
    }
}

/// A picture being drawn.
pub(super) struct Canvas<'a> {
    pub picture: &'a mut I420Buffer,
    pub spans: &'a mut Vec<Span>,
}

impl Canvas<'_> {
    /// Fills with one colour, edges hard.
    pub fn fill(&mut self, polygon: &Polygon, tone: Tone) {
        let picture = &mut *self.picture;
        scan(polygon, picture.width, picture.height, Rows::Centred, self.spans);
        let [y, u, v] = tone.yuv();
        let (width, chroma_width) = (picture.width, picture.chroma_width());
        for span in self.spans.iter() {
            let pixels = span.pixels();
            if pixels.is_empty() {
                continue;
            }
            picture.y[span.row * width..][pixels.clone()].fill(y);
            if span.row % 2 == 0 {
                let pairs = pixels.start.div_ceil(2)..pixels.end.div_ceil(2);
                let start = span.row / 2 * chroma_width;
                picture.u[start..][pairs.clone()].fill(u);
                picture.v[start..][pairs].fill(v);
            }
        }
    }

    /// Lays `opacity` of a colour over what is there, by how much of each pixel is covered; the colour is taken as grey.
    pub fn tint(&mut self, polygon: &Polygon, tone: Tone, opacity: f64) {
        let picture = &mut *self.picture;
        scan(polygon, picture.width, picture.height, Rows::Covered, self.spans);
        let [y, ..] = tone.yuv();
        for span in self.spans.iter() {
            let line = &mut picture.y[span.row * picture.width..][..picture.width];
            tint_line(line, span, y, (256.0 * opacity * span.cover) as i32);
        }
    }

    /// Removes `share` of the light.
    pub fn darken(&mut self, polygon: &Polygon, share: f64) {
        self.tint(polygon, Tone::rgb(0), share);
    }
}

/// `opacity` is in 1/256.
fn tint_line(line: &mut [u8], span: &Span, target: u8, opacity: i32) {
    let blend = |sample: &mut u8, weight: i32| {
        let (old, new) = (i32::from(*sample), i32::from(target));
        *sample = (old + (((new - old) * weight + 128) >> 8)) as u8;
    };
    let (first, last) = (span.from as usize, span.to as usize);
    let part = |share: f64| (share * f64::from(opacity)) as i32;
    if first == last {
        if let Some(sample) = line.get_mut(first) {
            blend(sample, part(span.to - span.from));
        }
        return;
    }
    if let Some(sample) = line.get_mut(first) {
        blend(sample, part((first + 1) as f64 - span.from));
    }
    if let Some(inner) = line.get_mut(first + 1..last) {
        for sample in inner {
            blend(sample, opacity);
        }
    }
    if let Some(sample) = line.get_mut(last) {
        blend(sample, part(span.to - last as f64));
    }
}

/// Whether a polygon can be seen at all in a picture of the view's size.
pub(super) fn outside(polygon: &Polygon, view: &View) -> bool {
    let points = polygon.points();
    points.iter().all(|p| p.1 < 0.0) || points.iter().all(|p| p.1 > view.height as f64)
}
