//! Takes the age of what seats send.

use super::usage;
use link::{FromSeatBody, VehicleLink};
use protocol::v1::CommandDatagram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;

/// Ages by the seat's own estimate of the clocks, from sampling at the seat, milliseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandAges {
    /// Of each input when it arrived first.
    pub arrived_ms: Vec<f32>,
    /// Of the newest input there was, once a control tick; from the first to the last one.
    pub newest_ms: Vec<f32>,
    /// Inputs that arrived, each counted once.
    pub inputs: u64,
    /// Inputs that never came.
    pub missing: u64,
}

/// A day at 100 Hz: what comes later is not written down.
const MOST: usize = 8_640_000;

#[derive(Debug, Default)]
pub(super) struct Listener {
    pub(super) ages: CommandAges,
    pub(super) sessions: Vec<(u64, String)>,
    /// Vehicle's minus seat's clock by seat, microseconds.
    offsets_us: BTreeMap<String, f64>,
    /// Newest input: sequence and sampling time on the vehicle's clock.
    newest: Option<(u64, f64)>,
    heard_us: u64,
    first: Option<(Instant, f64)>,
}

/// A seat that has been silent for so long has gone: no ages are taken, microseconds.
const SILENCE_US: u64 = 10_000_000;

impl Listener {
    /// Takes everything that has come.
    pub(super) fn look(&mut self, link: &VehicleLink) {
        while let Some(message) = link.try_recv() {
            let at_us = message.received_us;
            match message.body {
                FromSeatBody::Command(command) => self.command(&message.seat_id, at_us, &command),
                FromSeatBody::Connected => {
                    self.first.get_or_insert_with(|| (Instant::now(), usage::now().cpu_s));
                    self.note(at_us, "connected".to_owned());
                }
                FromSeatBody::Disconnected { reason } => self.note(at_us, reason),
                _ => {}
            }
        }
        let now_us = link.now_us();
        if let Some(age_ms) = self.newest_age_ms(now_us).filter(|_| self.ages.newest_ms.len() < MOST) {
            self.ages.newest_ms.push(age_ms as f32);
        }
    }

    fn note(&mut self, at_us: u64, what: String) {
        tracing::info!(%what, "session");
        if self.sessions.len() < 1000 {
            self.sessions.push((at_us, what));
        }
    }

    fn command(&mut self, seat: &str, at_us: u64, command: &CommandDatagram) {
        if let Some(report) = command.report.as_ref().filter(|r| r.clock_uncertainty_us > 0.0) {
            self.offsets_us.insert(seat.to_owned(), report.clock_offset_us);
        }
        let Some(offset_us) = self.offsets_us.get(seat) else { return };
        for input in &command.inputs {
            if self.newest.is_some_and(|(sequence, _)| input.sequence <= sequence) {
                continue;
            }
            let sampled_us = input.seat_us as f64 + offset_us;
            if let Some((before, _)) = self.newest {
                self.ages.missing += input.sequence - before - 1;
            }
            self.newest = Some((input.sequence, sampled_us));
            self.heard_us = at_us;
            self.ages.inputs += 1;
            if self.ages.arrived_ms.len() < MOST {
                self.ages.arrived_ms.push(((at_us as f64 - sampled_us) / 1e3) as f32);
            }
        }
    }

    /// How old the newest input is, milliseconds; `None` when no seat commands.
    pub(super) fn newest_age_ms(&self, now_us: u64) -> Option<f64> {
        let (_, sampled_us) = self.newest.filter(|_| now_us < self.heard_us + SILENCE_US)?;
        Some((now_us as f64 - sampled_us) / 1e3)
    }

    /// Processor time and time since the first session, seconds.
    pub(super) fn used_since_first(&self, cpu_s: f64) -> (f64, f64) {
        self.first.map_or((0.0, 0.0), |(at, before)| (cpu_s - before, at.elapsed().as_secs_f64()))
    }
}
