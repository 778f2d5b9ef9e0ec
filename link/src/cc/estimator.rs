//! From arrivals to a rate.

use super::acknowledged::RateMeter;
use super::delay::DelayTracker;
use super::estimate::{Estimate, EstimateHandle, Limit};
use super::loss::{LossMeter, NOTABLE, TRIED, Verdict, judge};
use rtc::interceptor::{BandwidthEstimator, EstimatorStats, PacketReport};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Where a session begins: a first keyframe through 1 Mbit/s in a tenth of a second, and twice as much each second after.
const START_BPS: f64 = 2_000_000.0;
const MIN_BPS: f64 = 150_000.0;
/// Until the session says what there is to send.
const DEFAULT_MAX_BPS: f64 = 6_000_000.0;
/// Standing queue at which the rate falls, and below which it may rise; on top of what the path wavers by itself.
const HIGH_US: f64 = 12_000.0;
const LOW_US: f64 = 5_000.0;
/// A queue this long is drained by sending nothing new for a moment.
const DRAIN_US: f64 = 50_000.0;
/// Growth far from any known limit: twice as much in this time.
const DOUBLING_S: f64 = 0.8;
/// Growth near the limit met last, a share a second.
const CAREFUL_PER_S: f64 = 0.04;
/// How long a limit that was met is remembered.
const MEMORY_US: u64 = 8_000_000;
/// Without feedback for this long, nothing is known.
const SILENCE_US: u64 = 600_000;
/// How long a lower rate is tried to see whether losses come with the rate.
const TRIAL_US: u64 = 500_000;
/// Losses found to be random are not doubted again for this long.
const RANDOM_FOR_US: u64 = 20_000_000;
const POLICED_FOR_US: u64 = 6_000_000;
/// Round trips over which the least one counts.
const ROUND_TRIPS_US: u64 = 2_000_000;

/// Rate by delay and loss; see the module's head.
#[derive(Debug)]
pub(crate) struct Estimator {
    origin: Option<Instant>,
    delay: DelayTracker,
    loss: LossMeter,
    arrived: RateMeter,
    sent: RateMeter,
    verdict: Verdict,
    /// The rate at which the path showed its limit last, and when.
    ceiling: Option<(f64, u64)>,
    decreased_us: u64,
    reported_us: Option<u64>,
    round_trips: VecDeque<(u64, u64)>,
    target_bps: f64,
    pause: (u64, u32),
    out: EstimateHandle,
}

impl Estimator {
    /// An estimator, and what reads it.
    pub(crate) fn new() -> (Self, EstimateHandle) {
        let estimate = Estimate {
            target_bps: START_BPS,
            loss: 0.0,
            mean_burst: 1.0,
            round_trip_us: 0,
            queue_ms: 0.0,
            acknowledged_bps: 0.0,
            limit: Limit::None,
            narrow: false,
            pause: (0, 0),
        };
        let out = EstimateHandle::new(estimate, DEFAULT_MAX_BPS);
        let estimator = Self {
            origin: None,
            delay: DelayTracker::default(),
            loss: LossMeter::default(),
            arrived: RateMeter::default(),
            sent: RateMeter::default(),
            verdict: Verdict::Calm,
            ceiling: None,
            decreased_us: 0,
            reported_us: None,
            round_trips: VecDeque::new(),
            target_bps: START_BPS,
            pause: (0, 0),
            out: out.clone(),
        };
        (estimator, out)
    }

    fn us(&mut self, at: Instant) -> u64 {
        // Far from zero, so that a departure before the first report has a time too.
        const EPOCH: Duration = Duration::from_secs(100);
        let origin = *self.origin.get_or_insert(at);
        let since = at.checked_duration_since(origin).map_or_else(|| EPOCH.saturating_sub(origin - at), |d| EPOCH + d);
        since.as_micros() as u64
    }

    fn round_trip_us(&self) -> u64 {
        self.round_trips.iter().map(|(_, us)| *us).min().unwrap_or(0)
    }

    /// Takes the packets of a report into all meters.
    fn note(&mut self, now_us: u64, reports: &[PacketReport]) {
        let mut newest_us = None;
        for report in reports {
            let sent_us = self.us(report.departure);
            self.sent.add(sent_us, report.size);
            self.loss.add(sent_us, !report.arrived);
            let Some(arrival) = report.arrival.filter(|_| report.arrived) else { continue };
            let arrival_us = arrival.as_micros() as u64;
            self.arrived.add(arrival_us, report.size);
            self.delay.add(arrival_us, arrival_us as i64 - sent_us as i64);
            newest_us = newest_us.max(Some(sent_us));
        }
        if let Some(newest_us) = newest_us {
            self.round_trips.push_back((now_us, now_us.saturating_sub(newest_us)));
        }
        while self.round_trips.front().is_some_and(|(at, _)| at + ROUND_TRIPS_US < now_us) {
            self.round_trips.pop_front();
        }
    }

    /// The path was dead: what was lost meanwhile says nothing about rates, and the delay may be another one.
    fn on_return(&mut self) {
        self.delay.clear();
        self.arrived.clear();
        self.sent.clear();
        self.loss = LossMeter::default();
        self.verdict = Verdict::Calm;
        self.target_bps = (self.target_bps * 0.7).max(MIN_BPS);
    }

    fn decide(&mut self, now_us: u64, elapsed_s: f64) -> Limit {
        let standing_us = self.delay.standing_us().unwrap_or(0.0);
        let wavering_us = self.delay.wavering_us();
        let settle_us = self.round_trip_us() + 100_000;
        let acknowledged = self.arrived.bps();
        if standing_us > HIGH_US + 2.0 * wavering_us {
            if now_us >= self.decreased_us + settle_us {
                self.decrease(now_us, acknowledged.unwrap_or(self.target_bps), standing_us);
            }
            return Limit::Delay;
        }
        if let Some(limit) = self.follow_losses(now_us, acknowledged) {
            return limit;
        }
        if standing_us > LOW_US + wavering_us || now_us < self.decreased_us + settle_us {
            return Limit::Delay;
        }
        self.increase(now_us, elapsed_s)
    }

    fn decrease(&mut self, now_us: u64, acknowledged_bps: f64, standing_us: f64) {
        let share = 0.92 - (standing_us / 400_000.0).min(0.35);
        self.ceiling = Some((acknowledged_bps.min(self.target_bps), now_us));
        self.target_bps = (acknowledged_bps * share).min(self.target_bps * 0.95).max(MIN_BPS);
        self.decreased_us = now_us;
        if standing_us > DRAIN_US {
            self.pause = ((standing_us - 0.5 * DRAIN_US).min(400_000.0) as u64, self.pause.1.wrapping_add(1));
        }
    }

    /// What losses call for; `None` when they are no reason not to grow.
    fn follow_losses(&mut self, now_us: u64, acknowledged: Option<f64>) -> Option<Limit> {
        let share = self.loss.share();
        match self.verdict {
            Verdict::Calm => {
                let (recent, packets) = self.loss.share_since(now_us.saturating_sub(800_000));
                if recent < NOTABLE || packets < 60 {
                    return None;
                }
                let bps = self.sent.bps().unwrap_or(self.target_bps).min(self.target_bps);
                self.verdict = Verdict::Trying { since_us: now_us, loss: recent, bps };
                self.target_bps = (bps * TRIED).max(MIN_BPS);
                Some(Limit::Loss)
            }
            Verdict::Trying { since_us, loss, bps } => {
                let settled_us = since_us + self.round_trip_us() + 60_000;
                let (during, packets) = self.loss.share_since(settled_us);
                if now_us < settled_us + TRIAL_US || packets < 40 {
                    return (now_us < settled_us + 4 * TRIAL_US).then_some(Limit::Loss).or_else(|| {
                        self.verdict = Verdict::Calm;
                        None
                    });
                }
                if judge(loss, during) {
                    self.verdict = Verdict::Policed { since_us: now_us };
                    let passed = bps * (1.0 - loss);
                    self.ceiling = Some((passed, now_us));
                    self.target_bps = (passed * 0.92).max(MIN_BPS);
                    self.decreased_us = now_us;
                    return Some(Limit::Loss);
                }
                self.verdict = Verdict::Random { loss: loss.max(during), since_us: now_us };
                self.target_bps = self.target_bps.max(bps);
                None
            }
            Verdict::Random { loss, since_us } => {
                if share > loss + 0.12
                    || (now_us > since_us + RANDOM_FOR_US && share > loss + 0.05)
                    || share < loss / 3.0
                {
                    self.verdict = Verdict::Calm;
                }
                None
            }
            Verdict::Policed { since_us } => {
                let (recent, packets) = self.loss.share_since(now_us.saturating_sub(300_000).max(self.decreased_us));
                if recent > NOTABLE && packets > 30 && now_us >= self.decreased_us + self.round_trip_us() + 400_000 {
                    let passed = acknowledged.unwrap_or(self.target_bps).min(self.target_bps);
                    self.ceiling = Some((passed, now_us));
                    self.target_bps = (passed * 0.92).max(MIN_BPS);
                    self.decreased_us = now_us;
                    self.verdict = Verdict::Policed { since_us: now_us };
                    return Some(Limit::Loss);
                }
                if now_us > since_us + POLICED_FOR_US {
                    self.verdict = Verdict::Calm;
                }
                None
            }
        }
    }

    fn increase(&mut self, now_us: u64, elapsed_s: f64) -> Limit {
        let max_bps = self.out.max_bps();
        if self.ceiling.is_some_and(|(_, at)| now_us > at + MEMORY_US) {
            self.ceiling = None;
        }
        // Not more than what was tried: a path that was never filled has proven nothing.
        let sent = self.sent.bps().unwrap_or(self.target_bps);
        if self.target_bps > 1.5 * sent + 300_000.0 {
            return Limit::Application;
        }
        let near = self.ceiling.is_some_and(|(bps, _)| self.target_bps > 0.85 * bps);
        let growth = if near { 1.0 + CAREFUL_PER_S * elapsed_s } else { (elapsed_s / DOUBLING_S).exp2() };
        self.target_bps = (self.target_bps * growth).min(max_bps).max(MIN_BPS);
        // Well past a ceiling without a queue: it is none any more.
        if self.ceiling.is_some_and(|(bps, _)| self.target_bps > 1.15 * bps) {
            self.ceiling = None;
        }
        Limit::None
    }
}

impl BandwidthEstimator for Estimator {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        if reports.is_empty() {
            return;
        }
        let now_us = self.us(now);
        let since_us = self.reported_us.map_or(0, |at| now_us.saturating_sub(at));
        self.reported_us = Some(now_us);
        if since_us > SILENCE_US {
            self.on_return();
        }
        self.note(now_us, reports);
        let limit = self.decide(now_us, since_us.min(100_000) as f64 / 1e6);
        self.target_bps = self.target_bps.min(self.out.max_bps());
        self.out.write(Estimate {
            target_bps: self.target_bps,
            loss: self.loss.share(),
            mean_burst: self.loss.mean_burst(),
            round_trip_us: self.round_trip_us(),
            queue_ms: self.delay.standing_us().unwrap_or(0.0) / 1e3,
            acknowledged_bps: self.arrived.bps().unwrap_or(0.0),
            limit,
            narrow: self.ceiling.is_some(),
            pause: self.pause,
        });
    }

    fn target_bitrate(&self) -> f64 {
        self.target_bps
    }

    fn stats(&self) -> EstimatorStats {
        let mut stats = EstimatorStats::default();
        stats.packet_loss = Some(self.loss.share());
        stats.round_trip_time = Some(Duration::from_micros(self.round_trip_us()));
        stats
    }
}
