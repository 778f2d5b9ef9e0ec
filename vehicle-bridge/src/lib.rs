//! On the robot: the vehicle core, the safety gate, adapters, streaming, recording, policy updates.
//!
//! - [`core::VehicleCore`] decides, once a control tick, what the actuators do. It is sans-IO and used unchanged in
//!   real and in virtual time.
//! - [`virtual_drive::drive`] drives a whole trip in virtual time: world, core, modelled link, scripted operator and
//!   recorder, deterministically.
//! - [`fault_trials::run_all`] breaks something on the way, a thousand times over, and says how the car stopped.
//! - [`hostile::siege::run`] says to it what no honest seat says, a hundred thousand times over.
//! - [`access::Access`] says which seats may take part, [`audit`] keeps who had authority when.
//! - [`upload`] brings finished episodes to the control plane beside the driving.
//! - [`ledger::Ledger`] keeps the metres and takeovers, [`scribe::Scribe`] writes ticks down for the recorder
//!   and [`depict`] what viewers need besides.
//!
//! It trains nothing and holds no database.

pub mod access;
pub mod audit;
pub mod cli;
pub mod core;
pub mod depict;
pub mod fault_trials;
pub mod hostile;
pub mod keeper;
pub mod latency_study;
pub mod ledger;
pub mod live;
pub mod manoeuvre;
pub mod scribe;
pub mod sim_robot;
pub mod sound;
pub mod source;
pub mod timing;
pub mod upload;
pub mod virtual_drive;
