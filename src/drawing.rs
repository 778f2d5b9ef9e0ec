//! Small drawings in SVG: a frame with its scales, and what is drawn inside.

/// Size of the inside of a frame.
pub const WIDTH: f64 = 420.0;
/// See [`WIDTH`].
pub const HEIGHT: f64 = 200.0;
/// Room for the scales.
const LEFT: f64 = 40.0;
const BOTTOM: f64 = 20.0;
/// Tol's bright colours and some more; never the only difference between two lines.
pub const COLORS: [&str; 9] =
    ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#882255", "#44aa99"];
/// Size of a whole frame, scales and the names at its right included.
pub const FRAME: (f64, f64) = (WIDTH + LEFT + 80.0, HEIGHT + BOTTOM + 20.0);

/// A frame with its scales; `body` is drawn inside.
#[must_use]
pub fn frame(title: &str, x: (f64, f64, &str), y: (f64, f64, &str), body: &str) -> String {
    // To the right is room for the stages' names.
    let (w, h) = FRAME;
    format!(
        "<svg width=\"{w}\" height=\"{h}\" font-size=\"10\"><text x=\"{LEFT}\" y=\"12\">{title}</text>\
         <g transform=\"translate({LEFT},18)\"><rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#999\"/>\
         {body}<text x=\"0\" y=\"{}\">{:.0}</text><text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{:.0} {}</text>\
         <text x=\"-4\" y=\"{HEIGHT}\" text-anchor=\"end\">{:.0}</text>\
         <text x=\"-4\" y=\"9\" text-anchor=\"end\">{:.0} {}</text></g></svg>",
        HEIGHT + 14.0,
        x.0,
        HEIGHT + 14.0,
        x.1,
        x.2,
        y.0,
        y.1,
        y.2,
    )
}
