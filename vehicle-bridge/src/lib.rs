//! On the robot: the shell around `vehicle-core`, which decides; adapters, streaming, recording, policy updates.
//!
//! - [`live`] runs the core in real time, with the threads for everything that may wait.
//! - [`robots`] is what it drives: any [`vehicle_core::Robot`] that a [`robots::RobotFactory`] sets up, such as a robot in a
//!   process of its own.
//! - [`access::Access`] says which seats may take part, [`audit`] keeps who had authority when.
//! - [`config`] is its configuration file.
//! - [`upload`] brings finished episodes to the control plane beside the driving.
//! - [`source`] is a vehicle without a core, for measuring the link.
//!
//! It knows no simulator, trains nothing and holds no database.

pub mod access;
pub mod audit;
pub mod cli;
pub mod config;
pub mod geofence_file;
pub mod live;
pub mod robots;
pub mod sound;
pub mod source;
pub mod timing;
pub mod upload;
