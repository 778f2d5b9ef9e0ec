//! From packets to an even flow of frames: order, waiting, repair, concealment.

use super::jitter::Jitter;
use super::{AudioDecoder, AudioStats, FRAME_SAMPLES, FRAME_US, Pcm};
use crate::LinkError;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

const FRAME: i64 = FRAME_SAMPLES as i64;
/// A timestamp this far from what is expected belongs to the same frame.
const SAME_FRAME: i64 = FRAME / 2;
/// A timestamp this far from the newest begins a new stream: 2 s.
const JUMP: i64 = 100 * FRAME;
/// Packets waiting; more means that nobody fetches them.
const MOST_WAITING: usize = 64;
/// Without a packet for this long nobody speaks, microseconds. In silence an encoder sends one every 400 ms.
const IDLE_US: u64 = 1_000_000;
/// Frames over which the wait must have been too long before one is left out: a second.
const DEBOUNCE_FRAMES: usize = 50;
/// What the wait may be longer than it has to, microseconds: a frame, and the grain of timers.
const SLACK_US: i64 = FRAME_US as i64 + 5_000;
/// Samples over which one frame gives way to another.
const CROSSFADE_SAMPLES: usize = 240;

/// A packet as it came.
#[derive(Debug, Clone)]
pub struct AudioPacketIn {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 48 kHz.
    pub timestamp: u32,
    /// One Opus packet.
    pub payload: Bytes,
}

/// A frame to be heard now.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// What is heard.
    pub samples: Box<Pcm>,
    /// RTP timestamp of the first sample.
    pub timestamp: u32,
}

#[derive(Debug)]
struct Waiting {
    sequence: i64,
    arrived_us: u64,
    samples: i64,
    payload: Bytes,
}

/// Buffer between the network and the ear, one stream's; see the module's head.
#[derive(Debug)]
pub struct Playout {
    decoder: AudioDecoder,
    jitter: Jitter,
    stats: AudioStats,
    /// By timestamp, made longer than 32 bits.
    waiting: BTreeMap<i64, Waiting>,
    /// Newest sequence number and timestamp.
    newest: Option<(i64, i64)>,
    /// The lowest 6 bits of sequence numbers, and which came with them last.
    seen: [i64; 64],
    arrived_us: u64,
    /// Timestamp of the next sample to be decoded; `None` while nobody speaks.
    next: Option<i64>,
    decoded: VecDeque<i16>,
    /// Sequence number decoded last, and frames made up since without knowing whether anything was sent.
    last: i64,
    unexplained: u64,
    /// By how much each of the last frames waited too long.
    excess_us: VecDeque<i64>,
}

fn unwrap(last: i64, bits: u32, value: u32) -> i64 {
    let behind = value.wrapping_sub(last as u32) << (32 - bits);
    last + i64::from(behind as i32 >> (32 - bits))
}

impl Playout {
    /// For one stream.
    ///
    /// # Errors
    /// When there is no decoder.
    pub fn new() -> Result<Self, LinkError> {
        Ok(Self {
            decoder: AudioDecoder::new()?,
            jitter: Jitter::default(),
            stats: AudioStats::default(),
            waiting: BTreeMap::new(),
            newest: None,
            seen: [i64::MIN; 64],
            arrived_us: 0,
            next: None,
            decoded: VecDeque::new(),
            last: 0,
            unexplained: 0,
            excess_us: VecDeque::new(),
        })
    }

    /// Outcome of the packets.
    #[must_use]
    pub fn stats(&self) -> AudioStats {
        AudioStats { delay_us: self.jitter.wait_us(), ..self.stats }
    }

    /// A packet that is none of ours was dropped.
    pub(super) fn count_malformed(&mut self) {
        self.stats.malformed += 1;
    }

    /// A packet came at `now_us`.
    pub fn push(&mut self, now_us: u64, packet: AudioPacketIn) {
        self.stats.received += 1;
        let Ok(samples) = AudioDecoder::samples_in(&packet.payload) else {
            self.stats.malformed += 1;
            return;
        };
        let newest = self.newest.unwrap_or((i64::from(packet.sequence), i64::from(packet.timestamp)));
        let sequence = unwrap(newest.0, 16, u32::from(packet.sequence));
        let timestamp = unwrap(newest.1, 32, packet.timestamp);
        let pause = i64::try_from(now_us.saturating_sub(self.arrived_us)).unwrap_or(i64::MAX) / 1_000;
        if self.newest.is_some() && (timestamp - newest.1).abs() > JUMP + pause.saturating_mul(48) {
            self.restart();
            // The stream that begins is counted from here.
            self.newest = None;
            return self.accept(
                now_us,
                i64::from(packet.sequence),
                i64::from(packet.timestamp),
                samples,
                packet.payload,
            );
        }
        self.accept(now_us, sequence, timestamp, samples, packet.payload);
    }

    fn accept(&mut self, now_us: u64, sequence: i64, timestamp: i64, samples: usize, payload: Bytes) {
        let seen = &mut self.seen[(sequence & 63) as usize];
        if std::mem::replace(seen, sequence) == sequence || self.waiting.contains_key(&timestamp) {
            self.stats.duplicated += 1;
            return;
        }
        let newest = self.newest.map_or(i64::MIN, |(newest, _)| newest);
        let gap = newest != i64::MIN && sequence > newest + 1;
        if sequence > newest {
            self.newest = Some((sequence, timestamp));
        }
        self.arrived_us = self.arrived_us.max(now_us);
        self.jitter.note(now_us as i64 - timestamp * 1_000 / 48, gap);
        if self.next.is_some_and(|next| timestamp + SAME_FRAME < next) {
            self.stats.late += 1;
            return;
        }
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_first();
            self.stats.overflowed += 1;
        }
        let samples = samples as i64;
        self.waiting.insert(timestamp, Waiting { sequence, arrived_us: now_us, samples, payload });
    }

    fn restart(&mut self) {
        self.stats.restarts += 1;
        self.jitter = Jitter::default();
        self.waiting.clear();
        self.seen = [i64::MIN; 64];
        self.stop();
    }

    fn stop(&mut self) {
        self.next = None;
        self.decoded.clear();
        self.excess_us.clear();
        self.explain(true);
    }

    /// The frame to be heard at `now_us`; `None` while nobody speaks. To be called every 20 ms.
    pub fn pull(&mut self, now_us: u64) -> Option<Played> {
        if self.waiting.is_empty() && now_us > self.arrived_us + IDLE_US {
            self.stop();
            return None;
        }
        if self.next.is_none() {
            self.begin(now_us);
        }
        self.adapt(now_us, self.next?);
        // A packet holds at least 2.5 ms; whatever happens, a turn yields at least that.
        while self.decoded.len() < FRAME_SAMPLES {
            self.decode_next(now_us);
        }
        let timestamp = self.heard_next() as u32;
        let mut samples = Box::new([0; FRAME_SAMPLES]);
        samples.iter_mut().zip(self.decoded.drain(..FRAME_SAMPLES)).for_each(|(to, from)| *to = from);
        Some(Played { samples, timestamp })
    }

    /// Timestamp of the next sample to be heard.
    fn heard_next(&self) -> i64 {
        self.next.unwrap_or(0) - self.decoded.len() as i64
    }

    fn begin(&mut self, now_us: u64) {
        let wait_us = self.jitter.wait_us();
        // Whoever begins to listen does not begin with what is over.
        while self.waiting.len() > 1
            && self.waiting.first_key_value().is_some_and(|(_, w)| w.arrived_us + wait_us + 2 * FRAME_US < now_us)
        {
            self.waiting.pop_first();
            self.stats.overflowed += 1;
        }
        let Some((timestamp, first)) = self.waiting.first_key_value() else { return };
        if first.arrived_us + wait_us <= now_us {
            self.next = Some(*timestamp);
            self.last = first.sequence - 1;
        }
    }

    /// How much longer than it has to the next sample will have waited; below zero, how much too short.
    fn excess(&self, now_us: u64) -> i64 {
        let transit_us = now_us as i64 - self.heard_next() * 1_000 / 48;
        transit_us - self.jitter.base_us() - self.jitter.wait_us() as i64
    }

    fn adapt(&mut self, now_us: u64, next: i64) {
        if self.excess_us.len() >= DEBOUNCE_FRAMES {
            self.excess_us.pop_front();
        }
        self.excess_us.push_back(self.excess(now_us));
        let settled = self.excess_us.len() >= DEBOUNCE_FRAMES;
        if settled && self.excess_us.iter().all(|excess| *excess > SLACK_US) {
            self.leave_out(now_us, next);
        } else if settled && self.excess_us.iter().all(|excess| *excess < -SLACK_US / 2) {
            self.stats.stretched += 1;
            self.make_up();
            self.excess_us.clear();
        }
    }

    /// Shortens the wait by a frame.
    fn leave_out(&mut self, now_us: u64, next: i64) {
        self.excess_us.clear();
        self.stats.skipped += 1;
        if self.waiting.is_empty() {
            // Nothing is said: time may pass unheard.
            self.next = Some(next + FRAME);
            return;
        }
        while self.decoded.len() < 2 * FRAME_SAMPLES {
            self.decode_next(now_us);
        }
        // The first frame fades into the second.
        let (start, end) = ((FRAME_SAMPLES - CROSSFADE_SAMPLES) / 2, (FRAME_SAMPLES + CROSSFADE_SAMPLES) / 2);
        let mut both: Vec<i16> = self.decoded.drain(..).collect();
        for i in start..FRAME_SAMPLES {
            let share = if i < end { (i - start) as f64 / CROSSFADE_SAMPLES as f64 } else { 1.0 };
            let (old, new) = (f64::from(both[i]), f64::from(both[i + FRAME_SAMPLES]));
            both[i] = (old + (new - old) * share) as i16;
        }
        both.drain(FRAME_SAMPLES..2 * FRAME_SAMPLES);
        self.decoded = both.into();
    }

    fn decode_next(&mut self, now_us: u64) {
        let next = self.next.unwrap_or(0);
        match self.waiting.first_key_value().map(|(timestamp, _)| *timestamp) {
            Some(first) if first <= next + SAME_FRAME => self.decode_first(),
            Some(first) => self.bridge(first - next),
            None => {
                // What is late may still come if there is room to wait.
                let may_wait = self.excess(now_us) < 0
                    && self.jitter.wait_us() < Jitter::longest_us()
                    && self.unexplained == 0
                    && self.stats.received > 1;
                self.make_up();
                if may_wait {
                    self.stats.stretched += 1;
                } else {
                    self.unexplained += 1;
                    self.stats.concealed += 1;
                    self.next = Some(next + FRAME);
                }
            }
        }
    }

    fn decode_first(&mut self) {
        let Some((timestamp, packet)) = self.waiting.pop_first() else { return };
        self.explain(packet.sequence == self.last + 1);
        self.last = packet.sequence;
        self.next = Some(timestamp + packet.samples);
        match self.decoder.decode(&packet.payload) {
            Ok(samples) if !samples.is_empty() => {
                self.decoded.extend(samples);
                self.stats.played += (samples.len() / FRAME_SAMPLES).max(1) as u64;
            }
            _ => {
                self.stats.malformed += 1;
                self.stats.concealed += 1;
                self.make_up();
            }
        }
    }

    /// Fills up to a frame of the `gap` before the first packet that waits.
    fn bridge(&mut self, gap: i64) {
        let next = self.next.unwrap_or(0);
        let Some(first) = self.waiting.first_entry() else { return };
        let lost = first.get().sequence != self.last + 1;
        let close = gap <= FRAME + SAME_FRAME;
        if lost && close && AudioDecoder::carries_copy(&first.get().payload) {
            let payload = first.get().payload.clone();
            if let Ok(samples) = self.decoder.recover(&payload) {
                self.decoded.extend(samples);
                self.stats.recovered += 1;
                self.next = Some(next + gap.min(FRAME));
                return;
            }
        }
        match lost {
            true => self.stats.concealed += 1,
            false => self.stats.silent += 1,
        }
        self.make_up();
        self.next = Some(next + gap.min(FRAME));
    }

    fn make_up(&mut self) {
        let before = self.decoded.len();
        if let Ok(samples) = self.decoder.conceal() {
            self.decoded.extend(samples);
        }
        // Whatever the codec does, a frame is a frame.
        self.decoded.resize(before + FRAME_SAMPLES, 0);
    }

    /// Frames were made up while nothing came; whether anything had been sent, the next packet's number tells.
    fn explain(&mut self, nothing_lost: bool) {
        let frames = std::mem::take(&mut self.unexplained);
        if nothing_lost {
            self.stats.concealed -= frames;
            self.stats.silent += frames;
        }
    }
}
