//! From reports of arrivals to a rate: the meters. What they lead to is in [`super::control`].

use super::control::Control;
use super::delay::DelayTracker;
use super::estimate::{Estimate, EstimateHandle, Limit, State};
use super::loss::LossMeter;
use super::meter::RateMeter;
use super::policer::Policer;
use super::train::Trains;
use rtc::interceptor::{BandwidthEstimator, EstimatorStats, PacketReport};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Where a session begins: a first keyframe through 1 Mbit/s in a tenth of a second, and twice as much each second after.
const START_BPS: f64 = 2_000_000.0;
/// Something to see at the lowest frame rate and size, and enough packets to notice when the path is better again.
const MIN_BPS: f64 = 150_000.0;
/// Until the session says what there is to send.
const DEFAULT_MAX_BPS: f64 = 6_000_000.0;
/// Without feedback for this long, nothing is known.
const SILENCE_US: u64 = 500_000;
/// Round trips over which the least one counts.
const ROUND_TRIPS_US: u64 = 2_000_000;
/// A report that comes this many times later than usual follows one that was lost, if it starts with losses.
const LATE: f64 = 1.7;
/// So many losses at the start of a late report may be the lost report's packets; a single one is a loss.
const UNREPORTED: usize = 2;

/// Of the longest time by which a packet was overtaken, where most that come at all have come.
const MOSTLY: f64 = 1.0;
/// Overtaken by more, microseconds, it is as good as lost; and what is left of the longest after each report.
const REORDERED_MOST_US: u64 = 60_000;
const FORGET_REORDERED: f64 = 0.98;

/// Where the rate starts and what it stays between, bits per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimits {
    pub(crate) start_bps: f64,
    pub(crate) min_bps: f64,
    /// To begin with; [`EstimateHandle::set_max`] changes it.
    pub(crate) max_bps: f64,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { start_bps: START_BPS, min_bps: MIN_BPS, max_bps: DEFAULT_MAX_BPS }
    }
}

/// Rate by delay and loss, from transport-wide feedback; see the [module](super)'s head.
#[derive(Debug)]
pub(crate) struct Estimator {
    origin: Option<Instant>,
    pub(super) delay: DelayTracker,
    pub(super) loss: LossMeter,
    pub(super) trains: Trains,
    pub(super) arrived: RateMeter,
    pub(super) sent: RateMeter,
    pub(super) policer: Policer,
    pub(super) control: Control,
    pub(super) out: EstimateHandle,
    reported: Option<Instant>,
    is_silent: bool,
    /// Usual time between reports, microseconds.
    pub(super) report_gap_us: f64,
    round_trips: VecDeque<(u64, u64)>,
    /// Departure of the newest packet known to have arrived.
    pub(super) newest_sent_us: u64,
    /// Share of arrivals that others have overtaken.
    pub(super) reordered: f64,
    /// By how much, the most of the last seconds, microseconds.
    overtaken_us: f64,
    newest_arrival_us: u64,
}

impl Estimator {
    /// An estimator, and what reads it.
    pub(crate) fn new(limits: RateLimits) -> (Self, EstimateHandle) {
        let start_bps = limits.start_bps.clamp(limits.min_bps, limits.max_bps.max(limits.min_bps));
        let out = EstimateHandle::new(Estimate::starting_at(start_bps), limits.max_bps);
        let estimator = Self {
            origin: None,
            delay: DelayTracker::default(),
            loss: LossMeter::default(),
            trains: Trains::default(),
            arrived: RateMeter::default(),
            sent: RateMeter::default(),
            policer: Policer::default(),
            control: Control::new(start_bps, limits.min_bps),
            out: out.clone(),
            reported: None,
            is_silent: false,
            report_gap_us: 0.0,
            round_trips: VecDeque::new(),
            newest_sent_us: 0,
            reordered: 0.0,
            overtaken_us: 0.0,
            newest_arrival_us: 0,
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

    /// Least of the last seconds, microseconds; 0 before the first.
    pub(super) fn round_trip_us(&self) -> u64 {
        self.round_trips.iter().map(|(_, us)| *us).min().unwrap_or(0)
    }

    /// Takes the packets of a report into all meters.
    fn note(&mut self, now_us: u64, gap_us: u64, reports: &[PacketReport]) {
        let unreported = self.unreported(gap_us, reports);
        let certain_us = self.certain_until_us(reports);
        let mut unheard = Vec::new();
        for (index, report) in reports.iter().enumerate() {
            let sent_us = self.us(report.departure);
            self.sent.add(sent_us, report.size);
            if index >= unreported && certain_us.is_none_or(|us| sent_us as i64 <= us) {
                self.loss.add(sent_us, !report.arrived);
            }
            let Some(arrival) = report.arrival.filter(|_| report.arrived) else {
                unheard.extend((index < unreported).then_some(report.size));
                continue;
            };
            let arrival_us = u64::try_from(arrival.as_micros()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4);
            self.arrived.add(arrival_us, report.size);
            self.delay.add(arrival_us, arrival_us as i64 - sent_us as i64, report.size, !unheard.is_empty());
            // A report that was lost told of packets that did arrive, about then.
            unheard.drain(..).for_each(|bytes| self.arrived.add(arrival_us, bytes));
            self.trains.add(sent_us, arrival_us, report.size);
            self.newest_sent_us = self.newest_sent_us.max(sent_us);
            let late_us = self.newest_arrival_us.saturating_sub(arrival_us);
            self.reordered += (f64::from(u8::from(late_us > 0)) - self.reordered) / 50.0;
            self.overtaken_us = self.overtaken_us.max(late_us.min(REORDERED_MOST_US) as f64);
            self.newest_arrival_us = self.newest_arrival_us.max(arrival_us);
        }
        self.overtaken_us *= FORGET_REORDERED;
        self.delay.set_frame_spacing(self.trains.spacing_us());
        self.round_trips.push_back((now_us, now_us.saturating_sub(self.newest_sent_us)));
        while self.round_trips.front().is_some_and(|(at, _)| at + ROUND_TRIPS_US < now_us) {
            self.round_trips.pop_front();
        }
    }

    /// Where packets overtake each other, what is missing when a report is written may still come: packets that left after
    /// this say nothing about losses, those that came no more than those that did not. `None`: all are certain.
    fn certain_until_us(&self, reports: &[PacketReport]) -> Option<i64> {
        let newest = reports.iter().filter_map(|r| r.arrival.filter(|_| r.arrived)).max()?;
        let base_us = self.delay.base_us().filter(|_| self.overtaken_us > 1_000.0)?;
        Some(newest.as_micros().min(i64::MAX as u128 / 4) as i64 - base_us - (MOSTLY * self.overtaken_us) as i64)
    }

    /// How many packets at the start of `reports` say nothing: those of a report that was itself lost on its way here
    /// look like losses.
    fn unreported(&mut self, gap_us: u64, reports: &[PacketReport]) -> usize {
        let is_late = gap_us as f64 > LATE * self.report_gap_us;
        if gap_us > 0 && gap_us < 200_000 {
            let (gap, known) = (gap_us as f64, self.report_gap_us);
            // Nearer the shortest than the mean, which lost reports stretch.
            let share = if known == 0.0 {
                1.0
            } else if gap < known {
                0.25
            } else {
                0.02
            };
            self.report_gap_us += (gap - known) * share;
        }
        let leading = reports.iter().take_while(|r| !r.arrived).count();
        let Some(arrived) = reports.get(leading).filter(|_| is_late && leading >= UNREPORTED) else { return 0 };
        // What was lost with the packet beside it left at the same time; what an earlier report had, before that.
        let before_us = arrived.departure.saturating_duration_since(reports[0].departure).as_micros();
        if before_us as f64 > 0.6 * self.report_gap_us { leading } else { 0 }
    }

    /// The path was dead: what was lost meanwhile says nothing about rates, and the delay may be another one.
    fn on_return(&mut self, now_us: u64) {
        self.delay.clear();
        self.trains.clear();
        self.arrived.clear();
        self.sent.clear();
        self.loss.clear();
        self.policer.clear();
        self.round_trips.clear();
        self.newest_arrival_us = 0;
        self.control.on_return(now_us);
    }

    fn publish(&mut self, limit: Limit, state: State) {
        self.out.write(Estimate {
            target_bps: self.control.target_bps,
            loss: self.loss.share(),
            mean_burst: self.loss.mean_burst(),
            round_trip_us: self.round_trip_us(),
            queue_ms: self.delay.standing_us().unwrap_or(0.0) / 1e3,
            acknowledged_bps: self.arrived.bps().unwrap_or(0.0),
            limit,
            state,
            narrow: self.control.is_narrow(),
            pause: self.control.pause,
        });
    }
}

impl BandwidthEstimator for Estimator {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        let Some(first) = reports.first() else { return };
        let now_us = self.us(now);
        let gap_us = self.reported.map_or(0, |at| now.saturating_duration_since(at).as_micros() as u64);
        let was_dead = gap_us > SILENCE_US && self.was_sending(gap_us, reports);
        self.reported = Some(now);
        self.is_silent = false;
        if was_dead {
            self.on_return(now_us);
        }
        // A departure before the very first call is possible: fix the origin before anything is compared.
        let _ = self.us(first.departure);
        self.note(now_us, gap_us, reports);
        let before_bps = self.control.target_bps;
        let limit = self.decide(now_us, gap_us.min(100_000) as f64 / 1e6);
        let state = if self.control.target_bps < before_bps {
            State::Decrease
        } else if self.control.target_bps > before_bps || limit == Limit::None {
            State::Increase
        } else {
            State::Hold
        };
        self.publish(limit, state);
    }

    fn target_bitrate(&self) -> f64 {
        self.control.target_bps
    }

    fn handle_timeout(&mut self, now: Instant) {
        let silence = Duration::from_micros(SILENCE_US);
        if !self.is_silent && self.reported.is_some_and(|at| now.saturating_duration_since(at) >= silence) {
            self.is_silent = true;
            let limit = self.out.read().limit;
            self.publish(limit, State::Hold);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = self.reported? + Duration::from_micros(SILENCE_US);
        (!self.is_silent).then_some(due)
    }

    fn stats(&self) -> EstimatorStats {
        let mut stats = EstimatorStats::default();
        stats.delay_based_bitrate = Some(self.control.target_bps);
        stats.packet_loss = Some(self.loss.share());
        stats.round_trip_time = Some(Duration::from_micros(self.round_trip_us()));
        stats
    }
}

impl Estimator {
    /// Whether packets left during the silence before this report: with none, it was our own.
    fn was_sending(&mut self, gap_us: u64, reports: &[PacketReport]) -> bool {
        let newest_us = self.newest_sent_us;
        let departures: Vec<u64> = reports.iter().map(|r| self.us(r.departure)).collect();
        departures.first().is_some_and(|first| first.saturating_sub(newest_us) < gap_us / 2)
            || departures.last().zip(departures.first()).is_some_and(|(last, first)| last - first > SILENCE_US / 2)
    }
}
