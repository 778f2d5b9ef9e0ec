//! Lets packets out at a rate, the most urgent first.

use super::estimate::Probe;
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
    /// Redundancy for frames that have left.
    Repair,
    /// Only to see what the path carries.
    Padding,
}

/// What a drop has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) frames: usize,
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
}

/// What may leave at once after a pause: without it the timer's grain would cost rate.
const BURST_US: u64 = 5_000;
/// Headers below RTP's payload: RTP with extensions, SRTP, UDP, IP.
const OVERHEAD_BYTES: usize = 80;
/// Most bytes waiting; more means that nobody asked for the backlog before encoding.
const MAX_BYTES: usize = 2 << 20;
/// A probe that could not leave by then is out of date.
const PROBE_EXPIRES_US: u64 = 200_000;
const LEAST_BPS: f64 = 50_000.0;

#[derive(Debug)]
struct Waiting<T> {
    /// When it was queued, which is the same for all packets of a frame and tells frames apart.
    since_us: u64,
    bytes: usize,
    packet: T,
}

/// A burst that is leaving.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    bps: f64,
    bytes: usize,
    packet_bytes: usize,
    until_us: u64,
}

/// Packets on their way out.
#[derive(Debug)]
pub(crate) struct Pacer<T> {
    queues: BTreeMap<Class, VecDeque<Waiting<T>>>,
    bytes: usize,
    bps: f64,
    /// When the wire, at the paced rate, would be free.
    free_us: u64,
    dropped: u64,
    /// Frame of each camera that has begun to leave.
    leaving: BTreeMap<Class, u64>,
    cluster: Option<Cluster>,
    probe_id: u32,
}

impl<T> Pacer<T> {
    pub(crate) fn new() -> Self {
        Self {
            queues: BTreeMap::new(),
            bytes: 0,
            bps: 60e6,
            free_us: 0,
            dropped: 0,
            leaving: BTreeMap::new(),
            cluster: None,
            probe_id: 0,
        }
    }

    /// Bits per second from now on; what is not a number is ignored.
    pub(crate) fn set_rate(&mut self, bps: f64) {
        if bps.is_finite() {
            self.bps = bps.max(LEAST_BPS);
        }
    }

    /// Queues a packet with `bytes` of payload; one that finds no room is dropped and counted. Packets of one frame are
    /// queued with the same `now_us`.
    pub(crate) fn enqueue(&mut self, now_us: u64, class: Class, bytes: usize, packet: T) {
        let bytes = bytes + OVERHEAD_BYTES;
        if self.bytes + bytes > MAX_BYTES {
            self.dropped += 1;
            return;
        }
        self.bytes += bytes;
        self.queues.entry(class).or_default().push_back(Waiting { since_us: now_us, bytes, packet });
    }

    /// The next packet, when it may leave at `now_us`.
    pub(crate) fn poll(&mut self, now_us: u64) -> Option<T> {
        let may_leave = self.free_us <= now_us + BURST_US;
        let (class, queue) = self
            .queues
            .iter_mut()
            .find(|(class, queue)| !queue.is_empty() && (may_leave || **class == Class::Audio))?;
        let (class, waiting) = (*class, queue.pop_front()?);
        self.bytes -= waiting.bytes;
        if matches!(class, Class::Video(_)) {
            self.leaving.insert(class, waiting.since_us);
        }
        self.spend(now_us, waiting.bytes);
        Some(waiting.packet)
    }

    fn spend(&mut self, now_us: u64, bytes: usize) {
        let mut bps = self.bps;
        if let Some(cluster) = &mut self.cluster {
            bps = bps.max(cluster.bps);
            cluster.bytes = cluster.bytes.saturating_sub(bytes);
            if cluster.bytes == 0 {
                self.cluster = None;
            }
        }
        self.free_us = self.free_us.max(now_us) + (bytes as f64 * 8e6 / bps) as u64;
    }

    /// Carries out a wish of the estimator's, each once.
    pub(crate) fn probe(&mut self, now_us: u64, wish: Probe) {
        if wish.id == self.probe_id || wish.packets == 0 {
            return;
        }
        self.probe_id = wish.id;
        self.cluster = Some(Cluster {
            bps: wish.bps.max(LEAST_BPS),
            bytes: wish.bytes,
            packet_bytes: wish.bytes.div_ceil(wish.packets),
            until_us: now_us + PROBE_EXPIRES_US,
        });
    }

    /// Bytes of payload of a packet of padding, or of redundancy, that should leave now; 0 for none. Whoever is told so
    /// sends it: it is counted as sent.
    pub(crate) fn padding_wanted(&mut self, now_us: u64) -> usize {
        let Some(cluster) = self.cluster else { return 0 };
        if now_us > cluster.until_us {
            self.cluster = None;
            return 0;
        }
        // A probe is spaced evenly: lumps would measure themselves.
        if self.bytes > 0 || self.free_us > now_us {
            return 0;
        }
        self.spend(now_us, cluster.packet_bytes);
        cluster.packet_bytes.saturating_sub(OVERHEAD_BYTES).max(1)
    }

    /// Drops whole frames of `camera` queued before `before_us`. One that has begun to leave goes on: half of it would
    /// be worth nothing.
    pub(crate) fn drop_frames_before(&mut self, camera: usize, before_us: u64) -> Dropped {
        let class = Class::Video(camera);
        let leaving = self.leaving.get(&class).copied();
        let Some(queue) = self.queues.get_mut(&class) else { return Dropped::default() };
        let mut dropped = Dropped::default();
        let mut frame = None;
        queue.retain(|waiting| {
            if waiting.since_us >= before_us || Some(waiting.since_us) == leaving {
                return true;
            }
            dropped.frames += usize::from(frame.replace(waiting.since_us) != Some(waiting.since_us));
            dropped.packets += 1;
            dropped.bytes += waiting.bytes;
            false
        });
        self.bytes -= dropped.bytes;
        dropped
    }

    /// When [`Self::poll`] or [`Self::padding_wanted`] has something, microseconds; `None` while nothing waits.
    pub(crate) fn next_us(&self) -> Option<u64> {
        if self.queues.get(&Class::Audio).is_some_and(|queue| !queue.is_empty()) {
            return Some(0);
        }
        if self.bytes > 0 { Some(self.free_us.saturating_sub(BURST_US)) } else { self.cluster.map(|_| self.free_us) }
    }

    /// How long what is queued up to and with `class` takes to leave, microseconds.
    pub(crate) fn backlog_us(&self, class: Class) -> u64 {
        let waiting = self.queues.range(..=class).flat_map(|(_, queue)| queue);
        (waiting.map(|w| w.bytes).sum::<usize>() as f64 * 8e6 / self.bps) as u64
    }

    /// Packets dropped for want of room.
    pub(crate) fn dropped(&self) -> u64 {
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
        pacer.enqueue(0, Class::Repair, 1_000, ("redundancy", 0));
        (0..20).for_each(|i| pacer.enqueue(0, Class::Video(1), 1_000, ("other camera's keyframe", i)));
        pacer.enqueue(0, Class::Video(0), 1_000, ("front", 0));
        pacer.enqueue(0, Class::Retransmission, 1_000, ("retransmission", 0));
        pacer.enqueue(0, Class::Audio, 100, ("audio", 0));
        let order: Vec<_> = (0..40).filter_map(|i| pacer.poll(i * 10_000)).collect();
        assert_eq!(order[..3], [("audio", 0), ("retransmission", 0), ("front", 0)]);
        assert!(order[3..23].windows(2).all(|w| w[0].1 < w[1].1));
        assert_eq!(order[23].0, "redundancy");
    }

    #[test]
    fn audio_does_not_wait_for_the_rate() {
        let mut pacer = Pacer::new();
        pacer.set_rate(100_000.0);
        (0..50).for_each(|_| pacer.enqueue(0, Class::Video(0), 1_000, "video"));
        while pacer.poll(0).is_some() {}
        pacer.enqueue(1, Class::Audio, 100, "audio");
        assert_eq!((pacer.next_us(), pacer.poll(1), pacer.poll(1)), (Some(0), Some("audio"), None));
    }

    #[test]
    fn the_rate_is_kept_and_the_next_time_told() {
        let mut pacer = Pacer::new();
        pacer.set_rate(8e6);
        (0..1_000).for_each(|i| pacer.enqueue(0, Class::Video(0), 1_000 - OVERHEAD_BYTES, i));
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
    fn stale_frames_go_as_a_whole_and_one_that_has_begun_to_leave_stays() {
        let mut pacer = Pacer::new();
        pacer.set_rate(1e6);
        for frame in 0..4u64 {
            (0..3).for_each(|i| pacer.enqueue(frame * 33_000, Class::Video(0), 1_000, (frame, i)));
            pacer.enqueue(frame * 33_000, Class::Video(1), 1_000, (frame + 10, 0));
        }
        assert_eq!(pacer.poll(0), Some((0, 0)));
        let dropped = pacer.drop_frames_before(0, 99_000);
        assert_eq!((dropped.frames, dropped.packets), (2, 6));
        let rest: Vec<_> = (0..40).filter_map(|i| pacer.poll(i * 10_000)).map(|(frame, _)| frame).collect();
        assert_eq!(rest, [0, 0, 3, 3, 3, 10, 11, 12, 13]);
        assert_eq!(pacer.drop_frames_before(7, 99_000), Dropped::default());
    }

    #[test]
    fn a_probe_leaves_evenly_at_its_rate_and_only_once() {
        let mut pacer: Pacer<()> = Pacer::new();
        pacer.set_rate(300_000.0);
        let wish = Probe { id: 1, bps: 800_000.0, bytes: 1_000, packets: 5 };
        pacer.probe(1_000_000, wish);
        let times: Vec<u64> =
            (0..100).map(|i| 1_000_000 + i * 1_000).filter(|now_us| pacer.padding_wanted(*now_us) > 0).collect();
        assert_eq!(times, [1_000_000, 1_002_000, 1_004_000, 1_006_000, 1_008_000]);
        pacer.probe(1_200_000, wish);
        assert_eq!((pacer.padding_wanted(1_200_000), pacer.next_us()), (0, None));
    }

    #[test]
    fn memory_is_bounded() {
        let mut pacer = Pacer::new();
        (0..10_000).for_each(|i| pacer.enqueue(0, Class::Video(0), 1_000, i));
        assert!(pacer.dropped() > 7_000 && pacer.bytes <= MAX_BYTES);
    }
}
