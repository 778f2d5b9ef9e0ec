//! What delay does to driving from afar, in a closed loop: the scripted operator drives whole routes by the picture, with
//! the vehicle core that ships, in virtual time.
//!
//! **Delay.** `one_way_ms` is added to every datagram in both directions: to what the seat is shown (state, route and
//! objects, which stand for the video) and to what it commands. What is seen acts on the vehicle twice as late. On top
//! come a jitter of 4 ms mean, 0.5 % loss, 20 ms between pictures or commands, and nothing for camera, encoder, screen
//! or the operator's own reaction.
//!
//! **Ways to drive.** See [`Mode`].

mod seat;
mod summary;
mod trip_run;

pub use summary::{Row, Share, summarise};
pub use trip_run::{Ending, Met, Trial, run};

use crate::LoopError;
use serde::Serialize;
use sim::road::RoadNetwork;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How the operator copes with the delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Takes the picture for the present. The seat claims that each picture is fresh, which keeps the vehicle's latency
    /// governor from acting: this is how a plain seat with an honest vehicle would drive without one.
    Baseline,
    /// Takes the picture for the present; the seat says which picture it shows, and the governor limits the speed.
    Governor,
    /// Under the governor, drives the car that a single-track model predicts for the moment in which the command acts.
    Predictive,
    /// Under the governor, sends trajectories from that prediction, which the vehicle follows by itself.
    Trajectory,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Baseline, Self::Governor, Self::Predictive, Self::Trajectory];

    /// As people write it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Governor => "governor",
            Self::Predictive => "predictive",
            Self::Trajectory => "trajectory",
        }
    }
}

/// What to drive.
#[derive(Debug, Clone)]
pub struct Study {
    /// Roads, each driven equally often.
    pub roads: Vec<Arc<RoadNetwork>>,
    /// Ways to drive.
    pub modes: Vec<Mode>,
    /// Delays, one way, milliseconds.
    pub one_way_ms: Vec<f64>,
    /// Routes a road; every mode and delay drives the same ones.
    pub seeds: usize,
    /// Seed of them all.
    pub seed: u64,
    /// Wanted length of a route, metres.
    pub route_m: f64,
}

/// Why a study cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// There is no such drive.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// Somebody asked for an end.
    #[error("interrupted after {done} of {all} trips")]
    Interrupted {
        /// Trips driven.
        done: usize,
        /// Trips asked for.
        all: usize,
    },
}

/// One trip of a study.
#[derive(Debug, Clone)]
pub struct Trip {
    /// Name of the road network.
    pub road: Arc<RoadNetwork>,
    /// How the operator copes with the delay.
    pub mode: Mode,
    /// Delay, one way.
    pub one_way_ms: f64,
    /// Which route, traffic and scenario events.
    pub seed: u64,
    /// Wanted length of the route.
    pub route_m: f64,
}

impl Study {
    /// Every trip, in order.
    #[must_use]
    pub fn trips(&self) -> Vec<Trip> {
        let mut trips = Vec::new();
        for mode in &self.modes {
            for one_way_ms in &self.one_way_ms {
                for index in 0..self.seeds as u64 {
                    trips.extend(self.roads.iter().map(|road| Trip {
                        road: Arc::clone(road),
                        mode: *mode,
                        one_way_ms: *one_way_ms,
                        seed: self.seed.wrapping_mul(1_000_003).wrapping_add(index),
                        route_m: self.route_m,
                    }));
                }
            }
        }
        trips
    }

    /// Drives every trip on all cores, calling `done` after each in any order; the same trials come out in the same
    /// order however many cores there are. Ends early once `stop` is set.
    ///
    /// # Errors
    /// The first trip's error by order; [`StudyError::Interrupted`] when it was stopped.
    pub fn drive(&self, stop: &AtomicBool, done: impl Fn(&Trial) + Sync) -> Result<Vec<Trial>, StudyError> {
        let trips = self.trips();
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::with_capacity(trips.len()));
        let work = || {
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(trip) = trips.get(index) else { return };
                let result = run(trip);
                if let Ok(trial) = &result {
                    done(trial);
                }
                results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
            }
        };
        std::thread::scope(|scope| {
            let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            (0..workers).for_each(|_| drop(scope.spawn(work)));
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(index, _)| *index);
        if results.len() < trips.len() {
            return Err(StudyError::Interrupted { done: results.len(), all: trips.len() });
        }
        results.into_iter().map(|(_, result)| result).collect()
    }
}

#[cfg(test)]
#[path = "latency_study/tests.rs"]
mod tests;
