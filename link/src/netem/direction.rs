//! The model of one direction.

use super::fate::{Fate, Fates};
use super::{Impairment, Script};
use std::collections::{BTreeMap, VecDeque};

/// One direction of a path. Times are microseconds from its zero and must not go back; an earlier one counts as the last.
#[derive(Debug)]
pub struct Direction<T> {
    script: Script,
    fates: Fates,
    now_us: u64,
    /// Before the bottleneck.
    queue: VecDeque<Queued<T>>,
    queued_bytes: u64,
    /// When the head of the queue will have left, nanoseconds.
    head_done_ns: u64,
    /// The rate that this was reckoned with.
    head_rate_bps: u64,
    /// Behind it, by delivery time and number.
    flight: BTreeMap<(u64, u64), InFlight<T>>,
    flight_bytes: u64,
    numbers: u64,
    /// Delivery of the latest packet that was not held back.
    latest_us: u64,
    stats: DirectionStats,
}

#[derive(Debug)]
struct Queued<T> {
    bytes: u64,
    fate: Fate,
    payload: T,
}

#[derive(Debug)]
struct InFlight<T> {
    bytes: u64,
    payload: T,
}

/// Outcome of a packet that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushVerdict {
    /// On its way; it may still be lost behind the bottleneck.
    Accepted,
    /// The queue was full.
    QueueFull,
    /// Lost at random or in a blackhole, where no bottleneck made it wait.
    Lost,
}

/// A packet that arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery<T> {
    /// When, microseconds.
    pub at_us: u64,
    /// What was pushed.
    pub payload: T,
}

/// Counts of one direction since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct DirectionStats {
    /// Packets pushed.
    pub packets: u64,
    /// Bytes pushed.
    pub bytes: u64,
    /// Packets delivered, second copies among them.
    pub delivered: u64,
    /// Bytes delivered.
    pub delivered_bytes: u64,
    /// Lost at random.
    pub lost: u64,
    /// Dropped because the queue was full.
    pub queue_full: u64,
    /// Swallowed by a blackhole.
    pub blackholed: u64,
    /// Second copies.
    pub duplicated: u64,
    /// Held back so that others overtake.
    pub held_back: u64,
    /// Waiting before the bottleneck now, bytes.
    pub queued_bytes: u64,
    /// The most that waited, bytes.
    pub most_queued_bytes: u64,
}

/// Bytes on their way at most; more counts as a full queue.
const MOST_IN_FLIGHT: u64 = 64 << 20;
/// The clock stands still here: 285 years.
const LAST_US: u64 = 1 << 53;
/// An IP header: no packet counts as less.
const LEAST_BYTES: u64 = 20;

impl<T: Clone> Direction<T> {
    /// A direction that starts at 0 with the script's first step.
    #[must_use]
    pub fn new(script: Script, seed: u64) -> Self {
        Self {
            script,
            fates: Fates::new(seed),
            now_us: 0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            head_done_ns: 0,
            head_rate_bps: 0,
            flight: BTreeMap::new(),
            flight_bytes: 0,
            numbers: 0,
            latest_us: 0,
            stats: DirectionStats::default(),
        }
    }

    /// Sends a packet of `bytes` (headers included) at `now_us`.
    pub fn push(&mut self, now_us: u64, bytes: usize, payload: T) -> PushVerdict {
        self.advance(now_us);
        let bytes = (bytes as u64).max(LEAST_BYTES);
        self.stats.packets += 1;
        self.stats.bytes += bytes;
        let now = self.script.at(self.now_us);
        let fate = self.fates.draw(now);
        let (rate_bps, room) = (now.rate_bps, now.queue_bytes());
        if self.flight_bytes + self.queued_bytes + bytes > MOST_IN_FLIGHT
            || rate_bps > 0 && self.queued_bytes > 0 && self.queued_bytes + bytes > room
        {
            self.stats.queue_full += 1;
            return PushVerdict::QueueFull;
        }
        let packet = Queued { bytes, fate, payload };
        if rate_bps == 0 {
            return self.leave(self.now_us, packet);
        }
        self.queued_bytes += bytes;
        self.stats.most_queued_bytes = self.stats.most_queued_bytes.max(self.queued_bytes);
        self.queue.push_back(packet);
        if self.queue.len() == 1 {
            self.serve(self.now_us * 1000, rate_bps);
        }
        PushVerdict::Accepted
    }

    /// The next packet that has arrived by `now_us`, in the order of arrival.
    pub fn poll(&mut self, now_us: u64) -> Option<Delivery<T>> {
        self.advance(now_us);
        let first = self.flight.first_entry().filter(|first| first.key().0 <= now_us)?;
        let at_us = first.key().0;
        let InFlight { bytes, payload } = first.remove();
        self.flight_bytes -= bytes;
        self.stats.delivered += 1;
        self.stats.delivered_bytes += bytes;
        Some(Delivery { at_us, payload })
    }

    /// When to poll next; `None` while nothing is on its way. A poll at that time need not bring a packet.
    #[must_use]
    pub fn next_us(&self) -> Option<u64> {
        let arrival = self.flight.first_key_value().map(|((at, _), _)| *at);
        if self.queue.is_empty() {
            return arrival;
        }
        let departure = self.head_done_ns.div_ceil(1000);
        let change = self.script.next_change_us(self.now_us).unwrap_or(u64::MAX);
        Some(arrival.unwrap_or(u64::MAX).min(departure).min(change))
    }

    /// Counts since the start.
    #[must_use]
    pub fn stats(&self) -> DirectionStats {
        DirectionStats { queued_bytes: self.queued_bytes, ..self.stats }
    }

    /// What the direction does at present.
    #[must_use]
    pub fn impairment(&self) -> &Impairment {
        self.script.at(self.now_us)
    }

    /// Lets the bottleneck work until `now_us`, through every step of the script.
    fn advance(&mut self, now_us: u64) {
        let now_us = now_us.min(LAST_US);
        while !self.queue.is_empty() {
            let done_us = self.head_done_ns.div_ceil(1000);
            let change_us = self.script.next_change_us(self.now_us).unwrap_or(u64::MAX);
            if done_us.min(change_us) > now_us {
                break;
            }
            if done_us <= change_us {
                self.now_us = self.now_us.max(done_us);
                self.head_leaves(done_us);
            } else {
                self.now_us = change_us;
                self.change_rate(change_us * 1000);
            }
        }
        self.now_us = self.now_us.max(now_us);
    }

    fn head_leaves(&mut self, at_us: u64) {
        if let Some(packet) = self.queue.pop_front() {
            self.queued_bytes -= packet.bytes;
            self.leave(at_us, packet);
        }
        let rate_bps = self.script.at(self.now_us).rate_bps;
        self.serve(self.head_done_ns, rate_bps);
    }

    /// Begins to send the head of the queue at `from_ns`.
    fn serve(&mut self, from_ns: u64, rate_bps: u64) {
        let bits = self.queue.front().map_or(0, |head| head.bytes * 8);
        self.head_done_ns = from_ns.saturating_add(sending_ns(u128::from(bits) * 1_000_000_000, rate_bps));
        self.head_rate_bps = rate_bps;
    }

    /// What is left of the head goes on at the new rate.
    fn change_rate(&mut self, at_ns: u64) {
        let rate_bps = self.script.at(self.now_us).rate_bps;
        let left = u128::from(self.head_done_ns.saturating_sub(at_ns)) * u128::from(self.head_rate_bps);
        self.head_done_ns = at_ns.saturating_add(sending_ns(left, rate_bps));
        self.head_rate_bps = rate_bps;
    }

    /// From the bottleneck onto the way.
    fn leave(&mut self, at_us: u64, packet: Queued<T>) -> PushVerdict {
        let Queued { bytes, fate, payload } = packet;
        let now = self.script.at(self.now_us);
        if now.blackhole {
            self.stats.blackholed += 1;
            return PushVerdict::Lost;
        }
        if fate.lost {
            self.stats.lost += 1;
            return PushVerdict::Lost;
        }
        let mut arrival_us = at_us + now.delay_us + self.fates.jitter_us(now, at_us);
        if fate.held_back {
            arrival_us += now.reorder_us;
            self.stats.held_back += 1;
        } else {
            arrival_us = arrival_us.max(self.latest_us);
            self.latest_us = arrival_us;
        }
        if fate.doubled {
            self.stats.duplicated += 1;
            self.fly(arrival_us, bytes, payload.clone());
        }
        self.fly(arrival_us, bytes, payload);
        PushVerdict::Accepted
    }

    fn fly(&mut self, arrival_us: u64, bytes: u64, payload: T) {
        self.flight_bytes += bytes;
        self.numbers += 1;
        self.flight.insert((arrival_us, self.numbers), InFlight { bytes, payload });
    }
}

/// Nanoseconds for so many bits times 10^9; none without a limit.
fn sending_ns(bits_e9: u128, rate_bps: u64) -> u64 {
    if rate_bps == 0 { 0 } else { u64::try_from(bits_e9 / u128::from(rate_bps)).unwrap_or(u64::MAX) }
}
