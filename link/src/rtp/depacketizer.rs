//! RTP payloads to access units, in order, with bounded memory.

use super::access_unit::{AccessUnit, MAX_BYTES, starts_keyframe};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// What the depacketizer needs of an RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 90 kHz.
    pub timestamp: u32,
    /// Last packet of its access unit.
    pub marker: bool,
    /// H.264 payload of RFC 6184.
    pub payload: Bytes,
}

/// A whole access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssembledFrame {
    /// Annex B.
    pub data: Bytes,
    /// 90 kHz.
    pub timestamp: u32,
    /// Holds an IDR picture.
    pub keyframe: bool,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// An access unit that can be decoded, given the ones before.
    Frame(AssembledFrame),
    /// Nothing can be decoded until a keyframe comes: ask the sender for one.
    KeyframeWanted,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DepacketizerStats {
    /// Access units given out.
    pub frames: u64,
    /// Access units lost, incomplete or held back for want of a keyframe.
    pub frames_lost: u64,
    /// Packets given up after the repair deadline.
    pub packets_lost: u64,
    /// Packets that came after they had been given up, or twice.
    pub packets_late: u64,
    /// Payloads that are no H.264 of RFC 6184 mode 1.
    pub malformed: u64,
}

/// Most packets waiting behind a gap.
const MAX_HELD: usize = 1024;
/// A jump in sequence numbers that no reordering explains: the sender started anew.
const MAX_JUMP: u64 = 3000;
/// Between two requests for a keyframe, microseconds: longer than most round trips, shorter than patience.
const ASK_EVERY_US: u64 = 250_000;

/// Puts packets in order, waits a little for those that NACK brings back, and gives out whole access units only.
///
/// After a loss that could not be repaired, nothing comes out until a keyframe: what a decoder makes of later
/// pictures looks plausible and is wrong.
#[derive(Debug)]
pub struct Depacketizer {
    repair_us: u64,
    next: Option<u64>,
    highest: u64,
    held: BTreeMap<u64, Packet>,
    held_bytes: usize,
    gap_since_us: Option<u64>,
    after_gap: bool,
    frame: Frame,
    waiting_for_keyframe: bool,
    asked_us: Option<u64>,
    out: VecDeque<Output>,
    stats: DepacketizerStats,
}

#[derive(Debug, Default)]
struct Frame {
    timestamp: Option<u32>,
    unit: AccessUnit,
    broken: bool,
}

impl Depacketizer {
    /// `repair_us`: how long a gap may wait for its packets, microseconds.
    #[must_use]
    pub fn new(repair_us: u64) -> Self {
        Self {
            repair_us,
            next: None,
            highest: 0,
            held: BTreeMap::new(),
            held_bytes: 0,
            gap_since_us: None,
            after_gap: true,
            frame: Frame::default(),
            waiting_for_keyframe: true,
            asked_us: None,
            out: VecDeque::new(),
            stats: DepacketizerStats::default(),
        }
    }

    /// Changes how long a gap may wait, microseconds.
    pub fn set_repair_us(&mut self, repair_us: u64) {
        self.repair_us = repair_us;
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> DepacketizerStats {
        self.stats
    }

    /// Takes a packet that came at `now_us` (any monotonic clock).
    pub fn push(&mut self, now_us: u64, packet: Packet) {
        if self.next.is_none() {
            // A stream begins with a keyframe: asking at its first packet would be for a second one.
            self.asked_us.get_or_insert(now_us);
        }
        let extended = self.extend(packet.sequence);
        let next = *self.next.get_or_insert(extended);
        if extended < next || self.held.contains_key(&extended) {
            self.stats.packets_late += 1;
            return;
        }
        self.held_bytes += packet.payload.len();
        self.held.insert(extended, packet);
        self.drain(now_us);
        while self.held.len() > MAX_HELD || self.held_bytes > MAX_BYTES {
            self.give_up(now_us);
        }
        self.ask(now_us);
    }

    /// Lets time pass: gives up on gaps past their deadline and repeats the request for a keyframe.
    pub fn poll(&mut self, now_us: u64) {
        while self.gap_since_us.is_some_and(|since| now_us.saturating_sub(since) >= self.repair_us) {
            self.give_up(now_us);
        }
        if self.next.is_some() {
            self.ask(now_us);
        }
    }

    /// Asks for a keyframe because the decoder stumbled, and holds everything back until it comes.
    pub fn restart(&mut self, now_us: u64) {
        self.waiting_for_keyframe = true;
        self.ask(now_us);
    }

    /// Takes what is ready.
    pub fn pop(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn extend(&mut self, sequence: u16) -> u64 {
        if self.next.is_none() {
            // Far from zero, so that a packet reordered before the first one has a number too.
            self.highest = 1 << 32 | u64::from(sequence);
            return self.highest;
        }
        let difference = sequence.wrapping_sub(self.highest as u16) as i16;
        let extended = self.highest.saturating_add_signed(i64::from(difference));
        if extended.abs_diff(self.highest) > MAX_JUMP {
            self.start_over();
            self.highest = 1 << 32 | u64::from(sequence);
            return self.highest;
        }
        self.highest = self.highest.max(extended);
        extended
    }

    fn start_over(&mut self) {
        self.next = None;
        self.held.clear();
        self.held_bytes = 0;
        self.gap_since_us = None;
        self.lose_frame();
        self.after_gap = true;
    }

    fn drain(&mut self, now_us: u64) {
        while let Some(next) = self.next
            && let Some(packet) = self.held.remove(&next)
        {
            self.held_bytes -= packet.payload.len();
            self.next = Some(next + 1);
            self.gap_since_us = None;
            self.consume(&packet);
        }
        if !self.held.is_empty() {
            self.gap_since_us.get_or_insert(now_us);
        }
    }

    /// Declares the packets before the oldest held one lost.
    fn give_up(&mut self, now_us: u64) {
        self.gap_since_us = None;
        let (Some(next), Some((oldest, _))) = (self.next, self.held.first_key_value()) else { return };
        self.stats.packets_lost += oldest - next;
        self.next = Some(*oldest);
        self.lose_frame();
        self.after_gap = true;
        self.waiting_for_keyframe = true;
        self.drain(now_us);
    }

    fn lose_frame(&mut self) {
        if self.frame.timestamp.is_some() {
            self.stats.frames_lost += 1;
        }
        self.frame = Frame::default();
    }

    fn consume(&mut self, packet: &Packet) {
        if self.frame.timestamp != Some(packet.timestamp) {
            if self.frame.timestamp.is_some() {
                // No marker came: the sender gave the picture up half way.
                self.lose_frame();
                self.waiting_for_keyframe = true;
            }
            self.frame.timestamp = Some(packet.timestamp);
            // Whether this packet is its picture's first cannot be told after a gap, except by parameter sets.
            self.frame.broken = self.after_gap && !starts_keyframe(&packet.payload);
        }
        self.after_gap = false;
        if !self.frame.broken && self.frame.unit.append(&packet.payload).is_none() {
            self.frame.broken = true;
            self.stats.malformed += 1;
        }
        if packet.marker {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let frame = std::mem::take(&mut self.frame);
        let whole = !frame.broken && frame.unit.whole();
        if whole && frame.unit.starts_decoding() {
            self.waiting_for_keyframe = false;
            self.asked_us = None;
        } else if !whole {
            self.waiting_for_keyframe = true;
        }
        let Some(timestamp) = frame.timestamp.filter(|_| !self.waiting_for_keyframe) else {
            self.stats.frames_lost += 1;
            return;
        };
        self.stats.frames += 1;
        let data = Bytes::from(frame.unit.data);
        self.out.push_back(Output::Frame(AssembledFrame { data, timestamp, keyframe: frame.unit.idr }));
    }

    fn ask(&mut self, now_us: u64) {
        let due = self.asked_us.is_none_or(|asked| now_us.saturating_sub(asked) >= ASK_EVERY_US);
        if self.waiting_for_keyframe && due {
            self.asked_us = Some(now_us);
            self.out.push_back(Output::KeyframeWanted);
        }
    }
}

#[cfg(test)]
#[path = "depacketizer_tests.rs"]
mod tests;
