//! Adapters: what the control thread can drive.
//!
//! - [`process`] is a robot or a simulator in a process of its own, by the protocol of `docs/robot-adapter.md`.
//! - The simulated car of `closed-loop` runs in the bridge itself.

pub mod process;

use closed_loop::sim_robot::SimRobot;
use process::ProcessRobot;
use protocol::foxglove::LocationFix;
use protocol::v1::ControlCommand;
use vehicle_core::camera::CameraModel;
use vehicle_core::{Robot, Sensors};

/// The robot of a bridge.
pub(crate) enum BridgeRobot {
    /// A simulated car in the bridge's own process.
    Sim(Box<SimRobot>),
    /// Whatever is connected.
    Process(Box<ProcessRobot>),
}

impl BridgeRobot {
    fn get(&self) -> &dyn Robot {
        match self {
            Self::Sim(robot) => robot.as_ref(),
            Self::Process(robot) => robot.as_ref(),
        }
    }

    /// The simulated car, if it is one.
    pub(crate) fn sim(&self) -> Option<&SimRobot> {
        match self {
            Self::Sim(robot) => Some(robot),
            Self::Process(_) => None,
        }
    }

    /// The simulated car, to be changed.
    pub(crate) fn sim_mut(&mut self) -> Option<&mut SimRobot> {
        match self {
            Self::Sim(robot) => Some(robot),
            Self::Process(_) => None,
        }
    }
}

impl Robot for BridgeRobot {
    fn sense(&mut self, now_us: u64) -> Sensors {
        match self {
            Self::Sim(robot) => robot.sense(now_us),
            Self::Process(robot) => robot.sense(now_us),
        }
    }

    fn write(&mut self, command: &ControlCommand) {
        match self {
            Self::Sim(robot) => robot.write(command),
            Self::Process(robot) => robot.write(command),
        }
    }

    fn cameras(&self) -> &[CameraModel] {
        self.get().cameras()
    }

    fn fix(&self) -> Option<LocationFix> {
        self.get().fix()
    }

    fn lane_margin_m(&self) -> Option<f64> {
        self.get().lane_margin_m()
    }
}
