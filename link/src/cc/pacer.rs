//! Lets packets out at a rate, the most urgent first.

use std::collections::{BTreeMap, VecDeque};

/// How urgent a packet is; the order of the variants is the order of leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Small and steady: leaves at once, whatever the rate.
    Audio,
    /// Its frame is older than every frame behind it.
    Retransmission,
    /// First transmission and redundancy of a camera, the one to drive by first.
    Video(usize),
}

/// What may leave at once after a pause: without it the timer's grain would cost rate.
const BURST_US: u64 = 5_000;
/// Headers below RTP's payload: RTP with extensions, SRTP, UDP, IP.
const OVERHEAD_BYTES: usize = 80;
/// Most bytes waiting; more means that nobody asked for the backlog before encoding.
const MAX_BYTES: usize = 2 << 20;
const LEAST_BPS: f64 = 50_000.0;

#[derive(Debug)]
struct Waiting<T> {
    bytes: usize,
    packet: T,
}

/// Packets on their way out.
#[derive(Debug)]
pub(crate) struct Pacer<T> {
    queues: BTreeMap<Class, VecDeque<Waiting<T>>>,
    bytes: usize,
    bps: f64,
    /// When the wire, at the paced rate, would be free.
    free_us: u64,
}

impl<T> Pacer<T> {
    pub(crate) fn new() -> Self {
        Self { queues: BTreeMap::new(), bytes: 0, bps: 60e6, free_us: 0 }
    }

    /// Bits per second from now on; what is not a number is ignored.
    pub(crate) fn set_rate(&mut self, bps: f64) {
        if bps.is_finite() {
            self.bps = bps.max(LEAST_BPS);
        }
    }

    /// Queues a packet with `bytes` of payload; false when it found no room and is gone.
    pub(crate) fn enqueue(&mut self, class: Class, bytes: usize, packet: T) -> bool {
        let bytes = bytes + OVERHEAD_BYTES;
        if self.bytes + bytes > MAX_BYTES {
            return false;
        }
        self.bytes += bytes;
        self.queues.entry(class).or_default().push_back(Waiting { bytes, packet });
        true
    }

    /// The next packet, when it may leave at `now_us`.
    pub(crate) fn poll(&mut self, now_us: u64) -> Option<T> {
        let may_leave = self.free_us <= now_us + BURST_US;
        let (_, queue) = self
            .queues
            .iter_mut()
            .find(|(class, queue)| !queue.is_empty() && (may_leave || **class == Class::Audio))?;
        let waiting = queue.pop_front()?;
        self.bytes -= waiting.bytes;
        self.spend(now_us, waiting.bytes);
        Some(waiting.packet)
    }

    fn spend(&mut self, now_us: u64, bytes: usize) {
        self.free_us = self.free_us.max(now_us) + (bytes as f64 * 8e6 / self.bps) as u64;
    }

    /// When [`Self::poll`] has something, microseconds; `None` while nothing waits.
    pub(crate) fn next_us(&self) -> Option<u64> {
        if self.queues.get(&Class::Audio).is_some_and(|queue| !queue.is_empty()) {
            return Some(0);
        }
        (self.bytes > 0).then(|| self.free_us.saturating_sub(BURST_US))
    }

    /// How long what is queued up to and with `class` takes to leave, microseconds.
    pub(crate) fn backlog_us(&self, class: Class) -> u64 {
        let waiting = self.queues.range(..=class).flat_map(|(_, queue)| queue);
        (waiting.map(|w| w.bytes).sum::<usize>() as f64 * 8e6 / self.bps) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_urgent_overtakes_what_waits() {
        let mut pacer = Pacer::new();
        pacer.set_rate(1e6);
        (0..20).for_each(|i| assert!(pacer.enqueue(Class::Video(1), 1_000, ("other camera's keyframe", i))));
        assert!(pacer.enqueue(Class::Video(0), 1_000, ("front", 0)));
        assert!(pacer.enqueue(Class::Retransmission, 1_000, ("retransmission", 0)));
        assert!(pacer.enqueue(Class::Audio, 100, ("audio", 0)));
        let order: Vec<_> = (0..40).filter_map(|i| pacer.poll(i * 10_000)).collect();
        assert_eq!(order[..3], [("audio", 0), ("retransmission", 0), ("front", 0)]);
        assert!(order[3..23].windows(2).all(|w| w[0].1 < w[1].1));
    }

    #[test]
    fn audio_does_not_wait_for_the_rate() {
        let mut pacer = Pacer::new();
        pacer.set_rate(100_000.0);
        (0..50).for_each(|_| assert!(pacer.enqueue(Class::Video(0), 1_000, "video")));
        while pacer.poll(0).is_some() {}
        assert!(pacer.enqueue(Class::Audio, 100, "audio"));
        assert_eq!((pacer.next_us(), pacer.poll(1), pacer.poll(1)), (Some(0), Some("audio"), None));
    }

    #[test]
    fn the_rate_is_kept_and_the_next_time_told() {
        let mut pacer = Pacer::new();
        pacer.set_rate(8e6);
        (0..1_000).for_each(|i| assert!(pacer.enqueue(Class::Video(0), 1_000 - OVERHEAD_BYTES, i)));
        assert_eq!(pacer.backlog_us(Class::Video(0)), 1_000_000);
        assert_eq!(pacer.backlog_us(Class::Retransmission), 0);
        let (mut now_us, mut left) = (0, 0);
        while let Some(next_us) = pacer.next_us() {
            now_us = next_us.max(now_us);
            while pacer.poll(now_us).is_some() {
                left += 1;
            }
        }
        assert_eq!((left, now_us), (1_000, 999_000 - BURST_US));
        assert_eq!(pacer.poll(now_us), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut pacer = Pacer::new();
        let taken = (0..10_000).filter(|i| pacer.enqueue(Class::Video(0), 1_000, *i)).count();
        assert!(taken < 3_000 && pacer.bytes <= MAX_BYTES);
    }
}
