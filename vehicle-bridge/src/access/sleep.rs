//! How long the machine slept.

use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};

/// Linux lets the monotonic clock, by which everything here counts, stand still while the machine is suspended. A grant
/// is not to outlive that: this is what the monotonic clock lacks.
#[derive(Debug)]
pub(super) struct Sleep {
    /// Slept before, microseconds.
    before_us: i64,
    /// Most seen since: it never shrinks, whatever the two readings lie apart.
    slept_us: AtomicI64,
}

/// Of two readings one after the other, the difference is no sleep, microseconds.
const NOISE_US: i64 = 1_000;

fn suspended_us() -> i64 {
    let reading = |clock| {
        let at = clock_gettime(clock);
        at.tv_sec * 1_000_000 + at.tv_nsec / 1_000
    };
    // In this order a pause between the two looks like less sleep, not like more.
    let boot_us = reading(ClockId::Boottime);
    boot_us - reading(ClockId::Monotonic)
}

impl Sleep {
    /// Counts from now on.
    pub(super) fn new() -> Self {
        Self { before_us: suspended_us(), slept_us: AtomicI64::new(0) }
    }

    /// Slept since, microseconds.
    pub(super) fn slept_us(&self) -> u64 {
        let since_us = suspended_us() - self.before_us;
        let most_us = self.slept_us.fetch_max(since_us, Ordering::Relaxed).max(since_us);
        if most_us > NOISE_US { u64::try_from(most_us).unwrap_or(0) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_awake_has_not_slept() {
        let sleep = Sleep::new();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(sleep.slept_us(), 0);
    }

    #[test]
    fn what_was_slept_since_is_counted() {
        let sleep = Sleep { before_us: suspended_us() - 3_600_000_000, slept_us: AtomicI64::new(0) };
        assert!(sleep.slept_us().abs_diff(3_600_000_000) < 1_000_000);
    }
}
