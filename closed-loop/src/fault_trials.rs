//! Faults on purpose: seeded drives in virtual time over the built-in roads, each of which loses something on the way.
//!
//! A trial passes when the minimal risk manoeuvre begins at most 200 ms after the last valid command, when the car
//! stands within v * 0.2 s + v^2 / (2 a) of where that command left it, inside its lane, and when nothing that arrives
//! later moves it again. With a failed actuator it begins once what the actuator does has differed from what it was told
//! for long enough, and promises what the other actuators can do; an e-stop must be latched besides.

mod actuators;
mod link;
mod outcome;
mod seat;
mod struck;
mod trial_run;

pub use outcome::Outcome;
pub use trial_run::run;

use crate::LoopError;
use protocol::Embodiment;
use serde::Serialize;
use sim::road::RoadNetwork;
use std::sync::Arc;

/// A robot that is not faster than this is no part of road traffic, m/s.
const TRAFFIC_MPS: f64 = 5.0;

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing reaches the vehicle; all of it is delivered in one burst a second later.
    LinkCutToVehicle,
    /// Nothing reaches the seat, whose picture then stands still.
    LinkCutToSeat,
    /// Both.
    LinkCutBothWays,
    /// The seat's session ends.
    SessionEnds,
    /// The seat stands still for 1.5 s, then goes on with what it knew.
    SeatFrozen,
    /// The operator lets go.
    DeadmanReleased,
    /// The seat's clock jumps back.
    SeatClockBack,
    /// The seat's clock jumps ahead, and back after a second.
    SeatClockAheadAndBack,
    /// The picture freezes while state and commands flow.
    PictureFrozen,
    /// The policy drives and answers no more.
    PolicyHung,
    /// The policy drives and is shown nonsense that it cannot answer.
    PolicyFails,
    /// The lidar falls silent.
    LidarLost,
    /// Route and objects are no longer seen.
    SurroundingsLost,
    /// The robot no longer knows its own state.
    StateLost,
    /// The control loop stalls.
    LoopStalls,
    /// The lidar goes on sending scans in which nothing can be seen.
    LidarBlind,
    /// The wheels stay where they are, as the operator swerves.
    SteeringStuck,
    /// The brakes do not bite, as the operator asks for all they have.
    BrakesFailed,
    /// The engine gives all it has unless the brakes hold it.
    EngineStuck,
    /// Somebody presses the button on the vehicle.
    EstopPressed,
    /// A seat that only watches presses the e-stop while another one drives.
    EstopByWatcher,
    /// The seat that drives presses the e-stop, and nothing else of its session works any more in either direction.
    EstopHalfBroken,
    /// A seat presses the e-stop while the policy drives.
    EstopPolicyDrives,
    /// The same in Assist.
    EstopInAssist,
    /// The operator lets go, and presses the e-stop while the car is stopping.
    EstopWhileStopping,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 25] = [
        Self::LinkCutToVehicle,
        Self::LinkCutToSeat,
        Self::LinkCutBothWays,
        Self::SessionEnds,
        Self::SeatFrozen,
        Self::DeadmanReleased,
        Self::SeatClockBack,
        Self::SeatClockAheadAndBack,
        Self::PictureFrozen,
        Self::PolicyHung,
        Self::PolicyFails,
        Self::LidarLost,
        Self::SurroundingsLost,
        Self::StateLost,
        Self::LoopStalls,
        Self::LidarBlind,
        Self::SteeringStuck,
        Self::BrakesFailed,
        Self::EngineStuck,
        Self::EstopPressed,
        Self::EstopByWatcher,
        Self::EstopHalfBroken,
        Self::EstopPolicyDrives,
        Self::EstopInAssist,
        Self::EstopWhileStopping,
    ];

    /// Whether the policy drives when it strikes.
    #[must_use]
    pub fn strikes_the_policy(self) -> bool {
        matches!(self, Self::PolicyHung | Self::PolicyFails | Self::EstopPolicyDrives | Self::EstopInAssist)
    }

    /// Whether an actuator fails.
    #[must_use]
    pub fn is_of_an_actuator(self) -> bool {
        matches!(self, Self::SteeringStuck | Self::BrakesFailed | Self::EngineStuck)
    }

    /// Whether somebody presses an e-stop.
    #[must_use]
    pub fn is_an_estop(self) -> bool {
        let by_seat = matches!(self, Self::EstopByWatcher | Self::EstopHalfBroken | Self::EstopWhileStopping);
        by_seat || matches!(self, Self::EstopPressed | Self::EstopPolicyDrives | Self::EstopInAssist)
    }
}

/// Worst figures of all trials of one robot with one fault.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Name of the robot's embodiment.
    pub robot: String,
    /// Which fault.
    pub fault: Fault,
    /// How many trials.
    pub trials: usize,
    /// How many of them failed.
    pub failed: usize,
    /// Fastest car at the last valid command, m/s.
    pub fastest_mps: f64,
    /// Longest time from the last valid command to the manoeuvre, milliseconds.
    pub latest_ms: f64,
    /// Greatest stopping distance as a share of the allowed one; absent where none is promised.
    pub distance_share: Option<f64>,
    /// Greatest rise of the speed after the manoeuvre began, m/s: an engine needs time to let go.
    pub speed_rise_mps: f64,
    /// Least distance of the car's body to the edge of its lane, metres; negative outside; absent where it is not promised.
    pub lane_margin_m: Option<f64>,
}

/// Why trials cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// There is no such drive.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// Nowhere to drive.
    #[error("trials need at least one road")]
    NoRoad,
    /// The drive never got so far that the fault could strike.
    #[error("trial {seed} on {road}: the car never drove long enough inside its lane for a fault to strike")]
    NeverDrove {
        /// Which trial.
        seed: u64,
        /// Name of the road network.
        road: String,
    },
}

/// Where a robot's trials are driven: on the built-in roads, and, if it is too slow for traffic, on the open plane too.
///
/// # Errors
/// [`TrialError`] when one cannot be read: a bug.
pub fn roads_of(embodiment: &Embodiment) -> Result<Vec<Arc<RoadNetwork>>, TrialError> {
    let names = RoadNetwork::built_in_names().iter();
    let mut roads: Vec<_> = names.map(|name| RoadNetwork::built_in(name)).collect();
    roads.extend((embodiment.fastest_mps() < TRAFFIC_MPS).then(RoadNetwork::plane));
    Ok(roads.into_iter().map(|road| road.map(Arc::new)).collect::<Result<_, _>>().map_err(LoopError::from)?)
}

/// Runs `trials` trials of a robot in turn over all faults and `roads`, calling `done` after each.
///
/// # Errors
/// [`TrialError`] when one cannot be run; a trial that fails is a result.
pub fn run_all(
    trials: usize,
    seed: u64,
    embodiment: &Embodiment,
    roads: &[Arc<RoadNetwork>],
    mut done: impl FnMut(&Outcome),
) -> Result<Vec<Row>, TrialError> {
    let mut outcomes = Vec::with_capacity(trials);
    for index in 0..trials {
        let fault = Fault::ALL[index % Fault::ALL.len()];
        let road = roads.get(index / Fault::ALL.len() % roads.len().max(1)).ok_or(TrialError::NoRoad)?;
        let outcome = run(fault, embodiment, road, seed.wrapping_add(index as u64))?;
        done(&outcome);
        outcomes.push(outcome);
    }
    Ok(Fault::ALL.iter().filter_map(|fault| row(*fault, &embodiment.name, &outcomes)).collect())
}

fn row(fault: Fault, robot: &str, outcomes: &[Outcome]) -> Option<Row> {
    let own: Vec<&Outcome> = outcomes.iter().filter(|o| o.fault == fault).collect();
    let most = |value: fn(&Outcome) -> f64| own.iter().map(|o| value(o)).fold(f64::NEG_INFINITY, f64::max);
    (!own.is_empty()).then(|| Row {
        robot: robot.to_owned(),
        fault,
        trials: own.len(),
        failed: own.iter().filter(|o| !o.passes()).count(),
        fastest_mps: most(|o| o.speed_mps),
        latest_ms: most(|o| o.delay_us as f64 / 1e3),
        distance_share: fault.promises_distance().then(|| most(|o| o.distance_m / o.allowed_m)),
        speed_rise_mps: most(|o| o.speed_rise_mps),
        lane_margin_m: fault.promises_lane().then(|| -most(|o| -o.lane_margin_m)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_on_every_road_stops_either_robot_in_time_and_in_its_lane() {
        let mut failed = Vec::new();
        for robot in Embodiment::built_in() {
            let roads = roads_of(robot).unwrap();
            let rows = run_all(Fault::ALL.len() * roads.len(), 1, robot, &roads, |o| {
                if !o.passes() {
                    failed.push(o.clone());
                }
            })
            .unwrap();
            assert!(rows.len() == Fault::ALL.len() && rows.iter().all(|r| r.trials == roads.len()));
        }
        assert!(failed.is_empty(), "{failed:#?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_trial() {
        let road = Arc::new(RoadNetwork::built_in("soderleden").unwrap());
        for robot in Embodiment::built_in() {
            let trial = || run(Fault::SeatFrozen, robot, &road, 7).unwrap();
            assert_eq!(trial(), trial());
        }
    }
}
