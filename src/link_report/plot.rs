//! A page of drawings: ages over time, their distribution, stages on top of each other.

use super::Figure;
use super::metrics::{Shown, percentile};
use crate::drawing::{COLORS, HEIGHT, WIDTH, frame};
use std::fmt::Write;

/// One run, to be drawn.
#[derive(Debug, Clone)]
pub struct Run {
    /// Name of the case.
    pub case: &'static str,
    /// Of the path.
    pub seed: u64,
    /// Names of the stages.
    pub stages: Vec<String>,
    /// Every picture.
    pub shown: Vec<Shown>,
}

/// The whole page, with nothing to be loaded.
#[must_use]
pub(super) fn page(runs: &[Run], figures: &[Figure]) -> String {
    let mut out = String::from(
        "<!doctype html><meta charset=\"utf-8\"><title>Link report</title><style>body{font:14px sans-serif;margin:2em}\
         svg{margin:4px}td,th{padding:2px 8px;text-align:right}td:first-child{text-align:left}.no{color:#b00}</style>\
         <h1>Link report</h1>",
    );
    for run in runs {
        let _ = write!(out, "<h2>{}, seed {}</h2>", run.case, run.seed);
        if run.shown.len() > 1 {
            out += &over_time(run);
            out += &distribution(run);
            out += &stacked(run);
        }
        out += &table(figures.iter().filter(|f| f.case == run.case && f.seed == run.seed && f.goal.is_some()));
    }
    out
}

fn table<'a>(figures: impl Iterator<Item = &'a Figure>) -> String {
    let mut out = String::from("<table><tr><th>metric<th>value<th>goal<th></tr>");
    for figure in figures {
        let (class, word) = if figure.met == Some(true) { ("", "reached") } else { ("no", "not reached") };
        let goal = figure.goal.map_or_else(String::new, |goal| goal.to_string());
        let (value, unit) = (figure.value, figure.unit);
        let _ =
            write!(out, "<tr class=\"{class}\"><td>{}<td>{value:.3} {unit}<td>{goal}<td>{word}</tr>", figure.metric);
    }
    out + "</table>"
}

fn seconds(run: &Run, picture: &Shown) -> f64 {
    (picture.capture_us - run.shown[0].capture_us) as f64 / 1e6
}

fn length_s(run: &Run) -> f64 {
    run.shown.last().map_or(1.0, |last| seconds(run, last)).max(0.1)
}

/// The worst age in each of so many columns, so that no peak is lost.
fn over_time(run: &Run) -> String {
    const COLUMNS: usize = 420;
    let length = length_s(run);
    let mut worst = [f64::NAN; COLUMNS];
    for picture in &run.shown {
        let column = ((seconds(run, picture) / length * COLUMNS as f64) as usize).min(COLUMNS - 1);
        worst[column] = picture.age_ms().max(worst[column]);
    }
    let top = worst.iter().copied().fold(1.0, f64::max) * 1.05;
    let mut points = String::new();
    for (column, age) in worst.iter().enumerate().filter(|(_, age)| age.is_finite()) {
        let _ = write!(points, "{column},{:.1} ", HEIGHT * (1.0 - age / top));
    }
    let body = format!("<polyline fill=\"none\" stroke=\"{}\" points=\"{points}\"/>", COLORS[0]);
    frame("age, the worst of each moment", (0.0, length, "s"), (0.0, top, "ms"), &body)
}

/// Share of pictures at most so old, in steps of half a percent.
fn distribution(run: &Run) -> String {
    let mut ages: Vec<f64> = run.shown.iter().map(Shown::age_ms).collect();
    let top = percentile(&mut ages, 1.0).max(1.0) * 1.05;
    let mut points = String::new();
    for step in 1..=200 {
        let share = f64::from(step) / 200.0;
        let _ = write!(points, "{:.1},{:.1} ", percentile_sorted(&ages, share) / top * WIDTH, HEIGHT * (1.0 - share));
    }
    let body = format!("<polyline fill=\"none\" stroke=\"{}\" points=\"{points}\"/>", COLORS[0]);
    frame("share of pictures at most so old", (0.0, top, "ms"), (0.0, 100.0, "%"), &body)
}

fn percentile_sorted(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(index.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Mean of each stage, in columns.
fn stacked(run: &Run) -> String {
    const COLUMNS: usize = 60;
    let (length, stages) = (length_s(run), run.stages.len());
    let mut sums = vec![vec![0.0; stages]; COLUMNS];
    let mut counts = [0.0f64; COLUMNS];
    for picture in run.shown.iter().filter(|p| p.stages_ms.len() == stages) {
        let column = ((seconds(run, picture) / length * COLUMNS as f64) as usize).min(COLUMNS - 1);
        counts[column] += 1.0;
        for (sum, ms) in sums[column].iter_mut().zip(&picture.stages_ms) {
            *sum += f64::from(ms.max(0.0));
        }
    }
    let means: Vec<Vec<f64>> =
        sums.iter().zip(counts).map(|(sum, n)| sum.iter().map(|s| s / n.max(1.0)).collect()).collect();
    let top = means.iter().map(|m| m.iter().sum::<f64>()).fold(1.0, f64::max) * 1.05;
    let bar = WIDTH / COLUMNS as f64;
    let mut body = String::new();
    for (column, mean) in means.iter().enumerate() {
        let mut from = 0.0;
        for (stage, ms) in mean.iter().enumerate() {
            let (x, y, h) = (column as f64 * bar, HEIGHT * (1.0 - (from + ms) / top), HEIGHT * ms / top);
            let color = COLORS[stage % COLORS.len()];
            let _ =
                write!(body, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"{h:.1}\" fill=\"{color}\"/>");
            from += ms;
        }
    }
    for (stage, name) in run.stages.iter().enumerate() {
        let (x, y, color) = (WIDTH + 6.0, HEIGHT - stage as f64 * 12.0, COLORS[stage % COLORS.len()]);
        let _ = write!(body, "<text x=\"{x}\" y=\"{y}\" fill=\"{color}\">{name}</text>");
    }
    frame("stages, means", (0.0, length, "s"), (0.0, top, "ms"), &body)
}
