//! The link between seat and vehicle in virtual time: when what is sent arrives, and what is under way.

use protocol::v1::LinkStats;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// In which direction a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// From the vehicle.
    Seat,
    /// From the seat.
    Vehicle,
}

/// How messages are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// May be lost.
    Datagram,
    /// Sent again until it arrives.
    Reliable,
}

/// Decides when a message arrives. Messages arrive in the order of their arrival times.
pub trait LoopLink {
    /// When a message that is sent at `now_us` arrives, by the vehicle's clock; `None` when it never does.
    fn arrival_us(&mut self, toward: Toward, transport: Transport, now_us: u64) -> Option<u64>;

    /// The stamp that the vehicle gives what arrived at `arrived_us` and is heard in the tick at `now_us`.
    fn stamp_us(&self, arrived_us: u64, now_us: u64) -> u64 {
        let _ = arrived_us;
        now_us
    }

    /// What a seat would measure.
    fn stats(&self) -> LinkStats;

    /// What is random from now on comes from `seed`.
    fn reseed(&mut self, seed: u64);
}

/// How a link behaves, the same in both directions.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
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
}

/// A link with delay, jitter and loss, each direction with random numbers of its own.
#[derive(Debug, Clone)]
pub struct ModelledLink {
    model: LinkModel,
    to_seat: ChaCha8Rng,
    to_vehicle: ChaCha8Rng,
}

impl ModelledLink {
    /// A link that behaves like `model`.
    #[must_use]
    pub fn new(model: &LinkModel, seed: u64) -> Self {
        let rng = |salt: u64| ChaCha8Rng::seed_from_u64(seed ^ salt);
        Self { model: model.clone(), to_seat: rng(0x5ea7), to_vehicle: rng(0xca11) }
    }
}

impl LoopLink for ModelledLink {
    fn arrival_us(&mut self, toward: Toward, transport: Transport, now_us: u64) -> Option<u64> {
        let Self { model, to_seat, to_vehicle } = self;
        let rng = if toward == Toward::Seat { to_seat } else { to_vehicle };
        let extra_ms = -rng.random::<f64>().max(1e-12).ln() * model.jitter_ms;
        let mut at_us = now_us + ((model.delay_ms + extra_ms) * 1e3) as u64;
        while rng.random::<f64>() < model.loss {
            if transport == Transport::Datagram {
                return None;
            }
            at_us += 2 * model.one_way_us();
        }
        Some(at_us)
    }

    fn stats(&self) -> LinkStats {
        let LinkModel { delay_ms, jitter_ms, loss } = self.model;
        LinkStats {
            round_trip_ms: 2.0 * (delay_ms + jitter_ms),
            loss,
            command_age_ms: delay_ms + jitter_ms,
            ..LinkStats::default()
        }
    }

    fn reseed(&mut self, seed: u64) {
        *self = Self::new(&self.model, seed);
    }
}

/// What is under way in one direction.
#[derive(Debug, Clone)]
pub(super) struct Pipe<T>(VecDeque<(u64, T)>);

impl<T> Pipe<T> {
    pub(super) fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Takes a message that arrives at `at_us`, if it does.
    pub(super) fn send(&mut self, at_us: Option<u64>, message: T) {
        if let Some(at_us) = at_us {
            let index = self.0.partition_point(|(other, _)| *other <= at_us);
            self.0.insert(index, (at_us, message));
        }
    }

    /// What has arrived by `now_us`, each with its time of arrival.
    pub(super) fn arrived(&mut self, now_us: u64) -> impl Iterator<Item = (u64, T)> + use<'_, T> {
        let count = self.0.partition_point(|(at_us, _)| *at_us <= now_us);
        self.0.drain(..count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(model: &LinkModel, transport: Transport, count: u64) -> Pipe<u64> {
        let (mut link, mut pipe) = (ModelledLink::new(model, 1), Pipe::new());
        for i in 0..count {
            pipe.send(link.arrival_us(Toward::Vehicle, transport, i * 1_000), i);
        }
        pipe
    }

    #[test]
    fn nothing_arrives_before_the_delay_and_losses_match_the_model() {
        let model = LinkModel { delay_ms: 50.0, jitter_ms: 5.0, loss: 0.2 };
        let mut pipe = arrivals(&model, Transport::Datagram, 5_000);
        assert_eq!(pipe.arrived(49_999).count(), 0);
        let arrived = pipe.arrived(u64::MAX).count();
        assert!((3_800..4_200).contains(&arrived), "{arrived}");
    }

    #[test]
    fn reliable_messages_all_arrive() {
        let model = LinkModel { loss: 0.5, ..LinkModel::default() };
        assert_eq!(arrivals(&model, Transport::Reliable, 100).arrived(u64::MAX).count(), 100);
    }
}
