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
/// Before so many packets, it is not known whether they overtake each other.
const FIRST_PACKETS: u64 = 150;
/// Of what arrived, the share that is tried. Clear of a policer's limit even where the meter is wrong by a tenth.
const TRIED: f64 = 0.8;
/// Rate of runs expected of a policer during the trial, as a share of that before.
const RELIEF: f64 = 0.2;
/// Log likelihood ratio at which losses are called random, and beyond which a policer's: wrong once in twenty, and once in
/// a hundred, since that costs more.
const SURE: f64 = 3.0;
const SURE_OF_POLICER: f64 = 4.5;
/// How often a trial that brought some relief goes on at a lower rate.
const REPEATS: u32 = 2;
/// A policer's limit stays where it is: one that sinks below this share of itself was none.
const STEADY: f64 = 0.7;
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
    /// A lower rate is being tried.
    Trying(Trial),
    /// The losses come anyway, about this share.
    Random { loss: f64, since_us: u64 },
    /// The losses come with the rate. The trial is kept, should the verdict prove wrong.
    Policed { trial: Trial, since_us: u64 },
}

/// A lower rate that is tried, and what was seen before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trial {
    /// Packets sent since then count.
    since_us: u64,
    tried_bps: f64,
    runs_per_packet: f64,
    loss: f64,
    /// Target and arrivals before.
    bps: f64,
    arrived_bps: f64,
    /// How often it was lowered.
    repeats: u32,
    /// Share lost during the trial.
    base_loss: f64,
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
    /// Trials since the last policer that ended in random losses.
    ruled_out: u32,
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
            Verdict::Policed { trial, .. } => trial.base_loss,
            Verdict::Calm | Verdict::Trying(_) => 0.0,
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the losses as they are with a new report.
    pub(super) fn follow(&mut self, losses: &LossMeter, now: Now) -> Order {
        match self.verdict {
            Verdict::Calm => self.calm(losses, now, NOTABLE),
            Verdict::Trying(trial) => self.trying(losses, now, trial),
            Verdict::Random { loss, since_us } => self.random(losses, now, loss, since_us),
            Verdict::Policed { trial, since_us } => self.policed(losses, now, trial, since_us),
        }
    }

    fn random(&mut self, losses: &LossMeter, now: Now, loss: f64, since_us: u64) -> Order {
        let share = losses.share();
        let passed_us = now.us.saturating_sub(since_us);
        // Each trial that found no policer makes the next one less likely to find one.
        let backoff_us = DOUBT_AGAIN_US << self.ruled_out.saturating_sub(1).min(4);
        if share > HOPELESS && passed_us > LOOK_US {
            return self.calm(losses, now, HOPELESS);
        }
        if passed_us > DOUBT_AGAIN_US && share > 2.0 * loss + MUCH {
            return self.calm(losses, now, 2.0 * loss + MUCH);
        }
        if passed_us > backoff_us {
            if share < loss / 4.0 {
                self.verdict = Verdict::Calm;
            } else if loss > MUCH && passed_us > DOUBT_AT_LAST_US {
                return self.calm(losses, now, MUCH);
            } else {
                return self.calm(losses, now, (1.3 * loss + WORSE).min(HOPELESS));
            }
        }
        Order::None
    }

    fn calm(&mut self, losses: &LossMeter, now: Now, notable: f64) -> Order {
        let notable = notable + now.reordered;
        let count = losses.since(now.us.saturating_sub(LOOK_US));
        if count.share() < notable || count.runs < LEAST_RUNS || losses.seen() < FIRST_PACKETS {
            return Order::None;
        }
        self.begin(Trial {
            since_us: now.us + now.settle_us,
            tried_bps: now.arrived_bps.min(now.target_bps) * TRIED,
            runs_per_packet: count.runs as f64 / count.packets as f64,
            loss: count.share(),
            bps: now.target_bps,
            arrived_bps: now.arrived_bps,
            repeats: 0,
            base_loss: 0.0,
        })
    }

    fn begin(&mut self, trial: Trial) -> Order {
        self.verdict = Verdict::Trying(trial);
        Order::Try(trial.tried_bps)
    }

    fn trying(&mut self, losses: &LossMeter, now: Now, trial: Trial) -> Order {
        // What was queued before the rate fell still leaves faster.
        if now.sent_bps > 1.25 * trial.tried_bps && now.us < trial.since_us + TRIAL_MOST_US / 2 {
            return Order::Hold;
        }
        let since_us = trial.since_us.max(now.us.saturating_sub(TRIAL_MOST_US));
        let count = losses.since(since_us);
        let likelihood = likelihood_of_random(count, trial.runs_per_packet);
        let trial = Trial { base_loss: count.share(), ..trial };
        if likelihood < -SURE_OF_POLICER || (count.share() > HOPELESS && count.packets > HOPELESS_PACKETS) {
            let level_bps = if count.share() > HOPELESS { now.arrived_bps } else { trial.arrived_bps };
            let trial = Trial {
                arrived_bps: level_bps,
                base_loss: if count.share() > HOPELESS { 0.0 } else { trial.base_loss },
                ..trial
            };
            self.verdict = Verdict::Policed { trial, since_us: now.us };
            self.ruled_out = 0;
            self.evidence = 0.0;
            self.cut(now.us);
            return Order::Limit(level_bps);
        }
        if likelihood <= SURE && now.us <= trial.since_us + TRIAL_MOST_US {
            return Order::Hold;
        }
        // Fewer than before but not gone: the rate tried may still have been above a policer's.
        if trial.repeats < REPEATS && count.share() < 0.6 * trial.loss {
            let tried_bps = now.arrived_bps.min(trial.tried_bps) * TRIED;
            let (since_us, arrived_bps) = (now.us + now.settle_us, now.arrived_bps);
            return self.begin(Trial { since_us, tried_bps, arrived_bps, repeats: trial.repeats + 1, ..trial });
        }
        self.rule_out_policer(now, trial, count)
    }

    fn rule_out_policer(&mut self, now: Now, trial: Trial, count: LossCount) -> Order {
        self.evidence = 0.0;
        self.ruled_out += 1;
        self.verdict = Verdict::Random { loss: trial.loss.min(2.0 * count.share()), since_us: now.us };
        Order::Back(trial.bps)
    }

    fn policed(&mut self, losses: &LossMeter, now: Now, trial: Trial, since_us: u64) -> Order {
        // Only what was sent after the last cut took effect tells whether it was enough.
        let settled_us = self.cut_us + now.settle_us;
        let count = losses.since(settled_us.max(now.us.saturating_sub(LOOK_US)));
        if now.us < settled_us + CLEAR_US || !self.is_counted {
            return self.doubt(now, trial, count, now.us >= settled_us + CLEAR_US);
        }
        let cut = count.lost as f64 - (1.5 * trial.base_loss + now.reordered) * count.packets as f64;
        if cut >= 3.0 && count.share() > trial.base_loss + 0.01 {
            let level_bps = now.arrived_bps.min(now.target_bps);
            if level_bps < STEADY * trial.arrived_bps {
                return self.rule_out_policer(now, Trial { bps: trial.arrived_bps, ..trial }, count);
            }
            self.verdict = Verdict::Policed { trial, since_us: now.us };
            self.cut(now.us);
            return Order::Limit(level_bps);
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
    fn doubt(&mut self, now: Now, trial: Trial, count: LossCount, is_over: bool) -> Order {
        let evidence = self.evidence + likelihood_of_random(count, trial.runs_per_packet);
        if evidence > SURE && count.share() < HOPELESS {
            return self.rule_out_policer(now, trial, count);
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
        Now {
            us,
            target_bps,
            sent_bps: target_bps,
            arrived_bps: target_bps * (1.0 - loss),
            settle_us: 50_000,
            reordered: 0.0,
        }
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
