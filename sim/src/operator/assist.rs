//! Answering the vehicle's questions.

use super::planner::Plan;
use protocol::v1::{CandidatePath, PathAnswer, PathQuestion};

/// The operator has a side of its own in mind beyond this offset, metres.
const DECIDED_M: f64 = 0.5;

/// The answer of an operator that would drive `plan`: the first path on the side that it would take itself, else the one
/// that the vehicle ranks best; declined when nothing is offered.
#[must_use]
pub(super) fn answer(question: &PathQuestion, plan: Option<&Plan>) -> PathAnswer {
    let wanted = plan.map_or(0.0, |plan| plan.offset_m);
    let agrees = |path: &&CandidatePath| wanted.abs() > DECIDED_M && side(path) * wanted > 0.0;
    let chosen = question.paths.iter().find(agrees).or(question.paths.first());
    PathAnswer {
        question_id: question.id,
        declined: chosen.is_none(),
        path_id: chosen.map_or(0, |path| path.id),
        waypoints: Vec::new(),
    }
}

/// Positive for a path that swings to the left of the line between its ends.
fn side(path: &CandidatePath) -> f64 {
    let (Some(first), Some(last)) = (path.points.first(), path.points.last()) else { return 0.0 };
    let (dx, dy) = (f64::from(last.x_m - first.x_m), f64::from(last.y_m - first.y_m));
    path.points.iter().map(|p| dx * f64::from(p.y_m - first.y_m) - dy * f64::from(p.x_m - first.x_m)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::v1::Waypoint;

    fn path(id: u32, aside: f32) -> CandidatePath {
        let point = |x_m: f32, y_m: f32| Waypoint { x_m, y_m };
        CandidatePath { id, label: String::new(), points: vec![point(0.0, 0.0), point(20.0, aside), point(40.0, 0.0)] }
    }

    fn plan(offset_m: f64) -> Plan {
        Plan { offset_m, acceleration_mps2: 0.0, cruise_mps: 10.0, blocked_at_m: 20.0 }
    }

    #[test]
    fn the_operators_own_side_is_chosen_and_else_the_first() {
        let question = PathQuestion { id: 7, paths: vec![path(1, 3.0), path(2, -3.0)], ..Default::default() };
        let chosen = |offset| answer(&question, Some(&plan(offset))).path_id;
        assert_eq!((chosen(2.5), chosen(-2.5), chosen(0.0)), (1, 2, 1));
        assert_eq!(answer(&question, None).question_id, 7);
        assert!(answer(&PathQuestion::default(), None).declined);
    }
}
