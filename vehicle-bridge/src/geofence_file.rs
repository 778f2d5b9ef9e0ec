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

use protocol::geofence::{AreaError, PermittedArea};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Why a file is not a permitted area; each names the line.
#[derive(Debug, thiserror::Error)]
pub enum GeofenceFileError {
    /// The file.
    #[error("cannot read {path}: {source}", path = .0.display(), source = .1)]
    File(PathBuf, std::io::Error),
    /// It is not the TOML that is expected; the message has line, column and text.
    #[error("the permitted area cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// The corners make no area.
    #[error("line {0}: {1}")]
    Area(usize, AreaError),
    /// Something other than two coordinates.
    #[error("line {0}: corner {1} has {2} coordinates; it takes two, such as [12.5, -3.0]")]
    Coordinates(usize, usize, usize),
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

/// A bridge's configuration that has the area as a table.
#[derive(Deserialize)]
struct WithArea {
    geofence: AreaFile,
}

/// Reads the permitted area of a file.
///
/// # Errors
/// [`GeofenceFileError`], naming the line.
pub fn read(path: &Path) -> Result<PermittedArea, GeofenceFileError> {
    parse(&text_of(path)?)
}

/// Reads the permitted area that is the table `[geofence]` of a bridge's configuration.
///
/// # Errors
/// [`GeofenceFileError`], naming the line of the configuration.
pub fn read_table(path: &Path) -> Result<PermittedArea, GeofenceFileError> {
    let text = text_of(path)?;
    let WithArea { geofence } = toml::from_str(&text)?;
    area(&text, geofence)
}

fn text_of(path: &Path) -> Result<String, GeofenceFileError> {
    protocol::read_text_file(path).map_err(|error| GeofenceFileError::File(path.to_owned(), error))
}

/// Reads the permitted area of a file's text.
///
/// # Errors
/// [`GeofenceFileError`], naming the line.
pub fn parse(text: &str) -> Result<PermittedArea, GeofenceFileError> {
    area(text, toml::from_str(text)?)
}

fn area(text: &str, AreaFile { corners_m }: AreaFile) -> Result<PermittedArea, GeofenceFileError> {
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
    PermittedArea::new(places).map_err(|error| match error {
        AreaError::TooFew(_) | AreaError::TooMany(_) => GeofenceFileError::Area(list_line, error),
        AreaError::Nowhere(corner, ..) | AreaError::Twice(corner, ..) => GeofenceFileError::Area(line(corner), error),
        AreaError::Crossing { corner, other } => {
            GeofenceFileError::Crossing { line: line(corner), corner, other, other_line: line(other) }
        }
    })
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
