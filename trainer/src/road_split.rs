//! Which roads are for what: nobody trains on the report's roads, and where there are enough the gate has its own.

use crate::seeds::SeedPurpose;
use sha2::{Digest, Sha256};
use sim::road::RoadNetwork;
use std::sync::Arc;

/// From so many roads on, those of the report included, the gate has its own.
const ENOUGH_ROADS: usize = 6;
/// One road in so many of those to learn on becomes the gate's.
const GATE_SHARE: usize = 4;

/// Roads by what they are for.
#[derive(Debug, Clone)]
pub struct RoadSplit {
    /// To learn on.
    pub training: Vec<Arc<RoadNetwork>>,
    /// To compare a candidate with its predecessor on; those of training where there are few roads.
    pub gate: Vec<Arc<RoadNetwork>>,
    /// To report on.
    pub report: Vec<Arc<RoadNetwork>>,
}

/// Why roads cannot be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoadSplitError {
    /// The same road on both sides.
    #[error(
        "the road {road:?} to learn on is {held_out:?} of the roads kept out of training: a report on it would say how well a \
         policy remembers; take it away from one of the two"
    )]
    TrainedAndReported {
        /// Name among the roads to learn on.
        road: String,
        /// Name among those kept out.
        held_out: String,
    },
    /// A side has none.
    #[error("there is no road to {0} on")]
    None(&'static str),
}

impl RoadSplit {
    /// Splits `roads` into training's and the gate's, and keeps `report` apart. With six roads in all and more, a quarter of
    /// `roads`, at least one, is the gate's: drawn by `seed` from what the roads are, not from their order or names.
    ///
    /// # Errors
    /// [`RoadSplitError`] when a side has no road or a road of the report is to be trained on.
    pub fn new(roads: &[Arc<RoadNetwork>], report: &[Arc<RoadNetwork>], seed: u64) -> Result<Self, RoadSplitError> {
        for (side, what) in [(roads, "learn"), (report, "report")] {
            if side.is_empty() {
                return Err(RoadSplitError::None(what));
            }
        }
        for road in roads {
            if let Some(held_out) = report.iter().find(|held_out| held_out.xodr() == road.xodr()) {
                let (road, held_out) = (road.name().to_owned(), held_out.name().to_owned());
                return Err(RoadSplitError::TrainedAndReported { road, held_out });
            }
        }
        let own = if roads.len() + report.len() >= ENOUGH_ROADS && roads.len() >= 2 {
            (roads.len() / GATE_SHARE).max(1)
        } else {
            0
        };
        let mut order: Vec<usize> = (0..roads.len()).collect();
        order.sort_by_key(|index| (rank(&roads[*index], seed), *index));
        let is_gates = |index: usize| order.iter().take(own).any(|of_gate| *of_gate == index);
        let pick = |wanted: bool| {
            let picked = roads.iter().enumerate().filter(|(index, _)| is_gates(*index) == wanted);
            picked.map(|(_, road)| Arc::clone(road)).collect::<Vec<_>>()
        };
        let training = pick(false);
        let gate = if own > 0 { pick(true) } else { training.clone() };
        Ok(Self { training, gate, report: report.to_vec() })
    }
}

/// Where a road stands in the draw.
fn rank(road: &RoadNetwork, seed: u64) -> u64 {
    let digest = Sha256::digest(road.xodr());
    let part = digest.iter().take(8).fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    SeedPurpose::Gate.derive(seed, &[part])
}

/// The names of roads, in their order.
#[must_use]
pub fn names(roads: &[Arc<RoadNetwork>]) -> Vec<String> {
    roads.iter().map(|road| road.name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Straight roads that differ in their width.
    fn roads(count: usize) -> Vec<Arc<RoadNetwork>> {
        let plane = RoadNetwork::plane().unwrap();
        let road = |i: usize| {
            let text = plane.xodr().replacen("<OpenDRIVE>", &format!("<OpenDRIVE><!-- road {i} -->"), 1);
            assert_ne!(text, plane.xodr());
            Arc::new(RoadNetwork::from_xodr(&format!("road{i}"), &text).unwrap())
        };
        (0..count).map(road).collect()
    }

    #[test]
    fn six_roads_and_more_give_the_gate_its_own() {
        let all = roads(9);
        for (training, report, own) in [(2, 1, 0), (4, 1, 0), (5, 1, 1), (4, 2, 1), (8, 1, 2), (1, 5, 0)] {
            let split = RoadSplit::new(&all[..training], &all[8 - report + 1..], 7).unwrap();
            let (learnt, gates) = (names(&split.training), names(&split.gate));
            assert_eq!(learnt.len(), training - own, "{training} and {report}");
            assert_eq!(gates.len(), if own > 0 { own } else { training });
            assert!(own == 0 || gates.iter().all(|road| !learnt.contains(road)), "{learnt:?} {gates:?}");
        }
        let drawn = |seed| names(&RoadSplit::new(&all[..8], &all[8..], seed).unwrap().gate);
        assert_eq!(drawn(1), drawn(1));
        assert!((2..20).any(|seed| drawn(seed) != drawn(1)), "the seed draws them");
        let mut turned: Vec<_> = all[..8].to_vec();
        turned.reverse();
        let mut again = names(&RoadSplit::new(&turned, &all[8..], 1).unwrap().gate);
        again.reverse();
        assert_eq!(again, drawn(1), "whatever the order");
    }

    #[test]
    fn nobody_trains_on_the_roads_of_the_report() {
        let all = roads(3);
        let renamed = Arc::new(RoadNetwork::from_xodr("other", all[1].xodr()).unwrap());
        let error = RoadSplit::new(&all[..2], &[renamed], 1).unwrap_err().to_string();
        assert!(error.contains("\"road1\"") && error.contains("\"other\""), "{error}");
        assert_eq!(RoadSplit::new(&[], &all, 1).unwrap_err(), RoadSplitError::None("learn"));
        assert_eq!(RoadSplit::new(&all, &[], 1).unwrap_err(), RoadSplitError::None("report"));
    }
}
