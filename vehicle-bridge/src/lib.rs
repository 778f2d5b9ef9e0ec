//! On the robot: the vehicle core, the safety gate, adapters, streaming, recording, policy updates.
//!
//! - [`core::VehicleCore`] decides, once a control tick, what the actuators do. It is sans-IO and used unchanged in
//!   real and in virtual time.
//! - [`virtual_drive::drive`] drives a whole trip in virtual time: world, core, modelled link, scripted operator and
//!   recorder, deterministically.
//! - [`ledger::Ledger`] keeps the metres and takeovers, [`scribe::Scribe`] writes ticks down for the recorder.
//!
//! It trains nothing and holds no database.

pub mod cli;
pub mod core;
pub mod ledger;
pub mod live;
pub mod scribe;
pub mod sim_robot;
pub mod source;
pub mod virtual_drive;
