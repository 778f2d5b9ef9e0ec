//! The situation as the operator pictures it now: route and objects moved from when they were seen to the present.

use super::predict::TICK_S;
use protocol::v1::{ObjectKind, Pose2, Surroundings, VehicleState};
use protocol::{Embodiment, Kinematics};

/// What the operator knows of the robot that it drives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Own {
    /// From its origin to the front end, metres.
    pub front_m: f64,
    /// From its origin back to the rear end, metres.
    pub rear_m: f64,
    /// Half of its width, metres.
    pub half_width_m: f64,
    /// How it turns.
    pub kinematics: Kinematics,
    /// Greatest speed, m/s.
    pub fastest_mps: f64,
    /// Lag of its steering with the wait for a control tick, seconds.
    pub steering_lag_s: f64,
}

impl Own {
    /// What `embodiment` says.
    #[must_use]
    pub fn of(embodiment: &Embodiment) -> Self {
        Self {
            front_m: embodiment.front_m(),
            rear_m: embodiment.rear_m(),
            half_width_m: embodiment.half_width_m(),
            kinematics: embodiment.kinematics,
            fastest_mps: embodiment.fastest_mps(),
            steering_lag_s: embodiment.lag_s(embodiment.channels().steer) + TICK_S,
        }
    }
}

/// One station of the route, in today's vehicle frame.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Point {
    pub s: f64,
    pub x: f64,
    pub y: f64,
    pub heading: f64,
    pub curvature: f64,
    pub lane_left: f64,
    pub lane_right: f64,
    pub drivable_left: f64,
    pub drivable_right: f64,
    pub road_left: f64,
    pub speed_limit: f64,
}

/// An object in route coordinates relative to the car: `s` ahead of the rear axle, `d` left of the lane's centre.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Object {
    pub kind: ObjectKind,
    pub s: f64,
    pub d: f64,
    pub speed_s: f64,
    pub speed_d: f64,
    pub half_length: f64,
    pub half_width: f64,
}

impl Object {
    /// Whether it stands or nearly so.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.speed_s.hypot(self.speed_d) < 0.7
    }

    /// Whether it is a person.
    #[must_use]
    pub fn is_person(&self) -> bool {
        self.kind == ObjectKind::Pedestrian
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct View {
    pub own: Own,
    pub speed: f64,
    pub acceleration: f64,
    pub steering: f64,
    /// Offset of the rear axle from the lane's centre, left positive.
    pub d: f64,
    /// Heading relative to the lane.
    pub heading: f64,
    pub route: Vec<Point>,
    pub objects: Vec<Object>,
    pub visibility: f64,
    pub friction: f64,
    pub route_left: f64,
}

/// Rigid motion in the plane.
struct Motion {
    x: f64,
    y: f64,
    heading: f64,
}

impl Motion {
    /// The frame of `from` seen from `to`.
    fn between(from: &Pose2, to: &Pose2) -> Self {
        let (sin, cos) = to.heading_rad.sin_cos();
        let (dx, dy) = (from.x_m - to.x_m, from.y_m - to.y_m);
        Self { x: cos * dx + sin * dy, y: cos * dy - sin * dx, heading: from.heading_rad - to.heading_rad }
    }

    fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        let (sin, cos) = self.heading.sin_cos();
        (self.x + cos * x - sin * y, self.y + sin * x + cos * y)
    }
}

/// Where the car is and what it does, as the operator believes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Believed {
    pub pose: Pose2,
    pub speed: f64,
    pub acceleration: f64,
    pub steering: f64,
}

impl Believed {
    /// What `state` says; `None` without a pose.
    #[must_use]
    pub fn of(embodiment: &Embodiment, state: &VehicleState) -> Option<Self> {
        let channels = embodiment.channels();
        Some(Self {
            pose: state.world_from_vehicle?,
            speed: channel(state, channels.speed),
            acceleration: channel(state, channels.acceleration),
            steering: channel(state, channels.steering),
        })
    }
}

fn channel(state: &VehicleState, index: Option<usize>) -> f64 {
    index.and_then(|index| state.observation.get(index)).copied().filter(|v| v.is_finite()).unwrap_or(0.0)
}

/// Where the car is `age_us` after `state`, at constant speed and yaw rate.
fn extrapolate(embodiment: &Embodiment, state: &VehicleState, age_us: u64) -> Option<Pose2> {
    let pose = state.world_from_vehicle?;
    let dt = (age_us as f64 * 1e-6).min(1.0);
    let speed = channel(state, embodiment.channels().speed);
    let heading = pose.heading_rad + channel(state, embodiment.channels().yaw_rate) * dt;
    let middle = (pose.heading_rad + heading) / 2.0;
    Some(Pose2 {
        x_m: pose.x_m + speed * dt * middle.cos(),
        y_m: pose.y_m + speed * dt * middle.sin(),
        heading_rad: heading,
    })
}

impl View {
    /// Builds the picture from the newest `surroundings`, the state they were `seen_from`, the newest `state` and its
    /// age by now. `None` without a pose or a route.
    #[must_use]
    pub fn new(
        embodiment: &Embodiment,
        surroundings: &Surroundings,
        seen_from: &VehicleState,
        state: &VehicleState,
        age_us: u64,
    ) -> Option<Self> {
        let pose = extrapolate(embodiment, state, age_us)?;
        let elapsed_us = state.monotonic_us.saturating_sub(seen_from.monotonic_us) + age_us;
        let believed = Believed { pose, ..Believed::of(embodiment, state)? };
        Self::from(Own::of(embodiment), surroundings, seen_from.world_from_vehicle.as_ref()?, &believed, elapsed_us)
    }

    /// Builds the picture for a robot that is believed to be somewhere `elapsed_us` after `surroundings` were seen from
    /// the pose `seen_from`. `None` without a route.
    #[must_use]
    pub fn from(
        own: Own,
        surroundings: &Surroundings,
        seen_from: &Pose2,
        believed: &Believed,
        elapsed_us: u64,
    ) -> Option<Self> {
        let motion = Motion::between(seen_from, &believed.pose);
        let route: Vec<Point> = surroundings.corridor.iter().map(|p| move_point(&motion, p)).collect();
        if route.len() < 2 {
            return None;
        }
        let (s0, d0) = project(&route, 0.0, 0.0);
        let heading = -interpolate(&route, s0, |p| p.heading);
        let elapsed_s = elapsed_us as f64 * 1e-6;
        let objects = surroundings.objects.iter().map(|o| move_object(&motion, &route, s0, elapsed_s, o)).collect();
        Some(Self {
            own,
            speed: believed.speed,
            acceleration: believed.acceleration,
            steering: believed.steering,
            d: d0,
            heading,
            route: route.into_iter().map(|p| Point { s: p.s - s0, ..p }).collect(),
            objects,
            visibility: f64::from(surroundings.visibility_m).max(10.0),
            friction: f64::from(surroundings.friction).clamp(0.2, 1.0),
            route_left: f64::from(surroundings.route_left_m),
        })
    }

    /// A value of the route at `s` ahead.
    pub fn at(&self, s: f64, value: impl Fn(&Point) -> f64) -> f64 {
        interpolate(&self.route, s, value)
    }

    /// The speed limit at `s` ahead: that of the station there or before, as limits do not grow gradually.
    pub fn limit_at(&self, s: f64) -> f64 {
        let after = self.route.partition_point(|p| p.s <= s);
        self.route.get(after.saturating_sub(1)).map_or(0.0, |p| p.speed_limit)
    }
}

fn move_point(motion: &Motion, p: &protocol::v1::CorridorPoint) -> Point {
    let (x, y) = motion.apply(p.x_m.into(), p.y_m.into());
    Point {
        s: p.s_m.into(),
        x,
        y,
        heading: f64::from(p.heading_rad) + motion.heading,
        curvature: p.curvature_per_m.into(),
        lane_left: p.lane_left_m.into(),
        lane_right: p.lane_right_m.into(),
        drivable_left: p.drivable_left_m.into(),
        drivable_right: p.drivable_right_m.into(),
        road_left: p.road_left_m.into(),
        speed_limit: p.speed_limit_mps.into(),
    }
}

fn move_object(motion: &Motion, route: &[Point], s0: f64, elapsed_s: f64, o: &protocol::v1::TrackedObject) -> Object {
    let (vx, vy) = (f64::from(o.velocity_x_mps), f64::from(o.velocity_y_mps));
    let (x, y) = motion.apply(f64::from(o.x_m) + vx * elapsed_s, f64::from(o.y_m) + vy * elapsed_s);
    let (s, d) = project(route, x, y);
    let along = interpolate(route, s, |p| p.heading) - motion.heading;
    let (sin, cos) = along.sin_cos();
    let turned = f64::from(o.heading_rad) - along;
    let (length, width) = (f64::from(o.length_m) / 2.0, f64::from(o.width_m) / 2.0);
    Object {
        kind: o.kind(),
        s: s - s0,
        d,
        speed_s: vx * cos + vy * sin,
        speed_d: vy * cos - vx * sin,
        half_length: length * turned.cos().abs() + width * turned.sin().abs(),
        half_width: length * turned.sin().abs() + width * turned.cos().abs(),
    }
}

/// Route coordinates of a place: arc length and offset to the left. The first and last segments are prolonged.
pub(super) fn project(route: &[Point], x: f64, y: f64) -> (f64, f64) {
    let mut best = (f64::INFINITY, 0.0, 0.0);
    let last = route.len() - 2;
    for (index, pair) in route.windows(2).enumerate() {
        let [a, b] = pair else { continue };
        let (ux, uy) = (b.x - a.x, b.y - a.y);
        let length = ux.hypot(uy).max(1e-6);
        let mut t = ((x - a.x) * ux + (y - a.y) * uy) / (length * length);
        if index > 0 {
            t = t.max(0.0);
        }
        if index < last {
            t = t.min(1.0);
        }
        let (dx, dy) = (x - (a.x + t * ux), y - (a.y + t * uy));
        let distance = dx.hypot(dy);
        if distance < best.0 {
            let side = (ux * dy - uy * dx) / length;
            best = (distance, a.s + t * (b.s - a.s), distance.copysign(side));
        }
    }
    (best.1, best.2)
}

fn interpolate(route: &[Point], s: f64, value: impl Fn(&Point) -> f64) -> f64 {
    let after = route.partition_point(|p| p.s <= s);
    match (after.checked_sub(1).and_then(|i| route.get(i)), route.get(after)) {
        (Some(a), Some(b)) => {
            let t = (s - a.s) / (b.s - a.s).max(1e-6);
            value(a) + t * (value(b) - value(a))
        }
        (Some(p), None) | (None, Some(p)) => value(p),
        (None, None) => 0.0,
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
