//! The permitted area of a vehicle as a file: TOML with the corners of a polygon, in order, in the road network's
//! coordinates.
//!
//! ```
//! let area = vehicle_bridge::geofence_file::parse(
//!     "corners_m = [\n  [-50.0, -50.0],\n  [400.0, -50.0],\n  [400.0, 300.0],\n  [-50.0, 300.0],\n]\n",
//! )?;
//! assert!(area.contains(0.0, 0.0) && !area.contains(0.0, 301.0));
//! # Ok::<(), vehicle_bridge::geofence_file::GeofenceFileError>(())
//! ```

use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::Spanned;
use vehicle_core::geofence::{Geofence, GeofenceError};

/// Why a file is not a permitted area; each names the line.
#[derive(Debug, thiserror::Error)]
pub enum GeofenceFileError {
    /// The file.
    #[error("cannot read {path}: {source}", path = .0.display(), source = .1)]
    File(PathBuf, std::io::Error),
    /// It is not the TOML that is expected; the message has line, column and text.
    #[error("the permitted area cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// No polygon.
    #[error("line {0}: {1}")]
    Area(usize, GeofenceError),
    /// Something other than two coordinates.
    #[error("line {0}: corner {1} has {2} coordinates; it takes two, such as [12.5, -3.0]")]
    Coordinates(usize, usize, usize),
    /// A corner of which the next one is a copy.
    #[error("line {line}: corner {corner} is ({x_m}, {y_m}), the same place as the one before it")]
    Twice {
        /// Where the second one stands.
        line: usize,
        /// Its number, from 0.
        corner: usize,
        /// Its place.
        x_m: f64,
        /// The same, the other axis.
        y_m: f64,
    },
    /// A polygon of which it cannot be said what lies inside.
    #[error(
        "line {line}: the edge from corner {corner} crosses or touches the one from corner {other} (line {other_line}): \
         give the corners in their order round the area"
    )]
    Crossing {
        /// Where the second edge's first corner stands.
        line: usize,
        /// Its number, from 0.
        corner: usize,
        /// The other edge's first corner.
        other: usize,
        /// Where that stands.
        other_line: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AreaFile {
    corners_m: Spanned<Vec<Spanned<Vec<f64>>>>,
}

/// Reads the permitted area of a file.
///
/// # Errors
/// [`GeofenceFileError`], naming the line.
pub fn read(path: &Path) -> Result<Geofence, GeofenceFileError> {
    let text = protocol::read_text_file(path).map_err(|error| GeofenceFileError::File(path.to_owned(), error))?;
    parse(&text)
}

/// Reads the permitted area of a file's text.
///
/// # Errors
/// [`GeofenceFileError`], naming the line.
pub fn parse(text: &str) -> Result<Geofence, GeofenceFileError> {
    let AreaFile { corners_m } = toml::from_str(text)?;
    let line_of = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
    let list_line = line_of(corners_m.span().start);
    let corners = corners_m.into_inner();
    let line = |corner: usize| corners.get(corner).map_or(list_line, |corner| line_of(corner.span().start));
    let mut places = Vec::with_capacity(corners.len());
    for (index, corner) in corners.iter().enumerate() {
        let &[x_m, y_m] = corner.get_ref().as_slice() else {
            return Err(GeofenceFileError::Coordinates(line(index), index, corner.get_ref().len()));
        };
        places.push((x_m, y_m));
    }
    let area = Geofence::new(places.clone()).map_err(|error| match error {
        GeofenceError::NotFinite(corner, ..) => GeofenceFileError::Area(line(corner), error),
        GeofenceError::TooFew(_) => GeofenceFileError::Area(list_line, error),
    })?;
    let next = |corner: usize| (corner + 1) % places.len();
    if let Some(before) = (0..places.len()).find(|corner| places[*corner] == places[next(*corner)]) {
        let corner = next(before);
        let (x_m, y_m) = places[corner];
        return Err(GeofenceFileError::Twice { line: line(corner), corner, x_m, y_m });
    }
    let edge = |corner: usize| (places[corner], places[next(corner)]);
    for corner in 1..places.len() {
        // Neighbours share a corner.
        let mut others = (0..corner - 1).filter(|other| next(corner) != *other);
        if let Some(other) = others.find(|other| meet(edge(*other), edge(corner))) {
            let (line, other_line) = (line(corner), line(other));
            return Err(GeofenceFileError::Crossing { line, corner, other, other_line });
        }
    }
    Ok(area)
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

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn an_area_is_read_whatever_its_direction_and_form() {
        let lists = "corners_m = [[0, 0], [10.0, 0.0],\n [10, 10], [5, 2], [0, 10]]\n";
        let area = parse(lists).unwrap();
        assert!(area.contains(0.5, 8.0) && area.contains(9.5, 8.0) && !area.contains(5.0, 5.0));
        let backwards = parse("corners_m = [[0, 10], [10, 10], [10, 0], [0, 0]]").unwrap();
        assert!(backwards.contains(5.0, 5.0));
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_value() {
        let few = error("\ncorners_m = [[0, 0], [1, 0]]");
        assert!(few.contains("line 2") && few.contains("3 corners, not 2"), "{few}");
        let nowhere = error("corners_m = [\n  [0, 0],\n  [inf, 3],\n  [0, 5],\n]");
        assert!(
            nowhere.contains("line 3") && nowhere.contains("corner 1") && nowhere.contains("(inf, 3)"),
            "{nowhere}"
        );
        let text = error("corners_m = [\n  [0, 0],\n  [1, \"north\"],\n  [0, 5],\n]");
        assert!(text.contains("line 3") && text.contains("north"), "{text}");
        let pair = error("corners_m = [\n  [0, 0],\n  [1, 2, 3],\n  [0, 5],\n]");
        assert!(pair.contains("line 3: corner 1 has 3 coordinates"), "{pair}");
        let name = error("corners_m = [[0, 0], [1, 0], [0, 1]]\nradius_m = 5\n");
        assert!(name.contains("line 2") && name.contains("radius_m"), "{name}");
        assert!(error("").contains("corners_m"));
    }

    #[test]
    fn corners_in_no_order_and_corners_given_twice_are_refused() {
        let bow_tie = error("corners_m = [\n  [0, 0],\n  [10, 10],\n  [10, 0],\n  [0, 10],\n]");
        assert!(
            bow_tie.contains("line 4: the edge from corner 2") && bow_tie.contains("corner 0 (line 2)"),
            "{bow_tie}"
        );
        let touching = error("corners_m = [[0, 0], [10, 0], [10, 10], [5, 0], [0, 10]]");
        assert!(touching.contains("crosses or touches"), "{touching}");
        let twice = error("corners_m = [\n  [0, 0],\n  [10, 0.5],\n  [10, 0.5],\n  [0, 10],\n]");
        assert!(twice.contains("line 4: corner 2 is (10, 0.5)"), "{twice}");
        let closed = error("corners_m = [[0, 0], [10, 0], [0, 10], [0, 0]]");
        assert!(closed.contains("corner 0 is (0, 0)"), "{closed}");
    }
}
