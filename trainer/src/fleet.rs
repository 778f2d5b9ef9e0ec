//! A fleet in virtual time: many trips over many roads, two at a time or as many as there are cores, with the same
//! result whatever the number.

use crate::policy_seat::PolicySeat;
use crate::seeds::SeedPurpose;
use closed_loop::driver::Driver;
use closed_loop::necessity::NecessityConfig;
use closed_loop::virtual_drive::{DriveError, LinkModel, Recording, TripPlan, TripReport, drive};
use protocol::{IdError, VehicleId};
use rayon::prelude::*;
use sim::road::RoadNetwork;
use sim::scenario_event::ScenarioEvent;
use sim::world::WorldConfig;
use std::ops::Range;
use std::sync::Arc;
use vehicle_core::CoreConfig;

/// Trips to drive.
#[derive(Debug, Clone)]
pub struct FleetPlan {
    /// Start of every trip's id, such as `t1-collect`.
    pub name: String,
    /// Roads, driven in turn.
    pub roads: Vec<Arc<RoadNetwork>>,
    /// Seed of this fleet; each trip gets its own from it.
    pub seed: u64,
    /// What the trips are for.
    pub purpose: SeedPurpose,
    /// Kinds of events on the way.
    pub events: Vec<ScenarioEvent>,
    /// How many trips.
    pub trips: usize,
    /// Wanted length of a trip's route, metres.
    pub route_m: f64,
    /// Longest virtual time of a trip, seconds.
    pub max_time_s: f64,
    /// What becomes of takeovers.
    pub recording: Recording,
    /// Of which turn of the flywheel the trips are, if of any.
    pub turn: Option<u64>,
    /// Whether the operators answer the policy's questions rather than take over for them.
    pub assists: bool,
    /// How takeovers are judged, if they are.
    pub necessity: Option<NecessityConfig>,
}

/// Vehicles that the fleet's trips are spread over.
const VEHICLES: usize = 4;
/// Virtual time between the starts of two trips, seconds.
const TRIP_SLOT_S: u64 = 3_600;

impl FleetPlan {
    /// The plan of trip `index`.
    ///
    /// # Errors
    /// [`IdError`] when the name does not fit an identifier.
    pub fn trip(&self, index: usize) -> Result<TripPlan, IdError> {
        let network = Arc::clone(&self.roads[index % self.roads.len()]);
        let seed = self.purpose.derive(self.seed, &[index as u64]);
        Ok(TripPlan {
            id: format!("{}-{index:03}", self.name),
            vehicle: VehicleId::new(format!("virtual-{}", index % VEHICLES + 1))?,
            driver: Driver::Policy,
            network,
            world: WorldConfig {
                seed,
                traffic_per_km: 8.0,
                scenario_events: self.events.clone(),
                scenario_event_spacing_m: 450.0,
                cruise_cap_mps: 16.0,
                target_length_m: self.route_m,
            },
            link: LinkModel::default(),
            core: CoreConfig::default(),
            max_time_s: self.max_time_s,
            recording: self.recording.clone(),
            assists: self.assists,
            turn: self.turn,
            starts_at_s: index as u64 * TRIP_SLOT_S,
            necessity: self.necessity.clone(),
        })
    }

    /// Names of the kinds of events on the way.
    #[must_use]
    pub fn event_names(&self) -> Vec<String> {
        let name = |kind: &ScenarioEvent| serde_json::to_value(kind).ok()?.as_str().map(str::to_owned);
        self.events.iter().filter_map(name).collect()
    }

    /// Does `work` for every trip, several at a time.
    ///
    /// # Errors
    /// The first trip's error, by order.
    pub fn try_each<T: Send, E: From<IdError> + Send>(
        &self,
        work: impl Fn(TripPlan) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E> {
        self.try_some(0..self.trips, work)
    }

    fn try_some<T: Send, E: From<IdError> + Send>(
        &self,
        which: Range<usize>,
        work: impl Fn(TripPlan) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E> {
        let results: Vec<Result<T, E>> = which.into_par_iter().map(|index| work(self.trip(index)?)).collect();
        results.into_iter().collect()
    }

    /// Drives every trip with `seat`, calling `done` as each ends, in any order. The reports come in the trips' order.
    ///
    /// # Errors
    /// The first trip's error, by order.
    pub fn drive(&self, seat: &PolicySeat, done: impl Fn(&TripReport) + Sync) -> Result<Vec<TripReport>, DriveError> {
        self.drive_some(0..self.trips, seat, done)
    }

    /// The same for the trips of these numbers.
    ///
    /// # Errors
    /// The first trip's error, by order.
    pub fn drive_some(
        &self,
        which: Range<usize>,
        seat: &PolicySeat,
        done: impl Fn(&TripReport) + Sync,
    ) -> Result<Vec<TripReport>, DriveError> {
        self.try_some(which, |trip| {
            let report = drive(&TripPlan { driver: seat.driver, ..trip }, seat.policy.clone())?;
            done(&report);
            Ok(report)
        })
    }
}
