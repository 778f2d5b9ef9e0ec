//! Which sequence numbers a frame takes, as far as its packets have said.

use super::fec;
use super::mark::FrameMark;
use std::collections::BTreeMap;

/// One frame's share of the sequence numbers: its media packets, then its FEC packets.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    pub first: u64,
    pub packets: u64,
    pub fec: u64,
    pub timestamp: u32,
    pub keyframe: bool,
    pub recovers_from: Option<u32>,
    /// When the first packet of it came, microseconds.
    pub first_us: u64,
    /// When the last packet of it or a later one came.
    pub ended_us: Option<u64>,
    /// Its FEC packets do not fit together: not tried again.
    pub fec_broken: bool,
}

impl Extent {
    pub(super) fn new(first: u64, mark: FrameMark, timestamp: u32, recovers_from: Option<u32>, now_us: u64) -> Self {
        Self {
            first,
            packets: u64::from(mark.packets),
            fec: u64::from(mark.fec),
            timestamp,
            keyframe: mark.keyframe,
            recovers_from,
            first_us: now_us,
            ended_us: None,
            fec_broken: false,
        }
    }

    pub(super) fn media_end(&self) -> u64 {
        self.first + self.packets
    }

    pub(super) fn end(&self) -> u64 {
        self.media_end() + self.fec
    }

    pub(super) fn blocks(&self) -> u64 {
        fec::blocks(self.packets as usize) as u64
    }

    /// Sequence numbers of a block's media packets.
    pub(super) fn members(&self, block: u64) -> impl Iterator<Item = u64> + use<> {
        (self.first + block..self.media_end()).step_by(self.blocks() as usize)
    }

    /// Sequence numbers of a block's FEC packets.
    pub(super) fn repairs(&self, block: u64) -> impl Iterator<Item = u64> + use<> {
        (self.media_end() + block..self.end()).step_by(self.blocks() as usize)
    }
}

/// Most frames on hold at a time.
const MAX_EXTENTS: usize = 256;

/// The frames that are not done with.
#[derive(Debug, Default)]
pub(super) struct Extents(BTreeMap<u64, Extent>);

impl Extents {
    /// The frame that `sequence` belongs to.
    pub(super) fn at(&self, sequence: u64) -> Option<&Extent> {
        let (_, extent) = self.0.range(..=sequence).next_back()?;
        (sequence < extent.end()).then_some(extent)
    }

    pub(super) fn get_mut(&mut self, first: u64) -> Option<&mut Extent> {
        self.0.get_mut(&first)
    }

    /// Takes a frame's extent; `Some(true)` when it was not known, `None` when it contradicts what is.
    pub(super) fn learn(&mut self, extent: Extent) -> Option<bool> {
        if let Some((_, last)) = self.0.range(..extent.end()).next_back()
            && last.end() > extent.first
        {
            let same = last.first == extent.first && last.packets == extent.packets && last.fec == extent.fec;
            return (same && last.timestamp == extent.timestamp).then_some(false);
        }
        if self.0.len() >= MAX_EXTENTS {
            return None;
        }
        self.0.insert(extent.first, extent);
        Some(true)
    }

    /// All frames that begin at `sequence` or later.
    pub(super) fn from(&self, sequence: u64) -> impl Iterator<Item = &Extent> {
        self.0.range(sequence..).map(|(_, extent)| extent)
    }

    /// The packet at `highest` came: what ends there has ended.
    pub(super) fn reached(&mut self, highest: u64, now_us: u64) {
        for extent in self.0.values_mut().rev().skip_while(|extent| extent.end() > highest + 1) {
            if extent.ended_us.is_some() {
                break;
            }
            extent.ended_us = Some(now_us);
        }
    }

    /// Drops what ends at `sequence` or before; says how many.
    pub(super) fn forget_before(&mut self, sequence: u64) -> u64 {
        let mut dropped = 0;
        while let Some(entry) = self.0.first_entry()
            && entry.get().end() <= sequence
        {
            entry.remove();
            dropped += 1;
        }
        dropped
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
