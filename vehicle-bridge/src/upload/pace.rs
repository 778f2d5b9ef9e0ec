//! The bucket at work: a reader that gives no more than may be sent.

use super::bucket::{Grant, TokenBucket};
use protocol::api::UploadProgress;
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the limit is looked up.
const LOOK_EVERY_US: u64 = 50_000;
/// Most that is read at once, bytes.
const PIECE: usize = 16 << 10;
/// A request that may send nothing for so long is ended; the upload goes on later from where it stands.
const STALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest sleep, so that stop and changes are noticed.
const NAP: Duration = Duration::from_millis(50);
/// Over which the rate is told.
const RATE_OVER_US: u64 = 5_000_000;

/// Asked for the limit in force, bits per second of payload; `None` for none.
pub type Limit = Box<dyn Fn() -> Option<f64> + Send + Sync>;

struct Inner {
    bucket: TokenBucket,
    looked_us: Option<u64>,
    limit_bps: Option<f64>,
    sent: VecDeque<(u64, usize)>,
}

/// How fast uploads may go; shared by whatever sends.
pub struct Pace {
    origin: Instant,
    limit: Limit,
    stop: Arc<AtomicBool>,
    inner: Mutex<Inner>,
}

impl Pace {
    /// A pace that asks `limit` and ends everything once `stop` is set.
    #[must_use]
    pub fn new(limit: Limit, stop: Arc<AtomicBool>) -> Self {
        let inner = Inner { bucket: TokenBucket::new(0), looked_us: None, limit_bps: None, sent: VecDeque::new() };
        Self { origin: Instant::now(), limit, stop, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> (MutexGuard<'_, Inner>, u64) {
        let mut inner = self.lock();
        let now_us = self.origin.elapsed().as_micros() as u64;
        if inner.looked_us.is_none_or(|at| now_us >= at + LOOK_EVERY_US) {
            inner.looked_us = Some(now_us);
            inner.limit_bps = (self.limit)();
            let rate = inner.limit_bps.map(|bps| (bps / 8.0) as u64);
            inner.bucket.set_rate(now_us, rate);
        }
        while inner.sent.front().is_some_and(|(at, _)| at + RATE_OVER_US < now_us) {
            inner.sent.pop_front();
        }
        (inner, now_us)
    }

    fn take(&self, wanted: usize) -> Grant {
        let (mut inner, now_us) = self.look();
        let grant = inner.bucket.take(now_us, wanted);
        if let Grant::Now(bytes) = grant {
            inner.sent.push_back((now_us, bytes));
        }
        grant
    }

    /// Whether everything shall end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Bits per second that may go now; `None` for no limit.
    #[must_use]
    pub fn limit_bps(&self) -> Option<f64> {
        self.look().0.limit_bps
    }

    /// Fills in the limit and the rate of the last seconds.
    pub fn tell(&self, progress: &mut UploadProgress) {
        let (inner, _) = self.look();
        progress.limit_bps = inner.limit_bps;
        let bytes: usize = inner.sent.iter().map(|(_, bytes)| bytes).sum();
        progress.rate_bps = bytes as f64 * 8.0 / (RATE_OVER_US as f64 * 1e-6);
    }

    /// Paces `bytes` that are read from `source`; `seen` hears of every piece.
    pub fn read<'a, R: Read>(&'a self, source: R, bytes: u64, seen: &'a mut dyn FnMut(usize)) -> Paced<'a, R> {
        Paced { pace: self, source, left: bytes, seen }
    }
}

/// See [`Pace::read`].
pub struct Paced<'a, R> {
    pace: &'a Pace,
    source: R,
    left: u64,
    seen: &'a mut dyn FnMut(usize),
}

impl<R: Read> Read for Paced<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let wanted = buffer.len().min(PIECE).min(usize::try_from(self.left).unwrap_or(PIECE));
        if wanted == 0 {
            return Ok(0);
        }
        let asked = Instant::now();
        loop {
            if self.pace.is_stopped() {
                return Err(Error::new(ErrorKind::ConnectionAborted, "the program ends"));
            }
            match self.pace.take(wanted) {
                Grant::Now(bytes) => {
                    let read = self.source.read(&mut buffer[..bytes])?;
                    self.left -= read as u64;
                    (self.seen)(read);
                    return Ok(read);
                }
                Grant::After(us) => std::thread::sleep(Duration::from_micros(us).min(NAP)),
                Grant::Never => std::thread::sleep(NAP),
            }
            if asked.elapsed() > STALL_TIMEOUT {
                return Err(Error::new(ErrorKind::TimedOut, "the link has no room for uploads now"));
            }
        }
    }
}
