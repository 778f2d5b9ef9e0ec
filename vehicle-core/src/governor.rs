//! The latency governor: who sees late drives slowly.
//!
//! With a total latency (age of the picture plus age of the command) above 200 ms, speed times latency stays at or
//! below 2.78 m: the distance of 50 km/h in 200 ms, and of 40 km/h in 250 ms (StVFernLV, the German ordinance on remote
//! driving). The latency is measured on the vehicle's own clock: from the capture of the picture that the operator saw
//! to the moment in which the command acts. A frozen picture therefore counts as latency by itself.

use protocol::v1::{Reason, SpeedLimit};

/// Latency up to which speed is free, microseconds.
pub const FREE_US: u64 = 200_000;
/// A limit in force ends below this, microseconds.
pub const RELEASE_US: u64 = 180_000;
/// Distance that the vehicle may go within the latency, metres.
pub const BLIND_M: f64 = 2.78;
/// Latency of an operator whose seat does not say which picture it shows.
pub const UNKNOWN_US: u64 = 1_000_000;
/// Good news are believed slowly: the latency that counts falls by this much a second, microseconds.
const FALL_US_PER_S: f64 = 100_000.0;
/// A picture that has not changed for this long is called frozen, microseconds.
const FROZEN_US: u64 = 150_000;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Governor {
    held_us: f64,
    limiting: bool,
    shown_us: Option<u64>,
    new_picture_at_us: u64,
}

impl Governor {
    /// Nobody drives from afar: nothing is limited, nothing remembered.
    pub fn rest(&mut self) {
        *self = Self::default();
    }

    /// A tick of `dt_s` at `now_us` in which an operator drives by the picture captured at `shown_us`.
    pub fn observe(&mut self, now_us: u64, dt_s: f64, shown_us: Option<u64>) {
        if shown_us != self.shown_us {
            self.shown_us = shown_us;
            self.new_picture_at_us = now_us;
        }
        let latency_us = shown_us.map_or(UNKNOWN_US, |shown| now_us.saturating_sub(shown)) as f64;
        self.held_us = latency_us.max(self.held_us - FALL_US_PER_S * dt_s);
        let bound = if self.limiting { RELEASE_US } else { FREE_US };
        self.limiting = self.held_us > bound as f64;
    }

    /// The latency that counts, microseconds.
    #[must_use]
    pub fn latency_us(&self) -> f64 {
        self.held_us
    }

    /// Greatest speed allowed now, m/s; `None` when latency limits nothing.
    #[must_use]
    pub fn limit_mps(&self) -> Option<f64> {
        self.limiting.then(|| BLIND_M / (self.held_us * 1e-6))
    }

    /// The limit in force and its reason, for people.
    #[must_use]
    pub fn limit(&self, now_us: u64) -> Option<SpeedLimit> {
        let frozen = self.shown_us.is_some() && now_us.saturating_sub(self.new_picture_at_us) > FROZEN_US;
        let reason = if frozen { Reason::PictureFrozen } else { Reason::Latency };
        let latency_ms = if self.shown_us.is_some() { self.held_us / 1e3 } else { 0.0 };
        self.limit_mps().map(|limit_mps| SpeedLimit { limit_mps, reason: reason.into(), latency_ms })
    }
}

/// Time in which a speed above the limit is brought down to it, seconds: slow enough for the engine's and brakes' lag,
/// so that the speed does not swing over.
const SETTLE_S: f64 = 1.0;
/// The governor aims this far below the limit, m/s, or at 95 % of it.
const BELOW_MPS: f64 = 0.2;

/// The acceleration, m/s^2, that brings `speed_mps` to `aim_mps` without swinging over, braking with at most `decel_mps2`.
#[must_use]
pub fn acceleration_towards(speed_mps: f64, aim_mps: f64, decel_mps2: f64) -> f64 {
    ((aim_mps - speed_mps) / SETTLE_S).max(-decel_mps2)
}

/// The greatest acceleration, m/s^2, with which a vehicle at `speed_mps` stays below `limit_mps`, or gets there by
/// braking with at most `decel_mps2`.
#[must_use]
pub fn limit_acceleration(speed_mps: f64, limit_mps: f64, decel_mps2: f64) -> f64 {
    let aim = (limit_mps - BELOW_MPS).max(0.95 * limit_mps);
    acceleration_towards(speed_mps, aim, decel_mps2)
}

#[cfg(test)]
#[path = "governor_tests.rs"]
mod tests;
