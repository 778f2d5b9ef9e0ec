//! Collisions, leaving the road, arriving.

use super::{EgoState, Footprint, World};
use protocol::v1::ObjectKind;

/// From here to the route's end the trip counts as done, m.
const DONE_M: f64 = 8.0;
/// How far the car's middle may be beyond the edge of the road, m.
const VERGE_M: f64 = 0.5;
/// How far from the route's line the car's middle may be before the start and past the end, m.
const OUTSIDE_M: f64 = 6.0;

/// How a trip stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorldStatus {
    /// What the car has hit; stays until the car is replaced.
    pub collided_with: Option<ObjectKind>,
    /// The middle of the car is more than 0.5 m beyond the edge of the road.
    pub off_road: bool,
    /// The rear axle is within 8 m of the route's end.
    pub route_done: bool,
}

impl World {
    pub(super) fn update_status(&mut self) {
        let body = self.ego.footprint();
        let (s_m, d_m) = self.place;
        let length_m = self.route.length_m();
        let station = self.route.at(s_m);
        let beyond = d_m > station.road_left_m + VERGE_M || -d_m > station.road_right_m + VERGE_M;
        let outside = (s_m <= 0.0 || s_m >= length_m) && d_m.abs() > OUTSIDE_M;
        self.status.off_road = beyond || outside;
        self.status.route_done = self.progress_m >= length_m - DONE_M;
        if self.status.collided_with.is_none() {
            let hit = self.actors.iter().find(|actor| body.overlaps(&Footprint::of(actor)));
            if let Some((kind, id)) = hit.map(|actor| (actor.kind, actor.id)) {
                self.status.collided_with = Some(kind);
                self.crash(kind, id);
            }
        }
    }

    /// Two vehicles stand where they met; people and cones do not stop a car.
    fn crash(&mut self, kind: ObjectKind, id: u32) {
        if matches!(kind, ObjectKind::Car | ObjectKind::Truck) {
            self.drivetrain.halt();
            self.ego = EgoState::of(&self.drivetrain, self.ego.outline);
            self.traffic.wreck(id);
        }
    }
}
