//! Where to drive and how fast: an offset from the lane's centre that passes what stands in the way, and an
//! acceleration that keeps distance (Intelligent Driver Model, Treiber et al. 2000), yields to people and slows for
//! bends.

use super::view::{Object, View};

/// Lateral room kept to a car, metres.
const ROOM_M: f64 = 0.45;
/// Room beyond the necessary that a choice of side leaves, metres.
const SPARE_M: f64 = 0.2;
/// How far behind the rear axle an obstacle still keeps the car from moving back, metres.
const PASSED_M: f64 = 3.0;
/// Comfortable lateral acceleration, m/s^2.
const LATERAL_MPS2: f64 = 1.9;
/// Deceleration before bends and lower limits, m/s^2.
const GENTLE_DECEL_MPS2: f64 = 1.5;
/// How much earlier a lower limit is braked for, s: a little more than it takes to follow the wanted speed, and than
/// commands are under way.
const LIMIT_LEAD_S: f64 = 1.5;
const COMFORT_DECEL_MPS2: f64 = 2.2;
const MAX_ACCEL_MPS2: f64 = 1.8;
const HEADWAY_S: f64 = 1.3;
const STANDSTILL_GAP_M: f64 = 3.0;

/// What the operator would do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Wanted offset from the lane's centre, left positive.
    pub offset_m: f64,
    /// Wanted acceleration.
    pub acceleration_mps2: f64,
    /// Speed that the road allows here.
    pub cruise_mps: f64,
    /// Distance to what keeps the car from its lane; infinity when it is free.
    pub blocked_at_m: f64,
}

/// Plans from view to view and remembers on which side it passes.
#[derive(Debug, Clone, Default)]
pub struct Planner {
    offset: f64,
    careful: bool,
}

/// Distance kept behind what stands in the way, metres; the careful planner leaves room to swerve from standstill.
const STAND_OFF_M: f64 = 5.0;
const CAREFUL_STAND_OFF_M: f64 = 13.0;

impl Planner {
    /// One for slow driving: it waits farther behind what stands in the way, looks at the whole way over before it
    /// changes the lane, and once beside an obstacle goes on rather than back.
    #[must_use]
    pub fn careful() -> Self {
        Self { careful: true, ..Self::default() }
    }

    /// The plan for `view`.
    pub fn plan(&mut self, view: &View) -> Plan {
        let horizon = look_ahead(view);
        let blocked_at_m = blocked_at(view, 0.0, horizon);
        self.offset = if blocked_at_m.is_finite() { self.pass(view, horizon) } else { 0.0 };
        let offset = self.offset;
        let cruise_mps = cruise_speed(view);
        let mut acceleration = free_acceleration(view.speed, cruise_mps);
        acceleration = acceleration.min(slow_beside_obstacles(view, offset));
        acceleration = acceleration.min(follow(
            view,
            offset,
            horizon,
            if self.careful { CAREFUL_STAND_OFF_M } else { STAND_OFF_M },
        ));
        acceleration = acceleration.min(yield_to_people(view, offset));
        Plan { offset_m: offset, acceleration_mps2: acceleration.clamp(-7.0, MAX_ACCEL_MPS2), cruise_mps, blocked_at_m }
    }

    /// The offset nearest to the centre that is free for longest; the earlier choice wins ties.
    fn pass(&self, view: &View, horizon: f64) -> f64 {
        let at = 12.0;
        let right = -(view.at(at, |p| p.drivable_right) - view.own.half_width_m - 0.15);
        let left = view.at(at, |p| p.road_left) - view.own.half_width_m - 0.15;
        let mut best = (f64::NEG_INFINITY, 0.0);
        let steps = ((left - right) / 0.25).clamp(0.0, 80.0) as usize;
        for step in 0..=steps {
            let offset = right + step as f64 * 0.25;
            let free = blocked_at_with(view, offset, horizon, SPARE_M, self.careful).min(horizon);
            let against = self.against_traffic(view, offset);
            let taken = if self.careful { taken_on_the_way(view, offset) } else { taken_beside(view, offset) };
            let away = (offset - self.offset).abs();
            let mut score = free - 1.5 * offset.abs() - 0.8 * away;
            if against {
                score -= 12.0;
                if oncoming_near(view, offset) {
                    score -= 200.0;
                }
            }
            if taken {
                score -= 100.0;
            }
            if self.careful && free < 1.0 {
                score -= 300.0;
            }
            if score > best.0 {
                best = (score, offset);
            }
        }
        // Nothing may be driven: wait where the car is; moving back could meet what it is passing.
        if best.0 < -60.0 { view.d.clamp(right, left) } else { best.1 }
    }

    fn against_traffic(&self, view: &View, offset: f64) -> bool {
        offset > view.at(12.0, |p| p.drivable_left) - view.own.half_width_m + 0.1
    }
}

fn look_ahead(view: &View) -> f64 {
    (5.0 * view.speed).clamp(55.0, 110.0).min(view.visibility + 5.0)
}

fn overlaps(view: &View, object: &Object, offset: f64, room: f64) -> bool {
    (object.d - offset).abs() < object.half_width + view.own.half_width_m + room
}

fn room_for(object: &Object) -> f64 {
    if object.half_width < 0.3 { 0.25 } else { ROOM_M }
}

/// Whether something stands for good: not a person, and not a car that merely waits in its queue without hazards is
/// told apart by standing where a gap ahead of it is open; the scripted operator treats every standing vehicle so.
fn stands_in_the_way(object: &Object) -> bool {
    object.is_static() && !object.is_person()
}

/// Distance from the front bumper to the nearest standing obstacle that the car would touch on its way to `offset` and
/// then along it, within `horizon`; infinity when free.
fn blocked_at(view: &View, offset: f64, horizon: f64) -> f64 {
    blocked_at_with(view, offset, horizon, 0.0, false)
}

fn blocked_at_with(view: &View, offset: f64, horizon: f64, spare: f64, careful: bool) -> f64 {
    view.objects
        .iter()
        .filter(|o| stands_in_the_way(o))
        .filter(|o| o.s + o.half_length > -PASSED_M && o.s - o.half_length < horizon)
        .filter(|o| {
            let room = room_for(o) + spare;
            // Who is already beside it keeps the room that there is.
            let beside = careful && o.s - o.half_length < view.own.front_m;
            let left = (o.d - view.d).abs() - o.half_width - view.own.half_width_m;
            let room = if beside { room.min((left - 0.05).max(0.05)) } else { room };
            let touches = |s: f64| overlaps(view, o, path_at(view, offset, s), room);
            touches(o.s - o.half_length) || touches(o.s + o.half_length)
        })
        .map(|o| (o.s - o.half_length - view.own.front_m).max(0.0))
        .fold(f64::INFINITY, f64::min)
}

/// Whether a car comes towards `offset` and would be met before the pass is over.
fn oncoming_near(view: &View, offset: f64) -> bool {
    let reach = 12.0 + 4.5 * (view.speed.max(4.0));
    view.objects.iter().any(|o| {
        o.speed_s < -0.7
            && overlaps(view, o, offset, 0.4)
            && o.s > -6.0
            && o.s - o.half_length + o.speed_s * 3.0 < reach + 15.0
    })
}

/// Whether a moving car beside or closely behind would be hit by going to `offset`.
fn taken_beside(view: &View, offset: f64) -> bool {
    if (offset - view.d).abs() < 0.6 {
        return false;
    }
    view.objects.iter().filter(|o| !o.is_static() && o.speed_s > 0.0).any(|o| {
        let closing = (o.speed_s - view.speed).max(0.0);
        let behind = 5.0 + 2.5 * closing;
        overlaps(view, o, offset, 0.3)
            && !overlaps(view, o, view.d, 0.0)
            && o.s > -behind
            && o.s < view.own.front_m + o.half_length + 3.0
    })
}

/// The same for slow driving: anything between here and `offset`, and whoever would catch up before the car is there.
fn taken_on_the_way(view: &View, offset: f64) -> bool {
    if (offset - view.d).abs() < 0.6 {
        return false;
    }
    let (right, left) = (offset.min(view.d), offset.max(view.d));
    view.objects.iter().filter(|o| !o.is_static() && o.speed_s > 0.0).any(|o| {
        let reach = o.half_width + view.own.half_width_m + 0.6;
        let crossed = o.d > right - reach && o.d < left + reach && !overlaps(view, o, view.d, 0.0);
        let behind = 8.0 + 5.0 * (o.speed_s - view.speed).max(0.0);
        crossed && o.s > -behind && o.s < view.own.front_m + o.half_length + 5.0
    })
}

/// The road's speed: limit, bends ahead, grip and sight.
fn cruise_speed(view: &View) -> f64 {
    let limit = view.limit_at(0.0);
    let mut speed = limit.min(view.own.fastest_mps);
    let braking = |allowed: f64, s: f64| (allowed * allowed + 2.0 * GENTLE_DECEL_MPS2 * s.max(0.0)).sqrt();
    for p in view.route.iter().filter(|p| p.s > -3.0) {
        let bend = (LATERAL_MPS2 * view.friction.min(1.0) / p.curvature.abs().max(1e-4)).sqrt();
        speed = speed.min(braking(bend, p.s)).min(braking(p.speed_limit, p.s));
        // The pedal lags behind the wanted speed: a lower limit is kept to from its first metre, not a little later.
        if p.speed_limit < limit && p.s > 0.0 {
            speed = speed.min(braking(p.speed_limit, p.s - LIMIT_LEAD_S * view.speed));
        }
    }
    // Stop within what can be seen: v t + v^2 / (2 a) = sight.
    let decel = 4.5 * view.friction;
    let sight = (view.visibility - 8.0).max(4.0);
    let reaction = 0.9;
    speed.min(decel * ((reaction * reaction + 2.0 * sight / decel).sqrt() - reaction))
}

fn free_acceleration(speed: f64, wanted: f64) -> f64 {
    if speed <= wanted {
        MAX_ACCEL_MPS2 * (1.0 - (speed / wanted.max(0.5)).powi(4))
    } else {
        (-0.9 * (speed - wanted)).max(-COMFORT_DECEL_MPS2 - 0.8)
    }
}

fn keep_distance(view: &View, gap: f64, lead_speed: f64, standstill: f64) -> f64 {
    let speed = view.speed;
    let closing = speed - lead_speed;
    let wanted = standstill
        + (speed * HEADWAY_S + speed * closing / (2.0 * (MAX_ACCEL_MPS2 * COMFORT_DECEL_MPS2).sqrt())).max(0.0);
    MAX_ACCEL_MPS2 * (1.0 - (wanted / gap.max(0.3)).powi(2))
}

/// Where the car will be beside the lane's centre at `s` ahead, on its way to `offset`.
fn path_at(view: &View, offset: f64, s: f64) -> f64 {
    let reach = (1.8 * view.speed).clamp(9.0, 40.0);
    let t = (s / reach).clamp(0.0, 1.0);
    view.d + (offset - view.d) * t * t * (3.0 - 2.0 * t)
}

/// Keeps distance to whatever the car would touch on its way to `offset`.
fn follow(view: &View, offset: f64, horizon: f64, stand_off_m: f64) -> f64 {
    view.objects
        .iter()
        .filter(|o| o.s > 0.0 && o.s - o.half_length < horizon + 20.0)
        .filter(|o| {
            let room = if stands_in_the_way(o) { room_for(o) - 0.2 } else { 0.35 };
            let entering = o.speed_d * (path_at(view, offset, o.s) - o.d).signum() > 0.25;
            let room = if entering && !o.is_person() { room + 0.9 } else { room };
            overlaps(view, o, path_at(view, offset, o.s), room)
        })
        .map(|o| {
            let gap = o.s - o.half_length - view.own.front_m;
            let standstill = if stands_in_the_way(o) { stand_off_m } else { STANDSTILL_GAP_M };
            keep_distance(view, gap, o.speed_s.max(-3.0), standstill)
        })
        .fold(f64::INFINITY, f64::min)
}

/// Drives gently past what stands close beside the path.
fn slow_beside_obstacles(view: &View, offset: f64) -> f64 {
    let near = view.objects.iter().filter(|o| stands_in_the_way(o) && o.s > -4.0).any(|o| {
        let gap = o.s - o.half_length - view.own.front_m;
        gap < 2.0 * view.speed && overlaps(view, o, path_at(view, offset, o.s), 0.9)
    });
    if near { free_acceleration(view.speed, 8.0) } else { f64::INFINITY }
}

/// Stops for a person who is or will be in the way, and goes slowly past one who waits at the kerb.
fn yield_to_people(view: &View, offset: f64) -> f64 {
    let mut acceleration = f64::INFINITY;
    for person in view.objects.iter().filter(|o| o.is_person() && o.s > view.own.front_m - 1.0 && o.s < 70.0) {
        let gap = person.s - view.own.front_m - 0.3;
        let beside = person.d - path_at(view, offset, person.s);
        let arrival = gap / view.speed.max(3.0);
        let then = beside + person.speed_d * arrival.min(4.0);
        let crosses = beside.signum() != then.signum() && person.speed_d.abs() > 0.3;
        let near = beside.abs() < 1.9 || then.abs() < 1.9;
        if crosses || near {
            acceleration = acceleration.min(keep_distance(view, gap, 0.0, 4.0));
        } else if beside.abs() < 4.5 && gap < 2.5 * view.speed {
            acceleration = acceleration.min(free_acceleration(view.speed, 7.0));
        }
    }
    acceleration
}

/// Whether nothing needs a human now: in the lane, no bend or obstacle near, nobody beside or to yield to.
#[must_use]
pub fn is_calm(view: &View, planner: &Planner) -> bool {
    let nothing_near = !blocked_at(view, 0.0, 45.0).is_finite();
    let nobody = !view.objects.iter().any(|o| o.is_person() && o.s > -2.0 && o.s < 40.0 && o.d.abs() < 6.0);
    let straight = !view.route.iter().any(|p| p.s > -5.0 && p.s < 25.0 && p.curvature.abs() > 0.04);
    let alone = !view.objects.iter().any(|o| o.s.abs() < 12.0 && o.d.abs() < 5.5);
    straight
        && alone
        && view.d.abs() < 0.35
        && view.heading.abs() < 0.05
        && planner.offset.abs() < 0.1
        && nothing_near
        && nobody
}

#[cfg(test)]
#[path = "planner_tests.rs"]
pub(super) mod tests;
