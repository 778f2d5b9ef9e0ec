//! A trial's link: a delay, and a valve in each direction.

use crate::{LoopLink, Toward, Transport};
use protocol::v1::LinkStats;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Most extra delay of a datagram, microseconds.
const JITTER_US: u64 = 8_000;

#[derive(Debug, Clone)]
pub(super) struct TrialLink {
    delay_us: u64,
    rng: ChaCha8Rng,
    /// Messages to the vehicle sent from the first time until the second are held back and come all at once at the
    /// second.
    pub(super) held: Option<(u64, u64)>,
    /// Nothing that is sent from now on arrives.
    pub(super) seat_cut: bool,
    /// The same for what the seat sends.
    pub(super) vehicle_cut: bool,
}

impl TrialLink {
    pub(super) fn new(delay_us: u64, rng: ChaCha8Rng) -> Self {
        Self { delay_us, rng, held: None, seat_cut: false, vehicle_cut: false }
    }
}

impl LoopLink for TrialLink {
    fn arrival_us(&mut self, toward: Toward, transport: Transport, now_us: u64) -> Option<u64> {
        let jitter_us = if transport == Transport::Datagram { self.rng.random_range(0..JITTER_US) } else { 0 };
        let (cut, held) = if toward == Toward::Seat { (self.seat_cut, None) } else { (self.vehicle_cut, self.held) };
        let held = held.filter(|(from, until)| (*from..*until).contains(&now_us)).map(|(_, until)| until);
        (!cut).then_some(held.unwrap_or(now_us + self.delay_us + jitter_us))
    }

    fn stamp_us(&self, arrived_us: u64, _: u64) -> u64 {
        arrived_us
    }

    fn stats(&self) -> LinkStats {
        let delay_ms = (self.delay_us + JITTER_US / 2) as f64 * 1e-3;
        LinkStats { round_trip_ms: 2.0 * delay_ms, command_age_ms: delay_ms, ..LinkStats::default() }
    }

    fn reseed(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
    }
}
