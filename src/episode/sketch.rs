//! An episode's signals drawn with the characters of a terminal.

use protocol::Embodiment;
use protocol::units::SpeedUnit;
use recorder::EpisodeReader;
use recorder::exchange::table::States;
use recorder::exchange::{ExchangeError, ExchangeProgress};
use std::fmt::Write;

/// Characters before the drawing, for the scale.
const MARGIN: usize = 8;
const ROWS: usize = 4;
/// A character of Unicode's braille block has two by four dots.
const ACROSS: usize = 2;
const DOWN: usize = 4;

/// Speed, what steers the robot, and mode over time in lines of `width` characters; `None` when the file holds no states.
///
/// # Errors
/// Those of reading the episode.
pub fn sketch(
    reader: &EpisodeReader,
    width: usize,
    progress: &mut ExchangeProgress<'_>,
) -> Result<Option<String>, ExchangeError> {
    let states = States::read(reader, progress)?;
    let column = |name: &str| states.columns().iter().find(|column| column.name == name).map(|column| &column.values);
    let numbers = |name: &str, factor: f64| -> Vec<f64> {
        let Some(values) = column(name) else { return Vec::new() };
        (0..values.len()).map(|row| values.number(row).map_or(f64::NAN, |value| value * factor)).collect()
    };
    let times_s = numbers("log_time_ns", 1e-9);
    let (Some(&from_s), Some(&to_s)) = (times_s.first(), times_s.last()) else { return Ok(None) };
    let span = Span { times_s, from_s, length_s: (to_s - from_s).max(1e-3), columns: width.clamp(40, 200) - MARGIN };
    let mut text = String::new();
    let robot = reader.embodiment()?;
    let unit = robot.as_ref().map_or(SpeedUnit::KilometresPerHour, Embodiment::speed_unit);
    let turns = robot.as_ref().and_then(|robot| robot.observation.get(robot.channels().steering?));
    let (turning, name) = turns
        .map_or(("steering".to_owned(), "steering_rad".to_owned()), |channel| (channel.label(), channel.name.clone()));
    let degrees = if name.ends_with("radps") { "degrees a second" } else { "degrees" };
    let speed = numbers("observation.speed_mps", unit.amount(1.0));
    let steering = numbers(&format!("observation.{name}"), 1f64.to_degrees());
    for (title, values, least) in [
        (format!("speed, {}", unit.label()), speed, [0.0, least_speed(unit)]),
        (format!("{turning}, {degrees}, left is up"), steering, [-5.0, 5.0]),
    ] {
        if values.iter().any(|value| value.is_finite()) {
            graph(&mut text, &title, &span, &values, least);
        }
    }
    if let Some(recorder::exchange::parquet::Values::Text(modes)) = column("mode") {
        let modes: Vec<&str> = modes.iter().map(String::as_str).collect();
        line(&mut text, "mode", &format!(" {}", band(&span, &modes)));
    }
    let end = format!("{:.1} s", span.length_s);
    line(&mut text, "", &format!(" 0{end:>width$}", width = span.columns - 1));
    line(&mut text, "", " m monitor, a assist, D drive, s stopped");
    Ok(Some(text))
}

/// What the scale of speeds reaches at least.
fn least_speed(unit: SpeedUnit) -> f64 {
    match unit {
        SpeedUnit::KilometresPerHour => 10.0,
        SpeedUnit::MetresPerSecond => 1.0,
    }
}

/// Places in time across the drawing.
struct Span {
    times_s: Vec<f64>,
    from_s: f64,
    length_s: f64,
    columns: usize,
}

impl Span {
    /// The place of row `row` among `places`.
    fn place(&self, row: usize, places: usize) -> usize {
        let share = (self.times_s[row] - self.from_s) / self.length_s;
        ((share * places as f64) as usize).min(places - 1)
    }
}

fn line(text: &mut String, label: &str, content: &str) {
    // Writing to a string cannot fail.
    let line = format!("{label:>width$} {content}", width = MARGIN - 2);
    let _ = writeln!(text, "{}", line.trim_end());
}

fn graph(text: &mut String, title: &str, span: &Span, values: &[f64], least: [f64; 2]) {
    let sound = || values.iter().copied().filter(|value| value.is_finite());
    let (from, to) = (sound().fold(least[0], f64::min), sound().fold(least[1], f64::max));
    line(text, "", &format!(" {title}"));
    let dots = dots(span, values, from, to);
    for (number, row) in dots.chunks(span.columns).enumerate() {
        let label = match number {
            0 => format!("{to:.0}"),
            ROWS_LAST => format!("{from:.0}"),
            _ => String::new(),
        };
        let drawn: String = row.iter().map(|bits| if *bits == 0 { ' ' } else { braille(*bits) }).collect();
        let edge = if label.is_empty() { '│' } else { '┤' };
        line(text, &label, &format!("{edge}{drawn}"));
    }
}

const ROWS_LAST: usize = ROWS - 1;

/// Row by row, the dots of each character.
fn dots(span: &Span, values: &[f64], from: f64, to: f64) -> Vec<u8> {
    let (width, height) = (span.columns * ACROSS, ROWS * DOWN);
    let mut cells = vec![0_u8; span.columns * ROWS];
    let mut before: Option<(usize, usize)> = None;
    for (row, value) in values.iter().enumerate() {
        if !value.is_finite() {
            before = None;
            continue;
        }
        let x = span.place(row, width);
        let y = ((to - value) / (to - from) * (height - 1) as f64).round() as usize;
        // A steep line has no holes.
        let last = before.filter(|(column, _)| x - column <= 1).map_or(y, |(_, y)| y);
        for y in last.min(y)..=last.max(y) {
            cells[y / DOWN * span.columns + x / ACROSS] |= bit(x % ACROSS, y % DOWN);
        }
        before = Some((x, y));
    }
    cells
}

/// Dots are numbered 1, 2, 3, 7 down the left side and 4, 5, 6, 8 down the right.
fn bit(x: usize, y: usize) -> u8 {
    const NUMBERS: [[u8; DOWN]; ACROSS] = [[0, 1, 2, 6], [3, 4, 5, 7]];
    1 << NUMBERS[x][y]
}

fn braille(bits: u8) -> char {
    char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ')
}

/// One letter a column: the mode that matters most in it, a person's before a standing vehicle's before the policy's.
fn band(span: &Span, modes: &[&str]) -> String {
    let letters = [("drive", 'D'), ("assist", 'a'), ("stopped", 's'), ("monitor", 'm')];
    let rank = |mode: &str| letters.iter().position(|(name, _)| *name == mode).unwrap_or(letters.len());
    let mut columns = vec![letters.len(); span.columns];
    for (row, mode) in modes.iter().enumerate() {
        let column = &mut columns[span.place(row, span.columns)];
        *column = (*column).min(rank(mode));
    }
    columns.into_iter().map(|rank| letters.get(rank).map_or(' ', |(_, letter)| *letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(rows: usize, columns: usize) -> Span {
        let times_s: Vec<f64> = (0..rows).map(|row| row as f64).collect();
        Span { from_s: 0.0, length_s: (rows - 1) as f64, times_s, columns }
    }

    #[test]
    fn a_line_without_holes_from_the_lower_left_to_the_upper_right() {
        let values: Vec<f64> = (0..200).map(f64::from).collect();
        let mut text = String::new();
        graph(&mut text, "speed, km/h", &span(200, 20), &values, [0.0, 10.0]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), ROWS + 1);
        assert!(lines[1].trim_start().starts_with("199") && lines[4].trim_start().starts_with('0'), "{text}");
        let marks: usize =
            lines[1..].iter().flat_map(|l| l.chars()).filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
        assert!((20..=24).contains(&marks), "each column has its dots: {text}");
        assert!(lines[1].ends_with(|c| c > '\u{2800}') && lines[4].chars().count() < MARGIN + 8, "{text}");
    }

    #[test]
    fn values_that_are_no_numbers_leave_a_hole() {
        let values: Vec<f64> = (0..200).map(|i| if (80..120).contains(&i) { f64::NAN } else { 5.0 }).collect();
        let cells = dots(&span(200, 20), &values, 0.0, 10.0);
        let empty = (0..20).filter(|x| (0..ROWS).all(|y| cells[y * 20 + x] == 0)).count();
        assert_eq!(empty, 4);
    }

    #[test]
    fn a_short_takeover_is_not_lost_between_columns() {
        let mut modes = vec!["monitor"; 1_000];
        modes[500] = "drive";
        let drawn = band(&span(1_000, 40), &modes);
        assert_eq!((drawn.chars().filter(|c| *c == 'D').count(), drawn.len()), (1, 40));
        assert!(band(&span(1_000, 40), &vec!["unspecified"; 1_000]).trim().is_empty());
    }
}
