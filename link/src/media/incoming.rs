//! Packets and frames on the receiver's side.

use super::mark::FrameMark;
use bytes::Bytes;
use std::collections::{BTreeMap, btree_map};

/// What the receiver needs of an RTP packet of the video's SSRC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpIn {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 90 kHz.
    pub timestamp: u32,
    /// Last media packet of its frame.
    pub marker: bool,
    /// The video's, or [`FEC_PAYLOAD_TYPE`](super::FEC_PAYLOAD_TYPE).
    pub payload_type: u8,
    /// RTP payload.
    pub payload: Bytes,
    /// From the header extension; `None` from a foreign sender.
    pub mark: Option<FrameMark>,
    /// RTP timestamp of the reference of a recovery frame, the same on each of its packets.
    pub recovers_from: Option<u32>,
}

/// A whole access unit that can be decoded, given those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssembledFrame {
    /// Annex B.
    pub data: Bytes,
    /// 90 kHz.
    pub timestamp: u32,
    /// Holds an IDR picture.
    pub keyframe: bool,
    /// RTP timestamp of its reference when it is a recovery frame.
    pub recovers_from: Option<u32>,
    /// When its first packet came, receiver's clock, microseconds.
    pub first_packet_us: u64,
    /// When it and all before it were complete, receiver's clock, microseconds.
    pub complete_us: u64,
    /// Complete after its deadline: decode it for what follows, but show it only if nothing newer is there.
    pub late: bool,
    /// Media packets.
    pub packets: u32,
    /// Of these, rebuilt from FEC packets.
    pub repaired_by_fec: u32,
    /// Of these, come after having been asked for.
    pub repaired_by_nack: u32,
}

/// How a packet came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Original,
    Nack,
    Fec,
}

/// A packet that waits, or that FEC may still need.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Bytes,
    pub is_fec: bool,
    pub recovers_from: Option<u32>,
    pub arrival_us: u64,
    pub origin: Origin,
}

/// Packets by extended sequence number, with their bytes counted.
#[derive(Debug, Default)]
pub(super) struct Store {
    packets: BTreeMap<u64, Held>,
    bytes: usize,
}

impl Store {
    pub(super) fn insert(&mut self, sequence: u64, held: Held) {
        self.bytes += held.payload.len();
        if let Some(old) = self.packets.insert(sequence, held) {
            self.bytes -= old.payload.len();
        }
    }

    pub(super) fn get(&self, sequence: u64) -> Option<&Held> {
        self.packets.get(&sequence)
    }

    pub(super) fn contains(&self, sequence: u64) -> bool {
        self.packets.contains_key(&sequence)
    }

    pub(super) fn from(&self, sequence: u64) -> btree_map::Range<'_, u64, Held> {
        self.packets.range(sequence..)
    }

    pub(super) fn forget_before(&mut self, sequence: u64) {
        while let Some(entry) = self.packets.first_entry()
            && *entry.key() < sequence
        {
            self.bytes -= entry.remove().payload.len();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Which of the newest sequence numbers have come.
#[derive(Debug)]
pub(super) struct Seen([u64; Seen::WORDS]);

impl Seen {
    const WORDS: usize = 64;
    /// Sequence numbers remembered.
    pub(super) const SPAN: u64 = Self::WORDS as u64 * 64;

    pub(super) fn new() -> Self {
        Self([0; Self::WORDS])
    }

    /// Whether `sequence` had come before.
    pub(super) fn insert(&mut self, sequence: u64) -> bool {
        let (word, bit) = ((sequence % Self::SPAN / 64) as usize, 1 << (sequence % 64));
        let before = self.0[word] & bit != 0;
        self.0[word] |= bit;
        before
    }

    /// Makes room for sequence numbers that are now within the span.
    pub(super) fn advance(&mut self, from: u64, to: u64) {
        for sequence in from..to.min(from + Self::SPAN) {
            self.0[(sequence % Self::SPAN / 64) as usize] &= !(1 << (sequence % 64));
        }
    }
}
