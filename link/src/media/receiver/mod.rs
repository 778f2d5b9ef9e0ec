//! One video track's packets, to frames.

mod deadline;
mod deliver;
mod nack;
mod rebuild;

use super::extent::{Extent, Extents};
use super::incoming::{AssembledFrame, Held, Origin, RtpIn, Seen, Store};
use super::{DEADLINE_US, FEC_PAYLOAD_TYPE, FrameMark, fec};
use deliver::Builder;
use nack::{Gap, Pace};
use std::collections::{BTreeMap, VecDeque};

/// What comes out of a [`MediaReceiver`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverOutput {
    /// A frame, in order.
    Frame(AssembledFrame),
    /// Ask the sender for these packets.
    Nack(Vec<u16>),
    /// Ask the sender for a keyframe, or for a frame coded from [`MediaReceiver::last_decodable`].
    RecoveryWanted,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// From capture to completion, microseconds; later frames are marked late.
    pub deadline_us: u64,
    /// From capture to a frame's first packet beyond half the round trip (coding, pacing), microseconds.
    pub sender_delay_us: u64,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self { deadline_us: DEADLINE_US, sender_delay_us: 10_000 }
    }
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Packets handed in.
    pub packets: u64,
    /// Frames given out.
    pub frames: u64,
    /// Of these, complete only after their deadline.
    pub frames_late: u64,
    /// Frames that were seen and not given out.
    pub frames_lost: u64,
    /// Media packets that did not come by their first transmission.
    pub packets_lost: u64,
    /// Of these, rebuilt from FEC packets.
    pub repaired_by_fec: u64,
    /// Of these, come after having been asked for.
    pub repaired_by_nack: u64,
    /// FEC packets that came.
    pub fec_packets: u64,
    /// Packets that came twice, by whatever path.
    pub duplicates: u64,
    /// Media packets that came after they had been given up or rebuilt.
    pub packets_late: u64,
    /// Payloads that are no H.264 of RFC 6184 mode 1, or FEC packets or marks that contradict themselves or others.
    pub malformed: u64,
    /// Requests sent.
    pub nacks: u64,
    /// Sequence numbers in them.
    pub nacked_packets: u64,
    /// Times a keyframe or recovery frame was asked for.
    pub recoveries_wanted: u64,
}

/// Most packets held.
const MAX_HELD: usize = 2048;
/// Most sequence numbers missing at a time.
const MAX_GAPS: usize = 1024;
/// Most payload bytes held.
const MAX_BYTES: usize = 4 << 20;
/// A jump in sequence numbers that no reordering explains: the sender restarted.
const MAX_JUMP: u64 = 3000;
/// Most outputs waiting to be taken.
const MAX_OUTPUTS: usize = 1024;
const MIN_RECOVERY_PAUSE_US: u64 = 150_000;

/// Puts frames together, asks for what is missing, gives out whole frames in order and only those that can be decoded.
///
/// After a loss that could not be mended, nothing comes out until a keyframe, or a frame coded from one given out before:
/// what a decoder makes of other pictures looks plausible and is wrong.
#[derive(Debug)]
pub struct MediaReceiver {
    config: ReceiverConfig,
    round_trip_us: u64,
    variance_us: u64,
    next: Option<u64>,
    highest: u64,
    /// Up to here everything missing is a gap.
    covered: u64,
    held: Store,
    seen: Seen,
    extents: Extents,
    gaps: BTreeMap<u64, Gap>,
    pace: Pace,
    builder: Builder,
    after_gap: bool,
    /// Nothing can be decoded before a refresh.
    waiting: bool,
    /// The frame in front is past its deadline.
    overdue: bool,
    wanted_us: Option<u64>,
    delivered: VecDeque<u32>,
    out: VecDeque<ReceiverOutput>,
    stats: ReceiverStats,
}

impl Default for MediaReceiver {
    fn default() -> Self {
        Self::new(ReceiverConfig::default())
    }
}

impl MediaReceiver {
    /// A receiver that has seen nothing.
    #[must_use]
    pub fn new(config: ReceiverConfig) -> Self {
        fec::warm_up();
        Self {
            config,
            round_trip_us: 50_000,
            variance_us: 5_000,
            next: None,
            highest: 0,
            covered: 0,
            held: Store::default(),
            seen: Seen::new(),
            extents: Extents::default(),
            gaps: BTreeMap::new(),
            pace: Pace::default(),
            builder: Builder::default(),
            after_gap: true,
            waiting: true,
            overdue: false,
            wanted_us: None,
            delivered: VecDeque::new(),
            out: VecDeque::new(),
            stats: ReceiverStats::default(),
        }
    }

    /// Takes the round trip and its mean deviation (RFC 6298's RTTVAR), microseconds.
    pub fn set_round_trip(&mut self, round_trip_us: u64, variance_us: u64) {
        self.round_trip_us = round_trip_us.min(2_000_000);
        self.variance_us = variance_us.min(500_000);
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> ReceiverStats {
        self.stats
    }

    /// RTP timestamp of the last frame given out that no failure was reported for.
    #[must_use]
    pub fn last_decodable(&self) -> Option<u32> {
        self.delivered.back().copied()
    }

    /// Takes what is ready.
    pub fn pop(&mut self) -> Option<ReceiverOutput> {
        self.out.pop_front()
    }

    fn emit(&mut self, output: ReceiverOutput) {
        if self.out.len() < MAX_OUTPUTS {
            self.out.push_back(output);
        }
    }

    /// Takes a packet that came at `now_us` (any monotonic clock, microseconds).
    pub fn push(&mut self, now_us: u64, packet: RtpIn) {
        self.stats.packets += 1;
        let Some(mark) = self.mark_of(&packet) else { return };
        let index = mark.map_or(0, |mark| u64::from(mark.index));
        let sequence = self.extend(packet.sequence, index);
        if self.next.is_none() {
            // A stream begins with a keyframe: asking at its first packet would be for a second one.
            self.wanted_us.get_or_insert(now_us);
            self.next = Some(sequence - index);
            self.covered = sequence - index - 1;
        }
        if self.is_old(sequence, packet.payload_type == FEC_PAYLOAD_TYPE) {
            if sequence > self.highest {
                self.arrived(now_us, sequence, packet.timestamp);
            }
            return;
        }
        let origin = self.arrived(now_us, sequence, packet.timestamp);
        if let Some(mark) = mark {
            let first = sequence - index;
            self.learn(now_us, Extent::new(first, mark, packet.timestamp, packet.recovers_from, now_us));
        }
        let is_fec = packet.payload_type == FEC_PAYLOAD_TYPE;
        self.held.insert(
            sequence,
            Held {
                timestamp: packet.timestamp,
                marker: packet.marker && !is_fec,
                payload: packet.payload,
                is_fec,
                recovers_from: packet.recovers_from,
                arrival_us: now_us,
                origin,
            },
        );
        self.rebuild(now_us, sequence);
        self.drain(now_us);
        while self.held.len() > MAX_HELD || self.held.bytes() > MAX_BYTES || self.gaps.len() > MAX_GAPS {
            self.give_up(now_us);
        }
        if self.waiting || self.overdue {
            self.jump_if_refresh(now_us, sequence);
        }
        self.want_recovery(now_us);
    }

    /// Lets time pass: asks for packets, gives up on them, asks for recovery.
    pub fn poll(&mut self, now_us: u64) {
        self.check_deadline(now_us);
        self.ask(now_us);
        if self.next.is_some() {
            self.want_recovery(now_us);
        }
    }

    /// Packets held, their bytes, and gaps.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> (usize, usize, usize) {
        (self.held.len(), self.held.bytes(), self.gaps.len())
    }

    /// When [`poll`](Self::poll) next has something to do, microseconds.
    #[must_use]
    pub fn next_us(&self) -> Option<u64> {
        [self.next_ask_us(), self.next_deadline_us(), self.next_want_us()].into_iter().flatten().min()
    }

    /// The decoder could not decode the frame of this RTP timestamp (`None`: it is not known which): nothing comes out until a
    /// refresh, and none coded from that frame or later counts as one.
    pub fn note_decode_failed(&mut self, now_us: u64, timestamp: Option<u32>) {
        match timestamp.and_then(|timestamp| self.delivered.iter().position(|at| *at == timestamp)) {
            Some(at) => self.delivered.truncate(at),
            None => self.delivered.clear(),
        }
        self.waiting = true;
        self.want_recovery(now_us);
    }

    /// What a packet says of its frame; the outer `None` when it is to be dropped.
    fn mark_of(&mut self, packet: &RtpIn) -> Option<Option<FrameMark>> {
        if packet.payload_type != FEC_PAYLOAD_TYPE {
            return Some(packet.mark.filter(|mark| mark.valid()));
        }
        self.stats.fec_packets += 1;
        let Some(header) = fec::Header::parse(&packet.payload, packet.sequence) else {
            self.stats.malformed += 1;
            return None;
        };
        let packets = header.packets;
        let fec = u16::from(header.repair) * fec::blocks(usize::from(packets)) as u16;
        Some(Some(FrameMark { index: packets + header.index, packets, fec, keyframe: header.keyframe }))
    }

    fn extend(&mut self, sequence: u16, index: u64) -> u64 {
        if self.next.is_some() {
            let difference = sequence.wrapping_sub(self.highest as u16) as i16;
            let extended = self.highest.saturating_add_signed(i64::from(difference));
            if extended.abs_diff(self.highest) <= MAX_JUMP {
                return extended;
            }
            self.start_over();
        }
        // Far from zero, so that a packet reordered before the first one has a number too.
        let extended = (1 << 32 | u64::from(sequence)) + (1 << 16);
        self.highest = extended - index - 1;
        self.seen = Seen::new();
        extended
    }

    fn start_over(&mut self) {
        self.stats.frames_lost += self.builder.abandon();
        self.next = None;
        self.held.clear();
        self.extents.clear();
        self.gaps.clear();
        self.after_gap = true;
        self.overdue = false;
    }

    fn is_old(&mut self, sequence: u64, is_fec: bool) -> bool {
        if sequence > self.highest {
            self.seen.advance(self.highest + 1, sequence + 1);
        }
        let known = sequence + Seen::SPAN > self.highest && self.seen.insert(sequence);
        let done = self.next.is_some_and(|next| sequence < next) || self.held.contains(sequence);
        self.stats.duplicates += u64::from(known);
        self.stats.packets_late += u64::from(done && !known && !is_fec);
        known || done
    }

    /// Notes the arrival; says how the packet came.
    fn arrived(&mut self, now_us: u64, sequence: u64, timestamp: u32) -> Origin {
        let gap = self.gaps.remove(&sequence);
        if sequence > self.highest {
            self.pace.advance(now_us, sequence - self.highest, timestamp, gap.is_none_or(|gap| gap.asked == 0));
            for (_, gap) in self.gaps.range_mut(self.highest.saturating_add(1)..sequence) {
                gap.passed_us.get_or_insert(now_us);
            }
            self.highest = sequence;
            self.open_gaps(now_us, sequence);
            self.extents.reached(sequence, now_us);
        }
        self.covered = self.covered.max(sequence);
        match gap {
            Some(gap) => self.closed(now_us, gap),
            None => Origin::Original,
        }
    }

    /// Everything before `end` that has not come and is no FEC packet is missing.
    fn open_gaps(&mut self, now_us: u64, end: u64) {
        for missing in self.covered + 1..end {
            let is_fec = self.extents.at(missing).is_some_and(|extent| missing >= extent.media_end());
            if !is_fec && !self.held.contains(missing) && self.next.is_some_and(|next| missing >= next) {
                let passed_us = (missing < self.highest).then_some(now_us);
                self.gaps.insert(missing, Gap::new(now_us, passed_us));
            }
        }
        self.covered = self.covered.max(end - 1);
    }

    fn learn(&mut self, now_us: u64, mut extent: Extent) {
        if extent.end() <= self.next.unwrap_or(0) {
            return;
        }
        if extent.end() <= self.highest + 1 {
            extent.ended_us = Some(now_us);
        }
        let (media_end, end) = (extent.media_end(), extent.end());
        match self.extents.learn(extent) {
            None => self.stats.malformed += 1,
            Some(false) => {}
            Some(true) => {
                let redundancy: Vec<u64> = self.gaps.range(media_end..end).map(|(sequence, _)| *sequence).collect();
                for sequence in redundancy {
                    self.gaps.remove(&sequence);
                }
                self.open_gaps(now_us, media_end);
            }
        }
    }
}
