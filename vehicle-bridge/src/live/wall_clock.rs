//! How the vehicle's wall clock stands to the control plane's: measured, told, and used for nothing that moves the car.
//!
//! Everything on the vehicle counts by its monotonic clock. What the control plane's clock reads is estimated on that one,
//! so that the difference is known at once when the vehicle's wall clock is set, and with nobody to ask.

use protocol::v1::WallClock;
use protocol::{ClockDifference, ClockEstimator, DifferenceNews, DifferenceWatch};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug, Default)]
struct Inner {
    /// Local is the vehicle's monotonic clock, remote the control plane's wall clock.
    estimator: ClockEstimator,
    watch: DifferenceWatch,
}

/// See the module.
#[derive(Debug)]
pub struct VehicleWallClock {
    origin: Instant,
    /// What the log times of messages take for the wall time at `origin`, microseconds since 1970.
    log_origin_us: u64,
    inner: Mutex<Inner>,
}

/// From now on.
impl Default for VehicleWallClock {
    fn default() -> Self {
        Self::new(Instant::now(), unix_us())
    }
}

fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl VehicleWallClock {
    /// For a vehicle whose monotonic clock is zero at `origin`, which its log times take for `log_origin_us` since 1970.
    #[must_use]
    pub fn new(origin: Instant, log_origin_us: u64) -> Self {
        Self { origin, log_origin_us, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vehicle's monotonic clock, microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The control plane's clock read `unix_us` between these two times.
    pub fn exchange(&self, sent_us: u64, unix_us: u64, received_us: u64) {
        self.lock().estimator.add(sent_us, unix_us, unix_us, received_us);
    }

    /// The vehicle's wall clock now minus the control plane's; `None` before the first exchange.
    #[must_use]
    pub fn control_plane(&self) -> Option<ClockDifference> {
        let (now_us, unix_us) = self.reading();
        let estimate = self.lock().estimator.estimate(now_us)?;
        Some(ClockDifference::to_remote(&estimate, now_us, unix_us))
    }

    /// By how much the log times are ahead of the control plane's clock, milliseconds: their clock is the monotonic one
    /// and is never set.
    #[must_use]
    pub fn log_ahead_ms(&self) -> Option<i64> {
        let now_us = self.now_us();
        let estimate = self.lock().estimator.estimate(now_us)?;
        let difference = ClockDifference::to_remote(&estimate, now_us, self.log_origin_us.saturating_add(now_us));
        Some(difference.ahead_ms.round() as i64)
    }

    /// For the seats.
    #[must_use]
    pub fn message(&self) -> WallClock {
        let (monotonic_us, unix_us) = self.reading();
        let control_plane = self.control_plane().map(|difference| difference.message());
        WallClock { unix_us, monotonic_us, control_plane }
    }

    /// Writes a difference that begins, changes or ends into the log.
    pub fn tell(&self) {
        let Some(difference) = self.control_plane() else { return };
        let ClockDifference { ahead_ms, uncertainty_ms } = difference;
        let words = difference.words("the vehicle", "the control plane");
        // The control thread wants the lock, too: it is not held while this is written.
        let news = self.lock().watch.look(Some(difference));
        match news {
            Some(DifferenceNews::Begins) => {
                tracing::warn!(
                    ahead_ms,
                    uncertainty_ms,
                    "{words}: times in logs and lists differ; nothing that drives depends on it"
                );
            }
            Some(DifferenceNews::Changes) => tracing::warn!(ahead_ms, uncertainty_ms, "now {words}"),
            Some(DifferenceNews::Ends) => {
                tracing::info!(ahead_ms, uncertainty_ms, "the clocks of vehicle and control plane agree again");
            }
            None => {}
        }
    }

    /// Both clocks at one time.
    fn reading(&self) -> (u64, u64) {
        let before_us = self.now_us();
        let unix_us = unix_us();
        let after_us = self.now_us();
        (before_us + (after_us - before_us) / 2, unix_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS_US: u64 = 6 * 3_600 * 1_000_000;

    #[test]
    fn the_difference_is_that_of_the_two_wall_clocks_and_the_log_times_have_their_own() {
        // The bridge started while the vehicle's clock was an hour behind; it was set right since.
        let clock = VehicleWallClock::new(Instant::now(), unix_us() - HOURS_US / 6);
        assert_eq!((clock.control_plane(), clock.log_ahead_ms()), (None, None));
        let now_us = clock.now_us();
        clock.exchange(now_us, unix_us() + HOURS_US, clock.now_us());
        let hours = |ms: f64| ms / 3.6e6;
        let difference = clock.control_plane().unwrap();
        assert!(
            (hours(difference.ahead_ms) + 6.0).abs() < 0.001 && difference.uncertainty_ms < 1_000.0,
            "{difference:?}"
        );
        assert!((hours(clock.log_ahead_ms().unwrap() as f64) + 7.0).abs() < 0.001);
        let message = clock.message();
        assert!(message.unix_us.abs_diff(unix_us()) < 1_000_000 && message.control_plane.is_some());
        // The control plane's clock is set.
        let now_us = clock.now_us();
        clock.exchange(now_us, unix_us(), clock.now_us());
        assert!(clock.control_plane().unwrap().ahead_ms.abs() < 1_000.0);
    }
}
