//! What was sent, for as long as it may be asked for again.

use super::sender::OutPacket;
use std::collections::VecDeque;

/// Longest that a packet is kept, microseconds.
const KEEP_US: u64 = 1_000_000;
/// Most payload bytes kept.
const KEEP_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Sent {
    pub packet: OutPacket,
    pub sent_us: u64,
    /// Whether this is a stand-in for a FEC packet: its header only, enough to tell that no media is missing there.
    pub is_fec: bool,
    pub last_repeat_us: Option<u64>,
    /// When its frame is of no more use for showing, on the sender's clock, microseconds.
    pub deadline_us: u64,
    /// Counts frames, so that what a recovery frame made useless can be told.
    pub frame: u64,
}

/// Packets in sequence, without holes.
#[derive(Debug, Default)]
pub(super) struct History {
    sent: VecDeque<Sent>,
    bytes: usize,
}

impl History {
    pub(super) fn push(&mut self, sent: Sent) {
        let now_us = sent.sent_us;
        self.bytes += sent.packet.payload.len();
        self.sent.push_back(sent);
        while self.bytes > KEEP_BYTES
            || self.sent.len() > usize::from(u16::MAX / 2)
            || self.sent.front().is_some_and(|oldest| now_us.saturating_sub(oldest.sent_us) > KEEP_US)
        {
            let Some(old) = self.sent.pop_front() else { break };
            self.bytes -= old.packet.payload.len();
        }
    }

    pub(super) fn get(&mut self, sequence: u16) -> Option<&mut Sent> {
        let oldest = self.sent.front()?.packet.sequence;
        self.sent.get_mut(usize::from(sequence.wrapping_sub(oldest)))
    }
}
