//! Impairments over time.

use super::Impairment;

/// What a direction does from when on. Times count from the direction's zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Ascending; the first at 0.
    steps: Vec<(u64, Impairment)>,
    /// After this the steps start over, microseconds.
    period_us: Option<u64>,
}

impl Script {
    /// The same all the time.
    #[must_use]
    pub fn constant(impairment: Impairment) -> Self {
        Self { steps: vec![(0, impairment)], period_us: None }
    }

    /// `first` until the first of `steps` (microseconds, ascending, after 0); with a period they start over.
    /// Steps that are out of order or beyond the period never come.
    #[must_use]
    pub fn new(first: Impairment, steps: Vec<(u64, Impairment)>, period_us: Option<u64>) -> Self {
        let mut all = vec![(0, first)];
        for step in steps {
            if all.last().is_some_and(|last| step.0 > last.0) && period_us.is_none_or(|period| step.0 < period) {
                all.push(step);
            }
        }
        Self { steps: all, period_us: period_us.filter(|period| *period > 0) }
    }

    /// What holds at `now_us`.
    #[must_use]
    pub fn at(&self, now_us: u64) -> &Impairment {
        let within = self.within(now_us);
        let after = self.steps.partition_point(|(at, _)| *at <= within);
        &self.steps[after.max(1) - 1].1
    }

    /// When the next step comes after `now_us`; `None` when the last one stays.
    #[must_use]
    pub fn next_change_us(&self, now_us: u64) -> Option<u64> {
        if self.steps.len() == 1 {
            return None;
        }
        let within = self.within(now_us);
        let start = now_us - within;
        let after = self.steps.partition_point(|(at, _)| *at <= within);
        let next = self.steps.get(after).map(|(at, _)| *at).or(self.period_us)?;
        start.checked_add(next)
    }

    fn within(&self, now_us: u64) -> u64 {
        self.period_us.map_or(now_us, |period| now_us % period)
    }
}
