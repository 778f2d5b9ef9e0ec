//! What a bridge drives, as the bridge sees it: a [`RobotFactory`] sets a [`vehicle_core::Robot`] up, once, and says what it
//! is made of and where its pictures come from.
//!
//! - [`process`] is a robot or a simulator in a process of its own, by the protocol of `docs/robot-adapter.md`.
//! - The launcher brings the simulated robot along (`takeover::bridge::simulated`); the bridge knows nothing of it.

pub mod process;

use protocol::{Attachment, Embodiment, v1};
use std::fmt::Debug;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use vehicle_core::{ControlRate, ExpectedSensors, Robot};
use video::{I420Buffer, VideoSpec};

/// Sets up what a bridge drives.
pub trait RobotFactory: Debug + Send + Sync {
    /// Sets the robot up to be controlled at `rate`, before anything else of the bridge starts. It may wait for the robot to
    /// come; `None` when `stop` is set before it does.
    ///
    /// # Errors
    /// [`RobotError`] when there is no such robot.
    fn prepare(&self, rate: ControlRate, stop: &AtomicBool) -> Result<Option<PreparedRobot>, RobotError>;
}

/// A robot cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the robot cannot be set up: {0}")]
pub struct RobotError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// A robot that can be driven.
pub struct PreparedRobot {
    /// What the control thread calls. It leaves that thread never.
    pub robot: Box<dyn Robot>,
    /// Zero of the bridge's clock, by which `robot` and `cameras` stamp.
    pub origin: Instant,
    /// What it is made of.
    pub embodiment: Embodiment,
    /// The sensors whose silence is a fault.
    pub expects: ExpectedSensors,
    /// Where it drives.
    pub map: String,
    /// A simulation's seed.
    pub seed: Option<u64>,
    /// What every episode carries.
    pub attachments: Vec<Attachment>,
    /// Its cameras, in the order of their streams and of [`Robot::cameras`].
    pub cameras: Vec<PreparedCamera>,
}

/// A camera of a [`PreparedRobot`].
pub struct PreparedCamera {
    /// What seats are told of it.
    pub description: v1::Camera,
    /// Size and rate of its pictures.
    pub video: VideoSpec,
    /// Its pictures.
    pub pictures: Box<dyn PictureSource>,
}

/// Where the pictures of a camera come from. Each has a thread of its own, which may take its time: what is not fetched when
/// the next picture is there is the source's to drop.
pub trait PictureSource: Send {
    /// Waits for the next picture, for `timeout` at most, and fills `into` with it. Returns when it was taken, by the bridge's
    /// clock, microseconds; `None` when there was none.
    fn next(&mut self, timeout: Duration, into: &mut I420Buffer) -> Option<u64>;
}
