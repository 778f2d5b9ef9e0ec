//! Signals as lines, ready to draw: pure numbers, no screen.

/// Who a line speaks of; each has a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ink {
    /// What the vehicle measured.
    Vehicle,
    /// What the operator asked for.
    Operator,
    /// What the policy would do.
    Policy,
    /// What the gate let through.
    Gate,
    /// Something to worry about.
    Alarm,
}

/// A signal over time. Samples are (seconds since the episode's start, value), ascending in time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// Whose values they are.
    pub ink: Ink,
    points: Vec<[f32; 2]>,
    /// A longer time without a sample is a gap, seconds.
    gap_s: f32,
}

impl Series {
    /// A signal. Values that are no numbers are left out.
    #[must_use]
    pub fn new(name: &str, ink: Ink, mut points: Vec<[f32; 2]>) -> Self {
        points.retain(|[_, value]| value.is_finite());
        let gap_s = gap(&points);
        Self { name: name.to_owned(), ink, points, gap_s }
    }

    /// Whether there is nothing to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// When its samples were taken, seconds.
    pub fn times_s(&self) -> impl Iterator<Item = f32> + '_ {
        self.points.iter().map(|[t, _]| *t)
    }

    /// The newest value at `at_s`, unless it is older than a gap.
    #[must_use]
    pub fn at(&self, at_s: f64) -> Option<f32> {
        let after = self.points.partition_point(|[t, _]| f64::from(*t) <= at_s + 5e-4);
        let [t, value] = *self.points.get(after.checked_sub(1)?)?;
        (at_s - f64::from(t) <= f64::from(self.gap_s)).then_some(value)
    }

    /// Least and greatest value.
    #[must_use]
    pub fn range(&self) -> Option<[f32; 2]> {
        let first = self.points.first()?[1];
        Some(self.points.iter().fold([first; 2], |[least, most], [_, v]| [least.min(*v), most.max(*v)]))
    }

    /// Unbroken pieces of the line for a plot that is `columns` pixels wide and `length_s` long: where more samples than
    /// that come together, the least and the greatest of each column stay.
    #[must_use]
    pub fn strips(&self, length_s: f32, columns: usize) -> Vec<Vec<[f32; 2]>> {
        let column_s = length_s.max(f32::MIN_POSITIVE) / columns.max(1) as f32;
        let dense = self.points.len() > 4 * columns.max(1);
        let pieces = self.points.chunk_by(|a, b| b[0] - a[0] <= self.gap_s);
        pieces.map(|piece| if dense { thin(piece, column_s) } else { piece.to_vec() }).collect()
    }
}

/// Five times the usual distance of samples, and not less than 0.2 s.
fn gap(points: &[[f32; 2]]) -> f32 {
    let mut steps: Vec<f32> = points.windows(2).map(|w| w[1][0] - w[0][0]).collect();
    if steps.is_empty() {
        return f32::INFINITY;
    }
    let middle = steps.len() / 2;
    let (_, usual, _) = steps.select_nth_unstable_by(middle, f32::total_cmp);
    (5.0 * *usual).max(0.2)
}

fn thin(piece: &[[f32; 2]], column_s: f32) -> Vec<[f32; 2]> {
    let mut kept = Vec::new();
    for column in piece.chunk_by(|a, b| (a[0] / column_s).floor() == (b[0] / column_s).floor()) {
        let by_value = |a: &&[f32; 2], b: &&[f32; 2]| a[1].total_cmp(&b[1]);
        let (least, most) = (column.iter().min_by(by_value), column.iter().max_by(by_value));
        let (Some(&least), Some(&most)) = (least, most) else { continue };
        kept.push(if least[0] <= most[0] { least } else { most });
        if least[0] != most[0] {
            kept.push(if least[0] <= most[0] { most } else { least });
        }
    }
    kept
}

/// Lines that share an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Unit of the axis; empty where it is not known.
    pub unit: String,
    /// Lines, the one behind first.
    pub series: Vec<Series>,
    /// The axis.
    pub axis: Axis,
}

impl Plot {
    /// A plot whose axis shows `least` at any rate, so that noise about nothing looks like nothing. Signals without a
    /// sample are left out; `None` when none is left.
    #[must_use]
    pub fn new(title: &str, unit: &str, least: [f32; 2], series: Vec<Series>) -> Option<Self> {
        let series: Vec<Series> = series.into_iter().filter(|s| !s.is_empty()).collect();
        let ranges = series.iter().filter_map(Series::range);
        let [from, to] = ranges.fold(least, |[from, to], [least, most]| [from.min(least), to.max(most)]);
        let axis = Axis::over(from, to);
        (!series.is_empty()).then(|| Self { title: title.to_owned(), unit: unit.to_owned(), series, axis })
    }
}

/// A vertical axis with even ticks at round numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Value at the lower edge.
    pub from: f32,
    /// Value at the upper edge.
    pub to: f32,
    /// Between ticks; ticks lie at its multiples.
    pub step: f32,
}

impl Axis {
    /// Holds both values, with two to five ticks.
    #[must_use]
    pub fn over(from: f32, to: f32) -> Self {
        let span = (to - from).max(from.abs().max(to.abs()) * 1e-3).clamp(1e-6, 1e30);
        let step = round_step(f64::from(span) / 3.0) as f32;
        let room = span * 0.06;
        // Nothing below an axis that starts at zero.
        let below = if from == 0.0 { 0.0 } else { room };
        Self { from: from - below, to: from + span + room, step }
    }

    /// The ticks, from below.
    #[must_use]
    pub fn ticks(&self) -> Vec<f32> {
        let first = (self.from / self.step).ceil();
        let count = ((self.to / self.step).floor() - first).clamp(-1.0, 20.0) as i32 + 1;
        (0..count).map(|i| (first + i as f32) * self.step).collect()
    }

    /// A tick's text, with the decimals that its step needs.
    #[must_use]
    pub fn label(&self, tick: f32) -> String {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 6.0) as usize;
        if tick.abs() >= 1e5 {
            return format!("{tick:.0e}");
        }
        // No "-0".
        format!("{:.decimals$}", if tick.abs() < self.step / 2.0 { 0.0 } else { tick })
    }

    /// Where `value` lies: 0 at the lower edge, 1 at the upper.
    #[must_use]
    pub fn share(&self, value: f32) -> f32 {
        (value - self.from) / (self.to - self.from)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `at_least`.
#[must_use]
pub fn round_step(at_least: f64) -> f64 {
    let at_least = at_least.max(1e-12);
    let power = 10f64.powf(at_least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|s| *s >= at_least * 0.999).unwrap_or(power)
}

/// Ticks of a time axis, about `count` of them: seconds, and a text for each.
#[must_use]
pub fn time_ticks(length_s: f64, count: usize) -> Vec<(f64, String)> {
    let wanted = length_s / count.max(1) as f64;
    let step = if wanted <= 10.0 {
        round_step(wanted)
    } else {
        [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0]
            .into_iter()
            .find(|s| *s >= wanted)
            .unwrap_or_else(|| round_step(wanted))
    };
    let decimals = (-step.log10().floor()).clamp(0.0, 3.0) as usize;
    let ticks = (length_s / step).floor().clamp(0.0, 200.0) as usize;
    (0..=ticks).map(|i| i as f64 * step).map(|at| (at, clock_text(at, decimals))).collect()
}

/// A value with one decimal, and never "-0.0".
#[must_use]
pub fn tenths(value: f32) -> String {
    format!("{:.1}", (value * 10.0).round() / 10.0 + 0.0)
}

/// Seconds as `1:02.5`.
#[must_use]
pub fn clock_text(at_s: f64, decimals: usize) -> String {
    let unit = 10f64.powi(decimals as i32);
    let at_s = (at_s * unit).round() / unit;
    let minutes = (at_s / 60.0).floor();
    let width = if decimals > 0 { decimals + 3 } else { 2 };
    format!("{minutes:.0}:{:0width$.decimals$}", at_s - minutes * 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(count: usize, step_s: f32) -> Vec<[f32; 2]> {
        (0..count).map(|i| [i as f32 * step_s, i as f32]).collect()
    }

    #[test]
    fn a_line_breaks_where_samples_are_missing() {
        let mut points = ramp(50, 0.02);
        points.extend((0..50).map(|i| [5.0 + i as f32 * 0.02, f32::NAN]));
        points.extend((0..50).map(|i| [10.0 + i as f32 * 0.02, 1.0]));
        let series = Series::new("speed", Ink::Vehicle, points);
        let strips = series.strips(11.0, 400);
        assert_eq!(strips.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50]);
        assert_eq!(series.at(0.99), Some(49.0));
        assert_eq!(series.at(5.0), None, "older than a gap");
        assert_eq!(series.at(-1.0), None);
        // Sampled once a second: that is no gap.
        assert_eq!(Series::new("loss", Ink::Alarm, ramp(20, 1.0)).strips(20.0, 400).len(), 1);
    }

    #[test]
    fn a_peak_survives_when_a_column_holds_many_samples() {
        let mut points = ramp(100_000, 0.01);
        points.iter_mut().for_each(|p| p[1] = 0.0);
        points[54_321][1] = 9.0;
        points[54_322][1] = -9.0;
        let strips = Series::new("spike", Ink::Vehicle, points).strips(1000.0, 500);
        assert_eq!(strips.len(), 1);
        assert!(strips[0].len() <= 1002, "{}", strips[0].len());
        assert!(strips[0].is_sorted_by_key(|p| p[0]));
        let values: Vec<f32> = strips[0].iter().map(|p| p[1]).collect();
        assert!(values.contains(&9.0) && values.contains(&-9.0));
    }

    #[test]
    fn an_axis_holds_its_values_with_round_ticks() {
        for (from, to) in [(0.0, 52.3), (-0.4, 0.7), (-9.0, 3.0), (5.0, 5.0), (0.0, 1e9), (-1e-3, 1e-3)] {
            let axis = Axis::over(from, to);
            assert!(axis.from <= from && axis.to >= to, "{axis:?}");
            let ticks = axis.ticks();
            assert!((1..=5).contains(&ticks.len()), "{from} {to} {ticks:?}");
            assert!(ticks.iter().all(|t| (0.0..=1.0).contains(&axis.share(*t))), "{axis:?} {ticks:?}");
        }
        let axis = Axis::over(-0.4, 0.7);
        assert_eq!(axis.ticks().iter().map(|t| axis.label(*t)).collect::<Vec<_>>(), ["0.0", "0.5"]);
    }

    #[test]
    fn a_plot_of_nothing_is_none_and_quiet_noise_stays_small() {
        assert_eq!(Plot::new("loss", "%", [0.0, 1.0], vec![Series::new("loss", Ink::Alarm, Vec::new())]), None);
        let quiet = Series::new("loss", Ink::Alarm, vec![[0.0, 0.001], [1.0, 0.002]]);
        let plot = Plot::new("loss", "%", [0.0, 1.0], vec![quiet]).unwrap();
        assert!(plot.axis.from == 0.0 && plot.axis.to >= 1.0, "{:?}", plot.axis);
    }

    #[test]
    fn nothing_is_less_than_nothing() {
        assert_eq!([-0.04, -0.06, 12.34].map(tenths), ["0.0", "-0.1", "12.3"]);
    }

    #[test]
    fn times_read_as_on_a_clock() {
        assert_eq!(clock_text(0.0, 1), "0:00.0");
        assert_eq!(clock_text(62.46, 1), "1:02.5");
        assert_eq!(clock_text(59.96, 1), "1:00.0");
        assert_eq!(clock_text(600.0, 0), "10:00");
        let texts: Vec<String> = time_ticks(25.0, 6).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0:00", "0:05", "0:10", "0:15", "0:20", "0:25"]);
        assert!(time_ticks(0.0, 6).len() == 1 && time_ticks(1e12, 6).len() <= 201);
    }
}
