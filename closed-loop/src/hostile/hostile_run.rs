//! Hostile messages fed to the vehicle core itself, in virtual time: no network loses or delays anything, so that every one
//! of them is accounted for.

use super::{Body, Forger, Kind, Now, Sender, datagram, kinds};
use crate::{ClosedLoop, EmptySeat, LoopError, LoopParts, LoopPlan, NoDriver, TICK_US};
use policy::Policy;
use protocol::v1::seat_request::Request;
use protocol::v1::{Author, Reason, SeatRequest, TakeoverRequest};
use protocol::{Embodiment, PolicyVersion, SeatKind, VehicleId};
use sim::road::RoadNetwork;
use sim::world::WorldConfig;
use std::collections::BTreeMap;
use std::sync::Arc;
use vehicle_core::tally::{Passed, Tally};
use vehicle_core::{CoreConfig, FromSeat, SeatBody};

/// Seat of whoever drives, and of whoever only would like to.
const SEATS: (&str, &str) = ("desk", "evil");
/// Hostile messages a tick, all of one kind: what goes wrong in it has its name.
const A_TICK: usize = 20;
/// How far the holder's clock is ahead of the vehicle's, microseconds.
const SEAT_CLOCK_US: u64 = 5_000_000_000;

/// Why a hostile run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum HostileRunError {
    /// There is no such drive.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// The holder's own request was refused.
    #[error("the honest takeover was refused")]
    Refused,
}

/// Outcome.
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

struct HostileRun {
    running: ClosedLoop<EmptySeat, NoDriver>,
    forger: Forger,
    report: Report,
}

/// Feeds `count` hostile messages (rounded up to whole ticks) of `seed` to the core of a robot that somebody drives.
///
/// # Errors
/// [`HostileRunError`] when nobody can drive it in the first place.
pub fn run(embodiment: &Embodiment, count: usize, seed: u64) -> Result<Report, HostileRunError> {
    let mut hostile_run = HostileRun::new(embodiment, seed)?;
    hostile_run.take_over()?;
    let kinds = kinds();
    for n in 0..count.div_ceil(A_TICK) {
        // Each in turn at first, then as they come.
        let kind = *kinds.get(n).unwrap_or_else(|| hostile_run.forger.choose(&kinds));
        hostile_run.send_hostile(&kind);
        if hostile_run.running.core().authority().granted_seat() != Some(SEATS.0) {
            hostile_run.take_over()?;
        }
    }
    Ok(hostile_run.report)
}

impl HostileRun {
    fn new(embodiment: &Embodiment, seed: u64) -> Result<Self, LoopError> {
        let road = Arc::new(RoadNetwork::built_in("soderleden")?);
        let world = WorldConfig { scenario_events: Vec::new(), traffic_per_km: 0.0, ..WorldConfig::default() };
        let policy = Policy::untrained(embodiment, PolicyVersion::new("any")?, 1)?;
        let plan = LoopPlan {
            core: CoreConfig { self_check_us: 0, ..CoreConfig::default() },
            epoch: 1_000,
            // A vehicle that has been up for a while: what is long ago was.
            begins_us: 60_000_000 - TICK_US,
            ..LoopPlan::new("siege", VehicleId::new("siege")?, road, world)
        };
        Ok(Self {
            running: ClosedLoop::new(plan, policy, LoopParts::without_seat(NoDriver))?,
            forger: Forger::new(embodiment, seed),
            report: Report::default(),
        })
    }

    /// The vehicle's clock at the next tick, which hears what is said now.
    fn next_us(&self) -> u64 {
        self.running.now_us() + TICK_US
    }

    fn seat_us(&self) -> u64 {
        self.next_us() + SEAT_CLOCK_US
    }

    fn hear(&mut self, seat: &str, body: SeatBody) {
        let (kind, received_us) = (SeatKind::Human, self.next_us());
        self.running.hear(FromSeat { seat: seat.into(), kind, received_us, body });
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

    fn take_over(&mut self) -> Result<(), HostileRunError> {
        self.running.step();
        self.ask(SEATS.0, Request::Takeover(TakeoverRequest::default()));
        self.running.step();
        let granted = self.running.tick().responses.iter().find(|(_, response)| response.accepted);
        let authority = granted.and_then(|(_, response)| response.authority.clone());
        self.forger.epoch = authority.ok_or(HostileRunError::Refused)?.epoch;
        self.say_something_honest();
        self.running.step();
        Ok(())
    }

    /// A tick of one kind, with something honest before and after it.
    fn send_hostile(&mut self, kind: &Kind) {
        let before = self.running.core().tally().clone();
        self.say_something_honest();
        let place = self.running.sensors().state.world_from_vehicle;
        let here = place.map_or((0.0, 0.0), |pose| (pose.x_m, pose.y_m));
        let now = Now { seat_us: self.seat_us(), vehicle_us: self.next_us(), here };
        let seat = if kind.sender == Sender::Holder { SEATS.0 } else { SEATS.1 };
        for _ in 0..A_TICK {
            match self.forger.make(kind, now) {
                Body::Input(input) => self.hear(seat, SeatBody::Command(datagram(vec![input]))),
                Body::Request(request) => self.ask(seat, request),
            }
        }
        self.say_something_honest();
        self.running.step();
        *self.report.sent.entry(kind.name).or_default() += A_TICK as u64;
        if let Some(fault) = self.judge(kind, &before) {
            self.report.faults.entry(kind.name).or_insert(fault);
        }
    }

    fn judge(&self, kind: &Kind, before: &Tally) -> Option<String> {
        let (after, tick) = (self.running.core().tally(), self.running.tick());
        let authority = &tick.authority;
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
        let braked = tick.command.action.iter().all(|value| *value <= 1e-9);
        let as_expected = driven && braked && !authority.estop_latched && authority.reason() == Reason::OperatorRequest;
        (!as_expected).then(|| format!("the vehicle does {:?} under {authority:?}", tick.command))
    }
}
