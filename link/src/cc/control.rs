//! From what the meters say to a rate.
//!
//! The rate is tied to what the path was seen to carry, never to a share of itself: a queue that stands leads to just
//! below the rate at which packets left it, however high the rate was before. Growth is quick where no limit is known
//! or where whole frames arrive as fast as they were sent, and slow near the limit met last.

use super::estimate::Limit;
use super::estimator::Estimator;
use super::policer::{Now, Order};

/// Standing queue at which the rate falls, and below which it may rise, microseconds; on top of the path's own wavering.
const HIGH_US: f64 = 8_000.0;
const LOW_US: f64 = 4_000.0;
/// A queue that the newest packet met, beyond what one frame makes for itself, microseconds.
const CLIFF_US: f64 = 35_000.0;
/// With it, a path that carries less than this share of the rate has broken in: no time to wait for a standing queue.
const CLIFF: f64 = 0.7;
/// Over which the path's capacity is read off a queue, microseconds.
const CLIFF_WINDOW_US: u64 = 60_000;
const BUSY_WINDOW_US: u64 = 250_000;
/// Of the capacity, the rate to stay at: frames differ in size, and the queue that they make grows without bound at 1.
const SETTLED: f64 = 0.9;
/// A queue of this length, microseconds, is drained at a rate lower by all of the capacity; and by this share at most.
const DRAIN_US: f64 = 250_000.0;
const DRAIN_MOST: f64 = 0.4;
/// Queue that may be left to the lower rate; more is drained by sending nothing new for a moment, microseconds.
const PAUSE_FROM_US: f64 = 40_000.0;
const PAUSE_MOST_US: f64 = 1_000_000.0;
/// Growth far from any known limit: twice as much in this time.
const DOUBLING_S: f64 = 0.8;
/// The same in round trips where they are long: what a higher rate brings must be heard of before the next.
const DOUBLING_ROUND_TRIPS: f64 = 4.0;
/// Growth near the limit met last, a share a second.
const CAREFUL_PER_S: f64 = 0.04;
/// Growth where the rate was raised on a train's word, a share a second.
const GUESS_PER_S: f64 = 0.2;
const NEAR: f64 = 0.87;
/// Of the rate at which frames were seen to arrive, what may be sent.
const TRUSTED: f64 = 0.85;
/// Frames arriving at so many times the rate of when the limit was met: it is none any more.
const WIDER: f64 = 1.4;
/// How long a limit that was met is remembered, microseconds.
const MEMORY_US: u64 = 10_000_000;
/// A queue that stays for this long though less is sent is not ours: the path has become longer, microseconds.
const STANDING_QUEUE_US: u64 = 800_000;
const STANDING_QUEUE_SPREAD_US: f64 = 4_000.0;
/// Of packets that others overtake, how many are reported as lost because they came after the report, and the most.
const LATE_OF_REORDERED: f64 = 0.3;
const LATE_MOST: f64 = 0.15;
/// After a blackout, of the rate before.
const AFTER_SILENCE: f64 = 0.75;

/// A queue that stands: since when, its extremes in the current stretch, and the rate when it began.
#[derive(Debug, Clone, Copy)]
struct StandingQueue {
    since_us: u64,
    least_us: f64,
    most_us: f64,
    target_bps: f64,
}

/// The limit that a path showed last.
#[derive(Debug, Clone, Copy)]
struct CapacityLimit {
    bps: f64,
    at_us: u64,
    /// The rate at which frames' bursts arrived then: more than `bps` where others share the path.
    train_bps: f64,
    /// Not met, only where the rate was raised to.
    is_guess: bool,
}

/// The rate and what it rests on.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) target_bps: f64,
    min_bps: f64,
    capacity_limit: Option<CapacityLimit>,
    decreased_us: u64,
    /// When the rate was last raised on a train's word.
    raised_us: u64,
    standing_queue: Option<StandingQueue>,
    /// See [`super::Estimate::pause`].
    pub(super) pause: (u64, u32),
    paused_until_us: u64,
}

impl Control {
    pub(super) fn new(target_bps: f64, min_bps: f64) -> Self {
        Self {
            target_bps,
            min_bps,
            capacity_limit: None,
            decreased_us: 0,
            raised_us: 0,
            standing_queue: None,
            pause: (0, 0),
            paused_until_us: 0,
        }
    }

    pub(super) fn is_narrow(&self) -> bool {
        self.capacity_limit.is_some()
    }

    pub(super) fn on_return(&mut self, now_us: u64) {
        self.target_bps = (self.target_bps * AFTER_SILENCE).max(self.min_bps);
        self.standing_queue = None;
        self.raised_us = now_us;
    }

    fn lower(&mut self, now_us: u64, target_bps: f64, capacity_limit: CapacityLimit) {
        self.capacity_limit = Some(capacity_limit);
        self.target_bps = target_bps.min(self.target_bps).max(self.min_bps);
        self.decreased_us = now_us;
    }
}

impl Estimator {
    /// A round trip with its report, until which a change cannot have shown, microseconds.
    fn settle_us(&self) -> u64 {
        self.round_trip_us() + self.report_gap_us.clamp(15_000.0, 100_000.0) as u64 + 35_000
    }

    pub(super) fn decide(&mut self, now_us: u64, elapsed_s: f64) -> Limit {
        let limit = self.follow(now_us, elapsed_s);
        let max_bps = self.out.max_bps().max(self.control.min_bps);
        self.control.target_bps = self.control.target_bps.clamp(self.control.min_bps, max_bps);
        if self.policer.is_policed() && limit != Limit::Delay { Limit::Loss } else { limit }
    }

    fn follow(&mut self, now_us: u64, elapsed_s: f64) -> Limit {
        let standing_us = self.delay.standing_us().unwrap_or(0.0);
        let noise_us = self.delay.noise_us();
        if self.has_broken_in(now_us, noise_us) {
            return Limit::Delay;
        }
        if standing_us > HIGH_US + 3.0 * noise_us {
            self.stand_off(now_us, standing_us, noise_us);
            if now_us >= self.control.decreased_us + self.settle_us() {
                self.decrease(now_us, standing_us);
            }
            return Limit::Delay;
        }
        self.control.standing_queue = None;
        if let Some(limit) = self.follow_losses(now_us) {
            return limit;
        }
        if standing_us > LOW_US + 1.5 * noise_us || now_us < self.control.decreased_us + self.settle_us() {
            return Limit::Delay;
        }
        self.increase(now_us, elapsed_s)
    }

    /// What is sent for what arrives, where some of it is lost on the way whatever the rate.
    fn with_losses(&self, arrived_bps: f64) -> f64 {
        arrived_bps / (1.0 - self.policer.random_loss().min(0.6))
    }

    /// Answers a path that suddenly carries far less, before its queue stands.
    fn has_broken_in(&mut self, now_us: u64, noise_us: f64) -> bool {
        if self.delay.newest_queue_us() < CLIFF_US + 3.0 * noise_us
            || now_us < self.control.decreased_us + self.settle_us()
        {
            return false;
        }
        let Some(capacity) = self.delay.busy_bps(CLIFF_WINDOW_US).map(|bps| self.with_losses(bps)) else {
            return false;
        };
        if capacity > CLIFF * self.control.target_bps {
            return false;
        }
        self.pause(now_us, capacity);
        let capacity_limit = CapacityLimit { bps: capacity, at_us: now_us, train_bps: capacity, is_guess: false };
        self.control.lower(now_us, capacity * (SETTLED - 0.08), capacity_limit);
        true
    }

    fn decrease(&mut self, now_us: u64, standing_us: f64) {
        let target_bps = self.control.target_bps;
        let measured = self.delay.busy_bps(BUSY_WINDOW_US).or_else(|| self.arrived.bps());
        // While a queue drains the rate is below what the path carries.
        let most_bps = self.control.capacity_limit.map_or(0.0, |c| c.bps).max(1.05 * target_bps);
        let capacity = measured.map_or(target_bps, |bps| self.with_losses(bps)).min(most_bps);
        let drain = (standing_us / DRAIN_US).min(DRAIN_MOST);
        self.pause(now_us, capacity);
        let capacity_limit = self.capacity_limit(now_us, capacity);
        self.control.lower(now_us, capacity * (SETTLED - drain), capacity_limit);
    }

    fn capacity_limit(&self, now_us: u64, bps: f64) -> CapacityLimit {
        let train_bps = self.trains.carried(0).map_or(bps, |(bps, _)| bps).max(bps);
        CapacityLimit { bps, at_us: now_us, train_bps, is_guess: false }
    }

    /// Asks for a pause when what is on its way holds more than the path does.
    fn pause(&mut self, now_us: u64, capacity_bps: f64) {
        if now_us < self.control.paused_until_us {
            return;
        }
        // Nothing of what has left since the newest arrival is known to have come through.
        let unheard_us = now_us.saturating_sub(self.newest_sent_us) as f64;
        let sent_bps = self.sent.bps().unwrap_or(self.control.target_bps);
        let drain_us = unheard_us * sent_bps / capacity_bps.max(self.control.min_bps) - self.round_trip_us() as f64;
        if drain_us > PAUSE_FROM_US {
            let pause_us = (drain_us - 0.75 * PAUSE_FROM_US).min(PAUSE_MOST_US) as u64;
            self.control.pause = (pause_us, self.control.pause.1.wrapping_add(1));
            self.control.paused_until_us = now_us + pause_us + self.settle_us();
        }
    }

    /// Tells a queue from a path that has become longer: that does not get shorter by sending less.
    fn stand_off(&mut self, now_us: u64, standing_us: f64, noise_us: f64) {
        let target_bps = self.control.target_bps;
        let fresh = StandingQueue { since_us: now_us, least_us: standing_us, most_us: standing_us, target_bps };
        let standing_queue = self.control.standing_queue.get_or_insert(fresh);
        standing_queue.least_us = standing_queue.least_us.min(standing_us);
        standing_queue.most_us = standing_queue.most_us.max(standing_us);
        if now_us < standing_queue.since_us + STANDING_QUEUE_US {
            return;
        }
        let is_flat = standing_queue.most_us - standing_queue.least_us < STANDING_QUEUE_SPREAD_US + 2.0 * noise_us;
        let before_bps = standing_queue.target_bps;
        if is_flat && target_bps < 0.9 * before_bps {
            self.delay.rebase();
            self.control.target_bps = before_bps;
            self.control.standing_queue = None;
            self.control.capacity_limit = None;
            self.control.decreased_us = now_us;
        } else {
            *standing_queue = StandingQueue { target_bps: before_bps, ..fresh };
        }
    }

    /// What losses call for; `None` when they are no reason not to grow.
    fn follow_losses(&mut self, now_us: u64) -> Option<Limit> {
        let target_bps = self.control.target_bps;
        let sent_bps = self.sent.bps()?;
        let arrived_bps = self.arrived.bps()?;
        let reordered = (LATE_OF_REORDERED * self.reordered).min(LATE_MOST);
        let now = Now { us: now_us, target_bps, sent_bps, arrived_bps, settle_us: self.settle_us(), reordered };
        match self.policer.follow(&self.loss, now) {
            Order::None => None,
            Order::Hold => Some(Limit::Loss),
            Order::Try(bps) => {
                self.control.target_bps = bps.min(target_bps);
                Some(Limit::Loss)
            }
            Order::Back(bps) => {
                self.control.target_bps = target_bps.max(bps);
                self.control.raised_us = now_us;
                None
            }
            Order::Limit(bps) => {
                // A trial has shown that the rate it tried is all right.
                let settled_bps = target_bps.min(bps * SETTLED);
                self.control.lower(now_us, settled_bps, self.capacity_limit(now_us, bps));
                Some(Limit::Loss)
            }
        }
    }

    fn increase(&mut self, now_us: u64, elapsed_s: f64) -> Limit {
        if self.control.capacity_limit.is_some_and(|c| now_us > c.at_us + MEMORY_US) {
            self.control.capacity_limit = None;
        }
        if !self.policer.is_policed() {
            self.follow_trains(now_us);
        }
        // Not more than what was tried: a path that was never filled has proven nothing.
        let sent_bps = self.sent.bps().unwrap_or(self.control.target_bps);
        if self.control.target_bps > 1.4 * sent_bps + 100_000.0 {
            return Limit::Application;
        }
        let doubling_s = DOUBLING_S.max(DOUBLING_ROUND_TRIPS * self.settle_us() as f64 / 1e6);
        let control = &mut self.control;
        let careful_per_s =
            if control.capacity_limit.is_some_and(|c| c.is_guess) { GUESS_PER_S } else { CAREFUL_PER_S };
        match control.capacity_limit.map(|c| c.bps) {
            // Down by a drain that is over: what the path carries is known.
            Some(capacity_limit) if control.target_bps < NEAR * capacity_limit && !self.policer.is_policed() => {
                control.target_bps = SETTLED * capacity_limit;
            }
            Some(capacity_limit) => {
                control.target_bps *= 1.0 + careful_per_s * elapsed_s;
                // Well past it without a queue: it is none any more.
                if control.target_bps > 1.15 * capacity_limit && !self.policer.is_policed() {
                    control.capacity_limit = None;
                }
            }
            None => control.target_bps *= (elapsed_s / doubling_s).exp2(),
        }
        Limit::None
    }

    /// Raises the rate at once where whole frames arrive as fast as they were sent, faster than the rate.
    fn follow_trains(&mut self, now_us: u64) {
        let since_us = self.control.raised_us.max(self.control.decreased_us);
        let Some((carried_bps, is_whole)) = self.trains.carried(since_us) else { return };
        let Some(capacity_limit) = self.control.capacity_limit else { return };
        let is_wider = is_whole || carried_bps > WIDER * capacity_limit.train_bps;
        let trusted_bps = TRUSTED * carried_bps;
        if !is_wider || trusted_bps < 1.15 * capacity_limit.bps || trusted_bps < 1.1 * self.control.target_bps {
            return;
        }
        self.control.target_bps = trusted_bps.min(2.0 * self.control.target_bps);
        self.control.raised_us = now_us;
        // Still narrow: the next frames shall tell whether there is more.
        let bps = self.control.target_bps / SETTLED;
        self.control.capacity_limit = Some(CapacityLimit { bps, at_us: now_us, is_guess: true, ..capacity_limit });
    }
}
