//! How a minimal risk manoeuvre went, by the vehicle's own sensors. Sans-IO.

use crate::Tick;
use crate::authority::Change;
use crate::fallback::{STANDSTILL_MPS, stopping_distance_m};
use protocol::v1::{Author, Reason};
use serde::{Deserialize, Serialize};

/// How a minimal risk manoeuvre went, by the vehicle's own sensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManoeuvreRecord {
    /// Why it began.
    pub reason: String,
    /// Who drove before.
    pub author: String,
    /// Last valid command or proposal, on the vehicle's clock.
    pub valid_us: u64,
    /// First tick of the manoeuvre.
    pub began_us: u64,
    /// First tick at standstill.
    pub stood_us: u64,
    /// Speed at the last valid command.
    pub speed_mps: f64,
    /// Greatest speed from then on: an engine that was asked for more lets go with a lag.
    pub fastest_mps: f64,
    /// From the last valid command to the standstill.
    pub distance_m: f64,
    /// v * 0.2 s + v^2 / (2 a), of the greatest speed.
    pub allowed_m: f64,
    /// How much faster than at its first tick the robot got.
    pub rise_mps: f64,
    /// Least distance of the body to the edge of the lane from the first tick on; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane_margin_m: Option<f64>,
}

/// What is known after a tick.
#[derive(Debug, Clone, Copy)]
pub struct ManoeuvreObservation<'a> {
    /// Time of the tick by the vehicle's clock.
    pub now_us: u64,
    /// Speed over ground.
    pub speed_mps: f64,
    /// Distance driven.
    pub odometer_m: f64,
    /// Least distance of the body to the edge of the lane.
    pub lane_margin_m: Option<f64>,
    /// Arrival of the operator's newest valid command, when an operator drives.
    pub operator_us: Option<u64>,
    /// What the tick decided.
    pub tick: &'a Tick,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    author: Author,
    at_us: u64,
    speed_mps: f64,
    odometer_m: f64,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    reason: Reason,
    valid: Mark,
    began_us: u64,
    began_mps: f64,
    rise_mps: f64,
    lane_margin_m: Option<f64>,
}

/// Measures manoeuvres, tick by tick.
#[derive(Debug)]
pub struct ManoeuvreWatch {
    decel_mps2: f64,
    proposed_us: Option<u64>,
    valid: Option<Mark>,
    /// Greatest speed since the last valid command.
    fastest_mps: f64,
    running: Option<Running>,
}

impl ManoeuvreWatch {
    /// For a robot that is trusted to brake with `decel_mps2`.
    #[must_use]
    pub fn new(decel_mps2: f64) -> Self {
        Self { decel_mps2, proposed_us: None, valid: None, fastest_mps: 0.0, running: None }
    }

    /// After a tick; a record when a manoeuvre has just come to a standstill.
    pub fn note(&mut self, look: &ManoeuvreObservation<'_>) -> Option<ManoeuvreRecord> {
        let author = look.tick.authority.author();
        if look.tick.proposal.is_some() {
            self.proposed_us = Some(look.now_us);
        }
        let valid_us = match author {
            Author::Operator => look.operator_us,
            Author::Policy => self.proposed_us,
            _ => None,
        };
        if let Some(at_us) = valid_us.filter(|at| self.valid.is_none_or(|v| (v.author, v.at_us) != (author, *at))) {
            // Between two ticks the robot moved evenly.
            let back_s = look.now_us.saturating_sub(at_us) as f64 * 1e-6;
            let odometer_m = look.odometer_m - look.speed_mps * back_s;
            self.valid = Some(Mark { author, at_us, speed_mps: look.speed_mps, odometer_m });
            self.fastest_mps = look.speed_mps;
        }
        self.fastest_mps = self.fastest_mps.max(look.speed_mps);
        if author != Author::Fallback {
            self.running = None;
            return None;
        }
        let began = look.tick.changes.iter().find_map(|change| match change {
            Change::FallbackBegan(reason) => Some(*reason),
            _ => None,
        });
        if let (Some(reason), Some(valid)) = (began, self.valid.take()) {
            let (began_us, began_mps, lane_margin_m) = (look.now_us, look.speed_mps, look.lane_margin_m);
            self.running = Some(Running { reason, valid, began_us, began_mps, rise_mps: 0.0, lane_margin_m });
        }
        self.follow(look)
    }

    fn follow(&mut self, look: &ManoeuvreObservation<'_>) -> Option<ManoeuvreRecord> {
        let running = self.running.as_mut()?;
        running.rise_mps = running.rise_mps.max(look.speed_mps - running.began_mps);
        running.lane_margin_m = running.lane_margin_m.zip(look.lane_margin_m).map(|(least, now)| least.min(now));
        if look.speed_mps.abs() > STANDSTILL_MPS {
            return None;
        }
        let Running { reason, valid, began_us, rise_mps, lane_margin_m, .. } = self.running.take()?;
        Some(ManoeuvreRecord {
            reason: reason.code(),
            author: valid.author.label().to_owned(),
            valid_us: valid.at_us,
            began_us,
            stood_us: look.now_us,
            speed_mps: valid.speed_mps,
            fastest_mps: self.fastest_mps,
            distance_m: look.odometer_m - valid.odometer_m,
            allowed_m: stopping_distance_m(self.fastest_mps, self.decel_mps2),
            rise_mps,
            lane_margin_m,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(author: Author, changes: Vec<Change>) -> Tick {
        let mut tick = Tick { changes, ..Tick::default() };
        tick.authority.set_author(author);
        tick
    }

    fn look(now_us: u64, speed_mps: f64, odometer_m: f64, tick: &Tick) -> ManoeuvreObservation<'_> {
        let operator_us = (tick.authority.author() == Author::Operator).then_some(now_us - 5_000);
        ManoeuvreObservation {
            now_us,
            speed_mps,
            odometer_m,
            lane_margin_m: Some(odometer_m / 100.0),
            operator_us,
            tick,
        }
    }

    #[test]
    fn a_manoeuvre_is_measured_from_the_last_valid_command_to_the_standstill() {
        let mut watch = ManoeuvreWatch::new(4.0);
        let drives = tick(Author::Operator, Vec::new());
        assert_eq!(watch.note(&look(100_000, 8.0, 50.0, &drives)), None);
        // Silence: the newest command stays the one of 95 ms.
        let silent = ManoeuvreObservation { operator_us: Some(95_000), ..look(200_000, 8.0, 51.0, &drives) };
        assert_eq!(watch.note(&silent), None);
        let began = tick(Author::Fallback, vec![Change::TakeoverEnded, Change::FallbackBegan(Reason::LinkLost)]);
        assert_eq!(watch.note(&look(280_000, 8.1, 52.0, &began)), None);
        let brakes = tick(Author::Fallback, Vec::new());
        assert_eq!(watch.note(&look(300_000, 8.3, 53.0, &brakes)), None);
        let record = watch.note(&look(2_000_000, 0.05, 60.0, &brakes)).unwrap();
        assert_eq!((record.valid_us, record.began_us, record.stood_us), (95_000, 280_000, 2_000_000));
        assert_eq!((record.reason.as_str(), record.author.as_str()), ("link_lost", "operator"));
        assert!((record.distance_m - (60.0 - 50.0 + 8.0 * 0.005)).abs() < 1e-9, "{record:?}");
        assert_eq!((record.speed_mps, record.fastest_mps), (8.0, 8.3));
        let allowed_m = 8.3 * 0.2 + 8.3 * 8.3 / 8.0;
        assert!((record.allowed_m - allowed_m).abs() < 1e-9 && (record.rise_mps - 0.2).abs() < 1e-9);
        assert_eq!(record.lane_margin_m, Some(0.52));
        assert_eq!(watch.note(&look(2_020_000, 0.0, 60.0, &brakes)), None, "once");
    }

    #[test]
    fn a_policys_last_proposal_counts_and_a_new_driver_ends_the_measurement() {
        let mut watch = ManoeuvreWatch::new(4.0);
        let proposes = Tick { proposal: Some(Default::default()), ..tick(Author::Policy, Vec::new()) };
        watch.note(&look(100_000, 8.0, 0.0, &proposes));
        watch.note(&look(120_000, 8.0, 0.2, &tick(Author::Policy, Vec::new())));
        let began = tick(Author::Fallback, vec![Change::FallbackBegan(Reason::PolicyFailed)]);
        watch.note(&look(300_000, 7.0, 1.0, &began));
        assert_eq!(watch.running.unwrap().valid.at_us, 100_000);
        watch.note(&look(320_000, 7.0, 1.2, &proposes));
        assert!(watch.running.is_none());
        // A manoeuvre that nobody had driven before has nothing to be measured from.
        let mut idle = ManoeuvreWatch::new(4.0);
        assert_eq!(idle.note(&look(300_000, 0.0, 1.0, &began)), None);
    }
}
