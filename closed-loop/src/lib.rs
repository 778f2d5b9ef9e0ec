//! Closed loops in virtual time: the vehicle core on a simulated robot, with a link, an operator and whatever breaks, as
//! fast as the processor allows and with the same outcome for the same seed.
//!
//! - [`ClosedLoop`] is the loop itself, which all others are users of: simulated robot, vehicle core, what drives in
//!   the policy's place, link and an operator's seat, tick by tick; it can be forked between any two.
//! - [`sim_robot::SimRobot`] is the adapter for the simulated robot; the bridge drives it in real time as well.
//! - [`virtual_drive::drive`] drives a whole trip with the scripted operator and a recorder.
//! - [`fault_trials::run_all`] breaks something on the way, a thousand times over, and says how the car stopped.
//! - [`latency_study`] compares two ways of driving over links of different delay.
//! - [`hostile::siege::run`] says to the core what no honest seat says, a hundred thousand times over.
//!
//! It has no network and waits for nothing.

mod closed_loop;
pub mod fault_trials;
pub mod hostile;
pub mod latency_study;
pub mod sim_robot;
pub mod virtual_drive;

pub use closed_loop::{
    ActionNoise, ClosedLoop, EmptySeat, LinkModel, LoopDriver, LoopError, LoopFaults, LoopLink, LoopParts, LoopPlan,
    LoopSeat, ModelledLink, NoDriver, NoFaults, SEAT_CLOCK_AHEAD_US, SeatTime, TICK_US, ToSeat, Toward, Transport,
    VIRTUAL_EPOCH_NS,
};
