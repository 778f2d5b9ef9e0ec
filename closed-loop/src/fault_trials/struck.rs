//! The fault of a trial at work: what it leaves of sensors, actuators, control loop and seat once it has struck.

use super::Fault;
use super::actuators::inject_fault;
use crate::LoopFaults;
use protocol::Embodiment;
use protocol::v1::{ControlCommand, VehicleState};
use std::sync::Arc;
use vehicle_core::Sensors;

/// A control loop that stalls does so for this long, microseconds.
const STALL_US: u64 = 180_000;
/// A seat that freezes does so for this long, microseconds.
const FREEZE_US: u64 = 1_500_000;
/// How far a seat's clock jumps, and for how long it stays ahead, microseconds.
const JUMP_US: i64 = 5_000_000;
const AHEAD_US: u64 = 1_000_000;

#[derive(Debug, Clone)]
pub(super) struct StruckFault {
    pub(super) fault: Fault,
    /// Which trial: covers the lidar with one thing or another.
    seed: u64,
    /// When it struck, and where the actuators stood.
    struck: Option<(u64, Vec<f64>)>,
    /// What the sensors said before it did.
    before: Option<Sensors>,
    /// The robot's state as it truly is.
    pub(super) truth: VehicleState,
}

impl StruckFault {
    /// One that is still to strike.
    pub(super) fn new(fault: Fault, seed: u64) -> Self {
        Self { fault, seed, struck: None, before: None, truth: VehicleState::default() }
    }

    /// It strikes at `now_us`; the actuators stand at `held`.
    pub(super) fn strike(&mut self, now_us: u64, held: &[f64]) {
        self.struck = Some((now_us, held.to_vec()));
    }

    /// When it struck.
    pub(super) fn injected_us(&self) -> Option<u64> {
        self.struck.as_ref().map(|(at_us, _)| *at_us)
    }

    /// Time since it struck.
    pub(super) fn since_us(&self, now_us: u64) -> Option<u64> {
        self.injected_us().map(|at_us| now_us - at_us)
    }
}

impl LoopFaults for StruckFault {
    fn actuate(&mut self, embodiment: &Embodiment, command: &mut ControlCommand) {
        if let Some((_, held)) = &self.struck {
            inject_fault(self.fault, embodiment, command, held);
        }
    }

    fn sense(&mut self, _: u64, sensors: &mut Sensors) {
        self.truth.clone_from(&sensors.state);
        let (Some(_), Some(before)) = (&self.struck, &self.before) else {
            self.before = Some(sensors.clone());
            return;
        };
        match self.fault {
            Fault::LidarLost => sensors.scan.clone_from(&before.scan),
            Fault::LidarBlind => {
                let mut scan = sensors.scan.as_deref().cloned().unwrap_or_default();
                scan.ranges.fill(if self.seed.is_multiple_of(2) { f64::NAN } else { 0.0 });
                sensors.scan = Some(Arc::new(scan));
            }
            Fault::SurroundingsLost => sensors.surroundings.clone_from(&before.surroundings),
            Fault::StateLost => sensors.state.clone_from(&before.state),
            Fault::EstopPressed => sensors.estop_pressed = true,
            Fault::PolicyFails => {
                let mut seen = sensors.surroundings.as_deref().cloned().unwrap_or_default();
                seen.corridor.truncate(1);
                sensors.surroundings = Some(Arc::new(seen));
            }
            _ => {}
        }
    }

    fn core_stalls(&self, now_us: u64) -> bool {
        self.fault == Fault::LoopStalls && self.since_us(now_us).is_some_and(|us| (1..STALL_US).contains(&us))
    }

    fn seat_stalls(&self, now_us: u64) -> bool {
        self.fault == Fault::SeatFrozen && self.since_us(now_us).is_some_and(|us| us < FREEZE_US)
    }

    fn seat_clock_error_us(&self, now_us: u64) -> i64 {
        match (self.fault, self.since_us(now_us)) {
            (Fault::SeatClockBack, Some(_)) => -JUMP_US,
            (Fault::SeatClockAheadAndBack, Some(0..AHEAD_US)) => JUMP_US,
            _ => 0,
        }
    }
}
