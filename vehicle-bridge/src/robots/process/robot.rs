//! The control thread's end of a robot in another process.

use super::server::Shared;
use super::session::Reading;
use super::{ACT_TIMEOUT_US, RobotDescription, SENSE_TIMEOUT_US};
use protocol::foxglove::{LaserScan, LocationFix};
use protocol::v1::{ControlCommand, RobotAct, Surroundings, VehicleState};
use protocol::{ClockEstimate, FaultCode};
use std::sync::Arc;
use vehicle_core::camera::CameraModel;
use vehicle_core::{Robot, Sensors};

/// A robot in another process.
#[derive(Debug)]
pub struct ProcessRobot {
    shared: Arc<Shared>,
    cameras: Vec<CameraModel>,
    /// As sensed last.
    state: VehicleState,
    surroundings: Option<Arc<Surroundings>>,
    scan: Option<Arc<LaserScan>>,
    estop_pressed: bool,
    fix: Option<LocationFix>,
    /// How the robot's clock stands, and the connection over which it was found.
    clock: Option<(u64, ClockEstimate)>,
    sequence: u64,
}

impl ProcessRobot {
    pub(super) fn new(shared: Arc<Shared>, description: &RobotDescription) -> Self {
        // Without a place, which no healthy robot lacks, until it is first heard.
        let state = VehicleState {
            world_from_vehicle: None,
            observation: vec![0.0; description.embodiment.observation.len()],
            ..VehicleState::default()
        };
        Self {
            shared,
            cameras: description.models(),
            state,
            surroundings: None,
            scan: None,
            estop_pressed: false,
            fix: None,
            clock: None,
            sequence: 0,
        }
    }

    fn take_in(&mut self, connection: u64, reading: Reading) {
        self.state = reading.state;
        self.surroundings = reading.surroundings.or(self.surroundings.take());
        self.scan = reading.scan.or(self.scan.take());
        self.estop_pressed = reading.estop_pressed;
        self.fix = reading.fix;
        self.clock = Some((connection, reading.clock));
    }
}

impl Robot for ProcessRobot {
    /// What came last. While no robot is connected its state keeps its stamp and grows old.
    fn sense(&mut self, now_us: u64) -> Sensors {
        if let Some((connection, reading)) = self.shared.readings.take() {
            self.take_in(connection, reading);
        }
        let connected = self.shared.connected();
        if connected.is_none() || self.clock.map(|(connection, _)| connection) != connected {
            // The last state stays with its stamp: it grows old, which the core hears of as silence, and seats go on taking
            // states, which say why.
            self.clock = None;
        }
        let mut state = self.state.clone();
        if connected.is_none() {
            state.faults.push(FaultCode::RobotNotConnected.to_string());
        } else if now_us.saturating_sub(state.monotonic_us) > SENSE_TIMEOUT_US {
            state.faults.push(FaultCode::RobotSilent.to_string());
        }
        Sensors {
            state,
            surroundings: self.surroundings.clone(),
            scan: self.scan.clone(),
            estop_pressed: self.estop_pressed,
        }
    }

    /// Hands the command over, to be acted on until it is too old by the robot's own clock. Before that clock is known
    /// nothing is sent, and the robot stands by itself.
    fn write(&mut self, command: &ControlCommand) {
        let Some((connection, clock)) = &self.clock else { return };
        self.sequence += 1;
        let act = RobotAct {
            sequence: self.sequence,
            command: Some(command.clone()),
            valid_until_us: clock.remote_from_local(command.monotonic_us + ACT_TIMEOUT_US),
        };
        self.shared.acts.put((*connection, act));
    }

    fn cameras(&self) -> &[CameraModel] {
        &self.cameras
    }

    fn fix(&self) -> Option<LocationFix> {
        self.fix.clone()
    }
}
