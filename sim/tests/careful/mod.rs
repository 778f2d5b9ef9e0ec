//! A careful reference driver: keeps the lane, slows for what is ahead, passes what stands when there is room.

use protocol::Embodiment;
use protocol::v1::{ObjectKind, Surroundings, TrackedObject};
use sim::world::EgoState;
use std::collections::VecDeque;

/// Commands to brake take effect this much later, in steps of 20 ms: a reaction time.
const DELAY: usize = 35;

fn car() -> &'static Embodiment {
    &Embodiment::built_in()[0]
}

/// An object in corridor coordinates.
struct Seen {
    s_m: f64,
    d_m: f64,
    along_mps: f64,
    across_mps: f64,
    half_length_m: f64,
    half_width_m: f64,
    kind: i32,
}

#[derive(Default)]
pub struct Driver {
    offset_m: f64,
    target_m: f64,
    braking: VecDeque<f64>,
}

impl Driver {
    /// Acceleration and angle of the front wheels.
    pub fn drive(&mut self, around: &Surroundings, ego: &EgoState) -> (f64, f64) {
        let seen: Vec<Seen> = around.objects.iter().map(|o| locate(around, o)).collect();
        let here = &around.corridor[0];
        let d_ego = -f64::from(here.y_m) * f64::from(here.heading_rad).cos();
        let (target, mut free) = self.choose(around, &seen, ego.speed_mps, d_ego);
        self.target_m = target;
        // Shift over at a rate that suits the speed.
        let rate = 1.5_f64.min(0.3 + ego.speed_mps) * 0.1;
        self.offset_m += (target - self.offset_m).clamp(-rate, rate);
        free = free.min(self.speed_control(around, &seen, ego, d_ego));
        (free, self.steer(around, ego))
    }

    /// The same with a reaction time before harder braking.
    pub fn drive_with_reaction(&mut self, wanted: f64) -> f64 {
        self.braking.push_back(wanted);
        if self.braking.len() > DELAY {
            self.braking.pop_front();
        }
        self.braking.iter().copied().fold(f64::NEG_INFINITY, f64::max).min(2.0)
    }

    /// Where to drive, left of the lane's centre, and an acceleration not to exceed meanwhile.
    fn choose(&self, around: &Surroundings, seen: &[Seen], speed: f64, d_ego: f64) -> (f64, f64) {
        let horizon = (4.5 * speed).clamp(30.0, 110.0);
        let standing = |o: &&Seen| {
            o.along_mps.abs() < 0.3
                && o.across_mps.abs() < 0.3
                && o.kind != ObjectKind::Pedestrian as i32
                && o.s_m > -6.0
                && o.s_m < horizon
        };
        let walls: Vec<&Seen> = seen.iter().filter(standing).collect();
        let crossed = |o: &Seen, t: f64| o.s_m < 6.5 && (o.d_m - d_ego) * (o.d_m - t) < 0.0;
        let fits = |t: f64| {
            walls.iter().all(|o| (o.d_m - t).abs() > o.half_width_m + car().half_width_m() + 0.35 && !crossed(o, t))
        };
        let index = ((horizon / 3.0) as usize).min(40);
        let edge = |f: fn(&protocol::v1::CorridorPoint) -> f32| {
            around.corridor[..=index].iter().map(|p| f64::from(f(p))).fold(f64::INFINITY, f64::min)
        };
        let (left, right) = (edge(|p| p.road_left_m) - 1.05, edge(|p| p.road_right_m) - 1.05);
        let mut best = 0.0;
        if !fits(0.0) {
            let mut candidates: Vec<f64> = (1..90).map(|i| f64::from(i) * 0.1).flat_map(|t| [t, -t]).collect();
            candidates.retain(|t| *t < left && *t > -right && fits(*t));
            // Rather where the car already goes.
            let key = |t: &f64| t.abs() + 0.3 * (t - self.target_m).abs();
            let Some(t) = candidates.into_iter().min_by(|a, b| key(a).total_cmp(&key(b))) else {
                return (self.offset_m, 2.0);
            };
            best = t;
        }
        let moving_over = (best - d_ego).abs() > 0.4;
        let occupied = moving_over && seen.iter().any(|o| conflicts(o, best, d_ego, speed));
        if occupied { (self.offset_m.clamp(d_ego - 0.3, d_ego + 0.3), 0.5) } else { (best, 2.0) }
    }

    fn speed_control(&self, around: &Surroundings, seen: &[Seen], ego: &EgoState, d_ego: f64) -> f64 {
        // What is ahead is met with the front of the car.
        let d_ego = d_ego - car().front_m() * f64::from(around.corridor[0].heading_rad).sin();
        let v = ego.speed_mps;
        let grip = 0.42 * f64::from(around.friction) * 9.81;
        let sight = f64::from(around.visibility_m) - 12.0;
        let mut limit: f64 = -grip + (grip * grip + 2.0 * grip * sight).sqrt();
        let mut accel: f64 = 2.0;
        for p in &around.corridor {
            let bend = (1.8 / f64::from(p.curvature_per_m).abs().max(1e-4)).sqrt();
            let there = f64::from(p.speed_limit_mps).min(bend);
            let s = f64::from(p.s_m);
            limit = limit.min((there * there + 2.0 * 1.5 * s).sqrt());
        }
        if self.target_m.abs() > 0.5 {
            limit = limit.min(9.0);
        }
        let near = seen.iter().any(|o| o.along_mps.abs() < 0.3 && (car().front_m()..16.0).contains(&o.s_m));
        if near && (self.target_m - d_ego).abs() > 0.5 {
            limit = limit.min(2.0);
        }
        accel = accel.min(0.8 * (limit - v));
        for o in seen {
            let gap = o.s_m - o.half_length_m - car().front_m();
            if o.s_m < 1.5 {
                continue;
            }
            // Where the car will be when it gets there, and where the object may be by then.
            let time = (gap / v.max(1.0)).clamp(0.0, 4.0);
            let (low, high) = (o.d_m.min(o.d_m + o.across_mps * time), o.d_m.max(o.d_m + o.across_mps * time));
            let walker = o.kind == ObjectKind::Pedestrian as i32;
            let margin = if walker {
                0.9
            } else if o.along_mps.abs() > 0.3 {
                0.25
            } else if gap > 2.0 {
                0.2
            } else {
                0.02
            };
            let room = o.half_width_m + car().half_width_m() + margin;
            let shift_m = ((self.target_m - d_ego).abs() * v.max(3.0) / 1.2).min(60.0);
            let path = if gap > shift_m {
                (self.target_m, self.target_m)
            } else {
                (d_ego.min(self.target_m), d_ego.max(self.target_m))
            };
            if low > path.1 + room || high < path.0 - room {
                if walker && o.s_m < 60.0 {
                    accel = accel.min(0.5 * (11.0 - v));
                }
                continue;
            }
            let other = o.along_mps.max(0.0);
            // Before what stands for good there must be room to steer around it.
            let stands = !walker && o.along_mps.abs() < 0.3;
            let keep = if walker {
                5.5
            } else if stands {
                9.0
            } else {
                4.0 + 0.9 * v.min(other)
            };
            if stands && gap < keep && v < 2.5 && self.target_m.abs() > 0.5 {
                // On the way around it: creep while turning out.
                accel = accel.min(0.8 * ((0.5 * (gap - 1.5)).clamp(0.0, 2.0) - v));
                continue;
            }
            let room_m = (gap - keep).max(if gap > 3.0 { 1.5 } else { 0.2 });
            let needed = (v * v - other * other).max(0.0) / (2.0 * room_m);
            if needed > 1.3 {
                accel = accel.min(-needed * 1.15);
            } else if gap < keep + 1.5 * v {
                accel = accel.min(0.6 * (other - v) + 0.25 * (gap - keep));
            }
        }
        accel.max(-8.0)
    }

    /// Pure pursuit on the corridor shifted by the offset.
    fn steer(&self, around: &Surroundings, ego: &EgoState) -> f64 {
        let ahead = (0.8 * ego.speed_mps).clamp(5.0, 22.0);
        let at = (ahead / 3.0).min(39.0);
        let (i, part) = (at as usize, at.fract());
        let point = |i: usize| {
            let p = &around.corridor[i];
            let (sin, cos) = f64::from(p.heading_rad).sin_cos();
            (f64::from(p.x_m) - sin * self.offset_m, f64::from(p.y_m) + cos * self.offset_m)
        };
        let (a, b) = (point(i), point(i + 1));
        let (x, y) = (a.0 + part * (b.0 - a.0), a.1 + part * (b.1 - a.1));
        car().kinematics.steering(2.0 * y / (x * x + y * y), ego.speed_mps).clamp(-0.55, 0.55)
    }
}

/// Whether moving over to `target` would meet this moving object.
fn conflicts(o: &Seen, target: f64, d_ego: f64, v: f64) -> bool {
    if o.along_mps.abs() < 0.3 {
        return false;
    }
    let (low, high) = (d_ego.min(target) - car().half_width_m() - 0.3, d_ego.max(target) + car().half_width_m() + 0.3);
    if o.d_m + o.half_width_m < low || o.d_m - o.half_width_m > high {
        return false;
    }
    let in_lane = (o.d_m - d_ego).abs() < o.half_width_m + car().half_width_m();
    if in_lane {
        return false;
    }
    if o.along_mps < 0.0 {
        return o.s_m > -2.0 && o.s_m < 8.0 * (v + o.along_mps.abs()) + 20.0;
    }
    let ahead = o.s_m - o.half_length_m - car().front_m();
    let behind = -o.s_m - o.half_length_m - 1.0;
    if o.s_m > 1.3 {
        ahead < 4.0 + (v - o.along_mps).max(0.0) * 3.0
    } else {
        behind < 4.0 + (o.along_mps - v).max(0.0) * 2.5
    }
}

fn locate(around: &Surroundings, o: &TrackedObject) -> Seen {
    let nearest = around.corridor.iter().min_by(|a, b| {
        let square = |p: &protocol::v1::CorridorPoint| (p.x_m - o.x_m).powi(2) + (p.y_m - o.y_m).powi(2);
        square(a).total_cmp(&square(b))
    });
    let p = nearest.unwrap();
    let (sin, cos) = f64::from(p.heading_rad).sin_cos();
    let (dx, dy) = (f64::from(o.x_m - p.x_m), f64::from(o.y_m - p.y_m));
    let (vx, vy) = (f64::from(o.velocity_x_mps), f64::from(o.velocity_y_mps));
    let turn = f64::from(o.heading_rad - p.heading_rad);
    let (l, w) = (f64::from(o.length_m) / 2.0, f64::from(o.width_m) / 2.0);
    Seen {
        s_m: f64::from(p.s_m) + dx * cos + dy * sin,
        d_m: dy * cos - dx * sin,
        along_mps: vx * cos + vy * sin,
        across_mps: vy * cos - vx * sin,
        half_length_m: l * turn.cos().abs() + w * turn.sin().abs(),
        half_width_m: l * turn.sin().abs() + w * turn.cos().abs(),
        kind: o.kind,
    }
}
