//! Whether losses come with our own rate. A share lost at one rate says nothing: a policer that cuts a tenth off and a
//! radio that loses a tenth look alike. So a lower rate is tried for a moment: random losses stay, a policer's go.
//!
//! The judgement is Wald's sequential test over runs of losses, which are independent where single losses are not: runs
//! come at the rate from before, or at a fifth of it.

use super::loss::{LossCount, LossMeter};

/// Share lost from which it is worth finding out.
const NOTABLE: f64 = 0.03;
/// Runs of losses it takes to begin: one unlucky moment is none.
const LEAST_RUNS: usize = 6;
/// Of what arrived, the share that is tried. Clear of a policer's limit even where the meter is wrong by a tenth.
const TRIED: f64 = 0.8;
/// Rate of runs expected of a policer during the trial, as a share of that before.
const RELIEF: f64 = 0.2;
/// Log likelihood ratio at which losses are called random, and beyond which a policer's: wrong once in twenty, and once in
/// a hundred, since that costs more.
const SURE: f64 = 3.0;
const SURE_OF_POLICER: f64 = 4.5;
/// For so long after a cut the rate stays clear of a policer's limit, and losses speak against it.
const CLEAR_US: u64 = 1_000_000;
/// A trial that has brought no decision is over, microseconds; random is believed, since it costs less to be wrong.
const TRIAL_MOST_US: u64 = 1_500_000;
/// Look back for the losses that start a trial.
const LOOK_US: u64 = 800_000;
/// No path loses this share at random and is of any use: it is treated as too narrow.
const HOPELESS: f64 = 0.5;
const HOPELESS_PACKETS: usize = 40;
/// Random losses that got worse by this much may have another cause.
const WORSE: f64 = 0.06;
/// Between two trials on a path found to lose at random: where it got worse, and where it loses this much anyway.
const DOUBT_AGAIN_US: u64 = 4_000_000;
const DOUBT_AT_LAST_US: u64 = 30_000_000;
const MUCH: f64 = 0.15;
/// A policer that has not cut anything for this long has gone.
const POLICED_FOR_US: u64 = 12_000_000;

/// What is believed about the losses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Verdict {
    /// Nothing is lost that would matter.
    #[default]
    Calm,
    /// A lower rate is being tried; packets sent since `since_us` count.
    Trying { since_us: u64, runs_per_packet: f64, loss: f64, bps: f64, arrived_bps: f64 },
    /// The losses come anyway, about this share.
    Random { loss: f64, since_us: u64 },
    /// The losses come with the rate; `floor` is the share lost even below the limit. What was seen before is kept, should
    /// the verdict prove wrong.
    Policed { floor: f64, since_us: u64, runs_per_packet: f64, loss: f64, bps: f64 },
}

/// What the rate is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// Losses are no reason to change anything.
    None,
    /// Stay where it is.
    Hold,
    /// Send this much for a moment, bits per second.
    Try(f64),
    /// The trial was for nothing: back to this.
    Back(f64),
    /// The path carries this much and no more.
    Limit(f64),
}

/// Follows the losses.
#[derive(Debug, Default)]
pub(super) struct Policer {
    verdict: Verdict,
    cut_us: u64,
    /// Log likelihood ratio of random losses, from what was lost clear of the limit since the verdict.
    evidence: f64,
    /// The time after the last cut is in `evidence`.
    is_counted: bool,
}

/// Rates in bits per second and the round trip with its report, as they are now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) us: u64,
    pub(super) target_bps: f64,
    pub(super) sent_bps: f64,
    pub(super) arrived_bps: f64,
    pub(super) settle_us: u64,
    /// Share of packets that may be late rather than lost.
    pub(super) reordered: f64,
}

impl Policer {
    pub(super) fn is_policed(&self) -> bool {
        matches!(self.verdict, Verdict::Policed { .. })
    }

    /// Share of packets that is lost whatever the rate.
    pub(super) fn random_loss(&self) -> f64 {
        match self.verdict {
            Verdict::Random { loss, .. } => loss,
            Verdict::Policed { floor, .. } => floor,
            Verdict::Calm | Verdict::Trying { .. } => 0.0,
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the losses as they are with a new report.
    pub(super) fn follow(&mut self, losses: &LossMeter, now: Now) -> Order {
        match self.verdict {
            Verdict::Calm => self.calm(losses, now, NOTABLE),
            Verdict::Trying { .. } => self.trying(losses, now),
            Verdict::Random { loss, since_us } => {
                let share = losses.share();
                if share < loss / 4.0 && now.us > since_us + LOOK_US {
                    self.verdict = Verdict::Calm;
                } else if loss > MUCH && now.us > since_us + DOUBT_AT_LAST_US {
                    return self.calm(losses, now, MUCH);
                } else if now.us > since_us + DOUBT_AGAIN_US {
                    return self.calm(losses, now, (1.3 * loss + WORSE).min(HOPELESS));
                }
                Order::None
            }
            Verdict::Policed { .. } => self.policed(losses, now),
        }
    }

    fn calm(&mut self, losses: &LossMeter, now: Now, notable: f64) -> Order {
        let notable = notable + now.reordered;
        let count = losses.since(now.us.saturating_sub(LOOK_US));
        if count.share() < notable || count.runs < LEAST_RUNS {
            return Order::None;
        }
        self.evidence = 0.0;
        self.verdict = Verdict::Trying {
            since_us: now.us + now.settle_us,
            runs_per_packet: count.runs as f64 / count.packets as f64,
            loss: count.share(),
            bps: now.target_bps,
            arrived_bps: now.arrived_bps,
        };
        Order::Try(now.arrived_bps.min(now.target_bps) * TRIED)
    }

    fn trying(&mut self, losses: &LossMeter, now: Now) -> Order {
        let Verdict::Trying { since_us, runs_per_packet, loss, bps, arrived_bps } = self.verdict else {
            return Order::None;
        };
        let count = losses.since(since_us);
        let likelihood = likelihood_of_random(count, runs_per_packet);
        if likelihood < -SURE_OF_POLICER {
            self.verdict = Verdict::Policed { floor: count.share(), since_us: now.us, runs_per_packet, loss, bps };
            self.cut(now.us);
            return Order::Limit(arrived_bps);
        }
        if count.share() > HOPELESS && count.packets > HOPELESS_PACKETS {
            self.verdict = Verdict::Policed { floor: 0.0, since_us: now.us, runs_per_packet, loss, bps };
            self.cut(now.us);
            return Order::Limit(now.arrived_bps);
        }
        if likelihood > SURE || now.us > since_us + TRIAL_MOST_US {
            self.verdict = Verdict::Random { loss: loss.min(2.0 * count.share()), since_us: now.us };
            return Order::Back(bps);
        }
        Order::Hold
    }

    fn policed(&mut self, losses: &LossMeter, now: Now) -> Order {
        let Verdict::Policed { floor, since_us, runs_per_packet, loss, bps } = self.verdict else { return Order::None };
        // Only what was sent after the last cut took effect tells whether it was enough.
        let settled_us = self.cut_us + now.settle_us;
        let count = losses.since(settled_us.max(now.us.saturating_sub(LOOK_US)));
        if now.us < settled_us + CLEAR_US {
            return self.doubt(now, count, false);
        }
        if !self.is_counted {
            return self.doubt(now, count, true);
        }
        let cut = count.lost as f64 - (1.5 * floor + now.reordered) * count.packets as f64;
        if cut >= 3.0 && count.share() > floor + 0.01 {
            self.verdict = Verdict::Policed { floor, since_us: now.us, runs_per_packet, loss, bps };
            self.cut(now.us);
            return Order::Limit(now.arrived_bps.min(now.target_bps));
        }
        if now.us > since_us + POLICED_FOR_US {
            self.verdict = Verdict::Calm;
        }
        Order::None
    }

    fn cut(&mut self, now_us: u64) {
        self.cut_us = now_us;
        self.is_counted = false;
    }

    /// Takes back the verdict of a policer when too much is lost clear of its limit.
    fn doubt(&mut self, now: Now, count: LossCount, is_over: bool) -> Order {
        let Verdict::Policed { runs_per_packet, loss, bps, .. } = self.verdict else { return Order::None };
        let evidence = self.evidence + likelihood_of_random(count, runs_per_packet);
        if evidence > SURE && count.share() < HOPELESS {
            self.evidence = 0.0;
            self.verdict = Verdict::Random { loss: loss.min(2.0 * count.share()), since_us: now.us };
            return Order::Back(bps);
        }
        if is_over {
            self.evidence = evidence.max(-SURE);
            self.is_counted = true;
        }
        Order::None
    }
}

/// Logarithm of how much likelier `count` is under the runs of before than under those of a policer at rest; Poisson.
fn likelihood_of_random(count: LossCount, runs_per_packet: f64) -> f64 {
    let expected = count.packets as f64 * runs_per_packet;
    count.runs as f64 * (1.0 / RELIEF).ln() - expected * (1.0 - RELIEF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(us: u64, target_bps: f64, loss: f64) -> Now {
        Now { us, target_bps, sent_bps: target_bps, arrived_bps: target_bps * (1.0 - loss), settle_us: 50_000, reordered: 0.0 }
    }

    /// A tenth is lost; during the trial `share_in_trial` still is. What the trial ends in.
    fn outcome(share_in_trial: f64) -> Order {
        let (mut losses, mut policer) = (LossMeter::default(), Policer::default());
        let mut trying = false;
        for i in 0..2_000u64 {
            let share = if trying { share_in_trial } else { 0.1 };
            losses.add(i * 2_000, share > 0.0 && i % (1.0 / share) as u64 == 0);
            match policer.follow(&losses, now(i * 2_000, 4e6, share)) {
                Order::Try(bps) => {
                    assert!(bps < 3e6);
                    trying = true;
                }
                Order::None | Order::Hold => {}
                order => return order,
            }
        }
        panic!("no outcome");
    }

    #[test]
    fn losses_that_stay_at_a_lower_rate_are_random() {
        assert_eq!(outcome(0.1), Order::Back(4e6));
    }

    #[test]
    fn losses_that_go_at_a_lower_rate_are_a_policers() {
        assert!(matches!(outcome(0.0), Order::Limit(bps) if (3.5e6..3.7e6).contains(&bps)));
    }

    #[test]
    fn a_little_loss_is_not_worth_a_trial() {
        let (mut losses, mut policer) = (LossMeter::default(), Policer::default());
        for i in 0..4_000u64 {
            losses.add(i * 2_000, i % 50 == 0);
            assert_eq!(policer.follow(&losses, now(i * 2_000, 4e6, 0.02)), Order::None);
        }
    }
}
