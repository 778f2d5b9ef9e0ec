//! The gate: what arrives is [`Untrusted`] until every predicate has let it pass.
//!
//! Input validation and output limiting, one behind the other. [`admission`] lets an operator's input into the vehicle; [`actuation`] lets one
//! command a tick, whoever wants it, out to the actuators. Each rule is one small named function with its limit beside
//! it, so that a reader can check it against the safety rules. Nothing here stops the robot by itself: a refused input
//! is simply not there, and the absence of valid ones starts the minimal risk manoeuvre.

pub mod actuation;
pub mod admission;
pub mod freshness;
pub mod limits;

/// Something that nothing has been proven of.
#[derive(Debug, Clone, Copy)]
pub struct Untrusted<T>(pub T);

/// Something that passed the gate; only the gate can make one.
///
/// - `Validated<Input>`: it came from the seat that holds the grant, under the epoch in force, newer than every input
///   before it, delayed by at most [`admission::MAX_QUEUED_US`] beyond the quickest delivery, sampled by a person who
///   held the deadman and saw a picture no older than [`admission::MAX_LATENCY_US`]; it has one finite value for each
///   action channel, inside the position limits, or a trajectory that is not over and comes within
///   [`admission::MAX_AWAY_M`] of the vehicle, where its place is known. It does not prove that acting on it is safe
///   now.
/// - `Validated<Command>`: it has one finite value for each action channel, inside the limits of position; it lies
///   within the channels' rates and changes of rate of what was actuated before, braking for safety excepted, which may
///   be sudden; and it does not speed up beyond the latency governor's limit, towards the edge of the permitted area,
///   or into an obstacle that the lidar sees: where it would, it brakes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validated<T>(T);

impl<T> Validated<T> {
    /// What passed.
    pub fn get(&self) -> &T {
        &self.0
    }
}
