//! What is known of a path.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What holds the rate where it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Nothing: it grows, or stands at its maximum.
    #[default]
    None,
    /// A queue on the path.
    Delay,
    /// Losses that come with the rate: a policer, or a queue too short to be seen.
    Loss,
    /// There was not more to send.
    Application,
}

/// The estimator's view of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// Bits per second that may be sent, with all repairs.
    pub(crate) target_bps: f64,
    /// Share of packets lost, 0 to 1, over about the last second.
    pub(crate) loss: f64,
    /// Mean number of packets lost in a row; 1 for independent losses.
    pub(crate) mean_burst: f64,
    pub(crate) round_trip_us: u64,
    /// Standing queue on the path, milliseconds.
    pub(crate) queue_ms: f64,
    /// Bits per second that arrived.
    pub(crate) acknowledged_bps: f64,
    pub(crate) limit: Limit,
    /// Whether the path has shown a limit lately, so that bursts would stand in its queue or be cut.
    pub(crate) narrow: bool,
    /// How long to send no new pictures so that a queue drains, microseconds, and a count that tells one such wish from
    /// the next.
    pub(crate) pause: (u64, u32),
}

/// A rate at which bursts of a frame leave as one on a path that has shown no limit, bits per second.
const OPEN_BPS: f64 = 60e6;

impl Estimate {
    /// The rate at which the pacer lets packets out.
    pub(crate) fn pacing_bps(&self) -> f64 {
        match (self.narrow, self.limit) {
            (true, Limit::Loss) => 1.5 * self.target_bps,
            (true, _) => 2.5 * self.target_bps,
            (false, _) => OPEN_BPS.max(2.5 * self.target_bps),
        }
    }
}

/// Reads the estimate after the estimator has gone into the interceptors.
#[derive(Debug, Clone)]
pub(crate) struct EstimateHandle(Arc<Mutex<(Estimate, f64)>>);

impl EstimateHandle {
    pub(super) fn new(estimate: Estimate, max_bps: f64) -> Self {
        Self(Arc::new(Mutex::new((estimate, max_bps))))
    }

    fn lock(&self) -> MutexGuard<'_, (Estimate, f64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read(&self) -> Estimate {
        self.lock().0
    }

    pub(super) fn write(&self, estimate: Estimate) {
        self.lock().0 = estimate;
    }

    pub(super) fn max_bps(&self) -> f64 {
        self.lock().1
    }

    /// The most there will ever be to send, bits per second.
    pub(crate) fn set_max(&self, bps: f64) {
        self.lock().1 = bps;
    }
}
