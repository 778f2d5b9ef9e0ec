//! A trip's plan as its episodes carry it: with the map beside it and the policy, all that is needed to drive the trip again.

use super::{LinkModel, Recording, TripPlan};
use crate::driver::Driver;
use policy::Policy;
use protocol::{Attachment, PolicyVersion, VehicleId};
use serde::{Deserialize, Serialize};
use sim::road::RoadNetwork;
use sim::world::WorldConfig;
use std::sync::Arc;
use vehicle_core::CoreConfig;

/// Name of the attachment.
pub const PLAN_ATTACHMENT: &str = "plan.json";
/// Version of the attachment's format.
const FORMAT: u32 = 1;
/// Longest trip that is driven again, seconds: a day.
const LONGEST_S: f64 = 86_400.0;
/// Longest delay of a link and longest time of the vehicle core's settings, seconds.
const LONGEST_DELAY_S: f64 = 3_600.0;
/// Highest loss: a reliable message is sent again until it arrives.
const MOST_LOSS: f64 = 0.99;
/// Virtual seconds up to the year 2100: later ones do not fit what counts nanoseconds.
const LATEST_START_S: u64 = 2_300_000_000;

/// Why a stored plan cannot be driven.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StoredPlanError {
    /// Not the JSON of a plan.
    #[error("{PLAN_ATTACHMENT} cannot be read: {0}")]
    Unreadable(String),
    /// Of another release.
    #[error("{PLAN_ATTACHMENT} has format {0}, this build reads {FORMAT}")]
    Format(u32),
    /// A value that no trip has.
    #[error("{PLAN_ATTACHMENT} says {name} is {value}; it must be {expected}")]
    Value {
        /// Which value.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
}

/// See the [module](self). How the trip was recorded and judged is no part of it: neither changes the drive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPlan {
    format: u32,
    /// Version of the software that drove.
    pub software: String,
    /// Identity of the trip.
    pub id: String,
    /// Which vehicle.
    pub vehicle: VehicleId,
    /// Which policy drove.
    pub policy: PolicyVersion,
    /// SHA-256 of its weights, hex.
    pub weights_sha256: String,
    /// Who sat in the policy's seat.
    #[serde(default)]
    pub driver: Driver,
    /// Traffic, scenario events, seed.
    pub world: WorldConfig,
    /// Link between vehicle and seat.
    pub link: LinkModel,
    /// Vehicle core.
    pub core: CoreConfig,
    /// Longest virtual time, seconds.
    pub max_time_s: f64,
    /// Whether the operator lets the policy drive in `Assist`.
    pub assists: bool,
    /// Virtual time of the start.
    pub starts_at_s: u64,
}

impl StoredPlan {
    /// That of `plan`, driven with `policy`.
    #[must_use]
    pub fn of(plan: &TripPlan, policy: &Policy) -> Self {
        Self {
            format: FORMAT,
            software: concat!("takeover ", env!("CARGO_PKG_VERSION")).to_owned(),
            id: plan.id.clone(),
            vehicle: plan.vehicle.clone(),
            policy: policy.manifest().version.clone(),
            weights_sha256: policy.manifest().weights_sha256.clone(),
            driver: plan.driver,
            world: plan.world.clone(),
            link: plan.link.clone(),
            core: plan.core.clone(),
            max_time_s: plan.max_time_s,
            assists: plan.assists,
            starts_at_s: plan.starts_at_s,
        }
    }

    /// As an attachment.
    ///
    /// # Errors
    /// [`StoredPlanError::Unreadable`] when it does not fit JSON.
    pub fn attachment(&self) -> Result<Attachment, StoredPlanError> {
        let data = serde_json::to_vec(self).map_err(|error| StoredPlanError::Unreadable(error.to_string()))?;
        Ok(Attachment {
            name: PLAN_ATTACHMENT.to_owned(),
            media_type: "application/json".to_owned(),
            data: data.into(),
        })
    }

    /// Reads the attachment's content.
    ///
    /// # Errors
    /// [`StoredPlanError`] when it is none, or of a trip that nobody can drive.
    pub fn read(data: &[u8]) -> Result<Self, StoredPlanError> {
        let plan: Self =
            serde_json::from_slice(data).map_err(|error| StoredPlanError::Unreadable(error.to_string()))?;
        plan.check()?;
        Ok(plan)
    }

    /// What could make a loop in virtual time endless or overflow; the world checks the rest when it is made.
    fn check(&self) -> Result<(), StoredPlanError> {
        if self.format != FORMAT {
            return Err(StoredPlanError::Format(self.format));
        }
        let delay_s = |ms: f64| (ms * 1e-3, LONGEST_DELAY_S, "0 to 3600 s");
        let time_s = |us: u64| (us as f64 * 1e-6, LONGEST_DELAY_S, "0 to 3600 s");
        let values = [
            ("link.delay_ms", delay_s(self.link.delay_ms)),
            ("link.jitter_ms", delay_s(self.link.jitter_ms)),
            ("link.loss", (self.link.loss, MOST_LOSS, "0 to 0.99")),
            ("core.self_check_us", time_s(self.core.self_check_us)),
            ("core.help_after_us", time_s(self.core.help_after_us)),
            ("core.sensor_timeout_us", time_s(self.core.sensor_timeout_us)),
            ("core.stall_us", time_s(self.core.stall_us)),
            ("core.rate_hz", (self.core.rate_hz, 1_000.0, "0 to 1000")),
            ("max_time_s", (self.max_time_s, LONGEST_S, "0 to 86400 s")),
            ("starts_at_s", (self.starts_at_s as f64, LATEST_START_S as f64, "0 to 2300000000 s")),
        ];
        match values.into_iter().find(|(_, (value, most, _))| !(0.0..=*most).contains(value)) {
            Some((name, (value, _, expected))) => Err(StoredPlanError::Value { name, value, expected }),
            None => Ok(()),
        }
    }

    /// The plan of the trip on `network`; it records and judges nothing.
    #[must_use]
    pub fn trip(&self, network: Arc<RoadNetwork>) -> TripPlan {
        TripPlan {
            id: self.id.clone(),
            vehicle: self.vehicle.clone(),
            network,
            driver: self.driver,
            world: self.world.clone(),
            link: self.link.clone(),
            core: self.core.clone(),
            max_time_s: self.max_time_s,
            recording: Recording::Off,
            assists: self.assists,
            turn: None,
            starts_at_s: self.starts_at_s,
            necessity: None,
        }
    }
}
