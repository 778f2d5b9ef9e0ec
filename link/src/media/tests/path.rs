//! One direction of a path: delay, Gilbert losses, reordering.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy)]
pub(super) struct PathSpec {
    pub delay_us: u64,
    pub loss: f64,
    /// Packets; 1 for independent losses.
    pub mean_burst: f64,
    /// Share of packets that take `reorder_us` longer.
    pub reorder: f64,
    pub reorder_us: u64,
}

pub(super) struct Path<T> {
    spec: PathSpec,
    rng: ChaCha8Rng,
    bad: bool,
    on_the_way: BTreeMap<(u64, u64), T>,
    sent: u64,
    pub(super) measured: Measured,
}

/// What a feedback message would tell the sender: loss and length of bursts over the last packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub loss: f64,
    lost_runs: f64,
    runs: f64,
    in_run: bool,
}

impl Measured {
    fn packet(&mut self, lost: bool) {
        self.loss += (f64::from(u8::from(lost)) - self.loss) / 1_000.0;
        let keep = 1.0 - 1.0 / 2_000.0;
        self.lost_runs = self.lost_runs * keep + f64::from(u8::from(lost));
        self.runs = self.runs * keep + f64::from(u8::from(lost && !self.in_run));
        self.in_run = lost;
    }

    pub(super) fn mean_burst(&self) -> f64 {
        if self.runs > 1.0 { self.lost_runs / self.runs } else { 1.0 }
    }
}

impl<T> Path<T> {
    pub(super) fn new(spec: PathSpec, seed: u64) -> Self {
        let measured = Measured { loss: 0.0, lost_runs: 0.0, runs: 0.0, in_run: false };
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { spec, rng, bad: false, on_the_way: BTreeMap::new(), sent: 0, measured }
    }

    pub(super) fn send(&mut self, now_us: u64, packet: T) {
        let spec = self.spec;
        let lost = if spec.mean_burst <= 1.0 {
            self.rng.random_bool(spec.loss)
        } else {
            let leave = 1.0 / spec.mean_burst;
            let enter = spec.loss / (1.0 - spec.loss) * leave;
            self.bad = self.rng.random_bool(if self.bad { 1.0 - leave } else { enter });
            self.bad
        };
        self.measured.packet(lost);
        let mut at_us = now_us + spec.delay_us + self.rng.random_range(0..200);
        if self.rng.random_bool(spec.reorder) {
            at_us += spec.reorder_us;
        }
        self.sent += 1;
        if !lost {
            self.on_the_way.insert((at_us, self.sent), packet);
        }
    }

    pub(super) fn arrived(&mut self, now_us: u64) -> Option<(u64, T)> {
        let entry = self.on_the_way.first_entry()?;
        let (at_us, _) = *entry.key();
        (at_us <= now_us).then(|| (at_us, entry.remove()))
    }
}
