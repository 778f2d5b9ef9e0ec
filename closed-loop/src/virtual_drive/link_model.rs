//! The link between seat and vehicle in virtual time: delay, jitter and loss from a seed.

use protocol::v1::LinkStats;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// How the link behaves, the same in both directions.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkModel {
    /// Least one-way delay, milliseconds.
    pub delay_ms: f64,
    /// Mean of the exponentially distributed extra delay, milliseconds.
    pub jitter_ms: f64,
    /// Probability that a datagram is lost; a reliable message is sent again after a round trip instead.
    pub loss: f64,
}

impl Default for LinkModel {
    fn default() -> Self {
        Self { delay_ms: 40.0, jitter_ms: 4.0, loss: 0.005 }
    }
}

impl LinkModel {
    /// Mean one-way delay, microseconds.
    #[must_use]
    pub fn one_way_us(&self) -> u64 {
        ((self.delay_ms + self.jitter_ms) * 1e3) as u64
    }

    /// What a seat would measure.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            round_trip_ms: 2.0 * (self.delay_ms + self.jitter_ms),
            loss: self.loss,
            command_age_ms: self.delay_ms + self.jitter_ms,
            ..LinkStats::default()
        }
    }
}

/// One direction. Messages arrive in the order of their arrival times.
pub(crate) struct Pipe<T> {
    model: LinkModel,
    rng: ChaCha8Rng,
    waiting: VecDeque<(u64, T)>,
}

impl<T> Pipe<T> {
    pub(crate) fn new(model: &LinkModel, seed: u64) -> Self {
        Self { model: model.clone(), rng: ChaCha8Rng::seed_from_u64(seed), waiting: VecDeque::new() }
    }

    fn delay_us(&mut self) -> u64 {
        let extra = -self.rng.random::<f64>().max(1e-12).ln() * self.model.jitter_ms;
        ((self.model.delay_ms + extra) * 1e3) as u64
    }

    fn lost(&mut self) -> bool {
        self.rng.random::<f64>() < self.model.loss
    }

    pub(crate) fn send(&mut self, now_us: u64, message: T) {
        let at = now_us + self.delay_us();
        if !self.lost() {
            self.queue(at, message);
        }
    }

    pub(crate) fn send_reliably(&mut self, now_us: u64, message: T) {
        let mut at = now_us + self.delay_us();
        while self.lost() {
            at += 2 * self.model.one_way_us();
        }
        self.queue(at, message);
    }

    fn queue(&mut self, at: u64, message: T) {
        let index = self.waiting.partition_point(|(other, _)| *other <= at);
        self.waiting.insert(index, (at, message));
    }

    pub(crate) fn arrived(&mut self, now_us: u64) -> impl Iterator<Item = T> + use<'_, T> {
        let count = self.waiting.partition_point(|(at, _)| *at <= now_us);
        self.waiting.drain(..count).map(|(_, message)| message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_arrives_before_the_delay_and_losses_match_the_model() {
        let model = LinkModel { delay_ms: 50.0, jitter_ms: 5.0, loss: 0.2 };
        let mut pipe = Pipe::new(&model, 1);
        for i in 0..5_000u64 {
            pipe.send(i * 1_000, i);
        }
        assert_eq!(pipe.arrived(49_999).count(), 0);
        let arrived = pipe.arrived(u64::MAX).count();
        assert!((3_800..4_200).contains(&arrived), "{arrived}");
    }

    #[test]
    fn reliable_messages_all_arrive() {
        let mut pipe = Pipe::new(&LinkModel { loss: 0.5, ..LinkModel::default() }, 2);
        for i in 0..100 {
            pipe.send_reliably(0, i);
        }
        assert_eq!(pipe.arrived(u64::MAX).count(), 100);
    }
}
