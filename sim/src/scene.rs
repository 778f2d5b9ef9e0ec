//! What is around the car at one moment: the only thing a sensor needs besides the road itself.

use protocol::v1::{ObjectKind, Pose2};

/// A movable thing on or beside the road: another road user, a cone, a parked car.
#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    /// Stays the same for as long as the thing exists.
    pub id: u32,
    /// What it is; decides how it is drawn and how it counts in a collision.
    pub kind: ObjectKind,
    /// Centre of the footprint, east, m, world frame.
    pub x_m: f64,
    /// Centre of the footprint, north, m, world frame.
    pub y_m: f64,
    /// Where the front points, rad counter-clockwise from east.
    pub heading_rad: f64,
    /// Speed along the heading, m/s.
    pub speed_mps: f64,
    /// Length of the footprint along the heading, m.
    pub length_m: f64,
    /// Width of the footprint across the heading, m.
    pub width_m: f64,
    /// The brake lights are lit.
    pub braking: bool,
    /// The hazard lights blink.
    pub hazards: bool,
}

/// The world at one moment, as much of it as a sensor may look at.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneSnapshot {
    /// Simulated time since the start of the world, s.
    pub time_s: f64,
    /// World pose of the car's rear axle.
    pub ego: Pose2,
    /// Speed of the car along its heading, m/s.
    pub speed_mps: f64,
    /// Everything that can move, in the order of the ids.
    pub actors: Vec<Actor>,
    /// 0: dry and clear; 1: a cloudburst.
    pub rain: f64,
}
