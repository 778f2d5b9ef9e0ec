//! Where the scenario events of a trip are.

use super::closure::{cones, double_parked};
use super::cut_in::CutIn;
use super::pedestrian::Pedestrian;
use super::rain::Rain;
use super::{Placed, ScenarioEvent, ScenarioEvents};
use crate::route::Route;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

/// Nothing happens before this place of an ordinary route, m.
const FIRST_M: f64 = 150.0;
/// The same on a route shorter than [`SHORT_M`], m.
const FIRST_SHORT_M: f64 = 60.0;
const SHORT_M: f64 = 300.0;
/// Nothing begins within this distance of the route's end, m.
const LAST_M: f64 = 70.0;

/// Draws the scenario events of a trip: the kinds take turns in random order, and a kind that does not fit a place (no
/// room to pass, say) gives way to the next.
pub(crate) fn place(route: &Route, kinds: &[ScenarioEvent], spacing_m: f64, rng: &mut impl Rng) -> ScenarioEvents {
    let mut out = ScenarioEvents::default();
    let length_m = route.length_m();
    let mut s_m = if length_m < SHORT_M { FIRST_SHORT_M } else { FIRST_M };
    s_m += rng.random_range(0.0..0.4) * spacing_m.min(length_m / 2.0);
    let mut next_id = 0;
    let mut turns: Vec<ScenarioEvent> = Vec::new();
    while s_m < length_m - LAST_M && !kinds.is_empty() {
        if turns.is_empty() {
            turns = kinds.to_vec();
            turns.shuffle(rng);
        }
        let fitting = turns.iter().position(|kind| out.try_add(*kind, route, s_m, rng, &mut next_id));
        if let Some(index) = fitting {
            let kind = turns.remove(index);
            out.placed.push(Placed { kind, s_m });
            s_m += spacing_m.max(40.0) * rng.random_range(0.75..1.25);
        } else {
            turns.clear();
            s_m += 0.25 * spacing_m.max(40.0);
        }
    }
    out
}

impl ScenarioEvents {
    fn try_add(&mut self, kind: ScenarioEvent, route: &Route, s_m: f64, rng: &mut impl Rng, next_id: &mut u32) -> bool {
        let blockage = match kind {
            ScenarioEvent::ConesClosingLane => cones(route, s_m, rng, next_id),
            ScenarioEvent::DoubleParked => double_parked(route, s_m, rng, next_id),
            ScenarioEvent::CutInAndBrake => {
                self.cut_ins.push(cut_in(route, s_m, rng));
                return true;
            }
            ScenarioEvent::PedestrianStepsOut => {
                self.people.push(Pedestrian::new(route, s_m, rng, next_id));
                return true;
            }
            ScenarioEvent::HeavyRain => {
                self.rains.push(Rain::new(s_m, rng));
                return true;
            }
        };
        let fits = blockage.is_some();
        self.blockages.extend(blockage);
        fits
    }
}

/// From the lane beside where there is one, from the roadside elsewhere.
fn cut_in(route: &Route, s_m: f64, rng: &mut impl Rng) -> CutIn {
    let station = route.at(s_m);
    let beside = (station.drivable_left_m - station.lane_left_m).max(station.drivable_right_m - station.lane_right_m);
    let roadside = (beside < 2.5).then_some(-(station.lane_right_m + 1.2));
    CutIn::new(s_m, roadside, rng)
}
