//! How much is lost, in what bursts, and whether it comes with our own rate.

use std::collections::VecDeque;

/// Packets over which a share is taken, and the time that they may cover.
const PACKETS: usize = 400;
const WINDOW_US: u64 = 1_500_000;

/// Losses of the last second or so, in send order.
#[derive(Debug, Default)]
pub(super) struct LossMeter {
    packets: VecDeque<(u64, bool)>,
    lost: usize,
    /// Long-term: packets lost, and how many runs they formed.
    lost_long: f64,
    runs_long: f64,
    last_lost: bool,
}

impl LossMeter {
    pub(super) fn add(&mut self, sent_us: u64, lost: bool) {
        self.packets.push_back((sent_us, lost));
        self.lost += usize::from(lost);
        while let Some((at, was_lost)) = self.packets.front().copied()
            && (self.packets.len() > PACKETS || at + WINDOW_US < sent_us)
        {
            self.lost -= usize::from(was_lost);
            self.packets.pop_front();
        }
        // Bursts are rare events: they are remembered for longer, some hundred of them.
        if lost {
            self.lost_long += 1.0;
            self.runs_long += f64::from(u8::from(!self.last_lost));
            if self.runs_long > 200.0 {
                (self.lost_long, self.runs_long) = (self.lost_long / 2.0, self.runs_long / 2.0);
            }
        }
        self.last_lost = lost;
    }

    /// Share lost, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        if self.packets.is_empty() { 0.0 } else { self.lost as f64 / self.packets.len().max(30) as f64 }
    }

    /// Share lost among what was sent since `since_us`, with the number of packets.
    pub(super) fn share_since(&self, since_us: u64) -> (f64, usize) {
        let mut count = (0, 0);
        for (_, lost) in self.packets.iter().rev().take_while(|(at, _)| *at >= since_us) {
            count = (count.0 + usize::from(*lost), count.1 + 1);
        }
        (count.0 as f64 / count.1.max(1) as f64, count.1)
    }

    /// Mean length of a run of losses; 1 while little is known.
    pub(super) fn mean_burst(&self) -> f64 {
        // With few runs seen the prior, single losses, weighs in.
        (self.lost_long + 5.0) / (self.runs_long + 5.0)
    }
}

/// Whether losses come with the rate, found out by trying a lower one for a moment: random losses stay, those of a
/// policer go.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Verdict {
    /// Nothing lost that would matter.
    #[default]
    Calm,
    /// A lower rate is tried since then; loss and rate before.
    Trying { since_us: u64, loss: f64, bps: f64 },
    /// The losses come anyway, about this share.
    Random { loss: f64, since_us: u64 },
    /// The losses come with the rate.
    Policed { since_us: u64 },
}

/// Loss from which it is worth finding out.
pub(super) const NOTABLE: f64 = 0.04;
/// The rate tried, as a share.
pub(super) const TRIED: f64 = 0.65;

/// What the losses during a trial say: those of a policer at `1 - loss` of the rate before would have fallen to
/// `expected`, random ones stayed where they were; the nearer one is believed.
pub(super) fn judge(before: f64, during: f64) -> bool {
    let expected = (1.0 - (1.0 - before) / TRIED).max(0.0);
    (during - expected).abs() < (during - before).abs()
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
    }

    #[test]
    fn a_trial_tells_a_policer_from_bad_luck() {
        assert!(judge(0.5, 0.25));
        assert!(!judge(0.3, 0.27));
        assert!(judge(0.1, 0.01));
        assert!(!judge(0.1, 0.12));
    }
}
