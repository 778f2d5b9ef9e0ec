//! Lets packets out at a rate, the most urgent first.

use std::collections::{BTreeMap, VecDeque};

/// How urgent a packet is; the order of the variants is the order of leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
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

/// Packets on their way out.
#[derive(Debug)]
pub(crate) struct Pacer<T> {
    queues: BTreeMap<Class, VecDeque<(usize, T)>>,
    bytes: usize,
    bps: f64,
    /// When the wire, at the paced rate, would be free.
    free_us: u64,
    dropped: u64,
}

impl<T> Pacer<T> {
    pub(crate) fn new() -> Self {
        Self { queues: BTreeMap::new(), bytes: 0, bps: 60e6, free_us: 0, dropped: 0 }
    }

    /// Bits per second from now on.
    pub(crate) fn set_rate(&mut self, bps: f64) {
        if bps.is_finite() {
            self.bps = bps.max(50_000.0);
        }
    }

    /// Queues a packet with `bytes` of payload; one that finds no room is dropped and counted.
    pub(crate) fn enqueue(&mut self, class: Class, bytes: usize, packet: T) {
        let bytes = bytes + OVERHEAD_BYTES;
        if self.bytes + bytes > MAX_BYTES {
            self.dropped += 1;
            tracing::debug!(?class, bytes, "packet dropped: the pacer is full");
            return;
        }
        self.bytes += bytes;
        self.queues.entry(class).or_default().push_back((bytes, packet));
    }

    /// The next packet, when it may leave at `now_us`.
    pub(crate) fn poll(&mut self, now_us: u64) -> Option<T> {
        if self.free_us > now_us + BURST_US {
            return None;
        }
        let (bytes, packet) = self.queues.values_mut().find_map(VecDeque::pop_front)?;
        self.bytes -= bytes;
        self.free_us = self.free_us.max(now_us) + self.time_us(bytes);
        Some(packet)
    }

    fn time_us(&self, bytes: usize) -> u64 {
        (bytes as f64 * 8e6 / self.bps) as u64
    }

    /// When [`Self::poll`] has something, microseconds; `None` while nothing waits.
    pub(crate) fn next_us(&self) -> Option<u64> {
        (self.bytes > 0).then(|| self.free_us.saturating_sub(BURST_US))
    }

    /// How long what is queued up to and with `class` takes to leave, microseconds.
    pub(crate) fn backlog_us(&self, class: Class) -> u64 {
        self.time_us(self.queues.range(..=class).flat_map(|(_, queue)| queue).map(|(bytes, _)| bytes).sum())
    }

    #[cfg(test)]
    fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_urgent_overtakes_what_waits() {
        let mut pacer = Pacer::new();
        pacer.set_rate(1e6);
        (0..20).for_each(|i| pacer.enqueue(Class::Video(1), 1_000, ("other camera", i)));
        pacer.enqueue(Class::Video(0), 1_000, ("front", 0));
        pacer.enqueue(Class::Retransmission, 1_000, ("repair", 0));
        let order: Vec<_> = (0..30).filter_map(|i| pacer.poll(i * 10_000)).collect();
        assert_eq!(order[..3], [("repair", 0), ("front", 0), ("other camera", 0)]);
        assert!(order[2..].windows(2).all(|w| w[0].1 < w[1].1));
    }

    #[test]
    fn the_rate_is_kept_and_the_next_time_told() {
        let mut pacer = Pacer::new();
        pacer.set_rate(8e6);
        (0..1_000).for_each(|i| pacer.enqueue(Class::Video(0), 1_000 - OVERHEAD_BYTES, i));
        assert_eq!(pacer.backlog_us(Class::Video(0)), 1_000_000);
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
        (0..10_000).for_each(|i| pacer.enqueue(Class::Video(0), 1_000, i));
        assert!(pacer.dropped() > 7_000 && pacer.bytes <= MAX_BYTES);
    }
}
