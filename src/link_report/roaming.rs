//! A side whose address changes while the session runs.

use crate::netem::namespaces::Side;
use crate::netem::router::Router;
use std::time::{Duration, Instant, SystemTime};

const EVERY: Duration = Duration::from_secs(15);

pub(super) struct Roaming<'a> {
    router: &'a Router,
    side: Side,
    next: Instant,
    moved_unix_us: Vec<u64>,
    failed: Option<anyhow::Error>,
}

impl<'a> Roaming<'a> {
    pub(super) fn new(router: &'a Router, side: Side) -> Self {
        Self { router, side, next: Instant::now() + EVERY, moved_unix_us: Vec::new(), failed: None }
    }

    /// Moves on when it is time.
    pub(super) fn turn(&mut self) {
        if self.failed.is_some() || Instant::now() < self.next {
            return;
        }
        self.next += EVERY;
        let number = u8::try_from(self.moved_unix_us.len() % 100).unwrap_or(0) + 1;
        match self.router.readdress(self.side, 0, number) {
            Ok(()) => self.moved_unix_us.push(unix_us()),
            Err(error) => self.failed = Some(error),
        }
    }

    /// When it moved: wall time, microseconds.
    pub(super) fn done(self) -> anyhow::Result<Vec<u64>> {
        self.failed.map_or(Ok(self.moved_unix_us), Err)
    }
}

fn unix_us() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}
