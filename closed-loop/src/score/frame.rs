//! What the score looks at.

use super::collision;
use protocol::v1::ObjectKind;
use sim::route::Station;
use sim::scene::Actor;
use sim::world::{EgoState, Footprint, World};

/// Something that moves, or may.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mover {
    /// Which; 0 for the car itself.
    pub id: u32,
    /// Its outline.
    pub body: Footprint,
    /// Speed along its heading, m/s.
    pub speed_mps: f64,
    /// Neither a vehicle nor a person.
    pub is_thing: bool,
}

impl Mover {
    fn of(actor: &Actor) -> Self {
        let is_thing = actor.kind == ObjectKind::Cone;
        Self { id: actor.id, body: Footprint::of(actor), speed_mps: actor.speed_mps, is_thing }
    }

    /// Its outline after `seconds` with speed and heading held.
    pub(super) fn after(&self, seconds: f64) -> Footprint {
        let way_m = self.speed_mps * seconds;
        let body = self.body;
        Footprint { x_m: body.x_m + way_m * body.cos, y_m: body.y_m + way_m * body.sin, ..body }
    }

    /// The line of its front end.
    pub(super) fn front(&self) -> Footprint {
        const THIN_M: f64 = 0.01;
        let ahead_m = self.body.half_length_m - THIN_M;
        let (x_m, y_m) = (self.body.x_m + ahead_m * self.body.cos, self.body.y_m + ahead_m * self.body.sin);
        Footprint { x_m, y_m, half_length_m: THIN_M, ..self.body }
    }
}

/// What the car struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Struck {
    pub is_thing: bool,
    pub at_fault: bool,
}

/// The world and who drives at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreFrame {
    /// Since the start of the trip, seconds.
    pub time_s: f64,
    /// Whether the policy has authority.
    pub policy_drives: bool,
    /// Whether it asks for help.
    pub asks_for_help: bool,
    /// The car.
    pub ego: Mover,
    /// Its origin (a car's rear axle), metres.
    pub origin: (f64, f64),
    /// Its acceleration along its heading, m/s^2.
    pub acceleration_mps2: f64,
    /// Its yaw rate.
    pub yaw_rate_radps: f64,
    /// Way driven, metres.
    pub odometer_m: f64,
    /// Place along the route, metres.
    pub progress_m: f64,
    /// Limit in force.
    pub limit_mps: f64,
    /// Least distance of a corner to the edge of the road, metres; negative beyond it.
    pub edge_margin_m: f64,
    /// Whether the body reaches out of its lane.
    pub in_several_lanes: bool,
    /// Whether it moves, or would, against the traffic of the place, without passing something.
    pub against_traffic: bool,
    /// Friction between tyres and road, 0 to 1.
    pub friction: f64,
    /// Who and what else is near.
    pub others: Vec<Mover>,
    /// What the car has struck at this moment.
    pub(super) struck: Option<Struck>,
}

/// Who moves slower stands, m/s.
const STANDS_MPS: f64 = 0.5;
/// Obstacles so far behind and ahead are a reason to be beside the own lane, metres.
const PASSING_M: (f64, f64) = (15.0, 45.0);

impl ScoreFrame {
    /// The moment in `world`. `before` is the frame before, for the speeds before a collision.
    #[must_use]
    pub fn of(world: &World, policy_drives: bool, asks_for_help: bool, before: Option<&Self>) -> Self {
        let ego = world.ego();
        let body = ego.footprint();
        let (s_m, d_m) = world.route().project(body.x_m, body.y_m, world.progress_m());
        let station = world.station(s_m);
        let mut frame = Self {
            time_s: world.time_s(),
            policy_drives,
            asks_for_help,
            ego: Mover { id: 0, body, speed_mps: ego.speed_mps, is_thing: false },
            origin: (ego.x_m, ego.y_m),
            acceleration_mps2: ego.acceleration_mps2,
            yaw_rate_radps: ego.yaw_rate_radps,
            odometer_m: ego.odometer_m,
            progress_m: world.progress_m(),
            limit_mps: station.speed_limit_mps,
            edge_margin_m: edge_margin_m(world, &body),
            in_several_lanes: reaches_out(&station, ego, d_m),
            against_traffic: is_against_traffic(world, &station, ego, (s_m, d_m)),
            friction: world.friction(),
            others: world.actors().iter().map(Mover::of).collect(),
            struck: None,
        };
        if world.status().collided_with.is_some() {
            frame.struck = before.and_then(|before| collision::struck(before, &frame));
        }
        frame
    }

    /// Name of the operating domain: weather and band of the speed limit.
    #[must_use]
    pub fn domain(&self) -> String {
        // The bounds of a recorded episode's weather.
        let weather = match self.friction {
            friction if friction > 0.95 => "clear",
            friction if friction > 0.65 => "rain",
            _ => "heavy rain",
        };
        let kmh = protocol::units::kmh(self.limit_mps).round();
        match [30.0, 50.0, 70.0].into_iter().find(|band| kmh <= *band) {
            Some(band) => format!("{weather}, limit to {band} km/h"),
            None => format!("{weather}, limit above 70 km/h"),
        }
    }
}

fn edge_margin_m(world: &World, body: &Footprint) -> f64 {
    let corners = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)];
    let margins = corners.map(|(ahead, left)| {
        let (along, across) = (ahead * body.half_length_m, left * body.half_width_m);
        let (x, y) = (body.x_m + along * body.cos - across * body.sin, body.y_m + along * body.sin + across * body.cos);
        let (s, d) = world.route().project(x, y, world.progress_m());
        let station = world.route().at(s);
        (station.road_left_m - d).min(station.road_right_m + d)
    });
    margins.into_iter().fold(f64::INFINITY, f64::min)
}

fn reaches_out(station: &Station, ego: &EgoState, d_m: f64) -> bool {
    let half_m = ego.outline.half_width_m;
    d_m + half_m > station.lane_left_m || d_m - half_m < -station.lane_right_m
}

/// Whether the car faces backwards, or its middle is in the lanes of the other direction though its own is free.
fn is_against_traffic(world: &World, station: &Station, ego: &EgoState, (s_m, d_m): (f64, f64)) -> bool {
    if (ego.heading_rad - station.heading_rad).cos() < 0.0 {
        return true;
    }
    let is_oncoming = d_m > station.drivable_left_m || -d_m > station.drivable_right_m;
    let is_on_road = d_m < station.road_left_m && -d_m < station.road_right_m;
    is_oncoming && is_on_road && !is_passing(world, s_m)
}

/// Whether something that stands in the own lane is near.
fn is_passing(world: &World, s_m: f64) -> bool {
    world.actors().iter().any(|actor| {
        if actor.kind == ObjectKind::Pedestrian || actor.speed_mps.abs() > STANDS_MPS {
            return false;
        }
        let (at_m, across_m) = world.route().project(actor.x_m, actor.y_m, s_m);
        let station = world.route().at(at_m);
        let half_m = actor.width_m / 2.0;
        (s_m - PASSING_M.0..s_m + PASSING_M.1).contains(&at_m)
            && across_m - half_m < station.lane_left_m
            && across_m + half_m > -station.lane_right_m
    })
}
