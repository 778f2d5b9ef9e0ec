//! Reads plan views.

use super::cubic::Cubic;
use super::geometry::Shape;
use super::plan_view::{Placed, PlanView};
use super::xml::Element;
use crate::road::{NoteKind, RoadError};

/// A shorter geometry has no length: converters leave such crumbs where two shapes meet.
const CRUMB_M: f64 = 1e-4;
/// Geometries that miss each other's ends by less than this follow one another: files are rounded to centimetres.
const SLACK_M: f64 = 0.05;
/// A jump of the reference line that is worth a note.
const JUMP_M: f64 = 0.2;

/// The reference line of a road, at least a millimetre of it.
pub(super) fn read_plan_view(road: Element) -> Result<PlanView, RoadError> {
    let plan_view = road.required_child("planView")?;
    plan_view.required_child("geometry")?;
    let mut placed: Vec<(Placed, Element)> = Vec::new();
    let mut crumb = None;
    for geometry in plan_view.children("geometry") {
        let length = length(geometry)?;
        if length < CRUMB_M {
            geometry.note_attribute(NoteKind::ZeroGeometry, "length", "a point");
            crumb = crumb.or(Some(geometry));
        } else {
            placed.push((place(geometry, length, read_shape(geometry, length)?)?, geometry));
        }
    }
    // A road of no length still joins its neighbours.
    if let (true, Some(point)) = (placed.is_empty(), crumb) {
        road.note(NoteKind::ZeroRoad, "no geometry of its plan view has a length");
        placed.push((place(point, 10.0 * CRUMB_M, Shape::Line)?, point));
    }
    if let Some(pair) = placed.windows(2).find(|pair| pair[0].0.s > pair[1].0.s) {
        pair[1].1.note_attribute(NoteKind::GeometryOrder, "s", "before the one above it");
    }
    placed.sort_by(|a, b| a.0.s.total_cmp(&b.0.s));
    note_seams(&placed);
    Ok(PlanView::new(placed.into_iter().map(|(placed, _)| placed).collect()))
}

fn length(geometry: Element) -> Result<f64, RoadError> {
    let length = geometry.number("length")?;
    if length < 0.0 { Err(geometry.bad("length", "negative")) } else { Ok(length) }
}

fn place(geometry: Element, length: f64, shape: Shape) -> Result<Placed, RoadError> {
    Ok(Placed {
        s: geometry.number("s")?,
        x: geometry.number("x")?,
        y: geometry.number("y")?,
        heading: geometry.number("hdg")?,
        length,
        shape,
    })
}

/// Notes where geometries do not follow one another.
fn note_seams(placed: &[(Placed, Element)]) {
    if let Some((first, element)) = placed.first().filter(|(first, _)| first.s.abs() > SLACK_M) {
        element.note(NoteKind::GeometryGap, format!("the first one begins at s={}", first.s));
    }
    for pair in placed.windows(2) {
        let ((before, _), (after, element)) = (&pair[0], &pair[1]);
        let end = before.s + before.length;
        if end < after.s - SLACK_M {
            element.note(NoteKind::GeometryGap, format!("the one before ends at s={end:.3}"));
        } else if end > after.s + SLACK_M {
            element.note(NoteKind::GeometryOverlap, format!("the one before ends at s={end:.3}"));
        }
        let there = PlanView::new(vec![*before]).at(after.s);
        let jump = (there.x - after.x).hypot(there.y - after.y);
        if jump > JUMP_M {
            element.note(NoteKind::GeometryJump, format!("{jump:.2} m"));
        }
    }
}

/// The first child that is a shape; others are user data.
fn read_shape(geometry: Element, length: f64) -> Result<Shape, RoadError> {
    let shape = geometry.elements().find_map(|child| shape(child, length).transpose());
    shape.unwrap_or_else(|| Err(geometry.lacks("line, arc, spiral, poly3 or paramPoly3")))
}

/// The shape an element describes; `None` for elements that are no shape.
fn shape(element: Element, length: f64) -> Result<Option<Shape>, RoadError> {
    let poly = |names: [&str; 4]| -> Result<Cubic, RoadError> {
        let [a, b, c, d] = names.map(|name| element.number(name));
        Ok(Cubic { s: 0.0, a: a?, b: b?, c: c?, d: d? })
    };
    Ok(Some(match element.name() {
        "line" => Shape::Line,
        "arc" => Shape::Arc { curvature: curvature(element, "curvature")? },
        "spiral" => {
            let start = curvature(element, "curvStart")?;
            Shape::Spiral { start, rate: (curvature(element, "curvEnd")? - start) / length }
        }
        "poly3" => Shape::Poly3 { v: poly(["a", "b", "c", "d"])? },
        "paramPoly3" => {
            let (u, v) = (poly(["aU", "bU", "cU", "dU"])?, poly(["aV", "bV", "cV", "dV"])?);
            Shape::ParamPoly3 { u, v, scale: scale(element, &u, &v, length) }
        }
        _ => return Ok(None),
    }))
}

/// How fast the parameter of a paramPoly3 grows with the arc length. The standard's default is the normalised one, but
/// some writers leave the attribute out and mean the other: where it is missing, the one whose length fits counts.
fn scale(element: Element, u: &Cubic, v: &Cubic, length: f64) -> f64 {
    let (by_length, normalized) = (1.0, 1.0 / length);
    match element.attribute("pRange").map(str::to_ascii_lowercase).as_deref() {
        Some("arclength") => return by_length,
        Some("normalized") => return normalized,
        _ => {}
    }
    let reached = |scale: f64| {
        let at = |part: f64| (u.at(scale * part * length).0, v.at(scale * part * length).0);
        let steps = (0..8).map(|i| (at(f64::from(i) / 8.0), at(f64::from(i + 1) / 8.0)));
        steps.map(|(a, b)| (b.0 - a.0).hypot(b.1 - a.1)).sum::<f64>()
    };
    let miss = |scale: f64| (reached(scale) / length).max(1e-9).ln().abs();
    let fits = if miss(by_length) < miss(normalized) { by_length } else { normalized };
    if fits == by_length || element.attribute("pRange").is_some() {
        let name = if fits == by_length { "taken as arcLength" } else { "taken as normalized" };
        element.note_attribute(NoteKind::ParameterRange, "pRange", name);
    }
    fits
}

fn curvature(element: Element, name: &str) -> Result<f64, RoadError> {
    let value = element.number(name)?;
    if value.abs() > 100.0 { Err(element.bad(name, "a radius below 1 cm")) } else { Ok(value) }
}
