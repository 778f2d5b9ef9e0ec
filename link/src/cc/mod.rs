//! Congestion control for pictures that are worth nothing late: how much may be sent, when, and what of it each camera
//! gets.
//!
//! - [`Estimator`] turns arrivals into a rate. It keeps the queue on the path short, tells losses that come with its own
//!   rate from those that come anyway, and says what it knows through an [`EstimateHandle`]. It needs no padding to probe
//!   with: each frame leaves faster than the rate, and how its packets spread shows what the path carries.
//! - [`Pacer`] lets packets out at that rate, in the order of their urgency.
//! - [`Budget`] shares the rate out among cameras: first bitrate, then frame rate, then resolution.
//!
//! All of it is sans-IO: time is handed in.

mod budget;
mod control;
mod delay;
mod estimate;
mod estimator;
mod ladder;
mod loss;
mod meter;
mod pacer;
mod policer;
#[cfg(test)]
mod tests;
mod train;

pub(crate) use budget::{Budget, CameraNeed, Overhead};
pub(crate) use estimate::{Estimate, EstimateHandle};
#[cfg(test)]
pub(crate) use estimate::{Limit, State};
pub(crate) use estimator::{Estimator, RateLimits};
pub use ladder::CameraPlan;
pub(crate) use pacer::{Class, Pacer};
