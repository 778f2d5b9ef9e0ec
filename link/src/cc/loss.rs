//! How much is lost and in what bursts.

use std::collections::VecDeque;

/// Packets over which a share is taken, and the time that they may cover.
const PACKETS: usize = 400;
const WINDOW_US: u64 = 1_500_000;
/// With fewer packets known, a loss more or less is no share.
const LEAST_PACKETS: usize = 30;

#[derive(Debug, Clone, Copy)]
struct Fate {
    sent_us: u64,
    lost: bool,
    /// First of a run of losses.
    starts_run: bool,
}

/// Losses counted over some stretch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct LossCount {
    /// Packets whose fate is known.
    pub(super) packets: usize,
    pub(super) lost: usize,
    /// Runs of consecutive losses: what is independent of each other.
    pub(super) runs: usize,
}

impl LossCount {
    /// Share lost, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        self.lost as f64 / self.packets.max(1) as f64
    }
}

/// Losses of the last second or so, in send order.
#[derive(Debug, Default)]
pub(super) struct LossMeter {
    fates: VecDeque<Fate>,
    lost: usize,
    /// Long-term: packets lost, and how many runs they formed.
    lost_long: f64,
    runs_long: f64,
    last_lost: bool,
    seen: u64,
}

impl LossMeter {
    pub(super) fn add(&mut self, sent_us: u64, lost: bool) {
        let starts_run = lost && !self.last_lost;
        self.fates.push_back(Fate { sent_us, lost, starts_run });
        self.lost += usize::from(lost);
        while let Some(old) = self.fates.front().copied()
            && (self.fates.len() > PACKETS || old.sent_us + WINDOW_US < sent_us)
        {
            self.lost -= usize::from(old.lost);
            self.fates.pop_front();
        }
        // Bursts are rare events: they are remembered for longer, some hundred of them.
        if lost {
            self.lost_long += 1.0;
            self.runs_long += f64::from(u8::from(starts_run));
            if self.runs_long > 200.0 {
                (self.lost_long, self.runs_long) = (self.lost_long / 2.0, self.runs_long / 2.0);
            }
        }
        self.last_lost = lost;
        self.seen += 1;
    }

    /// Share lost, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        if self.fates.is_empty() { 0.0 } else { self.lost as f64 / self.fates.len().max(LEAST_PACKETS) as f64 }
    }

    /// Outcome of the packets sent since `since_us`.
    pub(super) fn since(&self, since_us: u64) -> LossCount {
        let mut count = LossCount::default();
        for fate in self.fates.iter().rev().take_while(|fate| fate.sent_us >= since_us) {
            count.packets += 1;
            count.lost += usize::from(fate.lost);
            count.runs += usize::from(fate.starts_run);
        }
        count
    }

    /// Packets in all.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Mean length of a run of losses; 1 while little is known.
    pub(super) fn mean_burst(&self) -> f64 {
        // With few runs seen the prior, single losses, weighs in.
        (self.lost_long + 5.0) / (self.runs_long + 5.0)
    }

    /// The packets of the last second say nothing any more; how losses cluster stays known.
    pub(super) fn clear(&mut self) {
        self.fates.clear();
        self.lost = 0;
        self.last_lost = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_and_single_losses_are_told_apart() {
        let (mut bursts, mut singles) = (LossMeter::default(), LossMeter::default());
        for i in 0..5_000u64 {
            bursts.add(i * 3_000, i % 50 < 5);
            singles.add(i * 3_000, i % 10 == 0);
        }
        assert!((bursts.mean_burst() - 5.0).abs() < 0.3, "{}", bursts.mean_burst());
        assert!((singles.mean_burst() - 1.0).abs() < 0.05);
        assert!((singles.share() - 0.1).abs() < 0.02);
        let recent = bursts.since(4_500 * 3_000);
        assert_eq!((recent.packets, recent.lost, recent.runs), (400, 40, 8));
    }
}
