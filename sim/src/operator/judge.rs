//! When a careful person takes over: the next two seconds, as the car drives now, would do harm; or the car
//! does not get on.

use super::planner::Plan;
use super::view::View;
use protocol::v1::TakeoverCause;

/// How far ahead in time harm is foreseen, seconds.
const FORESIGHT_S: f64 = 1.9;
const STEP_S: f64 = 0.1;
/// How far a wheel may be beyond the lane's edge before a person minds, metres.
const OVER_THE_LINE_M: f64 = 0.35;
/// A small excursion is minded only this short a time ahead, seconds: the car may yet correct itself.
const SMALL_EXCURSION_S: f64 = 1.2;
/// One that leads this much further is minded as soon as it is foreseen, metres.
const FAR_OUT_M: f64 = 1.0;
/// Standing for this long although the way is free is being stuck, seconds.
const STUCK_S: f64 = 6.0;
/// Creeping for this long likewise.
const CREEPING_S: f64 = 12.0;

/// Why the operator takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The car asked.
    Asked,
    /// It leaves its lane or the road.
    LeavesLane,
    /// It is about to hit something.
    Collision,
    /// It drives much too fast.
    TooFast,
    /// It does not get on.
    Stuck,
}

impl Verdict {
    /// The cause for the record.
    #[must_use]
    pub fn cause(self) -> TakeoverCause {
        match self {
            Self::Asked => TakeoverCause::PolicyAsked,
            Self::LeavesLane | Self::Collision | Self::TooFast => TakeoverCause::Safety,
            Self::Stuck => TakeoverCause::Stuck,
        }
    }

    /// The words for the record.
    #[must_use]
    pub fn note(self) -> &'static str {
        match self {
            Self::Asked => "the policy asked for help",
            Self::LeavesLane => "about to leave the lane",
            Self::Collision => "about to collide",
            Self::TooFast => "too fast",
            Self::Stuck => "does not get on",
        }
    }
}

/// Remembers how long the car has not been getting on.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    standing_since_us: Option<u64>,
    creeping_since_us: Option<u64>,
}

impl Judge {
    /// Forgets.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Judges `view` at `now_us`, knowing what the operator itself would do.
    pub fn consider(&mut self, now_us: u64, view: &View, plan: &Plan) -> Option<Verdict> {
        let harm = foresee(view, plan);
        let stuck = self.is_stuck(now_us, view, plan);
        harm.or(stuck.then_some(Verdict::Stuck))
    }

    fn is_stuck(&mut self, now_us: u64, view: &View, plan: &Plan) -> bool {
        let could_go = plan.acceleration_mps2 > 0.3 && view.route_left > 15.0;
        let stands = could_go && view.speed < 0.4;
        let creeps = could_go && view.speed < 0.45 * plan.cruise_mps && view.acceleration < 0.25;
        hold(&mut self.standing_since_us, stands, now_us) > STUCK_S
            || hold(&mut self.creeping_since_us, creeps, now_us) > CREEPING_S
    }
}

/// Seconds for which `holds` has been true.
fn hold(since: &mut Option<u64>, holds: bool, now_us: u64) -> f64 {
    if !holds {
        *since = None;
        return 0.0;
    }
    now_us.saturating_sub(*since.get_or_insert(now_us)) as f64 * 1e-6
}

/// Predicts the motion with the present steering and acceleration.
fn foresee(view: &View, plan: &Plan) -> Option<Verdict> {
    if view.speed > view.limit_at(0.0) * 1.15 + 2.0 {
        return Some(Verdict::TooFast);
    }
    let passing = plan.blocked_at_m.is_finite();
    let (mut s, mut d, mut heading, mut speed) = (0.0, view.d, view.heading, view.speed);
    let mut t = 0.0;
    while t < FORESIGHT_S {
        t += STEP_S;
        speed = (speed + view.acceleration.min(1.0) * STEP_S).max(0.0);
        if speed < 0.3 {
            break;
        }
        let road = view.at(s, |p| p.curvature);
        heading += speed * STEP_S * (view.own.kinematics.curvature_per_m(view.steering, view.speed) - road);
        s += speed * STEP_S * heading.cos();
        d += speed * STEP_S * heading.sin();
        let tolerance = if t <= SMALL_EXCURSION_S { 0.0 } else { FAR_OUT_M };
        if leaves(view, s, d, heading, passing, tolerance) {
            return Some(Verdict::LeavesLane);
        }
        if collides(view, s, d, heading, t) {
            return Some(Verdict::Collision);
        }
    }
    None
}

fn leaves(view: &View, s: f64, d: f64, heading: f64, passing: bool, tolerance: f64) -> bool {
    let half_width = view.own.half_width_m;
    let front = d + view.own.kinematics.front_axle_m() * heading.sin();
    let (left, right) = if passing {
        (view.at(s, |p| p.road_left), view.at(s, |p| p.drivable_right))
    } else {
        (view.at(s, |p| p.lane_left) + OVER_THE_LINE_M, view.at(s, |p| p.lane_right) + OVER_THE_LINE_M)
    };
    front.max(d) + half_width > left.max(1.2) + tolerance || front.min(d) - half_width < -right.max(1.2) - tolerance
}

fn collides(view: &View, s: f64, d: f64, heading: f64, t: f64) -> bool {
    view.objects.iter().any(|o| {
        let along = o.s + o.speed_s * t - s;
        let place = d + along.clamp(-view.own.rear_m, view.own.front_m) * heading.sin();
        let beside = o.d + o.speed_d * t - place;
        // Who comes from behind is not ours to judge.
        let behind = o.s < 0.0 && o.speed_s > view.speed;
        !behind
            && along - o.half_length < view.own.front_m + 0.3
            && along + o.half_length > -view.own.rear_m
            && beside.abs() < o.half_width + view.own.half_width_m + 0.12
    })
}
