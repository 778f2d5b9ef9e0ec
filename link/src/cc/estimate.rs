//! What is known of a path, and the handle to read it by.

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

/// Which way the rate goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Up, or at its maximum.
    #[default]
    Increase,
    /// Waiting for what the last change brings, for more to send, or for any news at all.
    Hold,
    /// Down, with the latest report.
    Decrease,
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
    /// From sending a packet to hearing that it arrived, the least of the last seconds, microseconds.
    pub(crate) round_trip_us: u64,
    /// Standing queue on the path, milliseconds.
    pub(crate) queue_ms: f64,
    /// Bits per second that arrived.
    pub(crate) acknowledged_bps: f64,
    pub(crate) limit: Limit,
    pub(crate) state: State,
    /// Whether the path has shown a limit lately, so that bursts would stand in its queue or be cut.
    pub(crate) narrow: bool,
    /// How long to send no new pictures so that a queue drains, microseconds, and a count that tells one such wish from
    /// the next.
    pub(crate) pause: (u64, u32),
}

/// A rate at which a frame leaves as one burst on a path that has shown no limit, bits per second.
const OPEN_BPS: f64 = 60e6;
/// Pace over target where the queue is deep enough for bursts: each frame then probes the path for more than the target,
/// and is late by two fifths of a frame interval at most.
const NARROW_PACE: f64 = 2.5;
/// The same where bursts are cut off rather than queued.
const POLICED_PACE: f64 = 1.5;

impl Estimate {
    pub(crate) fn starting_at(target_bps: f64) -> Self {
        Self {
            target_bps,
            loss: 0.0,
            mean_burst: 1.0,
            round_trip_us: 0,
            queue_ms: 0.0,
            acknowledged_bps: 0.0,
            limit: Limit::None,
            state: State::Increase,
            narrow: false,
            pause: (0, 0),
        }
    }

    /// The rate at which the pacer lets packets out, bits per second.
    pub(crate) fn pacing_bps(&self) -> f64 {
        match (self.narrow, self.limit) {
            // While it is being found out whether losses come with the rate, bursts must not be what they come with.
            (_, Limit::Loss) => POLICED_PACE * self.target_bps,
            (true, _) => NARROW_PACE * self.target_bps,
            (false, _) => OPEN_BPS.max(NARROW_PACE * self.target_bps),
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

    /// The newest estimate.
    pub(crate) fn read(&self) -> Estimate {
        self.lock().0
    }

    pub(super) fn write(&self, estimate: Estimate) {
        self.lock().0 = estimate;
    }

    pub(super) fn max_bps(&self) -> f64 {
        self.lock().1
    }

    /// The most there will ever be to send, bits per second; what is not a positive number is ignored.
    pub(crate) fn set_max(&self, bps: f64) {
        if bps.is_finite() && bps > 0.0 {
            self.lock().1 = bps;
        }
    }
}
