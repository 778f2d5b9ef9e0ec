//! What is rehearsed, and how good it has to be.

use crate::netem::namespaces::Side;
use link::netem::{NetemError, PathSpec};

/// One case of the report.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// As asked for on the command line.
    pub name: &'static str,
    /// In a sentence.
    pub about: &'static str,
    /// Preset of the impairment.
    pub preset: &'static str,
    /// Preset of a second path at the same time.
    pub second: Option<&'static str>,
    /// What the seats do.
    pub kind: Kind,
    /// Metrics with their goals; every other metric is reported without one.
    pub goals: &'static [Goal],
    /// Whether it runs when no case is asked for.
    pub by_default: bool,
}

/// What the seats do in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One seat watches all the time.
    Watch,
    /// One seat after the other connects, waits for a picture and leaves.
    Connect,
    /// One seat watches, and this side's address changes again and again: a modem that finds another network.
    Roam(Side),
}

/// A metric's goal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// Name of the metric.
    pub metric: &'static str,
    /// What it should be at most, or at least.
    pub value: f64,
    /// Whether more is better.
    pub at_least: bool,
}

const fn at_most(metric: &'static str, value: f64) -> Goal {
    Goal { metric, value, at_least: false }
}

const fn at_least(metric: &'static str, value: f64) -> Goal {
    Goal { metric, value, at_least: true }
}

/// Every case.
pub const CASES: &[Case] = &[
    Case {
        name: "clean",
        about: "nothing happens to any packet",
        preset: "clean",
        second: None,
        kind: Kind::Watch,
        goals: &[
            at_most("pixel_to_pixel_p50", 15.0),
            at_most("pixel_to_pixel_p95", 25.0),
            at_most("command_added_p99", 3.0),
            at_most("vehicle_cpu", 0.6),
            at_most("seat_cpu", 0.4),
            at_most("clock_error_max", 1.0),
            at_least("stages_accounted", 95.0),
        ],
        by_default: true,
    },
    Case {
        name: "rtt50",
        about: "50 ms round trip",
        preset: "rtt50",
        second: None,
        kind: Kind::Watch,
        goals: &[at_most("pixel_to_pixel_p95", 55.0), at_most("clock_error_max", 1.0)],
        by_default: true,
    },
    Case {
        name: "loss10",
        about: "30 ms round trip, 10 % random loss",
        preset: "loss10",
        second: None,
        kind: Kind::Watch,
        goals: &[at_most("late_or_missing", 0.05), at_most("command_age_p999", 55.0)],
        by_default: true,
    },
    Case {
        name: "loss30",
        about: "30 ms round trip, 30 % random loss",
        preset: "loss30",
        second: None,
        kind: Kind::Watch,
        goals: &[at_most("late_or_missing", 0.5)],
        by_default: true,
    },
    Case {
        name: "burst",
        about: "30 ms round trip, 10 % loss in bursts of mean 5",
        preset: "burst",
        second: None,
        kind: Kind::Watch,
        goals: &[at_most("late_or_missing", 0.05)],
        by_default: true,
    },
    Case {
        name: "satellite",
        about: "240 ms round trip, 5 % random loss",
        preset: "satellite",
        second: None,
        kind: Kind::Watch,
        goals: &[at_most("frozen_per_50s", 0.25), at_least("frame_rate", 25.0)],
        by_default: true,
    },
    Case {
        name: "1mbit",
        about: "30 ms round trip, 1 Mbit/s",
        preset: "1mbit",
        second: None,
        kind: Kind::Watch,
        goals: &[at_most("late", 0.1)],
        by_default: true,
    },
    Case {
        name: "step",
        about: "30 ms round trip, 8 to 1 to 8 Mbit/s",
        preset: "step",
        second: None,
        kind: Kind::Watch,
        goals: &[at_most("below_150ms_again", 1.0)],
        by_default: true,
    },
    Case {
        name: "connect",
        about: "50 ms round trip, a new seat every few seconds",
        preset: "rtt50",
        second: None,
        kind: Kind::Connect,
        goals: &[at_most("first_picture_p95", 1.0)],
        by_default: true,
    },
    Case {
        name: "blackout",
        about: "50 ms round trip, nothing for 5 s of each 30 s",
        preset: "blackout",
        second: None,
        kind: Kind::Watch,
        goals: &[at_most("picture_after_blackout_p95", 1.0)],
        by_default: true,
    },
    Case {
        name: "roam",
        about: "50 ms round trip, the seat gets another address every 15 s",
        preset: "rtt50",
        second: None,
        kind: Kind::Roam(Side::Right),
        goals: &[at_most("picture_after_roam_p95", 3.0)],
        by_default: true,
    },
    Case {
        name: "roam-vehicle",
        about: "50 ms round trip, the vehicle gets another address every 15 s",
        preset: "rtt50",
        second: None,
        kind: Kind::Roam(Side::Left),
        goals: &[at_most("picture_after_roam_p95", 3.0)],
        by_default: true,
    },
    Case {
        name: "failover",
        about: "two paths, 50 and 30 ms round trip; the first is dead for 5 s of each 30 s",
        preset: "blackout",
        second: Some("rtt30"),
        kind: Kind::Watch,
        goals: &[at_most("longest_gap", 100.0), at_most("late_or_missing", 0.05)],
        by_default: true,
    },
    Case {
        name: "hour",
        about: "50 ms round trip; give it --seconds 3600",
        preset: "rtt50",
        second: None,
        kind: Kind::Watch,
        goals: &[
            at_most("latency_drift", 1.0),
            at_most("vehicle_memory_growth", 5.0),
            at_most("seat_memory_growth", 5.0),
        ],
        by_default: false,
    },
];

/// What the goals and metrics are counted in.
pub const UNITS: &[(&str, &str)] = &[
    ("pixel_to_pixel_", "ms"),
    ("command_", "ms"),
    ("clock_", "ms"),
    ("late", "%"),
    ("missing", "%"),
    ("frozen_per_50s", "s"),
    ("longest_gap", "ms"),
    ("frame_rate", "1/s"),
    ("below_150ms_again", "s"),
    ("first_picture_", "s"),
    ("picture_after_", "s"),
    ("vehicle_cpu", "cores"),
    ("seat_cpu", "cores"),
    ("latency_drift", "ms"),
    ("vehicle_memory", "MB"),
    ("seat_memory", "MB"),
    ("stage ", "ms"),
    ("stages_", "%"),
    ("bitrate", "Mbit/s"),
    ("router_late_", "ms"),
    ("reconnects", ""),
    ("pictures", ""),
];

/// The unit of a metric.
#[must_use]
pub fn unit(metric: &str) -> &'static str {
    // The longest prefix decides: "latency_drift" is no share of late pictures.
    let fitting = UNITS.iter().filter(|(prefix, _)| metric.starts_with(prefix));
    fitting.max_by_key(|(prefix, _)| prefix.len()).map_or("", |(_, unit)| unit)
}

impl Case {
    /// The case of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        CASES.iter().find(|case| case.name == name)
    }

    /// The paths it runs on, the first one first.
    ///
    /// # Errors
    /// Never: a test reads them all.
    pub fn paths(&self) -> Result<Vec<PathSpec>, NetemError> {
        [Some(self.preset), self.second].into_iter().flatten().map(PathSpec::preset).collect()
    }

    /// The goal for a metric, if it has one here.
    #[must_use]
    pub fn goal(&self, metric: &str) -> Option<&'static Goal> {
        self.goals.iter().find(|goal| goal.metric == metric)
    }
}

impl Goal {
    /// Whether `value` reaches it.
    #[must_use]
    pub fn met(&self, value: f64) -> bool {
        if self.at_least { value >= self.value } else { value <= self.value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_path_and_every_goal_a_unit() {
        for case in CASES {
            case.paths().unwrap();
            assert!(case.goals.iter().all(|goal| !unit(goal.metric).is_empty()), "{}", case.name);
        }
        assert_eq!((unit("latency_drift"), unit("late_or_missing"), unit("clock_error_max")), ("ms", "%", "ms"));
    }
}
