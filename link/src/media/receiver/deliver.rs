//! Packets in order to frames in order.

use super::super::incoming::{AssembledFrame, Held, Origin};
use super::{MediaReceiver, ReceiverOutput};
use crate::rtp::{AccessUnit, starts_keyframe};
use bytes::Bytes;

/// Frames given out that a recovery frame may refer to: half a minute of them.
const MAX_DELIVERED: usize = 1024;

/// The frame being put together.
#[derive(Debug, Default)]
pub(super) struct Builder {
    timestamp: Option<u32>,
    unit: AccessUnit,
    broken: bool,
    recovers_from: Option<u32>,
    first_packet_us: u64,
    packets: u32,
    by_fec: u32,
    by_nack: u32,
}

impl Builder {
    /// Throws away what there is; says whether that was a frame.
    pub(super) fn abandon(&mut self) -> u64 {
        let was_frame = self.timestamp.is_some();
        *self = Self::default();
        u64::from(was_frame)
    }

    fn append(&mut self, held: &Held) -> bool {
        self.packets += 1;
        self.first_packet_us = self.first_packet_us.min(held.arrival_us);
        self.recovers_from = self.recovers_from.or(held.recovers_from);
        match held.origin {
            Origin::Original => {}
            Origin::Nack => self.by_nack += 1,
            Origin::Fec => self.by_fec += 1,
        }
        self.broken || self.unit.append(&held.payload).is_some()
    }
}

impl MediaReceiver {
    /// Takes everything that is in order.
    pub(super) fn drain(&mut self, now_us: u64) {
        let Some(before) = self.next else { return };
        let mut next = before;
        loop {
            if let Some(extent) = self.extents.at(next)
                && next >= extent.media_end()
            {
                next = extent.end();
                continue;
            }
            let Some(held) = self.held.get(next) else { break };
            let held = held.clone();
            if !held.is_fec {
                self.consume(now_us, next, &held);
            }
            next += 1;
        }
        if next != before {
            self.overdue = false;
            self.advance(next);
        }
    }

    /// Everything before `next` is done with; what FEC still needs of a frame begun is kept.
    pub(super) fn advance(&mut self, next: u64) {
        self.next = Some(next);
        self.covered = self.covered.max(next - 1);
        self.gaps = self.gaps.split_off(&next);
        self.extents.forget_before(next);
        let keep = self.extents.at(next).map_or(next, |extent| extent.first);
        self.held.forget_before(keep);
    }

    fn consume(&mut self, now_us: u64, sequence: u64, held: &Held) {
        if self.builder.timestamp != Some(held.timestamp) {
            if self.builder.timestamp.is_some() {
                // No marker came: the sender gave the picture up half way.
                self.stats.frames_lost += self.builder.abandon();
                self.waiting = true;
            }
            let opens_frame = self.extents.at(sequence).is_some_and(|extent| extent.first == sequence);
            let first_us = self.extents.at(sequence).map_or(held.arrival_us, |extent| extent.first_us);
            self.builder.timestamp = Some(held.timestamp);
            self.builder.first_packet_us = first_us;
            self.builder.broken = self.after_gap && !opens_frame && !starts_keyframe(&held.payload);
        }
        self.after_gap = false;
        if !self.builder.append(held) {
            self.builder.broken = true;
            self.stats.malformed += 1;
        }
        if held.marker {
            self.finish(now_us);
        }
    }

    fn finish(&mut self, now_us: u64) {
        let frame = std::mem::take(&mut self.builder);
        let whole = !frame.broken && frame.unit.whole();
        let refresh =
            frame.unit.starts_decoding() || frame.recovers_from.is_some_and(|from| self.delivered.contains(&from));
        if !whole {
            self.waiting = true;
        } else if refresh {
            self.waiting = false;
            self.wanted_us = None;
        }
        let Some(timestamp) = frame.timestamp.filter(|_| whole && !self.waiting) else {
            self.stats.frames_lost += 1;
            return;
        };
        let late = now_us > frame.first_packet_us + self.deadline_us();
        self.stats.frames += 1;
        self.stats.frames_late += u64::from(late);
        if self.delivered.len() >= MAX_DELIVERED {
            self.delivered.pop_front();
        }
        self.delivered.push_back(timestamp);
        self.emit(ReceiverOutput::Frame(AssembledFrame {
            data: Bytes::from(frame.unit.data),
            timestamp,
            keyframe: frame.unit.idr,
            recovers_from: frame.recovers_from,
            first_packet_us: frame.first_packet_us,
            complete_us: now_us,
            late,
            packets: frame.packets,
            repaired_by_fec: frame.by_fec,
            repaired_by_nack: frame.by_nack,
        }));
    }
}
