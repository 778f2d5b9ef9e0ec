//! The study as a drawing: completion with its interval, lane error and speed over delay, a line a way to drive.

use crate::drawing::{COLORS, FRAME, HEIGHT, WIDTH, frame};
use closed_loop::latency_study::{Mode, Row};
use std::fmt::Write;

/// Dashes tell the lines apart without colour.
const DASHES: [&str; 4] = ["2 3", "6 3", "none", "9 2 2 2"];

/// The whole drawing, a file of its own.
#[must_use]
pub fn svg(rows: &[Row]) -> String {
    let far = rows.iter().map(|r| r.one_way_ms).fold(1.0, f64::max);
    let most = |value: fn(&Row) -> f64| rows.iter().map(value).fold(0.1, f64::max) * 1.05;
    let x = (0.0, far, "ms one way");
    let completed = lines(rows, far, 1.0, |r| r.completed.value) + &intervals(rows, far);
    let frames = [
        frame("completed routes", x, (0.0, 100.0, "%"), &completed),
        frame(
            "lane error, root mean square",
            x,
            (0.0, 100.0 * most(|r| r.lane_rms_m), "cm"),
            &lines(rows, far, most(|r| r.lane_rms_m), |r| r.lane_rms_m),
        ),
        frame(
            "mean speed",
            x,
            (0.0, most(|r| r.speed_mps), "m/s"),
            &lines(rows, far, most(|r| r.speed_mps), |r| r.speed_mps),
        ),
    ];
    let (w, h) = (FRAME.0, FRAME.1 * frames.len() as f64);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
         font-family=\"sans-serif\"><rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>"
    );
    for (index, frame) in frames.iter().enumerate() {
        let _ = write!(out, "<g transform=\"translate(0,{})\">{frame}</g>", index as f64 * FRAME.1);
    }
    out + "</svg>\n"
}

fn place(row: &Row, far: f64, share: f64) -> (f64, f64) {
    (row.one_way_ms / far * WIDTH, HEIGHT * (1.0 - share.clamp(0.0, 1.0)))
}

fn lines(rows: &[Row], far: f64, most: f64, value: fn(&Row) -> f64) -> String {
    let mut out = String::new();
    for (index, mode) in Mode::ALL.into_iter().enumerate() {
        let mut own: Vec<&Row> = rows.iter().filter(|row| row.mode == mode).collect();
        own.sort_by(|a, b| a.one_way_ms.total_cmp(&b.one_way_ms));
        if own.is_empty() {
            continue;
        }
        let (color, dashes) = (COLORS[index], DASHES[index]);
        let _ = write!(
            out,
            "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\" points=\""
        );
        for row in &own {
            let (x, y) = place(row, far, value(row) / most);
            let _ = write!(out, "{x:.1},{y:.1} ");
        }
        // Names one below the other: the lines may end at the same place.
        let (x, y) = (WIDTH + 6.0, 12.0 + 14.0 * index as f64);
        let _ = write!(out, "\"/><text x=\"{x}\" y=\"{y}\" fill=\"{color}\">{}</text>", mode.label());
    }
    out
}

fn intervals(rows: &[Row], far: f64) -> String {
    let mut out = String::new();
    for row in rows {
        let index = Mode::ALL.iter().position(|mode| *mode == row.mode).unwrap_or(0);
        let ((x, low), (_, high)) = (place(row, far, row.completed.low), place(row, far, row.completed.high));
        // A little apart, so that none hides another.
        let x = x + 2.0 * index as f64 - 3.0;
        let _ = write!(
            out,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{low:.1}\" y2=\"{high:.1}\" stroke=\"{}\"/>",
            COLORS[index]
        );
    }
    out
}
