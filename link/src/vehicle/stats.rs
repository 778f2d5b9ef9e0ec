//! Counting what the link does.

use crate::cc::Estimate;
use crate::media::PacketKind;
use protocol::{ClockDifference, v1};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stages that a report may tell of, and the longest name of one, bytes: they go out to every seat within one datagram.
const MAX_STAGES: usize = 12;
const MAX_NAME: usize = 24;

#[derive(Default)]
struct Counters {
    frames_sent: AtomicU64,
    frames_dropped: AtomicU64,
    keyframes: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
}

#[derive(Default)]
struct PerSession {
    watch_only: bool,
    /// Of the controller; `None` while it knows nothing.
    estimate: Option<Estimate>,
    /// Of receiver reports, for peers that send no arrivals.
    reported_loss: f64,
    report: v1::SeatReport,
    sent: Sent,
}

/// What was sent in the last second.
#[derive(Default)]
struct Sent {
    packets: VecDeque<(u64, usize, PacketKind)>,
}

impl Sent {
    fn trim(&mut self, now_us: u64) {
        while self.packets.front().is_some_and(|(at, ..)| at + WINDOW_US < now_us) {
            self.packets.pop_front();
        }
    }

    fn bps(&self, of: impl Fn(&PacketKind) -> bool) -> f64 {
        self.packets.iter().filter(|(.., kind)| of(kind)).map(|(_, bytes, _)| bytes * 8).sum::<usize>() as f64
    }
}

/// Shared by all tasks; locked for moments only.
#[derive(Default)]
pub(crate) struct Stats {
    counters: Counters,
    sessions: Mutex<BTreeMap<String, PerSession>>,
}

const WINDOW_US: u64 = 1_000_000;

/// What the sessions leave of the way out, for whatever else the vehicle wants to send.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PathLoad {
    /// Sessions, watching ones too.
    pub seats: usize,
    /// What the narrowest path is thought to carry, bits per second; `None` while nothing is known of any.
    pub estimate_bps: Option<f64>,
    /// What that path carries beyond what its session sends, bits per second, the least over all sessions.
    pub room_bps: f64,
}

/// What the seats that count leave for video.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Room {
    /// Bits per second for everything; `None` while nobody is connected.
    pub(crate) target_bps: Option<f64>,
    /// Bits per second of it that repairs take.
    pub(crate) overhead_bps: f64,
    pub(crate) round_trip_us: u64,
}

impl Stats {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, PerSession>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, session: &str, change: impl FnOnce(&mut PerSession)) {
        if let Some(entry) = self.lock().get_mut(session) {
            change(entry);
        }
    }

    pub(crate) fn add(&self, session: &str, watch_only: bool) {
        self.lock().insert(session.to_owned(), PerSession { watch_only, ..Default::default() });
    }

    pub(crate) fn forget(&self, session: &str) {
        self.lock().remove(session);
    }

    pub(crate) fn frame_sent(&self, keyframe: bool) {
        self.counters.frames_sent.fetch_add(1, Ordering::Relaxed);
        self.counters.keyframes.fetch_add(u64::from(keyframe), Ordering::Relaxed);
    }

    pub(crate) fn packet_sent(&self, session: &str, now_us: u64, bytes: usize, kind: PacketKind) {
        self.with(session, |entry| {
            entry.sent.packets.push_back((now_us, bytes, kind));
            entry.sent.trim(now_us);
        });
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
        self.with(session, |entry| entry.report = sane(report));
    }

    /// A receiver report: share of packets lost since the one before.
    pub(crate) fn on_receiver_report(&self, session: &str, loss: f64) {
        self.with(session, |entry| entry.reported_loss = loss);
    }

    pub(crate) fn on_estimate(&self, session: &str, estimate: Estimate) {
        self.with(session, |entry| entry.estimate = Some(estimate));
    }

    /// What a session's path is thought to carry while nothing is known of any of its paths.
    pub(crate) fn on_starting_estimate(&self, session: &str, estimate: Estimate) {
        self.with(session, |entry| _ = entry.estimate.get_or_insert(estimate));
    }

    /// The picture is encoded once: whoever may drive sets its rate, watchers only when alone.
    pub(crate) fn room(&self) -> Room {
        let sessions = self.lock();
        let drives = sessions.values().any(|s| !s.watch_only && s.estimate.is_some());
        let chosen = || sessions.values().filter(|s| !drives || !s.watch_only);
        let estimates = || chosen().filter_map(|s| s.estimate);
        let repairs = |s: &PerSession| s.sent.bps(|kind| !matches!(kind, PacketKind::Media { .. }));
        Room {
            target_bps: estimates().map(|e| e.target_bps).reduce(f64::min),
            overhead_bps: chosen().map(repairs).fold(0.0, f64::max),
            round_trip_us: estimates().map(|e| e.round_trip_us).max().unwrap_or(0),
        }
    }

    pub(crate) fn load(&self, now_us: u64) -> PathLoad {
        let mut sessions = self.lock();
        sessions.values_mut().for_each(|s| s.sent.trim(now_us));
        let known = || sessions.values().filter_map(|s| Some((s.estimate?.target_bps, s.sent.bps(|_| true))));
        PathLoad {
            seats: sessions.len(),
            estimate_bps: known().map(|(target, _)| target).reduce(f64::min),
            room_bps: known().map(|(target, sent)| target - sent).reduce(f64::min).unwrap_or(0.0).max(0.0),
        }
    }

    /// The vehicle's wall clock minus a seat's, as the seats report it; the greatest.
    pub(crate) fn seat_wall_clock(&self) -> Option<ClockDifference> {
        let sessions = self.lock();
        let told = sessions.values().filter_map(|s| ClockDifference::read(s.report.wall_clock.as_ref()?));
        told.max_by(|a, b| a.ahead_ms.abs().total_cmp(&b.ahead_ms.abs()))
    }

    pub(crate) fn link_stats(&self, now_us: u64) -> v1::LinkStats {
        let mut sessions = self.lock();
        sessions.values_mut().for_each(|s| s.sent.trim(now_us));
        let drives = sessions.values().any(|s| !s.watch_only);
        let chosen = || sessions.values().filter(|s| !drives || !s.watch_only);
        let worst =
            |value: &dyn Fn(&PerSession) -> f64| chosen().map(value).filter(|v| v.is_finite()).fold(0.0, f64::max);
        let of_estimate = |value: fn(&Estimate) -> f64| worst(&|s| s.estimate.as_ref().map_or(0.0, value));
        let target = chosen().filter_map(|s| s.estimate).map(|e| e.target_bps).reduce(f64::min);
        let oldest_picture = chosen().max_by(|a, b| a.report.picture_age_ms.total_cmp(&b.report.picture_age_ms));
        let report = oldest_picture.map(|s| s.report.clone()).unwrap_or_default();
        v1::LinkStats {
            monotonic_us: now_us,
            round_trip_ms: worst(&|s| s.report.round_trip_ms),
            loss: of_estimate(|e| e.loss).max(worst(&|s| s.reported_loss)),
            bitrate_bps: worst(&|s| s.sent.bps(|_| true)),
            target_bitrate_bps: target.unwrap_or(0.0),
            command_age_ms: 0.0,
            picture_age_ms: report.picture_age_ms,
            clock_offset_us: report.clock_offset_us,
            clock_uncertainty_us: report.clock_uncertainty_us,
            frames_sent: self.counters.frames_sent.load(Ordering::Relaxed),
            frames_dropped: self.counters.frames_dropped.load(Ordering::Relaxed),
            stages: report.stages,
            keyframes: self.counters.keyframes.load(Ordering::Relaxed),
            fec_bps: worst(&|s| s.sent.bps(|kind| matches!(kind, PacketKind::Fec))),
            retransmitted_bps: worst(&|s| s.sent.bps(|kind| matches!(kind, PacketKind::Retransmission))),
            loss_burst: of_estimate(|e| e.mean_burst),
            queue_ms: of_estimate(|e| e.queue_ms),
        }
    }
}

/// What can be passed on to others of what a seat says of its picture: numbers, and no more stages than a datagram holds.
fn sane(report: &v1::SeatReport) -> v1::SeatReport {
    let number = |value: f64| if value.is_finite() { value } else { 0.0 };
    let is_sane = |s: &&v1::StageLatency| s.stage.len() <= MAX_NAME && s.mean_ms.is_finite() && s.p95_ms.is_finite();
    v1::SeatReport {
        picture_age_ms: number(report.picture_age_ms),
        clock_offset_us: number(report.clock_offset_us),
        clock_uncertainty_us: number(report.clock_uncertainty_us),
        round_trip_ms: number(report.round_trip_ms),
        frames_shown: report.frames_shown,
        frames_late: report.frames_late,
        keyframe_wanted: report.keyframe_wanted,
        stages: report.stages.iter().filter(is_sane).take(MAX_STAGES).cloned().collect(),
        wall_clock: report.wall_clock.filter(|d| d.ahead_ms.is_finite() && d.uncertainty_ms.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_seat_says_of_its_picture_is_passed_on_as_far_as_it_makes_sense() {
        let stage = |name: &str, mean_ms| v1::StageLatency { stage: name.into(), mean_ms, p95_ms: 2.0 };
        let honest = v1::SeatReport {
            picture_age_ms: 71.5,
            clock_offset_us: -4e12,
            stages: vec![stage("encode", 4.0), stage("decode", 3.0)],
            ..v1::SeatReport::default()
        };
        assert_eq!(sane(&honest), honest);
        let mut stages = vec![stage("encode", f64::NAN), stage(&"x".repeat(30_000), 1.0)];
        stages.resize(3_000, stage("y", 1.0));
        let odd = v1::SeatReport { picture_age_ms: f64::NAN, round_trip_ms: f64::INFINITY, stages, ..honest };
        let read = sane(&odd);
        assert_eq!((read.picture_age_ms, read.round_trip_ms, read.stages.len()), (0.0, 0.0, MAX_STAGES));
        assert!(read.stages.iter().all(|s| s.stage == "y"));
    }
}
