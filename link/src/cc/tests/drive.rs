#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

//! Estimator, pacer and an encoder that follows the target, over a path, in virtual time.

use super::path::{Passage, Path, PathSpec, WIRE_BYTES};
use crate::cc::{Class, Estimate, EstimateHandle, Estimator, Pacer, RateLimits};
use rtc::interceptor::{BandwidthEstimator, PacketReport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

const STEP_US: u64 = 250;
const FRAME_US: u64 = 33_333;
const REPORT_US: u64 = 25_000;
/// RTP header with its extensions.
const RTP_BYTES: usize = 36;
const PAYLOAD_BYTES: usize = 1_150;

/// Of one run.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) path: PathSpec,
    pub(super) seconds: u64,
    pub(super) seed: u64,
    pub(super) limits: RateLimits,
    /// The encoder never makes more than this, bits per second.
    pub(super) encoder_max_bps: f64,
    /// The receiver's clock runs fast by so much, parts per million.
    pub(super) drift_ppm: f64,
    /// Every 5 s a keyframe as large as this many frames.
    pub(super) keyframe: f64,
}

impl Setup {
    pub(super) fn new(path: PathSpec, seconds: u64, seed: u64) -> Self {
        let limits = RateLimits { max_bps: 20e6, ..RateLimits::default() };
        Self { path, seconds, seed, limits, encoder_max_bps: 1e9, drift_ppm: 0.0, keyframe: 1.0 }
    }
}

/// A packet's fate as the path knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) at_us: u64,
    pub(super) bytes: usize,
    pub(super) queued_us: Option<u64>,
}

/// A frame, from capture to its last packet's arrival; `None`: not whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) captured_us: u64,
    pub(super) delay_us: Option<u64>,
}

/// What a run leaves behind.
pub(super) struct Outcome {
    pub(super) sent: Vec<Sent>,
    pub(super) frames: Vec<Frame>,
    /// The estimate every 20 ms.
    pub(super) estimates: Vec<(u64, Estimate)>,
}

struct Packet {
    frame: Option<usize>,
    bytes: usize,
}

struct Driver {
    setup: Setup,
    origin: Instant,
    path: Path,
    estimator: Estimator,
    handle: EstimateHandle,
    pacer: Pacer<Packet>,
    history: VecDeque<(u64, u64, usize)>,
    /// Arrivals on their way, by time; then those not reported yet.
    on_the_way: BTreeMap<(u64, u64), u64>,
    unreported: Vec<(u64, u64)>,
    reports: BTreeMap<u64, Vec<(u64, u64)>>,
    known: BTreeSet<u64>,
    known_at: BTreeMap<u64, u64>,
    missing: Vec<(usize, u64)>,
    pauses: u32,
    paused_until_us: u64,
    out: Outcome,
}

pub(super) fn drive(setup: Setup) -> Outcome {
    let (estimator, handle) = Estimator::new(setup.limits);
    let mut driver = Driver {
        origin: Instant::now(),
        path: Path::new(setup.path.clone(), setup.seed),
        estimator,
        handle,
        pacer: Pacer::new(),
        history: VecDeque::new(),
        on_the_way: BTreeMap::new(),
        unreported: vec![],
        reports: BTreeMap::new(),
        known: BTreeSet::new(),
        known_at: BTreeMap::new(),
        missing: vec![],
        pauses: 0,
        paused_until_us: 0,
        out: Outcome { sent: vec![], frames: vec![], estimates: vec![] },
        setup,
    };
    (0..driver.setup.seconds * 1_000_000 / STEP_US).for_each(|step| driver.step(step * STEP_US));
    driver.out
}

impl Driver {
    fn step(&mut self, now_us: u64) {
        if now_us % FRAME_US < STEP_US {
            self.encode(now_us);
        }
        if now_us.is_multiple_of(20_000) {
            self.review(now_us);
        }
        self.send(now_us);
        while let Some(entry) = self.on_the_way.first_entry()
            && entry.key().0 <= now_us
        {
            let ((at_us, id), _) = entry.remove_entry();
            self.unreported.push((id, at_us));
        }
        if now_us.is_multiple_of(REPORT_US) && !self.unreported.is_empty() {
            let report = std::mem::take(&mut self.unreported);
            if let Some(at_us) = self.path.send_back(now_us) {
                self.reports.insert(at_us, report);
            }
        }
        while let Some(entry) = self.reports.first_entry()
            && *entry.key() <= now_us
        {
            let report = entry.remove();
            self.on_report(now_us, &report);
        }
        let now = self.origin + Duration::from_micros(now_us);
        if self.estimator.poll_timeout().is_some_and(|due| due <= now) {
            self.estimator.handle_timeout(now);
        }
    }

    fn review(&mut self, now_us: u64) {
        let estimate = self.handle.read();
        self.pacer.set_rate(estimate.pacing_bps());
        if estimate.pause.1 != self.pauses {
            self.pauses = estimate.pause.1;
            self.paused_until_us = now_us + estimate.pause.0;
        }
        self.out.estimates.push((now_us, estimate));
    }

    fn encode(&mut self, now_us: u64) {
        if now_us < self.paused_until_us || self.pacer.backlog_us(Class::Video(0)) > 40_000 {
            return;
        }
        // Headers are the session's to subtract.
        let headers = (WIRE_BYTES as f64) / (PAYLOAD_BYTES + WIRE_BYTES) as f64;
        let bps = (self.handle.read().target_bps * (1.0 - headers)).min(self.setup.encoder_max_bps);
        let wobble = 0.8 + 0.4 * self.path.random();
        let frame = self.out.frames.len();
        let keyframe = if frame % 150 == 149 { self.setup.keyframe } else { 1.0 };
        let bytes = (bps * FRAME_US as f64 / 8e6 * wobble * keyframe).max(60.0) as usize;
        let packets = bytes.div_ceil(PAYLOAD_BYTES);
        self.out.frames.push(Frame { captured_us: now_us, delay_us: None });
        self.missing.push((packets, 0));
        for _ in 0..packets {
            let bytes = bytes / packets;
            assert!(self.pacer.enqueue(Class::Video(0), bytes, Packet { frame: Some(frame), bytes }));
        }
    }

    fn send(&mut self, now_us: u64) {
        while let Some(packet) = self.pacer.poll(now_us) {
            self.send_one(now_us, &packet);
        }
    }

    fn send_one(&mut self, now_us: u64, packet: &Packet) {
        let id = self.out.sent.len() as u64;
        let wire = packet.bytes + WIRE_BYTES;
        self.history.push_back((id, now_us, packet.bytes + RTP_BYTES));
        let passage = self.path.send(now_us, wire);
        self.out.sent.push(Sent { at_us: now_us, bytes: wire, queued_us: passage.as_ref().map(|p| p.queued_us) });
        let Some(Passage { arrived_us, .. }) = passage else { return };
        self.on_the_way.insert((arrived_us, id), id);
        let Some(frame) = packet.frame else { return };
        let (missing, last_us) = &mut self.missing[frame];
        *missing -= 1;
        *last_us = (*last_us).max(arrived_us);
        if *missing == 0 {
            let frame = &mut self.out.frames[frame];
            frame.delay_us = Some(*last_us - frame.captured_us);
        }
    }

    /// As the interceptor's history does: everything up to the newest arrival is reported, what is not known by then as
    /// lost.
    fn on_report(&mut self, now_us: u64, report: &[(u64, u64)]) {
        for (id, at_us) in report {
            self.known.insert(*id);
            self.known_at.insert(*id, *at_us);
        }
        let Some(newest) = self.known.last().copied() else { return };
        let mut reports = vec![];
        while let Some((id, sent_us, size)) = self.history.front().copied()
            && id <= newest
        {
            self.history.pop_front();
            // Grains of 250 us on a clock of its own.
            let clock = |us: u64| (us as f64 * (1.0 + self.setup.drift_ppm * 1e-6)) as u64 / 250 * 250 + 77_000_000;
            let arrival = self.known_at.remove(&id).map(|us| Duration::from_micros(clock(us)));
            // Those unheard of for two seconds are forgotten.
            if arrival.is_some() || sent_us + 2_000_000 > now_us {
                reports.push(PacketReport {
                    ssrc: 1,
                    id,
                    rtp_sequence_number: id as u16,
                    is_twcc: true,
                    twcc_sequence_number: id as u16,
                    size,
                    arrived: arrival.is_some(),
                    departure: self.origin + Duration::from_micros(sent_us),
                    arrival,
                    ecn: Default::default(),
                });
            }
        }
        self.known.retain(|id| *id > newest);
        self.estimator.on_reports(self.origin + Duration::from_micros(now_us), &reports);
    }
}

impl Outcome {
    fn between(&self, from_s: f64, until_s: f64) -> impl Iterator<Item = &Sent> {
        let range = (from_s * 1e6) as u64..(until_s * 1e6) as u64;
        self.sent.iter().filter(move |s| range.contains(&s.at_us))
    }

    /// Bits per second that came through.
    pub(super) fn goodput_bps(&self, from_s: f64, until_s: f64) -> f64 {
        let bytes: usize = self.between(from_s, until_s).filter(|s| s.queued_us.is_some()).map(|s| s.bytes).sum();
        bytes as f64 * 8.0 / (until_s - from_s)
    }

    /// Share of packets lost.
    pub(super) fn loss(&self, from_s: f64, until_s: f64) -> f64 {
        let lost = self.between(from_s, until_s).filter(|s| s.queued_us.is_none()).count();
        lost as f64 / self.between(from_s, until_s).count().max(1) as f64
    }

    /// Of the time packets spent in the path's queue, milliseconds.
    pub(super) fn queue_ms(&self, percentile: f64, from_s: f64, until_s: f64) -> f64 {
        let mut queued: Vec<u64> = self.between(from_s, until_s).filter_map(|s| s.queued_us).collect();
        at_percentile(&mut queued, percentile) / 1e3
    }

    /// Of the frames' delays, milliseconds; of whole frames only.
    pub(super) fn frame_ms(&self, percentile: f64, from_s: f64, until_s: f64) -> f64 {
        let range = (from_s * 1e6) as u64..(until_s * 1e6) as u64;
        let frames = self.frames.iter().filter(|f| range.contains(&f.captured_us));
        let mut delays: Vec<u64> = frames.filter_map(|f| f.delay_us).collect();
        at_percentile(&mut delays, percentile) / 1e3
    }

    /// Seconds after `from_s` from which on no frame captured before `until_s` is later than `limit_ms`.
    pub(super) fn settled_after_s(&self, limit_ms: f64, from_s: f64, until_s: f64) -> f64 {
        let range = (from_s * 1e6) as u64..(until_s * 1e6) as u64;
        let late = self.frames.iter().filter(|f| range.contains(&f.captured_us));
        let late = late.filter(|f| f.delay_us.is_some_and(|us| us as f64 > limit_ms * 1e3));
        late.map(|f| (f.captured_us + f.delay_us.unwrap_or(0)) as f64 / 1e6 - from_s).fold(0.0, f64::max)
    }

    pub(super) fn target_bps(&self, at_s: f64) -> f64 {
        let at_us = (at_s * 1e6) as u64;
        self.estimates.iter().rev().find(|(us, _)| *us <= at_us).map_or(0.0, |(_, e)| e.target_bps)
    }

    pub(super) fn mean_target_bps(&self, from_s: f64, until_s: f64) -> f64 {
        let range = (from_s * 1e6) as u64..(until_s * 1e6) as u64;
        let targets: Vec<f64> =
            self.estimates.iter().filter(|(us, _)| range.contains(us)).map(|(_, e)| e.target_bps).collect();
        targets.iter().sum::<f64>() / targets.len().max(1) as f64
    }

    /// Seconds after `from_s` at which the target first reaches `bps`.
    pub(super) fn reaches_after_s(&self, bps: f64, from_s: f64) -> f64 {
        let from_us = (from_s * 1e6) as u64;
        let reached = self.estimates.iter().find(|(us, e)| *us >= from_us && e.target_bps >= bps);
        reached.map_or(f64::INFINITY, |(us, _)| *us as f64 / 1e6 - from_s)
    }
}

fn at_percentile(values: &mut [u64], percentile: f64) -> f64 {
    values.sort_unstable();
    let index = (values.len() as f64 * percentile / 100.0) as usize;
    values.get(index.min(values.len().saturating_sub(1))).map_or(0.0, |v| *v as f64)
}
