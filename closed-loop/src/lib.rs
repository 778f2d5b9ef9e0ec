//! Closed loops in virtual time: the vehicle core on a simulated robot, with a link, an operator and whatever breaks, as
//! fast as the processor allows and with the same outcome for the same seed.
//!
//! - [`sim_robot::SimRobot`] is the adapter for the simulated car; the bridge drives it in real time as well.
//! - [`virtual_drive::drive`] drives a whole trip: world, core, modelled link, scripted operator and recorder. [`driver`]
//!   says who sits in the policy's seat, [`score`] how well it drives.
//! - [`fault_trials::run_all`] breaks something on the way, a thousand times over, and says how the car stopped.
//! - [`latency_study`] compares two ways of driving over links of different delay.
//! - [`hostile::siege::run`] says to the core what no honest seat says, a hundred thousand times over.
//!
//! It has no network and waits for nothing.

pub mod driver;
pub mod fault_trials;
pub mod hostile;
pub mod latency_study;
pub mod score;
pub mod sim_robot;
pub mod virtual_drive;
