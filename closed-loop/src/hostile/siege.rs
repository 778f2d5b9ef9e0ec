//! Hostile messages fed to the vehicle core itself, in virtual time: no network loses or delays anything, so that every one
//! of them is accounted for.

use super::{Body, Forger, Kind, Now, Sender, datagram, kinds};
use crate::sim_robot::SimRobot;
use crate::virtual_drive::TICK_US;
use policy::{Policy, PolicyError};
use protocol::v1::seat_request::Request;
use protocol::v1::{Author, Reason, SeatRequest, TakeoverRequest};
use protocol::{Embodiment, IdError, PolicyVersion, SeatKind};
use sim::road::{RoadError, RoadNetwork};
use sim::world::{World, WorldConfig};
use std::collections::BTreeMap;
use std::sync::Arc;
use vehicle_core::tally::{Passed, Tally};
use vehicle_core::{CoreConfig, CoreError, FromSeat, SeatBody, Tick, VehicleCore, control_tick};

/// Seat of whoever drives, and of whoever only would like to.
const SEATS: (&str, &str) = ("desk", "evil");
/// Hostile messages a tick, all of one kind: what goes wrong in it has its name.
const A_TICK: usize = 20;
/// How far the holder's clock is ahead of the vehicle's, microseconds.
const SEAT_CLOCK_US: u64 = 5_000_000_000;

/// Why a siege cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SiegeError {
    /// The road.
    #[error(transparent)]
    Road(#[from] RoadError),
    /// The core.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// A name.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The holder's own request was refused.
    #[error("the honest takeover was refused")]
    Refused,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages sent, by kind.
    pub sent: BTreeMap<&'static str, u64>,
    /// Honest inputs sent.
    pub honest: u64,
    /// What went wrong, by kind, the first time that it did: hostile messages that passed, that were refused for another
    /// reason than they should be or not counted at all; honest inputs that were not heard in the same tick.
    pub faults: BTreeMap<&'static str, String>,
}

impl Report {
    /// All hostile messages.
    #[must_use]
    pub fn hostile(&self) -> u64 {
        self.sent.values().sum()
    }
}

struct Siege {
    robot: SimRobot,
    core: VehicleCore,
    tick: Tick,
    inbox: Vec<FromSeat>,
    now_us: u64,
    here: (f64, f64),
    forger: Forger,
    report: Report,
}

/// Feeds `count` hostile messages (rounded up to whole ticks) of `seed` to a core that somebody drives.
///
/// # Errors
/// [`SiegeError`] when nobody can drive it in the first place.
pub fn run(count: usize, seed: u64) -> Result<Report, SiegeError> {
    let mut siege = Siege::new(seed)?;
    siege.take_over()?;
    let kinds = kinds();
    for n in 0..count.div_ceil(A_TICK) {
        // Each in turn at first, then as they come.
        let kind = *kinds.get(n).unwrap_or_else(|| siege.forger.choose(&kinds));
        siege.strike(&kind);
        if siege.core.authority().granted_seat() != Some(SEATS.0) {
            siege.take_over()?;
        }
    }
    Ok(siege.report)
}

impl Siege {
    fn new(seed: u64) -> Result<Self, SiegeError> {
        let car = Embodiment::ackermann_car();
        let network = Arc::new(RoadNetwork::built_in("soderleden")?);
        let world = WorldConfig { difficulties: Vec::new(), traffic_per_km: 0.0, ..WorldConfig::default() };
        let policy = Policy::untrained(&car, PolicyVersion::new("any")?, 1)?;
        let config = CoreConfig { self_check_us: 0, runs_policy: false, ..CoreConfig::default() };
        Ok(Self {
            robot: SimRobot::new(World::new(network, world)?),
            core: VehicleCore::new(car, config, policy, 1_000)?,
            tick: Tick::default(),
            inbox: Vec::new(),
            // A vehicle that has been up for a while: what is long ago was.
            now_us: 60_000_000,
            here: (0.0, 0.0),
            forger: Forger::new(seed),
            report: Report::default(),
        })
    }

    fn seat_us(&self) -> u64 {
        self.now_us + SEAT_CLOCK_US
    }

    fn hear(&mut self, seat: &str, body: SeatBody) {
        self.inbox.push(FromSeat { seat: seat.into(), kind: SeatKind::Human, received_us: self.now_us, body });
    }

    fn ask(&mut self, seat: &str, request: Request) {
        // Whatever it says of itself, the link knows whose session it is.
        let request = SeatRequest { seat_id: SEATS.0.into(), request: Some(request), ..SeatRequest::default() };
        self.hear(seat, SeatBody::Request(request));
    }

    fn say_something_honest(&mut self) {
        let input = self.forger.honest(self.seat_us());
        self.report.honest += 1;
        self.hear(SEATS.0, SeatBody::Command(datagram(vec![input])));
    }

    /// One tick, to which the inbox was said.
    fn turn(&mut self) {
        let (now_us, inbox) = (self.now_us, &mut self.inbox);
        let sensors = control_tick(&mut self.robot, &mut self.core, now_us, inbox, &mut self.tick, |_, _, _| ());
        self.here = sensors.state.world_from_vehicle.map_or(self.here, |pose| (pose.x_m, pose.y_m));
        self.now_us += TICK_US;
    }

    fn take_over(&mut self) -> Result<(), SiegeError> {
        self.turn();
        self.ask(SEATS.0, Request::Takeover(TakeoverRequest::default()));
        self.turn();
        let granted = self.tick.responses.iter().find(|(_, response)| response.accepted);
        let authority = granted.and_then(|(_, response)| response.authority.clone());
        self.forger.epoch = authority.ok_or(SiegeError::Refused)?.epoch;
        self.say_something_honest();
        self.turn();
        Ok(())
    }

    /// A tick of one kind, with something honest before and after it.
    fn strike(&mut self, kind: &Kind) {
        let before = self.core.tally().clone();
        self.say_something_honest();
        let now = Now { seat_us: self.seat_us(), vehicle_us: self.now_us, here: self.here };
        let seat = if kind.sender == Sender::Holder { SEATS.0 } else { SEATS.1 };
        for _ in 0..A_TICK {
            match self.forger.make(kind, now) {
                Body::Input(input) => self.hear(seat, SeatBody::Command(datagram(vec![input]))),
                Body::Request(request) => self.ask(seat, request),
            }
        }
        self.say_something_honest();
        self.turn();
        *self.report.sent.entry(kind.name).or_default() += A_TICK as u64;
        if let Some(fault) = self.judge(kind, &before) {
            self.report.faults.entry(kind.name).or_insert(fault);
        }
    }

    fn judge(&self, kind: &Kind, before: &Tally) -> Option<String> {
        let (after, authority) = (self.core.tally(), &self.tick.authority);
        for passed in Passed::ALL {
            let (count, honest) =
                (after.passed(passed) - before.passed(passed), 2 * u64::from(passed == Passed::Input));
            if count != honest {
                return Some(format!("{count} of {} passed, {honest} were honest", passed.code()));
            }
        }
        let changes = |now: &[(Reason, u64)], then: &[(Reason, u64)]| -> Vec<(Reason, u64)> {
            now.iter().zip(then).map(|((reason, now), (_, then))| (*reason, now - then)).filter(|c| c.1 > 0).collect()
        };
        let refused = |tally: &Tally| tally.all_refused().chain(tally.refused_requests()).collect::<Vec<_>>();
        let refused = changes(&refused(after), &refused(before));
        if refused != [(kind.reason, A_TICK as u64)] {
            return Some(format!("refused as {refused:?} and not {A_TICK} times as {:?}", kind.reason));
        }
        let driven = authority.author() == Author::Operator && authority.seat_id == SEATS.0;
        let braked = self.tick.command.action.iter().all(|value| *value <= 1e-9);
        let as_wished = driven && braked && !authority.estop_latched && authority.reason() == Reason::OperatorRequest;
        (!as_wished).then(|| format!("the vehicle does {:?} under {authority:?}", self.tick.command))
    }
}
