//! Output limiting: one command a tick becomes `Validated<Command>`, whoever wants it.

use super::limits::{self, Motion};
use super::{Untrusted, Validated};
use crate::action::Action;
use crate::geofence::{CREEP_MPS, Geofence};
use crate::{braking, governor};
use protocol::Embodiment;
use protocol::foxglove::LaserScan;
use protocol::v1::{Author, Pose2, Reason};

/// What somebody wants the actuators to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Command {
    /// Values of the action channels.
    pub action: Action,
    /// Policy, operator or fallback.
    pub author: Author,
}

/// What the vehicle knows at a tick of itself and around it.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// Its channels.
    pub embodiment: &'a Embodiment,
    /// Channel that slows it.
    pub accelerate: usize,
    /// Channel that steers it, if it has one.
    pub steer: Option<usize>,
    /// Its speed, m/s.
    pub speed_mps: f64,
    /// Where its steering stands, in the unit of its channel.
    pub steering: f64,
    /// Where it is.
    pub pose: Option<&'a Pose2>,
    /// What its lidar sees.
    pub scan: Option<&'a LaserScan>,
    /// The latency governor's limit, m/s.
    pub limit_mps: Option<f64>,
    /// The permitted area.
    pub geofence: Option<&'a Geofence>,
    /// Length of a tick, seconds.
    pub dt_s: f64,
    /// Share of the channels' rates, 1 except during a smooth handover.
    pub share: f64,
    /// What stops the vehicle: takes the place of what is not a command at all.
    pub stop: Action,
}

fn is_complete(action: &Action, scene: &Scene) -> bool {
    action.as_slice().len() == scene.embodiment.action.len()
}

fn is_finite(action: &Action) -> bool {
    action.as_slice().iter().all(|v| v.is_finite())
}

impl Scene<'_> {
    /// Automatic emergency braking. Both where the wheels point and where they will point must be blocked, or an
    /// evasion could not begin.
    fn is_blocked(&self, wanted: f64) -> bool {
        self.scan.is_some_and(|scan| {
            let free = |steering| braking::free_distance_m(scan, self.curvature_per_m(steering), self.embodiment);
            let free_m = free(self.steering).max(free(wanted));
            braking::must_brake(self.speed_mps, free_m, self.embodiment.emergency_decel_mps2)
                || braking::must_hold(self.speed_mps, free_m)
        })
    }

    fn curvature_per_m(&self, steering: f64) -> f64 {
        self.embodiment.kinematics.curvature_per_m(steering, self.speed_mps)
    }

    fn stopping_distance_m(&self) -> f64 {
        let v = self.speed_mps.max(0.0);
        v * braking::BUILD_UP_S + v * v / (2.0 * self.embodiment.stop_decel_mps2)
    }

    fn stays_in_area(&self) -> bool {
        let (Some(fence), Some(pose)) = (self.geofence, self.pose) else { return self.geofence.is_none() };
        fence.allows(pose, self.curvature_per_m(self.steering), self.stopping_distance_m())
    }

    /// Outside, and not able to leave by itself, only a person may creep.
    fn may_creep(&self, author: Author) -> bool {
        let outside = || self.geofence.zip(self.pose).is_some_and(|(f, p)| !f.contains(p.x_m, p.y_m));
        author == Author::Operator && self.speed_mps < CREEP_MPS && outside()
    }

    fn steering(&self, action: &Action) -> f64 {
        self.steer.map_or(0.0, |index| action.as_slice()[index])
    }
}

/// Lets `command` pass as it is or milder, and moves `motion` to it. The reason says what was changed, [`Reason::Ok`]
/// when nothing but rates; [`Reason::Malformed`] and [`Reason::NotFinite`] mean that the stop took its place.
pub fn validate(
    Untrusted(command): Untrusted<Command>,
    scene: &Scene,
    motion: &mut Motion,
) -> (Validated<Command>, Reason) {
    let stop = Command { action: scene.stop, author: Author::Fallback };
    let (Command { mut action, author }, mut reason) = if !is_complete(&command.action, scene) {
        (stop, Reason::Malformed)
    } else if !is_finite(&command.action) {
        (stop, Reason::NotFinite)
    } else {
        (command, Reason::Ok)
    };
    let wanted = scene.steering(&action);
    let mut slow_to = |most: f64, why: Reason| {
        let acceleration = &mut action.as_mut_slice()[scene.accelerate];
        if most < *acceleration {
            *acceleration = most;
            reason = why;
        }
    };
    let trusted = scene.embodiment.stop_decel_mps2;
    if let Some(limit) = scene.limit_mps.filter(|_| author == Author::Operator) {
        slow_to(governor::limit_acceleration(scene.speed_mps, limit, trusted), Reason::Latency);
    }
    let fastest = scene.embodiment.fastest_mps();
    slow_to(governor::acceleration_towards(scene.speed_mps, fastest, trusted), Reason::OutOfLimits);
    if !scene.stays_in_area() && !scene.may_creep(author) {
        slow_to(-trusted, Reason::Geofence);
    }
    let blocked = scene.is_blocked(wanted);
    if blocked {
        slow_to(braking::emergency_acceleration_mps2(scene.embodiment.emergency_decel_mps2), Reason::CollisionAhead);
    }
    if let Some(index) = scene.steer {
        let angle = &mut action.as_mut_slice()[index];
        *angle = limits::limit_lateral(*angle, scene.speed_mps, scene.embodiment);
    }
    let sudden = blocked || author == Author::Fallback || reason == Reason::Geofence;
    let free = sudden.then_some(scene.accelerate);
    let action = motion.towards(&action, scene.embodiment, scene.dt_s, scene.share, free);
    (Validated(Command { action, author }), reason)
}

#[cfg(test)]
#[path = "actuation_tests.rs"]
mod tests;
