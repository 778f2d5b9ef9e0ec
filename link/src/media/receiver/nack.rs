//! When to ask for a missing packet.

use super::super::extent::Extent;
use super::super::fec;
use super::super::incoming::Origin;
use super::{MediaReceiver, ReceiverOutput};

/// A packet that is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    /// Known to be missing or still to come since, microseconds.
    pub since_us: u64,
    /// A later packet came first, microseconds.
    pub passed_us: Option<u64>,
    /// Rounds of requests.
    pub asked: u32,
    first_asked_us: u64,
    last_asked_us: u64,
    /// So often the last request is still to be repeated, in case it was lost.
    copies: u8,
    copied_us: u64,
}

impl Gap {
    pub(super) fn new(since_us: u64, passed_us: Option<u64>) -> Self {
        Self { since_us, passed_us, asked: 0, first_asked_us: 0, last_asked_us: 0, copies: 0, copied_us: 0 }
    }
}

/// Least reordering that is waited for, microseconds.
const MIN_TOLERANCE_US: u64 = 2_000;
const MAX_TOLERANCE_US: u64 = 40_000;
/// For packets that nothing has overtaken: they may only be slow.
const TAIL_US: u64 = 3_000;
/// Least time between a request and its copy, microseconds.
const COPY_US: u64 = 4_000;
/// Loss from which requests are sent several times: they are small, and the sender answers each packet's only once.
const COPIES_FROM: f64 = 0.03;
const COPIES: u8 = 2;
const MIN_REPEAT_US: u64 = 10_000;
/// Most sequence numbers in one request.
const MAX_ASKED: usize = 256;

/// What the receiver has learnt of how packets come.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two packets of a frame, microseconds.
    spacing_us: f64,
    last_us: u64,
    last_timestamp: u32,
    /// How late reordered packets come, microseconds.
    reordering_us: f64,
    expected: f64,
    lost: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            spacing_us: 300.0,
            last_us: 0,
            last_timestamp: 0,
            reordering_us: MIN_TOLERANCE_US as f64,
            expected: 0.0,
            lost: 0.0,
        }
    }
}

impl Pace {
    /// The highest sequence number grew by `steps` at `now_us`.
    pub(super) fn advance(&mut self, now_us: u64, steps: u64, timestamp: u32, first_time: bool) {
        if timestamp == self.last_timestamp && first_time {
            let sample = now_us.saturating_sub(self.last_us) as f64 / steps as f64;
            self.spacing_us += 0.1 * (sample.min(5_000.0) - self.spacing_us);
        }
        self.last_us = now_us;
        self.last_timestamp = timestamp;
        // Forgets reordering over some thousand packets.
        self.reordering_us = (self.reordering_us * 0.9997).max(MIN_TOLERANCE_US as f64);
        self.expected += steps as f64;
        if self.expected > 1_000.0 {
            self.expected /= 2.0;
            self.lost /= 2.0;
        }
    }

    pub(super) fn lost(&mut self, packets: u64) {
        self.lost += packets as f64;
    }

    fn reordered(&mut self, late_us: u64) {
        self.reordering_us = self.reordering_us.max((late_us as f64 * 1.2 + 500.0).min(MAX_TOLERANCE_US as f64));
    }

    fn tolerance_us(&self) -> u64 {
        self.reordering_us as u64
    }

    pub(super) fn loss(&self) -> f64 {
        self.lost / self.expected.max(50.0)
    }

    /// When the packet `steps` behind the last one should have come.
    fn tail_due_us(&self, steps: u64) -> u64 {
        self.last_us + (self.spacing_us * steps as f64) as u64 + self.tolerance_us() + TAIL_US
    }
}

impl MediaReceiver {
    /// A missing packet came; says why.
    pub(super) fn closed(&mut self, now_us: u64, gap: Gap) -> Origin {
        let answered = gap.asked > 0 && now_us.saturating_sub(gap.first_asked_us) >= self.round_trip_us * 3 / 4;
        if answered {
            self.stats.repaired_by_nack += 1;
            return Origin::Nack;
        }
        if gap.asked > 0 {
            self.stats.packets_lost -= 1;
        }
        if let Some(passed_us) = gap.passed_us {
            self.pace.reordered(now_us.saturating_sub(passed_us));
        }
        Origin::Original
    }

    /// Sends the requests that are due.
    pub(super) fn ask(&mut self, now_us: u64) {
        let due: Vec<u64> = self
            .gaps
            .iter()
            .filter(|(_, gap)| now_us >= self.earliest_us(gap))
            .filter(|(sequence, gap)| self.ask_due_us(**sequence, gap).is_some_and(|due_us| now_us >= due_us))
            .map(|(sequence, _)| *sequence)
            .take(MAX_ASKED)
            .collect();
        if due.is_empty() {
            return;
        }
        let copies = if self.pace.loss() > COPIES_FROM { COPIES } else { 0 };
        for sequence in &due {
            let Some(gap) = self.gaps.get_mut(sequence) else { continue };
            if gap.asked == 0 {
                gap.first_asked_us = now_us;
                self.stats.packets_lost += 1;
                self.pace.lost(1);
            }
            if gap.copies > 0 {
                gap.copies -= 1;
            } else {
                gap.asked += 1;
                gap.last_asked_us = now_us;
                gap.copies = copies;
            }
            gap.copied_us = now_us;
        }
        self.stats.nacks += 1;
        self.stats.nacked_packets += due.len() as u64;
        self.emit(ReceiverOutput::Nack(due.into_iter().map(|sequence| sequence as u16).collect()));
    }

    pub(super) fn next_ask_us(&self) -> Option<u64> {
        self.gaps.iter().filter_map(|(sequence, gap)| self.ask_due_us(*sequence, gap)).min()
    }

    /// Before this nothing is asked for, whatever else: spares the look at the frame.
    fn earliest_us(&self, gap: &Gap) -> u64 {
        match gap.passed_us {
            _ if gap.asked > 0 => gap.copied_us + COPY_US,
            Some(passed_us) => passed_us + self.pace.tolerance_us(),
            None => self.pace.last_us + self.pace.tolerance_us(),
        }
    }

    /// When to ask for the packet, microseconds; `None` when it would be of no use.
    fn ask_due_us(&self, sequence: u64, gap: &Gap) -> Option<u64> {
        let extent = self.extents.at(sequence);
        if self.waiting && extent.is_some_and(|extent| !self.is_refresh(extent)) {
            return None;
        }
        if gap.asked > 0 {
            let copy_us = gap.copied_us + COPY_US.max(self.round_trip_us / 4);
            return Some(if gap.copies > 0 { copy_us } else { gap.last_asked_us + self.repeat_us(extent, gap) });
        }
        if let Some(extent) = extent.filter(|extent| self.fec_may_help(extent, sequence)) {
            return Some(match extent.ended_us {
                Some(ended_us) => ended_us + self.pace.tolerance_us(),
                None => self.pace.tail_due_us((extent.end() - 1).saturating_sub(self.highest)),
            });
        }
        Some(match gap.passed_us {
            Some(passed_us) => passed_us + self.pace.tolerance_us(),
            None => self.pace.tail_due_us(sequence.saturating_sub(self.highest)),
        })
    }

    /// Between two requests for the same packet; rarer once its frame is late.
    fn repeat_us(&self, extent: Option<&Extent>, gap: &Gap) -> u64 {
        let round_us = (self.round_trip_us + 4 * self.variance_us).max(MIN_REPEAT_US);
        let since_us = extent.map_or(gap.since_us, |extent| extent.first_us);
        let late = gap.last_asked_us.saturating_sub(since_us) > self.deadline_us();
        if late && gap.asked > 1 { 2 * round_us } else { round_us }
    }

    /// Whether packets that may still come can mend the block that `sequence` belongs to.
    fn fec_may_help(&self, extent: &Extent, sequence: u64) -> bool {
        if extent.fec == 0 || extent.fec_broken {
            return false;
        }
        let block = (sequence - extent.first) % extent.blocks();
        let may_come = |at: &u64| {
            let held = self.held.get(*at);
            held.is_some_and(|held| !held.is_fec || held.payload.len() > fec::HEADER) || *at > self.highest
        };
        let come = extent.members(block).chain(extent.repairs(block)).filter(may_come).count();
        come >= extent.members(block).count()
    }
}
