//! Mileage accounting: metres by who drove them, takeovers and their episodes. Sans-IO.

use crate::authority::Change;
use crate::{Sensors, Tick};
use protocol::api::Disengagement;
use protocol::v1::{Author, TakeoverCause, TakeoverEvent, VehicleState};
use protocol::{EpisodeId, EpisodeInfo, EpisodeSource, FaultCode, PolicyVersion, SeatKind, VehicleId};
use std::collections::BTreeMap;

/// Faster than any robot that is driven here, m/s: an odometer that goes on faster has been set, or is another one.
const MOST_MPS: f64 = 100.0;
/// What an odometer may be off by its own steps and by the stamp of its reading, metres.
const SLACK_M: f64 = 1.0;

/// Which vehicle drives and how its episodes are described.
#[derive(Debug, Clone)]
pub struct VehicleMetadata {
    /// The vehicle.
    pub vehicle: VehicleId,
    /// Start of every takeover's identifier: unique for each start of the vehicle or trip.
    pub prefix: String,
    /// Road network.
    pub map: String,
    /// Embodiment's name.
    pub embodiment: String,
    /// Real or simulated time.
    pub source: EpisodeSource,
    /// The simulation's seed.
    pub seed: Option<u64>,
}

impl VehicleMetadata {
    /// As [`Self::describe`], with the place and the weather that the sensors tell.
    #[must_use]
    pub fn describe_at(&self, id: EpisodeId, policy: &PolicyVersion, sensors: &Sensors) -> EpisodeInfo {
        let mut info = self.describe(id, policy);
        let millimetres =
            |metres: f64| (metres.is_finite() && metres.abs() < MAX_METRES).then_some((metres * 1e3) as i64);
        let place = sensors.state.world_from_vehicle.as_ref();
        info.position_mm = place.and_then(|place| Some([millimetres(place.x_m)?, millimetres(place.y_m)?]));
        info.weather = sensors.surroundings.as_ref().map_or("", |seen| weather(f64::from(seen.friction))).to_owned();
        info
    }

    /// The description of an episode of this vehicle, its cause and times still to come.
    #[must_use]
    pub fn describe(&self, id: EpisodeId, policy: &PolicyVersion) -> EpisodeInfo {
        let mut info = EpisodeInfo::new(id, self.vehicle.clone(), policy.clone());
        info.map.clone_from(&self.map);
        info.embodiment.clone_from(&self.embodiment);
        info.software = concat!("takeover ", env!("CARGO_PKG_VERSION")).to_owned();
        info.seed = self.seed;
        info.source = self.source;
        info
    }
}

/// Farther from the road network's origin no road is, metres.
const MAX_METRES: f64 = 1e9;

/// The weather by the friction between tyres and road as the vehicle perceives it; nothing where it does not.
fn weather(friction: f64) -> &'static str {
    match friction {
        _ if friction <= 0.0 || !friction.is_finite() => "",
        _ if friction > 0.95 => "clear",
        _ if friction > 0.65 => "rain",
        _ => "heavy_rain",
    }
}

/// Metres by author.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Metres {
    /// With the policy in authority.
    pub autonomous_m: f64,
    /// With anybody else.
    pub manual_m: f64,
}

/// The beginning or the end of a takeover.
#[derive(Debug, Clone, PartialEq)]
pub enum TakeoverEntry {
    /// A takeover began: open its episode; `disengagement` when the policy had been driving.
    Begin {
        /// For the recorder.
        info: Box<EpisodeInfo>,
        /// For seats and the file.
        event: TakeoverEvent,
        /// For the metric.
        disengagement: Option<Disengagement>,
    },
    /// The takeover ended.
    End {
        /// Which episode.
        id: EpisodeId,
        /// For seats and the file.
        event: TakeoverEvent,
    },
}

/// Adds up metres and notices takeovers, tick by tick.
#[derive(Debug)]
pub struct MileageAccounting {
    vehicle: VehicleMetadata,
    count: u64,
    current: Option<(EpisodeId, TakeoverEvent)>,
    /// The last reading, metres, and its stamp, microseconds; absent while nobody knows of one.
    odometer: Option<(f64, u64)>,
    metres: BTreeMap<PolicyVersion, Metres>,
}

impl MileageAccounting {
    /// With nothing driven yet.
    #[must_use]
    pub fn new(vehicle: VehicleMetadata) -> Self {
        Self { vehicle, count: 0, current: None, odometer: None, metres: BTreeMap::new() }
    }

    /// Goes on from what was driven before, by policy version.
    #[must_use]
    pub fn continuing(mut self, metres: BTreeMap<PolicyVersion, Metres>) -> Self {
        self.metres = metres;
        self
    }

    /// Metres by policy version, those driven before included.
    #[must_use]
    pub fn metres(&self) -> &BTreeMap<PolicyVersion, Metres> {
        &self.metres
    }

    /// Enters one tick at `now_us`, which is `wall_ns` since 1970, with `policy` loaded.
    pub fn note(
        &mut self,
        now_us: u64,
        wall_ns: u64,
        sensors: &Sensors,
        tick: &Tick,
        policy: &PolicyVersion,
    ) -> Vec<TakeoverEntry> {
        self.drive(&sensors.state, tick.command.author(), policy);
        let mut entries = Vec::new();
        for change in &tick.changes {
            match change {
                Change::TakeoverBegan { cause, note, seat_kind, disengagement } => {
                    let event = self.event(now_us, (*cause, *seat_kind), note, tick, sensors, policy);
                    entries.extend(self.begin(wall_ns, event, *disengagement, policy, sensors));
                }
                Change::TakeoverEnded => entries.extend(self.end(now_us)),
                Change::FallbackBegan(_) => {}
            }
        }
        entries
    }

    fn drive(&mut self, state: &VehicleState, author: Author, policy: &PolicyVersion) {
        // A robot that has not been heard yet has no odometer, and the next to connect may have another one.
        let is_connected = !state.faults.iter().any(|code| code == FaultCode::RobotNotConnected.code());
        let now = (is_connected && state.monotonic_us > 0).then_some((state.odometer_m, state.monotonic_us));
        let before = std::mem::replace(&mut self.odometer, now);
        let (Some((now_m, now_us)), Some((before_m, before_us))) = (now, before) else { return };
        let driven = now_m - before_m;
        let most = MOST_MPS * now_us.saturating_sub(before_us) as f64 * 1e-6 + SLACK_M;
        // Not a number is neither.
        if !(driven > 0.0 && driven <= most) {
            return;
        }
        if !self.metres.contains_key(policy) {
            self.metres.insert(policy.clone(), Metres::default());
        }
        if let Some(metres) = self.metres.get_mut(policy) {
            match author {
                Author::Policy => metres.autonomous_m += driven,
                _ => metres.manual_m += driven,
            }
        }
    }

    fn event(
        &self,
        now_us: u64,
        (cause, seat_kind): (TakeoverCause, SeatKind),
        note: &str,
        tick: &Tick,
        sensors: &Sensors,
        policy: &PolicyVersion,
    ) -> TakeoverEvent {
        TakeoverEvent {
            seat_kind: seat_kind.into(),
            takeover_id: format!("{}-{:04}", self.vehicle.prefix, self.count + 1),
            start_us: now_us,
            end_us: 0,
            cause: cause.into(),
            seat_id: tick.authority.seat_id.clone(),
            epoch: tick.authority.epoch,
            policy_version: policy.to_string(),
            odometer_m: sensors.state.odometer_m,
            note: note.to_owned(),
        }
    }

    fn begin(
        &mut self,
        wall_ns: u64,
        event: TakeoverEvent,
        disengagement: bool,
        policy: &PolicyVersion,
        sensors: &Sensors,
    ) -> Option<TakeoverEntry> {
        let id = EpisodeId::new(event.takeover_id.clone()).ok()?;
        self.count += 1;
        self.current = Some((id.clone(), event.clone()));
        let metadata = &self.vehicle;
        let mut info = metadata.describe_at(id.clone(), policy, sensors);
        info.cause = event.cause().label().to_owned();
        info.reason.clone_from(&event.note);
        let disengagement = disengagement.then(|| Disengagement {
            id,
            vehicle: metadata.vehicle.clone(),
            policy: policy.clone(),
            cause: info.cause.clone(),
            at_ms: (wall_ns / 1_000_000) as i64,
            map: metadata.map.clone(),
            clock_ahead_ms: None,
        });
        Some(TakeoverEntry::Begin { info: Box::new(info), event, disengagement })
    }

    fn end(&mut self, now_us: u64) -> Option<TakeoverEntry> {
        let (id, mut event) = self.current.take()?;
        event.end_us = now_us;
        Some(TakeoverEntry::End { id, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::v1::ControlCommand;

    #[test]
    fn metres_are_those_of_one_odometer_that_goes_on_as_fast_as_robots_drive() {
        let vehicle = VehicleMetadata {
            vehicle: VehicleId::new("car-1").unwrap(),
            prefix: "t".into(),
            map: "yard".into(),
            embodiment: "ackermann_car".into(),
            source: EpisodeSource::Live,
            seed: None,
        };
        let policy = PolicyVersion::new("v1").unwrap();
        let mut mileage = MileageAccounting::new(vehicle);
        let command = ControlCommand { author: Author::Policy.into(), ..ControlCommand::default() };
        let tick = Tick { command, ..Tick::default() };
        let mut drive = |monotonic_us: u64, odometer_m: f64, fault: &str| {
            let faults = if fault.is_empty() { Vec::new() } else { vec![fault.to_owned()] };
            let state = VehicleState { monotonic_us, odometer_m, faults, ..VehicleState::default() };
            let sensors = Sensors { state, surroundings: None, scan: None, estop_pressed: false };
            mileage.note(monotonic_us, 0, &sensors, &tick, &policy);
            mileage.metres().get(&policy).map_or(0.0, |metres| metres.autonomous_m)
        };
        // Nobody is connected; then a robot with a long life behind it, which drives 2 m.
        assert_eq!(drive(0, 0.0, ""), 0.0);
        assert_eq!(drive(1_000_000, 180_000.0, ""), 0.0);
        assert_eq!(drive(1_100_000, 180_002.0, ""), 2.0);
        // Another one in its place, and one that comes so soon that no tick was without any.
        assert_eq!(drive(1_100_000, 180_002.0, FaultCode::RobotNotConnected.code()), 2.0);
        assert_eq!(drive(1_200_000, 180_009.0, ""), 2.0);
        assert_eq!(drive(1_220_000, 500_000.0, ""), 2.0);
        // Numbers that are none, a reading that comes twice, an odometer that begins anew.
        assert_eq!(drive(1_240_000, f64::NAN, ""), 2.0);
        assert_eq!(drive(1_260_000, f64::INFINITY, ""), 2.0);
        assert_eq!(drive(1_280_000, 500_000.5, ""), 2.0);
        assert_eq!(drive(1_280_000, 500_000.5, ""), 2.0);
        assert_eq!(drive(1_300_000, 3.0, ""), 2.0);
        assert_eq!(drive(1_320_000, 3.5, ""), 2.5);
    }
}
