//! Missing packets out of FEC packets.

use super::super::extent::Extent;
use super::super::fec;
use super::super::incoming::{Held, Origin};
use super::MediaReceiver;
use bytes::Bytes;

impl MediaReceiver {
    /// Rebuilds what is missing of the frame that `sequence` belongs to, block by block, where enough has come.
    pub(super) fn rebuild(&mut self, now_us: u64, sequence: u64) {
        let Some(extent) = self.extents.at(sequence).filter(|extent| extent.fec > 0 && !extent.fec_broken) else {
            return;
        };
        let extent = extent.clone();
        for block in 0..extent.blocks() {
            if !self.rebuild_block(now_us, &extent, block) {
                self.stats.malformed += 1;
                if let Some(extent) = self.extents.get_mut(extent.first) {
                    extent.fec_broken = true;
                }
                return;
            }
        }
    }

    /// `false` when enough came but does not fit together.
    fn rebuild_block(&mut self, now_us: u64, extent: &Extent, block: u64) -> bool {
        let media: Vec<Option<Bytes>> = extent.members(block).map(|at| self.media(at)).collect();
        let missing = media.iter().filter(|payload| payload.is_none()).count();
        if missing == 0 {
            return true;
        }
        let mut shards: Vec<(usize, Bytes)> = Vec::new();
        for (j, at) in extent.repairs(block).enumerate() {
            if let Some(held) = self.held.get(at).filter(|held| held.is_fec && held.payload.len() > fec::HEADER) {
                shards.push((j, held.payload.slice(fec::HEADER..)));
            }
        }
        if shards.len() < missing {
            return true;
        }
        let repair = extent.repairs(block).count();
        let Some(rebuilt) = fec::decode_block(&media, &shards, repair) else { return false };
        let places: Vec<u64> = extent.members(block).collect();
        for (i, payload) in rebuilt {
            self.put_rebuilt(now_us, extent, places[i], payload);
        }
        true
    }

    fn media(&self, at: u64) -> Option<Bytes> {
        self.held.get(at).filter(|held| !held.is_fec).map(|held| held.payload.clone())
    }

    fn put_rebuilt(&mut self, now_us: u64, extent: &Extent, sequence: u64, payload: Bytes) {
        let asked = self.gaps.remove(&sequence).is_some_and(|gap| gap.asked > 0);
        if !asked {
            self.stats.packets_lost += 1;
            self.pace.lost(1);
        }
        self.stats.repaired_by_fec += 1;
        let held = Held {
            timestamp: extent.timestamp,
            marker: sequence + 1 == extent.media_end(),
            payload,
            is_fec: false,
            recovers_from: extent.recovers_from,
            arrival_us: now_us,
            origin: Origin::Fec,
        };
        self.held.insert(sequence, held);
    }
}
