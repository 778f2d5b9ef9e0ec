//! Samples with their times, of which only the usable ones are kept.

use super::super::ExchangeError;
use super::super::npy::{Array, read};
use super::super::report::Notes;
use std::path::Path;

/// Longer without a sample is told, seconds.
const GAP_S: f64 = 1.0;
/// Times are seconds since a phone was started.
const MAX_TIME_S: f64 = 1e9;

/// Where an array lies and which of its values matter.
pub(super) struct Wanted<'a> {
    /// For people, such as `can/speed`.
    pub name: &'a str,
    pub times: &'a Path,
    pub values: &'a Path,
    /// The columns that are used.
    pub columns: &'a [usize],
    /// Whether their values can be.
    pub can_be: fn(&[f64]) -> bool,
    /// What becomes of a gap.
    pub gaps: &'a str,
}

/// The usable samples of an array, in the order of their times, no two at the same time.
pub(super) struct Series {
    array: Array,
    /// With their rows.
    samples: Vec<(f64, usize)>,
}

impl Series {
    /// Reads the array; `None`, with a note, when neither it nor its times are there.
    pub fn read(wanted: &Wanted<'_>, notes: &mut Notes) -> Result<Option<Self>, ExchangeError> {
        let name = wanted.name;
        if !wanted.times.exists() && !wanted.values.exists() {
            notes.say(format!("{name} is not there"));
            return Ok(None);
        }
        let (times, array) = (read(wanted.times)?, read(wanted.values)?);
        if times.rows != array.rows {
            let problem = format!(
                "{} times for {} values, and nothing says which belong together; without this folder the rest is read",
                times.rows, array.rows
            );
            return Err(ExchangeError::unfit(wanted.values, problem));
        }
        let least = wanted.columns.iter().max().map_or(0, |column| column + 1);
        if array.rows > 0 && array.width < least {
            let problem = format!("its rows have {} values, {least} are needed", array.width);
            return Err(ExchangeError::unfit(wanted.values, problem));
        }
        let picked = |row: usize| -> Vec<f64> { wanted.columns.iter().map(|column| array.row(row)[*column]).collect() };
        let (mut timeless, mut odd) = (0, 0);
        let mut usable = Vec::with_capacity(array.rows);
        for row in 0..array.rows {
            let at = times.first(row);
            let values = picked(row);
            if !(0.0..MAX_TIME_S).contains(&at) {
                timeless += 1;
            } else if !values.iter().all(|value| value.is_finite()) || !(wanted.can_be)(&values) {
                odd += 1;
            } else {
                usable.push((at, row));
            }
        }
        let samples = forward(&usable);
        let kept = |at: f64| samples.binary_search_by(|(time, _)| time.total_cmp(&at)).is_ok();
        let twice = usable.iter().filter(|(at, _)| kept(*at)).count() - samples.len();
        let back = usable.len() - samples.len() - twice;
        notes.count(odd, "sample", "samples", format!("of {name} left out: no numbers, or none that can be"));
        notes.count(timeless, "sample", "samples", format!("of {name} left out: no time from 0 to {MAX_TIME_S} s"));
        notes.count(back, "sample", "samples", format!("of {name} left out: their times do not fit those around them"));
        notes.count(twice, "sample", "samples", format!("of {name} left out: another has the same time"));
        if array.rows == 0 {
            notes.say(format!("{name} is empty"));
        } else if samples.is_empty() {
            notes.say(format!("{name} has no usable sample"));
        }
        let series = Self { array, samples };
        series.tell_gaps(wanted, notes);
        Ok(Some(series))
    }

    fn tell_gaps(&self, wanted: &Wanted<'_>, notes: &mut Notes) {
        let steps = self.samples.windows(2).map(|pair| (pair[1].0 - pair[0].0, pair[0].0));
        let gaps: Vec<(f64, f64)> = steps.filter(|(length, _)| *length > GAP_S).collect();
        if let Some((longest, at)) = gaps.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0)) {
            let (count, name) = (gaps.len(), wanted.name);
            notes.say(format!(
                "{name} has {count} gaps of more than {GAP_S} s, the longest of {longest:.1} s after {at:.3} s: {}",
                wanted.gaps
            ));
        }
    }

    /// Times with their rows.
    pub fn samples(&self) -> &[(f64, usize)] {
        &self.samples
    }

    pub fn row(&self, row: usize) -> &[f64] {
        self.array.row(row)
    }

    /// The newest sample at or before `at` seconds.
    pub fn before(&self, at: f64) -> Option<&[f64]> {
        let count = self.samples.partition_point(|(time, _)| *time <= at);
        self.samples.get(count.checked_sub(1)?).map(|(_, row)| self.row(*row))
    }
}

/// The most samples whose times go forward, in their order: one that jumps ahead does not cost all that follow (longest
/// increasing subsequence, by the smallest last time of each length).
fn forward(samples: &[(f64, usize)]) -> Vec<(f64, usize)> {
    // By length less one: the sample that a run of this length ends with.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(samples.len());
    for (index, (at, _)) in samples.iter().enumerate() {
        let length = ends.partition_point(|end| samples[*end].0 < *at);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() { ends.push(index) } else { ends[length] = index }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(index) = next {
        run.push(samples[index]);
        next = before[index];
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_that_jumps_ahead_or_back_costs_one_sample() {
        let times = |times: &[f64]| -> Vec<f64> {
            let samples: Vec<(f64, usize)> = times.iter().copied().zip(0..).collect();
            forward(&samples).iter().map(|(at, _)| *at).collect()
        };
        assert_eq!(times(&[1.0, 2.0, 900.0, 3.0, 4.0]), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(times(&[1.0, 2.0, 0.5, 3.0, 3.0, 4.0]), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(times(&[]), []);
    }
}
