//! A stream of frames through a path, and its outcome.

use super::super::*;
use super::access_unit;
use super::path::{Path, PathSpec};
use crate::rtp::rtp_timestamp;
use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};
use video::EncodedFrame;

const STEP_US: u64 = 200;
/// Between two packets on the wire: some 23 Mbit/s.
const SPACING_US: u64 = 400;
const ENCODE_US: u64 = 8_000;
const FRAME_US: u64 = 33_333;
/// Until the loss is known.
const WARM_UP_US: u64 = 4_000_000;

#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub path: PathSpec,
    pub seconds: u64,
    pub seed: u64,
    /// Packets of an ordinary frame, least and most.
    pub packets: (usize, usize),
    /// Whether both sides are ours: FEC and marks.
    pub own_peer: bool,
}

enum Back {
    Nack(Vec<u16>),
    Recovery(Option<u32>),
    /// Anything else that goes the same way, so that bursts of loss end.
    Command,
}

#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub captured: u64,
    /// Complete later than the deadline after capture, or never.
    pub missed: u64,
    pub presented: u64,
    /// Sum of what gaps between pictures exceeded 100 ms, microseconds.
    pub frozen_us: u64,
    pub seconds: f64,
    pub age_us: Vec<u64>,
    pub sender: SenderStats,
    pub receiver: ReceiverStats,
}

impl Outcome {
    pub(super) fn missed_share(&self) -> f64 {
        self.missed as f64 / self.captured as f64
    }

    pub(super) fn fec_share(&self) -> f64 {
        self.sender.fec_bytes as f64 / self.sender.media_bytes as f64
    }

    pub(super) fn repair_share(&self) -> f64 {
        self.sender.retransmitted_bytes as f64 / self.sender.media_bytes as f64
    }

    pub(super) fn add(&mut self, other: Outcome) {
        self.captured += other.captured;
        self.missed += other.missed;
        self.presented += other.presented;
        self.frozen_us += other.frozen_us;
        self.seconds += other.seconds;
        self.age_us.extend(other.age_us);
        self.sender.media_bytes += other.sender.media_bytes;
        self.sender.fec_bytes += other.sender.fec_bytes;
        self.sender.retransmitted_bytes += other.sender.retransmitted_bytes;
        self.receiver.nacks += other.receiver.nacks;
        self.receiver.recoveries_wanted += other.receiver.recoveries_wanted;
    }

    pub(super) fn report(&mut self, name: &str) {
        self.age_us.sort_unstable();
        let at = |share: f64| self.age_us[((self.age_us.len() - 1) as f64 * share) as usize] as f64 / 1e3;
        println!(
            "{name}: missed {:.4} % of {}, age p50 {:.1} p99 {:.1} p99.9 {:.1} ms, frozen {:.3} s in 50 s, {:.2} frames/s, \
             FEC {:.1} %, retransmitted {:.1} %, {} NACKs, {} recoveries",
            100.0 * self.missed_share(),
            self.captured,
            at(0.5),
            at(0.99),
            at(0.999),
            self.frozen_us as f64 / 1e6 / self.seconds * 50.0,
            self.presented as f64 / self.seconds,
            100.0 * self.fec_share(),
            100.0 * self.repair_share(),
            self.receiver.nacks,
            self.receiver.recoveries_wanted,
        );
    }
}

pub(super) struct Session {
    case: Case,
    now_us: u64,
    sender: MediaSender,
    receiver: MediaReceiver,
    forward: Path<OutPacket>,
    back: Path<Back>,
    rng: ChaCha8Rng,
    wire: VecDeque<OutPacket>,
    wire_free_us: u64,
    frames: u32,
    recovery: Option<Option<u32>>,
    /// What was captured when, by RTP timestamp.
    sent: BTreeMap<u32, (u64, Bytes)>,
    last_presented_us: Option<u64>,
    outcome: Outcome,
}

impl Session {
    pub(super) fn run(case: Case) -> Outcome {
        let mut session = Self {
            case,
            now_us: 0,
            sender: MediaSender::new(96, 65_000),
            receiver: MediaReceiver::default(),
            forward: Path::new(case.path, case.seed),
            back: Path::new(case.path, case.seed ^ 0xBAC),
            rng: ChaCha8Rng::seed_from_u64(case.seed ^ 0xF4A3E),
            wire: VecDeque::new(),
            wire_free_us: 0,
            frames: 0,
            recovery: None,
            sent: BTreeMap::new(),
            last_presented_us: None,
            outcome: Outcome::default(),
        };
        session.receiver.set_round_trip(2 * case.path.delay_us + 1_000, 500);
        let end_us = WARM_UP_US + case.seconds * 1_000_000;
        while session.now_us < end_us + 2_000_000 {
            session.step(session.now_us < end_us);
            session.now_us += STEP_US;
        }
        session.outcome.captured = u64::from(session.frames) - WARM_UP_US.div_ceil(FRAME_US);
        session.outcome.missed = session
            .outcome
            .captured
            .saturating_sub(session.outcome.age_us.iter().filter(|age_us| **age_us <= DEADLINE_US).count() as u64);
        session.outcome.seconds = case.seconds as f64;
        session.outcome.sender = session.sender.stats();
        session.outcome.receiver = session.receiver.stats();
        session.outcome
    }

    fn step(&mut self, encoding: bool) {
        if encoding && self.now_us >= u64::from(self.frames) * FRAME_US + ENCODE_US {
            self.encode();
        }
        self.feedback();
        while let Some(packet) = self.sender.poll(self.now_us) {
            let urgent = packet.kind == PacketKind::Retransmission;
            if urgent { self.wire.push_front(packet) } else { self.wire.push_back(packet) }
        }
        while self.wire_free_us <= self.now_us
            && let Some(packet) = self.wire.pop_front()
        {
            self.forward.send(self.now_us, packet);
            self.wire_free_us = self.wire_free_us.max(self.now_us - STEP_US) + SPACING_US;
        }
        while let Some((at_us, packet)) = self.forward.arrived(self.now_us) {
            self.receiver.push(at_us, self.received(packet));
            self.take(at_us);
        }
        if self.receiver.next_us().is_some_and(|due_us| due_us <= self.now_us) {
            self.receiver.poll(self.now_us);
            self.take(self.now_us);
        }
    }

    fn encode(&mut self) {
        let capture_us = u64::from(self.frames) * FRAME_US;
        let first = self.frames == 0;
        let recovery = self.recovery.take();
        let keyframe = first || self.frames % 120 == 119 || recovery == Some(None);
        let packets = if keyframe { 60 } else { self.rng.random_range(self.case.packets.0..=self.case.packets.1) };
        let data = access_unit(self.frames, keyframe, packets * 1100);
        self.sent.insert(rtp_timestamp(capture_us), (capture_us, data.clone()));
        let frame = EncodedFrame { data, capture_us, keyframe, ..Default::default() };
        self.sender.frame(self.now_us, &frame, recovery.flatten().filter(|_| !keyframe));
        self.frames += 1;
    }

    fn feedback(&mut self) {
        while let Some((_, message)) = self.back.arrived(self.now_us) {
            match message {
                Back::Nack(sequences) => self.sender.on_nack(self.now_us, &sequences),
                Back::Recovery(from) => self.recovery = Some(from),
                Back::Command => {}
            }
        }
        if self.now_us.is_multiple_of(10_000) {
            self.back.send(self.now_us, Back::Command);
        }
        if self.now_us.is_multiple_of(100_000) {
            self.sender.set_path(PathState {
                loss: self.forward.measured.loss,
                mean_burst: self.forward.measured.mean_burst(),
                round_trip_us: 2 * self.case.path.delay_us + 1_000,
                spacing_us: SPACING_US,
                fec_allowed: self.case.own_peer,
            });
        }
    }

    fn received(&self, packet: OutPacket) -> RtpIn {
        RtpIn {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload_type: packet.payload_type,
            payload: packet.payload,
            mark: self.case.own_peer.then(|| FrameMark::from_bytes(&packet.mark.to_bytes()).unwrap()),
            recovers_from: packet.recovers_from,
        }
    }

    fn take(&mut self, now_us: u64) {
        let mut presented = false;
        while let Some(output) = self.receiver.pop() {
            match output {
                ReceiverOutput::Nack(sequences) => self.back.send(now_us, Back::Nack(sequences)),
                ReceiverOutput::RecoveryWanted => {
                    self.back.send(now_us, Back::Recovery(self.receiver.last_decodable()));
                }
                ReceiverOutput::Frame(frame) => {
                    let (capture_us, data) = self.sent.remove(&frame.timestamp).unwrap();
                    assert_eq!(frame.data, data, "frame captured at {capture_us} us");
                    if capture_us >= WARM_UP_US {
                        self.outcome.age_us.push(now_us - capture_us);
                        presented = true;
                    }
                }
            }
        }
        if presented {
            self.outcome.presented += 1;
            let since_us = now_us - self.last_presented_us.unwrap_or(now_us);
            self.outcome.frozen_us += since_us.saturating_sub(100_000);
            self.last_presented_us = Some(now_us);
        }
    }
}
