//! Control-loop jitter: how late ticks start and how long they work. Sans-IO; allocates nothing.

use protocol::v1::ControlTiming;

/// Ticks kept for the percentiles: more than a second's.
const SAMPLES: usize = 128;

/// Lateness and work of the ticks since the last report.
#[derive(Debug, Clone)]
pub struct TickTiming {
    period_us: u64,
    lateness_us: [u64; SAMPLES],
    ticks: usize,
    work_max_us: u64,
    missed: u64,
}

impl TickTiming {
    /// For ticks that are due every `period_us`.
    #[must_use]
    pub fn new(period_us: u64) -> Self {
        Self { period_us, lateness_us: [0; SAMPLES], ticks: 0, work_max_us: 0, missed: 0 }
    }

    /// A tick started `lateness_us` after it was due and took `work_us`. True when it missed its deadline: it ended
    /// after the next one was due.
    pub fn note(&mut self, lateness_us: u64, work_us: u64) -> bool {
        self.lateness_us[self.ticks % SAMPLES] = lateness_us;
        self.ticks += 1;
        self.work_max_us = self.work_max_us.max(work_us);
        let late = lateness_us + work_us > self.period_us;
        self.missed += u64::from(late);
        late
    }

    /// Deadlines missed since the start.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The figures since the last report.
    pub fn report(&mut self, now_us: u64) -> ControlTiming {
        let count = self.ticks.min(SAMPLES);
        let samples = &mut self.lateness_us[..count];
        samples.sort_unstable();
        let at = |share: f64| samples.get(((count.max(1) - 1) as f64 * share) as usize).map_or(0.0, |v| *v as f64);
        let timing = ControlTiming {
            monotonic_us: now_us,
            ticks: self.ticks as u64,
            lateness_p50_us: at(0.5),
            lateness_p99_us: at(0.99),
            lateness_max_us: at(1.0),
            work_max_us: self.work_max_us as f64,
            missed_deadlines: self.missed,
        };
        self.ticks = 0;
        self.work_max_us = 0;
        timing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_covers_the_ticks_since_the_last() {
        let mut timing = TickTiming::new(20_000);
        for lateness_us in (1..=100).rev() {
            timing.note(lateness_us, 500 + lateness_us);
        }
        let report = timing.report(7);
        assert_eq!((report.monotonic_us, report.ticks, report.missed_deadlines), (7, 100, 0));
        assert_eq!((report.lateness_p50_us, report.lateness_p99_us, report.lateness_max_us), (50.0, 99.0, 100.0));
        assert_eq!(report.work_max_us, 600.0);
        let empty = timing.report(8);
        assert_eq!((empty.ticks, empty.lateness_p50_us, empty.lateness_max_us, empty.work_max_us), (0, 0.0, 0.0, 0.0));
    }

    #[test]
    fn a_tick_that_ends_after_the_next_is_due_has_missed_its_deadline_and_stays_counted() {
        let mut timing = TickTiming::new(20_000);
        assert!(!timing.note(19_000, 1_000));
        assert!(timing.note(19_001, 1_000));
        timing.report(0);
        assert!(timing.note(0, 20_001));
        assert_eq!((timing.missed(), timing.report(0).missed_deadlines), (2, 2));
    }

    #[test]
    fn more_ticks_than_are_kept_leave_the_newest() {
        let mut timing = TickTiming::new(20_000);
        for tick in 0..300 {
            timing.note(if tick < 172 { 9_000 } else { 10 }, 1);
        }
        let report = timing.report(0);
        assert_eq!((report.ticks, report.lateness_max_us), (300, 10.0));
    }
}
