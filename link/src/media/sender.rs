//! One camera's packets to one receiver.

use super::history::{History, Sent};
use super::policy::{PathState, REPEAT_US, RepairPolicy, TARGET, TWICE_FROM};
use super::{DEADLINE_US, FEC_PAYLOAD_TYPE, FrameMark, MAX_MEDIA_PAYLOAD, fec};
use crate::rtp::{packetize_within, rtp_timestamp};
use bytes::Bytes;
use std::collections::VecDeque;
use video::EncodedFrame;

/// What a packet is, for pacing and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    /// First transmission.
    Media {
        /// Part of a keyframe.
        keyframe: bool,
    },
    /// Redundancy, or the note that a lost packet was redundancy.
    Fec,
    /// Sent before.
    Retransmission,
}

/// A packet to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutPacket {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 90 kHz.
    pub timestamp: u32,
    /// Last media packet of its frame.
    pub marker: bool,
    /// The video's, or [`FEC_PAYLOAD_TYPE`].
    pub payload_type: u8,
    /// RTP payload.
    pub payload: Bytes,
    /// What it is.
    pub kind: PacketKind,
    /// For the header extension, to our own peers only.
    pub mark: FrameMark,
    /// RTP timestamp of the frame that a recovery frame refers to; the same on each packet of the frame.
    pub recovers_from: Option<u32>,
}

/// Counts since the start: packets, and bytes of payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)] // each name says what is counted
pub struct SenderStats {
    pub frames: u64,
    pub media_packets: u64,
    pub media_bytes: u64,
    pub fec_packets: u64,
    pub fec_bytes: u64,
    pub retransmitted_packets: u64,
    pub retransmitted_bytes: u64,
    /// Sequence numbers asked for.
    pub asked: u64,
    /// Asked for, but not in the history.
    pub unknown: u64,
    /// Asked for again before the answer can have arrived.
    pub too_soon: u64,
    /// Not sent since the frame was of no more use.
    pub too_late: u64,
    /// Not sent since retransmissions had used up their share.
    pub over_bound: u64,
}

/// Between the two copies of a last retransmission, microseconds: beyond most bursts of one queue's overflow.
const SECOND_COPY_US: u64 = 4_000;
/// Retransmissions in reserve when the stream is clean: one lost keyframe, bytes.
const REPAIR_RESERVE: f64 = 192_000.0;
/// A request that came this much before a full round trip asks for what is still on its way, microseconds.
const ROUND_TRIP_SLACK_US: u64 = 4_000;
/// Most sequence numbers of one request that are looked at.
const MAX_ASKED: usize = 1024;
/// Age that is assumed of a frame whose capture time is on another clock, microseconds.
const ASSUMED_AGE_US: u64 = 10_000;

/// Packets of one camera in one session.
#[derive(Debug)]
pub struct MediaSender {
    policy: RepairPolicy,
    payload_type: u8,
    sequence: u16,
    frame: u64,
    /// Frames before this one are not needed any more once their deadline is over.
    refreshed: u64,
    history: History,
    ready: VecDeque<OutPacket>,
    repairs: VecDeque<OutPacket>,
    second_copies: VecDeque<(u64, OutPacket)>,
    repair_budget: f64,
    stats: SenderStats,
}

impl MediaSender {
    /// `payload_type` is the video's; `first_sequence` should be random (RFC 3550, 5.1).
    #[must_use]
    pub fn new(payload_type: u8, first_sequence: u16) -> Self {
        Self {
            policy: RepairPolicy::new(TARGET, DEADLINE_US),
            payload_type,
            sequence: first_sequence,
            frame: 0,
            refreshed: 0,
            history: History::default(),
            ready: VecDeque::new(),
            repairs: VecDeque::new(),
            second_copies: VecDeque::new(),
            repair_budget: REPAIR_RESERVE,
            stats: SenderStats::default(),
        }
    }

    /// Takes what is now known of the path.
    pub fn set_path(&mut self, path: PathState) {
        if path.fec_allowed && !self.policy.path().fec_allowed {
            fec::warm_up();
        }
        self.policy.set_path(path);
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> SenderStats {
        self.stats
    }

    /// Queues a frame's packets and their redundancy.
    ///
    /// `now_us` is on the clock of `frame.capture_us`. `recovers_from` is the RTP timestamp of the long-term reference
    /// that a recovery frame was coded from.
    pub fn frame(&mut self, now_us: u64, frame: &EncodedFrame, recovers_from: Option<u32>) {
        let media = packetize_within(&frame.data, MAX_MEDIA_PAYLOAD);
        if media.is_empty() {
            return;
        }
        let age_us = now_us.checked_sub(frame.capture_us).filter(|age| *age < 1_000_000).unwrap_or(ASSUMED_AGE_US);
        let repair = self.policy.repair(media.len(), age_us);
        let redundancy = fec::encode(self.sequence, frame.keyframe, &media, repair);
        if frame.keyframe || recovers_from.is_some() {
            self.refreshed = self.frame;
        }
        self.stats.frames += 1;
        let (packets, fec) = (media.len(), redundancy.len());
        let timestamp = rtp_timestamp(frame.capture_us);
        let deadline_us = now_us + DEADLINE_US.saturating_sub(age_us + self.policy.path().round_trip_us / 2);
        for (index, payload) in media.into_iter().chain(redundancy).enumerate() {
            let is_fec = index >= packets;
            let packet = OutPacket {
                sequence: self.sequence,
                timestamp,
                marker: index + 1 == packets,
                payload_type: if is_fec { FEC_PAYLOAD_TYPE } else { self.payload_type },
                payload,
                kind: if is_fec { PacketKind::Fec } else { PacketKind::Media { keyframe: frame.keyframe } },
                mark: FrameMark {
                    index: index as u16,
                    packets: packets as u16,
                    fec: fec as u16,
                    keyframe: frame.keyframe,
                },
                recovers_from,
            };
            self.sequence = self.sequence.wrapping_add(1);
            self.account(&packet);
            self.remember(now_us, deadline_us, packet.clone(), is_fec);
            self.ready.push_back(packet);
        }
        self.frame += 1;
    }

    fn account(&mut self, packet: &OutPacket) {
        let bytes = packet.payload.len() as u64;
        if packet.kind == PacketKind::Fec {
            self.stats.fec_packets += 1;
            self.stats.fec_bytes += bytes;
        } else {
            self.stats.media_packets += 1;
            self.stats.media_bytes += bytes;
            let share = self.repair_share();
            self.repair_budget = (self.repair_budget + share * bytes as f64).min(REPAIR_RESERVE);
        }
    }

    /// Most bytes of retransmission for each byte of media in the long run.
    #[must_use]
    pub fn repair_share(&self) -> f64 {
        (0.1 + 3.0 * self.policy.path().loss).min(1.0)
    }

    fn remember(&mut self, sent_us: u64, deadline_us: u64, mut packet: OutPacket, is_fec: bool) {
        if is_fec {
            packet.payload.truncate(fec::HEADER);
        } else {
            packet.kind = PacketKind::Retransmission;
        }
        self.history.push(Sent { packet, sent_us, is_fec, last_repeat_us: None, deadline_us, frame: self.frame });
    }

    /// Takes a request for lost packets.
    pub fn on_nack(&mut self, now_us: u64, sequences: &[u16]) {
        for sequence in sequences.iter().take(MAX_ASKED) {
            self.stats.asked += 1;
            self.repeat(now_us, *sequence);
        }
    }

    fn repeat(&mut self, now_us: u64, sequence: u16) {
        let path = self.policy.path();
        let Some(sent) = self.history.get(sequence) else {
            self.stats.unknown += 1;
            return;
        };
        let pause_us = path.round_trip_us.saturating_sub(ROUND_TRIP_SLACK_US.max(path.round_trip_us / 8));
        let last_us = sent.last_repeat_us.unwrap_or(sent.sent_us);
        if now_us.saturating_sub(last_us) < pause_us {
            self.stats.too_soon += 1;
            return;
        }
        if sent.frame < self.refreshed && now_us >= sent.deadline_us {
            self.stats.too_late += 1;
            return;
        }
        let bytes = sent.packet.payload.len() as f64;
        if !sent.is_fec && self.repair_budget < bytes {
            self.stats.over_bound += 1;
            return;
        }
        // No other round would end in time, or this is already another.
        let next_us = now_us + path.round_trip_us + REPEAT_US;
        let last_chance = next_us > sent.deadline_us || sent.last_repeat_us.is_some();
        sent.last_repeat_us = Some(now_us);
        let packet = sent.packet.clone();
        let twice = path.loss > TWICE_FROM && last_chance && !sent.is_fec && self.repair_budget >= 2.0 * bytes;
        self.repair(packet.clone());
        if twice {
            self.second_copies.push_back((now_us + SECOND_COPY_US, packet));
        }
    }

    fn repair(&mut self, packet: OutPacket) {
        let bytes = packet.payload.len();
        self.stats.retransmitted_packets += 1;
        self.stats.retransmitted_bytes += bytes as u64;
        self.repair_budget -= bytes as f64;
        self.repairs.push_back(packet);
    }

    /// The next packet to send; retransmissions first, since their frames are older.
    pub fn poll(&mut self, now_us: u64) -> Option<OutPacket> {
        while let Some((_, packet)) = self.second_copies.pop_front_if(|(due_us, _)| *due_us <= now_us) {
            self.repair(packet);
        }
        self.repairs.pop_front().or_else(|| self.ready.pop_front())
    }

    /// When [`poll`](Self::poll) has something by itself, microseconds; 0 when it has now.
    #[must_use]
    pub fn next_us(&self) -> Option<u64> {
        if self.ready.is_empty() && self.repairs.is_empty() {
            self.second_copies.front().map(|(due_us, _)| *due_us)
        } else {
            Some(0)
        }
    }
}
