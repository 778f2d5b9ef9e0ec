//! What vehicles say about themselves right now: in memory only, gone with the process.

use crate::reply::{ApiError, ApiResult};
use crate::store::now_ms;
use axum::http::StatusCode;
use protocol::VehicleId;
use protocol::api::{ClockView, VehicleStatus, VehicleView};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Vehicles whose state is kept.
const MAX_VEHICLES: usize = 10_000;

/// The latest state of each vehicle.
#[derive(Debug, Default)]
pub struct Live(Mutex<BTreeMap<VehicleId, (VehicleStatus, Instant, i64)>>);

impl Live {
    fn statuses(&self) -> MutexGuard<'_, BTreeMap<VehicleId, (VehicleStatus, Instant, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the vehicle's state.
    pub fn report(&self, status: VehicleStatus) -> ApiResult<()> {
        let mut statuses = self.statuses();
        if statuses.len() >= MAX_VEHICLES && !statuses.contains_key(&status.vehicle) {
            let text = format!("vehicle: {MAX_VEHICLES} vehicles report their state already");
            return Err(ApiError::Client(StatusCode::TOO_MANY_REQUESTS, text));
        }
        statuses.insert(status.vehicle.clone(), (status, Instant::now(), now_ms()));
        Ok(())
    }

    /// What all vehicles together say of their control loops and of what they refused.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for (status, _, _) in self.statuses().values() {
            if let Some(timing) = status.timing {
                totals.missed_deadlines = totals.missed_deadlines.saturating_add(timing.missed_deadlines);
                totals.lateness_max_us = totals.lateness_max_us.max(timing.lateness_max_us);
            }
            for (reason, count) in &status.refused {
                let total = totals.refused.entry(reason.clone()).or_default();
                *total = total.saturating_add(*count);
            }
        }
        totals
    }

    /// The newest order on its geofence that a vehicle keeps to, as it said last.
    pub fn geofence_serial(&self, vehicle: &VehicleId) -> Option<u64> {
        self.statuses().get(vehicle).and_then(|(status, _, _)| status.geofence_serial)
    }

    /// Completes the list from the database with who is connected and what they reported, by name.
    pub fn complete(&self, known: Vec<VehicleView>, online: &BTreeSet<VehicleId>) -> Vec<VehicleView> {
        let mut views: BTreeMap<VehicleId, VehicleView> =
            known.into_iter().map(|view| (view.vehicle.clone(), view)).collect();
        let statuses = self.statuses();
        for id in online.iter().chain(statuses.keys()) {
            views.entry(id.clone()).or_insert_with(|| VehicleView::unknown(id.clone()));
        }
        for (id, view) in &mut views {
            if online.contains(id) {
                view.online = true;
                view.last_seen_ms = now_ms();
            }
            if let Some((status, at, at_ms)) = statuses.get(id) {
                view.last_seen_ms = view.last_seen_ms.max(*at_ms);
                view.status_age_ms = u64::try_from(at.elapsed().as_millis()).ok();
                view.mode = Some(status.mode.clone());
                view.author = Some(status.author.clone());
                view.speed_mps = Some(status.speed_mps);
                view.policy = Some(status.policy.clone());
                view.round_trip_ms = status.round_trip_ms;
                view.refused.clone_from(&status.refused);
                view.timing = status.timing;
                view.upload = status.upload;
                view.clock = status.clock.map(ClockView::of);
                if let Some(geofence) = &mut view.geofence {
                    geofence.obeyed = status.geofence_serial == Some(geofence.serial);
                }
            }
        }
        views.into_values().collect()
    }
}

/// Sums over vehicles.
#[derive(Debug, Default, PartialEq)]
pub struct Totals {
    /// Control deadlines missed.
    pub missed_deadlines: u64,
    /// The latest tick of any vehicle's last second.
    pub lateness_max_us: f64,
    /// Messages refused, by reason.
    pub refused: BTreeMap<String, u64>,
}
