//! How often a call is repeated.

use crate::ClientError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Pauses before a call is repeated: the first one; each following is twice as long, up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));
/// Attempts of [`Retry::Briefly`].
const BRIEF_ATTEMPTS: u32 = 3;
/// How soon a stop is noticed.
const STOP_CHECK: Duration = Duration::from_millis(50);
/// When somebody is told that nobody answers: soon, and then seldom. A control plane that just starts needs a moment.
const FIRST_WARNING: Duration = Duration::from_secs(2);
const NEXT_WARNING: Duration = Duration::from_secs(30);

/// How often an idempotent call is repeated after a failure that may pass ([`ClientError::may_pass`]). The pauses grow
/// from 250 ms by factors of two to 4 s.
#[derive(Debug, Clone, Default)]
pub enum Retry {
    /// Never: the caller has a loop of its own.
    Never,
    /// Up to three attempts, for a command that is given once. Where nobody listens, the first one says so.
    #[default]
    Briefly,
    /// Until it is answered or the flag is set, for jobs that run for hours and outlive a control plane's restart.
    UntilStopped(Arc<AtomicBool>),
}

impl Retry {
    /// Calls `attempt` as often as this allows.
    pub(crate) fn run<T>(
        &self,
        address: &str,
        mut attempt: impl FnMut() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut pause = PAUSE.0;
        let mut warning_due = Instant::now() + FIRST_WARNING;
        let mut attempts = 0;
        loop {
            self.check_stop(address)?;
            attempts += 1;
            let error = match attempt() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !self.repeats(attempts, &error) {
                return Err(error);
            }
            if Instant::now() >= warning_due {
                tracing::warn!("the control plane at {address} does not answer: {}; trying on", error.reason());
                warning_due = Instant::now() + NEXT_WARNING;
            }
            self.sleep(address, pause)?;
            pause = (2 * pause).min(PAUSE.1);
        }
    }

    fn repeats(&self, attempts: u32, error: &ClientError) -> bool {
        match self {
            Self::Never => false,
            Self::Briefly => {
                attempts < BRIEF_ATTEMPTS && error.may_pass() && !matches!(error, ClientError::Unreachable { .. })
            }
            Self::UntilStopped(_) => error.may_pass(),
        }
    }

    fn check_stop(&self, address: &str) -> Result<(), ClientError> {
        match self {
            Self::UntilStopped(stop) if stop.load(Ordering::Relaxed) => {
                Err(ClientError::Interrupted { address: address.to_owned() })
            }
            _ => Ok(()),
        }
    }

    fn sleep(&self, address: &str, pause: Duration) -> Result<(), ClientError> {
        let until = Instant::now() + pause;
        loop {
            self.check_stop(address)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(STOP_CHECK));
        }
    }
}
