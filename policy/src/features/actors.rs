//! Features of single objects: the leader, what blocks the lane, a pedestrian, oncoming traffic, who is behind, beside.

use super::lane::Lane;
use super::objects::{Kind, Objects, Seen};
use super::paths::{closeness, nearest, needed_deceleration, will_be_in_lane};
use super::{Writer, braking_speed};

/// Kept free beside an object that is passed, m.
const PASS_MARGIN_M: f32 = 0.6;
/// Passing is thought about within this distance plus three seconds, m.
const PASS_LOOK_M: f32 = 20.0;

pub(super) fn write(out: &mut Writer, lane: &Lane, objects: &Objects) {
    leader(out, lane, objects);
    blockage(out, lane, objects);
    pedestrian(out, lane, objects);
    oncoming(out, lane, objects);
    behind(out, lane, objects);
    beside(out, lane, objects);
}

/// Who drives, or soon will, on the lane's centre path: 9 features.
fn leader(out: &mut Writer, lane: &Lane, objects: &Objects) {
    let now = nearest(objects, |o| o.is_ahead() && o.within(-lane.own.half_width_m - 0.3, lane.own.half_width_m + 0.3));
    let soon = nearest(objects, |o| o.is_ahead() && will_be_in_lane(lane, o));
    let own = nearest(objects, |o| {
        o.is_ahead() && o.within(lane.offset - lane.own.half_width_m - 0.2, lane.offset + lane.own.half_width_m + 0.2)
    });
    out.extend(&[following(lane, now), following(lane, soon), following(lane, own)]);
    out.push(now.map_or(0.0, |o| (o.ahead_mps - 5.0) / 5.0));
    out.push(now.map_or(3.0, |o| (braking_speed(o.ahead_mps.max(0.0), 2.0, o.gap() - 3.0) - lane.speed) / 5.0));
    out.push(own.map_or(3.0, |o| (braking_speed(o.ahead_mps.max(0.0), 2.0, o.gap() - 3.0) - lane.speed) / 5.0));
    out.push(soon.map_or(0.0, |o| needed_deceleration(lane.speed - o.ahead_mps, o.gap()) / 2.0));
    out.push(soon.map_or(0.0, |o| o.left_mps));
    out.push(now.map_or(0.0, |o| if o.kind == Kind::Vehicle { 1.0 } else { -1.0 }));
}

/// Acceleration of the intelligent driver model (Treiber, Hennecke and Helbing 2000) towards the allowed speed behind
/// `leader`, in units of 2 m/s^2: maximum 1.5 and comfortable braking 2 m/s^2, headway 1.4 s, 3 m at standstill.
fn following(lane: &Lane, leader: Option<&Seen>) -> f32 {
    let v = lane.speed.max(0.0);
    let free = 1.0 - (v / lane.allowed.max(1.0)).powi(4);
    let interaction = leader.map_or(0.0, |o| {
        let closing = v * (v - o.ahead_mps) / (2.0 * (1.5f32 * 2.0).sqrt());
        let wanted = 3.0 + (1.4 * v + closing).max(0.0);
        (wanted / o.gap().max(0.5)).powi(2)
    });
    0.75 * (free - interaction)
}

/// What stands in the way within the next seconds, and by how much to keep left or right of it: 7 features.
fn blockage(out: &mut Writer, lane: &Lane, objects: &Objects) {
    let look = lane.own.front_m + PASS_LOOK_M + 3.0 * lane.speed.abs();
    let (mut start, mut end) = (f32::INFINITY, f32::NEG_INFINITY);
    let (mut pass_left, mut pass_right) = (f32::NEG_INFINITY, f32::INFINITY);
    for o in objects.iter() {
        let in_way = o.is_still()
            && o.kind != Kind::Pedestrian
            && o.within(-lane.own.half_width_m - 0.3, lane.own.half_width_m + 0.3);
        if in_way && o.far > -lane.own.rear_m && o.near < look {
            (start, end) = (start.min(o.near), end.max(o.far));
            pass_left = pass_left.max(o.left + PASS_MARGIN_M + lane.own.half_width_m);
            pass_right = pass_right.min(o.right - PASS_MARGIN_M - lane.own.half_width_m);
        }
    }
    if start > end {
        out.extend(&[0.0; 7]);
        return;
    }
    let near = (-(start - lane.own.front_m).max(0.0) / 25.0).exp();
    out.extend(&[
        near,
        (end - lane.own.front_m) / 30.0,
        pass_left / 1.5,
        pass_right / 1.5,
        (pass_left - lane.offset) / 1.0,
        lane.own.steering_units(2.0 * (pass_left - lane.offset) / (lane.preview * lane.preview)),
        near * (pass_left - lane.offset),
    ]);
}

/// The pedestrian or cyclist who matters most, nearest ahead within reach of the lane: 6 features.
fn pedestrian(out: &mut Writer, lane: &Lane, objects: &Objects) {
    let person = nearest(objects, |o| o.kind == Kind::Pedestrian && o.is_ahead() && o.within(-6.0, 6.0));
    let Some(o) = person else {
        out.extend(&[0.0; 6]);
        return;
    };
    let arrival_s = (o.gap() / lane.speed.max(1.0)).min(4.0);
    let there = o.middle() + o.left_mps * arrival_s;
    let conflict = (-(there.abs() - 1.5).max(0.0)).exp();
    out.extend(&[
        closeness(person, 20.0),
        o.middle() / 3.0,
        o.left_mps,
        there / 3.0,
        conflict * needed_deceleration(lane.speed, o.gap()) / 2.0,
        conflict,
    ]);
}

/// Nearest traffic against our direction on the left: 3 features.
fn oncoming(out: &mut Writer, lane: &Lane, objects: &Objects) {
    let other = nearest(objects, |o| {
        o.kind == Kind::Vehicle && o.far > -lane.own.rear_m && o.ahead_mps < -1.0 && o.within(1.0, 7.0)
    });
    let seconds = other.map_or(f32::INFINITY, |o| o.gap() / (lane.speed - o.ahead_mps).max(0.5));
    out.push((-seconds / 3.0).exp() * 2.0);
    out.push((-seconds / 8.0).exp() * 2.0);
    out.push(closeness(other, 40.0));
}

/// Nearest moving traffic that comes up from behind, left and right: 4 features.
fn behind(out: &mut Writer, lane: &Lane, objects: &Objects) {
    for (right, left) in [(1.5, 6.0), (-6.0, -1.5)] {
        let follower = objects
            .iter()
            .filter(|o| o.kind != Kind::Cone && o.near < 0.0 && o.ahead_mps > 0.5 && o.within(right, left))
            .max_by(|a, b| a.far.total_cmp(&b.far));
        let distance = follower.map_or(f32::INFINITY, |o| (-lane.own.rear_m - o.far).max(0.0));
        out.push((-distance / 15.0).exp());
        out.push(follower.map_or(0.0, |o| (o.ahead_mps - lane.speed) / 5.0 * (-distance / 40.0).exp()));
    }
}

/// Least clearance left and right of the vehicle's sides, beside it now and within the next second: 3 features, of
/// which the last is the tighter of both.
fn beside(out: &mut Writer, lane: &Lane, objects: &Objects) {
    let (mut left, mut right) = (3.0f32, 3.0f32);
    for o in objects.iter().filter(|o| o.far > -lane.own.rear_m && o.near < lane.own.front_m + 1.0 + lane.speed.abs()) {
        if o.middle() >= lane.offset {
            left = left.min(o.right - lane.offset - lane.own.half_width_m);
        } else {
            right = right.min(lane.offset - lane.own.half_width_m - o.left);
        }
    }
    out.extend(&[left, right, 2.0 * left.min(right)]);
}
