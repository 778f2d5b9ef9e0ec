//! Real packets through the model: one thread reads each port, one more a direction delivers on time.

use super::{Direction, DirectionStats, NetemError, Path, PathSpec};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A place where packets come in and go out.
pub trait Port: Send + Sync + 'static {
    /// Waits for a packet, at most [`POLL_TIMEOUT`]: `None` when none came.
    ///
    /// # Errors
    /// What the system says; the shell counts it and goes on.
    fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>>;

    /// Sends a packet at once.
    ///
    /// # Errors
    /// What the system says; the shell counts it and goes on.
    fn send(&self, packet: &[u8]) -> io::Result<()>;

    /// What the packet weighs on the wire beyond its own bytes.
    fn overhead_bytes(&self) -> usize {
        0
    }
}

/// How long a port waits for a packet before it looks whether the shell is to end.
pub const POLL_TIMEOUT: Duration = Duration::from_millis(100);
const LARGEST_PACKET: usize = 65_536;

/// Counts of both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ShellStats {
    /// Left to right.
    pub forward: DirectionStats,
    /// Right to left.
    pub backward: DirectionStats,
    /// Packets that a port refused to take or to give.
    pub errors: u64,
    /// Deliveries, both directions.
    pub deliveries: u64,
    /// Mean of how much later than reckoned they were made, microseconds.
    pub mean_late_us: u64,
    /// The worst of them, microseconds.
    pub most_late_us: u64,
}

/// A path between two ports; it ends when this is dropped.
pub struct Shell {
    forward: Arc<DirectionQueue>,
    backward: Arc<DirectionQueue>,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Shell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shell").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

struct DirectionQueue {
    direction: Mutex<Direction<Arc<[u8]>>>,
    pushed: Condvar,
    stop: AtomicBool,
    origin: Instant,
    errors: AtomicU64,
    deliveries: AtomicU64,
    late_us: AtomicU64,
    most_late_us: AtomicU64,
}

impl DirectionQueue {
    fn new(direction: Direction<Arc<[u8]>>, origin: Instant) -> Arc<Self> {
        Arc::new(Self {
            direction: Mutex::new(direction),
            pushed: Condvar::new(),
            stop: AtomicBool::new(false),
            origin,
            errors: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            late_us: AtomicU64::new(0),
            most_late_us: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Direction<Arc<[u8]>>> {
        self.direction.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_us(&self) -> u64 {
        crate::now_us(self.origin)
    }

    fn read(&self, from: &dyn Port) {
        let mut buffer = vec![0; LARGEST_PACKET];
        while !self.stop.load(Ordering::Relaxed) {
            match from.recv(&mut buffer) {
                Ok(Some(length)) => {
                    let packet: Arc<[u8]> = buffer[..length.min(LARGEST_PACKET)].into();
                    self.lock().push(self.now_us(), length + from.overhead_bytes(), packet);
                    self.pushed.notify_one();
                }
                Ok(None) => {}
                Err(_) => {
                    self.errors.fetch_add(1, Ordering::Relaxed);
                    // A port that is broken for good must not use up a core.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    fn deliver(&self, to: &dyn Port) {
        let mut direction = self.lock();
        while !self.stop.load(Ordering::Relaxed) {
            let now_us = self.now_us();
            if let Some(delivery) = direction.poll(now_us) {
                drop(direction);
                self.account(now_us.saturating_sub(delivery.at_us));
                if to.send(&delivery.payload).is_err() {
                    self.errors.fetch_add(1, Ordering::Relaxed);
                }
                direction = self.lock();
                continue;
            }
            let wait = direction.next_us().map_or(POLL_TIMEOUT, |next| {
                Duration::from_micros(next.saturating_sub(self.now_us())).min(POLL_TIMEOUT)
            });
            direction = self.pushed.wait_timeout(direction, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn account(&self, late_us: u64) {
        self.deliveries.fetch_add(1, Ordering::Relaxed);
        self.late_us.fetch_add(late_us, Ordering::Relaxed);
        self.most_late_us.fetch_max(late_us, Ordering::Relaxed);
    }
}

impl Shell {
    /// Starts the path between `left` and `right`. `each_thread` runs first on every thread that reads or delivers,
    /// for example to raise its priority.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        spec: &PathSpec,
        seed: u64,
        left: Arc<dyn Port>,
        right: Arc<dyn Port>,
        each_thread: fn(),
    ) -> Result<Self, NetemError> {
        let path = Path::new(spec, seed);
        let origin = Instant::now();
        let (forward, backward) =
            (DirectionQueue::new(path.forward, origin), DirectionQueue::new(path.backward, origin));
        let mut shell = Self { forward: forward.clone(), backward: backward.clone(), threads: Vec::new() };
        for (queue, from, to) in [(forward, left.clone(), right.clone()), (backward, right, left)] {
            let reader = queue.clone();
            shell.spawn("netem-read", each_thread, move || reader.read(&*from))?;
            shell.spawn("netem-deliver", each_thread, move || queue.deliver(&*to))?;
        }
        Ok(shell)
    }

    fn spawn(
        &mut self,
        name: &'static str,
        first: fn(),
        then: impl FnOnce() + Send + 'static,
    ) -> Result<(), NetemError> {
        let body = move || {
            first();
            then();
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        self.threads.push(thread.map_err(|source| NetemError::Thread { name, source })?);
        Ok(())
    }

    /// Counts since the start.
    #[must_use]
    pub fn stats(&self) -> ShellStats {
        let queues = [&self.forward, &self.backward];
        let sum = |of: fn(&DirectionQueue) -> &AtomicU64| {
            queues.iter().map(|queue| of(queue).load(Ordering::Relaxed)).sum::<u64>()
        };
        let deliveries = sum(|queue| &queue.deliveries);
        ShellStats {
            forward: self.forward.lock().stats(),
            backward: self.backward.lock().stats(),
            errors: sum(|queue| &queue.errors),
            deliveries,
            mean_late_us: sum(|queue| &queue.late_us) / deliveries.max(1),
            most_late_us: queues.iter().map(|l| l.most_late_us.load(Ordering::Relaxed)).max().unwrap_or(0),
        }
    }

    /// Since the start; the scripts' time.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.forward.origin.elapsed()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for queue in [&self.forward, &self.backward] {
            queue.stop.store(true, Ordering::Relaxed);
            queue.pushed.notify_all();
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
