//! Driving an episode's trip again to its hand-over.

use super::NecessityConfigError;
use crate::closed_loop::LoopError;
use crate::virtual_drive::{PLAN_ATTACHMENT, StoredPlan, StoredPlanError, TripLoop};
use policy::Policy;
use protocol::v1::VehicleState;
use protocol::{EpisodeSource, Trigger, topics};
use recorder::{EpisodeReader, RecorderError};
use sim::road::{RoadError, RoadNetwork};
use std::collections::BTreeMap;
use std::sync::Arc;
use vehicle_core::mileage::TakeoverEntry;

/// Why an episode cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// It is no takeover's.
    #[error("the episode was opened by {0}, not by a takeover: there is nothing to judge")]
    NoTakeover(&'static str),
    /// It does not say how it came about.
    #[error(
        "the episode has no {missing} attached, with which its trip could be driven again: {}",
        if *is_virtual { "an earlier release recorded it; record the trip again" }
        else { "only those of drives in virtual time do, and this one was driven live" }
    )]
    Missing {
        /// What is missing.
        missing: String,
        /// Whether it was driven in virtual time.
        is_virtual: bool,
    },
    /// Its plan cannot be driven.
    #[error(transparent)]
    Plan(#[from] StoredPlanError),
    /// Its map is damaged.
    #[error("the attached map cannot be read: {0}")]
    Map(#[from] RoadError),
    /// There is no such drive.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// Another policy drove.
    #[error("policy {recorded} drove with weights {recorded_sha256}, not {given} with {given_sha256}")]
    OtherPolicy {
        /// The version that drove.
        recorded: String,
        /// Its weights.
        recorded_sha256: String,
        /// The version that was given.
        given: String,
        /// Its weights.
        given_sha256: String,
    },
    /// The episode holds nothing that a replay could be held against.
    #[error("the episode holds no {} of the time before the hand-over, so that no replay can be checked", topics::VEHICLE_STATE.name)]
    NoStates,
    /// The replayed drive is another one.
    #[error(
        "the replay differs from what was recorded {before_s:.2} s before the hand-over: {what}; the trip was recorded by \
         {recorded:?}, this is {own:?}"
    )]
    Differs {
        /// How long before the hand-over.
        before_s: f64,
        /// What differs.
        what: String,
        /// Software that recorded it.
        recorded: String,
        /// This software.
        own: &'static str,
    },
    /// The policy was not driving when the takeover began.
    #[error("the policy was not driving when the seat took over: there is nothing to judge")]
    PolicyDidNotDrive,
    /// It cannot be judged so.
    #[error(transparent)]
    Config(#[from] NecessityConfigError),
}

/// An episode's trip, driven again to the tick of its hand-over.
pub struct HandOver {
    /// The loop, just after that tick.
    pub running: TripLoop,
    /// Recorded states that the replay was held against, bit by bit.
    pub checked_states: u64,
}

/// Drives the trip of the episode in `reader` again, up to its hand-over, with the `policy` that drove it.
///
/// # Errors
/// [`ReplayError`] where the episode does not say how it came about, and where the replay differs from it.
pub fn replay_to_handover(reader: &EpisodeReader, policy: Policy) -> Result<HandOver, ReplayError> {
    let info = reader.info();
    if info.trigger != Trigger::Takeover {
        return Err(ReplayError::NoTakeover(info.trigger.label()));
    }
    let plan = stored_plan(reader)?;
    let manifest = policy.manifest();
    if (&manifest.version, &manifest.weights_sha256) != (&plan.policy, &plan.weights_sha256) {
        return Err(ReplayError::OtherPolicy {
            recorded: plan.policy.to_string(),
            recorded_sha256: plan.weights_sha256,
            given: manifest.version.to_string(),
            given_sha256: manifest.weights_sha256.clone(),
        });
    }
    let network = Arc::new(attached_map(reader)?);
    let mut recorded = recorded_states(reader)?;
    if recorded.is_empty() {
        return Err(ReplayError::NoStates);
    }
    let checked_states = recorded.len() as u64;
    let trip = plan.trip(network);
    let mut running = trip.closed_loop(policy.clone(), policy)?;
    let differs = |at_ns: u64, what: String| ReplayError::Differs {
        before_s: info.takeover_ns.saturating_sub(at_ns) as f64 * 1e-9,
        what,
        recorded: plan.software.clone(),
        own: concat!("takeover ", env!("CARGO_PKG_VERSION")),
    };
    loop {
        let entries = running.step();
        let at_ns = running.telemetry().wall_ns(running.now_us());
        let state = &running.sensors().state;
        if let Some(was) = recorded.remove(&at_ns)
            && was != *state
        {
            return Err(differs(at_ns, difference(&was, state)));
        }
        if at_ns < info.takeover_ns && (running.now_us() as f64) < plan.max_time_s * 1e6 {
            continue;
        }
        if let Some((at_ns, _)) = recorded.first_key_value() {
            return Err(differs(*at_ns, "there is no tick at that time".to_owned()));
        }
        let begun = entries.iter().find_map(|entry| match entry {
            TakeoverEntry::Begin { disengagement, .. } => Some(disengagement.is_some()),
            TakeoverEntry::End { .. } => None,
        });
        return match begun {
            Some(true) if at_ns == info.takeover_ns => Ok(HandOver { running, checked_states }),
            Some(false) => Err(ReplayError::PolicyDidNotDrive),
            _ => Err(differs(at_ns, "no seat takes over there".to_owned())),
        };
    }
}

fn missing(reader: &EpisodeReader, missing: &str) -> ReplayError {
    let is_virtual = reader.info().source == EpisodeSource::Virtual;
    ReplayError::Missing { missing: missing.to_owned(), is_virtual }
}

fn stored_plan(reader: &EpisodeReader) -> Result<StoredPlan, ReplayError> {
    let file = reader.attachment(PLAN_ATTACHMENT)?.ok_or_else(|| missing(reader, PLAN_ATTACHMENT))?;
    Ok(StoredPlan::read(&file.data)?)
}

fn attached_map(reader: &EpisodeReader) -> Result<RoadNetwork, ReplayError> {
    let name = &reader.info().map;
    let file_name = format!("{name}.xodr");
    let file = reader.attachment(&file_name)?.ok_or_else(|| missing(reader, &file_name))?;
    Ok(RoadNetwork::from_xodr(name, &String::from_utf8_lossy(&file.data))?)
}

/// What the file says of the vehicle up to the hand-over, by log time.
fn recorded_states(reader: &EpisodeReader) -> Result<BTreeMap<u64, VehicleState>, RecorderError> {
    let messages = reader.select(Some([topics::VEHICLE_STATE.name]), ..=reader.info().takeover_ns);
    messages
        .map(|message| {
            let message = message?;
            Ok((message.log_time_ns, message.decode()?))
        })
        .collect()
}

/// What parts two states, for people.
fn difference(recorded: &VehicleState, replayed: &VehicleState) -> String {
    let place = |state: &VehicleState| {
        let pose = state.world_from_vehicle.unwrap_or_default();
        let speed = state.observation.first().copied().unwrap_or_default();
        format!("({:.3}, {:.3}) m at {speed:.3} m/s after {:.3} m", pose.x_m, pose.y_m, state.odometer_m)
    };
    format!("recorded {}, replayed {}", place(recorded), place(replayed))
}
