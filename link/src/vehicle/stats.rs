//! Counting what the link does.

use crate::rate::RateEstimator;
use protocol::v1;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct Counters {
    frames_sent: AtomicU64,
    frames_dropped: AtomicU64,
    keyframes: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
}

struct PerSession {
    watch_only: bool,
    rate: RateEstimator,
    loss: f64,
    report: v1::SeatReport,
}

#[derive(Default)]
struct Inner {
    sessions: BTreeMap<String, PerSession>,
    /// Time and bytes of what was sent in the last second.
    sent: VecDeque<(u64, usize)>,
}

/// Shared by all tasks; locked for moments only.
pub(crate) struct Stats {
    counters: Counters,
    inner: Mutex<Inner>,
    idle_target_bps: f64,
}

const WINDOW_US: u64 = 1_000_000;

impl Stats {
    /// `idle_target_bps`: the target while nobody watches.
    pub(crate) fn new(idle_target_bps: f64) -> Self {
        Self { counters: Counters::default(), inner: Mutex::default(), idle_target_bps }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, session: &str, watch_only: bool, max_bps: u32) {
        let rate = RateEstimator::new(max_bps);
        let entry = PerSession { watch_only, rate, loss: 0.0, report: v1::SeatReport::default() };
        self.lock().sessions.insert(session.to_owned(), entry);
    }

    pub(crate) fn forget(&self, session: &str) {
        self.lock().sessions.remove(session);
    }

    pub(crate) fn frame_sent(&self, now_us: u64, bytes: usize, keyframe: bool) {
        self.counters.frames_sent.fetch_add(1, Ordering::Relaxed);
        self.counters.keyframes.fetch_add(u64::from(keyframe), Ordering::Relaxed);
        let mut inner = self.lock();
        inner.sent.push_back((now_us, bytes));
        trim(&mut inner.sent, now_us);
    }

    pub(crate) fn frame_dropped(&self) {
        self.counters.frames_dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refuse(&self) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.counters.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn count_malformed(&self) {
        self.counters.malformed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn malformed(&self) -> u64 {
        self.counters.malformed.load(Ordering::Relaxed)
    }

    pub(crate) fn on_seat_report(&self, session: &str, report: &v1::SeatReport) {
        if let Some(entry) = self.lock().sessions.get_mut(session) {
            entry.report = report.clone();
        }
    }

    /// A receiver report: share of packets lost since the one before.
    pub(crate) fn on_receiver_report(&self, session: &str, now_us: u64, loss: f64) {
        if let Some(entry) = self.lock().sessions.get_mut(session) {
            entry.loss = loss;
            entry.rate.on_report(now_us, loss, Some(entry.report.round_trip_ms));
        }
    }

    pub(crate) fn link_stats(&self, now_us: u64) -> v1::LinkStats {
        let mut inner = self.lock();
        trim(&mut inner.sent, now_us);
        let bytes: usize = inner.sent.iter().map(|(_, bytes)| bytes).sum();
        // The picture is encoded once: whoever may drive sets its rate, watchers only when alone.
        let drives = inner.sessions.values().any(|s| !s.watch_only);
        let chosen = || inner.sessions.values().filter(|s| !drives || !s.watch_only);
        let worst = |value: fn(&PerSession) -> f64| chosen().map(value).filter(|v| v.is_finite()).fold(0.0, f64::max);
        let target = chosen().map(|s| s.rate.target_bps()).reduce(f64::min).unwrap_or(self.idle_target_bps);
        let oldest_picture = chosen().max_by(|a, b| a.report.picture_age_ms.total_cmp(&b.report.picture_age_ms));
        let clock = oldest_picture.map(|s| s.report.clone()).unwrap_or_default();
        v1::LinkStats {
            monotonic_us: now_us,
            round_trip_ms: worst(|s| s.report.round_trip_ms),
            loss: worst(|s| s.loss),
            bitrate_bps: bytes as f64 * 8.0,
            target_bitrate_bps: target,
            command_age_ms: 0.0,
            picture_age_ms: clock.picture_age_ms,
            clock_offset_us: clock.clock_offset_us,
            clock_uncertainty_us: clock.clock_uncertainty_us,
            frames_sent: self.counters.frames_sent.load(Ordering::Relaxed),
            frames_dropped: self.counters.frames_dropped.load(Ordering::Relaxed),
            stages: clock.stages,
            keyframes: self.counters.keyframes.load(Ordering::Relaxed),
        }
    }
}

fn trim(sent: &mut VecDeque<(u64, usize)>, now_us: u64) {
    while sent.front().is_some_and(|(at, _)| at + WINDOW_US < now_us) {
        sent.pop_front();
    }
}
