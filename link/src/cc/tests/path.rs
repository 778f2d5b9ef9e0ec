//! A small model of a path in virtual time: rate with a drop-tail queue, policer, delay, jitter, losses.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Bytes of the headers below RTP's payload that count on the wire.
pub(super) const WIRE_BYTES: usize = 80;

/// What a path does to packets.
#[derive(Debug, Clone)]
pub(super) struct PathSpec {
    /// From when on, microseconds, which rate, bits per second; nothing: no limit.
    pub(super) rates: Vec<(u64, f64)>,
    /// The queue in front of the rate, milliseconds of its rate.
    pub(super) queue_ms: f64,
    /// Cuts off what is over this rate, bits per second, after a bucket of so many bytes.
    pub(super) policer: Option<(f64, f64)>,
    /// One way; the way back takes as long.
    pub(super) delays_us: Vec<(u64, u64)>,
    /// Evenly spread between 0 and this, each packet by itself.
    pub(super) jitter_us: u64,
    /// Share lost, and mean number in a row.
    pub(super) loss: (f64, f64),
    pub(super) feedback_loss: f64,
    /// From when on, how much others send through the same queue, bits per second.
    pub(super) cross: Vec<(u64, f64)>,
    /// Nothing comes through, either way.
    pub(super) blackout_us: Option<(u64, u64)>,
}

impl Default for PathSpec {
    fn default() -> Self {
        Self {
            rates: vec![],
            queue_ms: 300.0,
            policer: None,
            delays_us: vec![(0, 15_000)],
            jitter_us: 0,
            loss: (0.0, 1.0),
            feedback_loss: 0.0,
            cross: vec![],
            blackout_us: None,
        }
    }
}

pub(super) fn at<T: Copy>(steps: &[(u64, T)], now_us: u64) -> Option<T> {
    steps.iter().rev().find(|(from_us, _)| *from_us <= now_us).map(|(_, value)| *value)
}

/// A path at work.
pub(super) struct Path {
    pub(super) spec: PathSpec,
    rng: ChaCha8Rng,
    queue_bytes: f64,
    served_us: u64,
    bucket_bytes: f64,
    bucket_us: u64,
    in_burst: bool,
}

/// A packet that came through.
pub(super) struct Passage {
    pub(super) arrived_us: u64,
    pub(super) queued_us: u64,
}

impl Path {
    pub(super) fn new(spec: PathSpec, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { spec, rng, queue_bytes: 0.0, served_us: 0, bucket_bytes: 0.0, bucket_us: 0, in_burst: false }
    }

    pub(super) fn random(&mut self) -> f64 {
        self.rng.random::<f64>()
    }

    fn is_dead(&self, now_us: u64) -> bool {
        self.spec.blackout_us.is_some_and(|(from_us, until_us)| (from_us..until_us).contains(&now_us))
    }

    /// Drains the queue up to now, in steps short enough for a rate that changes meanwhile.
    fn serve(&mut self, now_us: u64) {
        while self.served_us < now_us {
            let until_us = now_us.min(self.served_us + 1_000);
            let span = (until_us - self.served_us) as f64 / 8e6;
            if let Some(bps) = at(&self.spec.rates, self.served_us) {
                let cross = at(&self.spec.cross, self.served_us).unwrap_or(0.0);
                self.queue_bytes =
                    (self.queue_bytes + (cross - bps) * span).clamp(0.0, self.spec.queue_ms * bps / 8e3 + 1_500.0);
            }
            self.served_us = until_us;
        }
    }

    /// How long a queue of these bytes takes from now, microseconds.
    fn time_us(&self, now_us: u64, bytes: f64) -> u64 {
        let (mut left, mut at_us) = (bytes, now_us);
        while let Some(bps) = at(&self.spec.rates, at_us) {
            let step = (bps * 1_000.0 / 8e6).min(left);
            at_us += (step * 8e6 / bps) as u64;
            left -= step;
            if left < 1e-6 {
                break;
            }
        }
        at_us - now_us
    }

    fn is_lost(&mut self) -> bool {
        let (share, burst) = self.spec.loss;
        if share <= 0.0 {
            return false;
        }
        let leave = 1.0 / burst;
        let enter = if burst > 1.0 { share * leave / (1.0 - share) } else { share };
        let draw = self.random();
        self.in_burst = if self.in_burst && burst > 1.0 { draw >= leave } else { draw < enter };
        self.in_burst
    }

    fn is_policed(&mut self, now_us: u64, bytes: f64) -> bool {
        let Some((bps, depth)) = self.spec.policer else { return false };
        self.bucket_bytes = (self.bucket_bytes + (now_us - self.bucket_us) as f64 * bps / 8e6).min(depth);
        self.bucket_us = now_us;
        if self.bucket_bytes < bytes {
            return true;
        }
        self.bucket_bytes -= bytes;
        false
    }

    /// Sends a packet with `bytes` on the wire; `None` when it is lost.
    pub(super) fn send(&mut self, now_us: u64, bytes: usize) -> Option<Passage> {
        self.serve(now_us);
        if self.is_dead(now_us) || self.is_policed(now_us, bytes as f64) {
            return None;
        }
        let mut queued_us = 0;
        if let Some(bps) = at(&self.spec.rates, now_us) {
            if self.queue_bytes + bytes as f64 > self.spec.queue_ms * bps / 8e3 + 1_500.0 {
                return None;
            }
            self.queue_bytes += bytes as f64;
            queued_us = self.time_us(now_us, self.queue_bytes);
        }
        if self.is_lost() {
            return None;
        }
        let jitter_us = (self.random() * self.spec.jitter_us as f64) as u64;
        let delay_us = at(&self.spec.delays_us, now_us).unwrap_or(0);
        Some(Passage { arrived_us: now_us + queued_us + delay_us + jitter_us, queued_us })
    }

    /// When a report sent now arrives; `None` when it is lost.
    pub(super) fn send_back(&mut self, now_us: u64) -> Option<u64> {
        let is_lost = self.is_dead(now_us) || self.random() < self.spec.feedback_loss;
        (!is_lost).then(|| now_us + at(&self.spec.delays_us, now_us).unwrap_or(0))
    }
}
