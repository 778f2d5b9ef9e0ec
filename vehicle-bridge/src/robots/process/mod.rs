//! A robot or a simulator in a process of its own: it connects to the bridge, says what it is, sends what it senses and
//! what its cameras see, and is sent what to do (`docs/robot-adapter.md`).
//!
//! - [`RobotServer`] listens, keeps one connection at a time, and goes on listening when it ends, whatever ended it.
//! - It is a [`RobotFactory`](super::RobotFactory), which waits for the first robot.
//! - [`ProcessRobot`] is the control thread's end: it takes the newest sense and hands over the newest act, and waits
//!   for neither. While no robot is connected, or none senses, its state is old, which the core answers by the minimal
//!   risk manoeuvre; a fault code says which of the two it is.
//! - `Session` decides about every frame without any I/O, [`FrameBuffer`] cuts frames out of bytes.
//!
//! Whatever a robot sends is checked before anything else sees it. The first value that cannot be ends the connection
//! with its name, for both sides to read.

mod address;
mod error;
mod frame;
pub mod fuzzing;
mod hello;
mod inbound;
mod latest;
mod pictures;
mod robot;
mod sense;
mod server;
mod session;
mod setup;
mod stream;

pub use address::{ListenAddress, ListenAddressError};
pub use error::AdapterError;
pub use frame::{FrameBuffer, MAX_FRAME_BYTES, MAX_HELLO_BYTES, encode};
pub use hello::{RobotDescription, VERSION};
pub use robot::ProcessRobot;
pub use server::{RobotServer, ServerError};
use stream::Stream;

/// A robot that has had no valid act for this long stops by itself, microseconds. As long as the core waits for an
/// operator's command ([`vehicle_core::authority::COMMAND_TIMEOUT_US`]).
pub const ACT_TIMEOUT_US: u64 = vehicle_core::authority::COMMAND_TIMEOUT_US;
/// A robot that has not sensed for this long is lost, microseconds: the core's own timeout.
pub const SENSE_TIMEOUT_US: u64 = 200_000;
/// A connection on which no whole frame comes for this long ends, microseconds.
pub const SILENCE_TIMEOUT_US: u64 = 2_000_000;
