//! The operator of the study: knows what has arrived, and nothing else.

use super::Mode as Way;
use crate::{LoopSeat, SeatTime, ToSeat};
use protocol::v1::{
    Author, CommandDatagram, Mode, OperatorInput, SeatRequest, StateDatagram, Surroundings, TakeoverRequest,
    VehicleState, seat_request::Request,
};
use protocol::{Embodiment, SeatKind};
use sim::operator::{Believed, Outbox, Own, Planner, Predictor, View, drive, trajectory};
use std::collections::VecDeque;
use std::sync::Arc;

/// Name of the seat.
const SEAT: &str = "desk";
/// How many of the last inputs each datagram repeats; trajectories are large.
const REPEATS: usize = 4;
const REPEATS_OF_TRAJECTORIES: usize = 2;
/// A request unanswered for this long is sent again, microseconds.
const RETRY_US: u64 = 2_000_000;

#[derive(Debug, Clone)]
pub(super) struct StudySeat {
    way: Way,
    embodiment: Embodiment,
    /// Delay, one way.
    one_way_us: u64,
    planner: Planner,
    predictor: Predictor,
    scene: Option<(Surroundings, VehicleState)>,
    /// The newest state and when it arrived.
    state: Option<(u64, Arc<StateDatagram>)>,
    inputs: VecDeque<OperatorInput>,
    sequence: u64,
    request: u64,
    asked_us: Option<u64>,
}

impl StudySeat {
    /// A seat that has measured the round trip.
    pub(super) fn new(way: Way, embodiment: Embodiment, one_way_us: u64, round_trip_us: u64) -> Self {
        Self {
            way,
            one_way_us,
            planner: Planner::careful(),
            predictor: Predictor::new(round_trip_us, &embodiment),
            embodiment,
            scene: None,
            state: None,
            inputs: VecDeque::new(),
            sequence: 0,
            request: 0,
            asked_us: None,
        }
    }

    /// `fresh_us` is what a seat that lies says of its picture.
    fn act(&mut self, now_us: u64, received_us: u64, datagram: &StateDatagram, fresh_us: u64) -> Option<Outbox> {
        let authority = datagram.authority.as_ref()?;
        let mine = authority.seat_id == SEAT && authority.lease_left_ms > 0;
        let drives = mine && authority.mode() == Mode::Drive && authority.author() == Author::Operator;
        let mut out = Outbox::default();
        if drives {
            self.asked_us = None;
        } else if self.asked_us.is_none_or(|at| now_us.saturating_sub(at) >= RETRY_US) {
            self.asked_us = Some(now_us);
            out.requests.push(self.take_over());
        }
        // As console and browser do, it commands once it has heard of its grant.
        if mine {
            let shown_us = if self.way == Way::Baseline { fresh_us } else { datagram.state.as_ref()?.monotonic_us };
            out.command = Some(self.command(now_us, received_us, datagram, authority.epoch, shown_us)?);
        }
        Some(out)
    }

    fn take_over(&mut self) -> SeatRequest {
        self.request += 1;
        let request = Some(Request::Takeover(TakeoverRequest::default()));
        SeatRequest { id: self.request, seat_id: SEAT.into(), request, ..SeatRequest::default() }
    }

    fn command(
        &mut self,
        now_us: u64,
        received_us: u64,
        datagram: &StateDatagram,
        epoch: u64,
        shown_us: u64,
    ) -> Option<CommandDatagram> {
        let (surroundings, seen_from) = self.scene.as_ref()?;
        let state = datagram.state.as_ref()?;
        let seen = Believed::of(&self.embodiment, state)?;
        let limit_mps = datagram.authority.as_ref()?.speed_limit.map(|limit| limit.limit_mps);
        let predicts = matches!(self.way, Way::Predictive | Way::Trajectory);
        let (believed, ahead_us) = if predicts {
            (
                self.predictor.predict(&seen, received_us, now_us, limit_mps),
                self.predictor.ahead_us(received_us, now_us),
            )
        } else {
            (seen, 0)
        };
        let elapsed_us = state.monotonic_us.saturating_sub(seen_from.monotonic_us) + ahead_us;
        let own = Own::of(&self.embodiment);
        let view = View::from(own, surroundings, seen_from.world_from_vehicle.as_ref()?, &believed, elapsed_us)?;
        let plan = self.planner.plan(&view);
        let action = drive(&view, &plan, &self.embodiment);
        let channel = |index: Option<usize>| index.and_then(|index| action.get(index)).copied().unwrap_or(0.0);
        let channels = self.embodiment.channels();
        self.predictor.note(now_us, channel(channels.accelerate), channel(channels.steer));
        self.sequence += 1;
        let mut input = OperatorInput {
            sequence: self.sequence,
            epoch,
            seat_us: now_us,
            deadman: true,
            action,
            shown_frame_us: shown_us,
            trajectory: None,
        };
        if self.way == Way::Trajectory {
            input.action.clear();
            input.trajectory = Some(trajectory(&view, &believed, &plan, state.monotonic_us + ahead_us, limit_mps));
        }
        self.inputs.push_back(input);
        let repeats = if self.way == Way::Trajectory { REPEATS_OF_TRAJECTORIES } else { REPEATS };
        while self.inputs.len() > repeats {
            self.inputs.pop_front();
        }
        Some(CommandDatagram { inputs: self.inputs.iter().cloned().collect(), ..CommandDatagram::default() })
    }
}

impl LoopSeat for StudySeat {
    fn seat_id(&self) -> &str {
        SEAT
    }

    fn kind(&self) -> SeatKind {
        SeatKind::Human
    }

    /// The newest state wins.
    fn receive(&mut self, _: u64, time: SeatTime, message: &ToSeat) {
        let ToSeat::State(datagram) = message else { return };
        let stamp = |d: &StateDatagram| d.state.as_ref().map_or(0, |s| s.monotonic_us);
        if self.state.as_ref().is_some_and(|(_, known)| stamp(known) >= stamp(datagram)) {
            return;
        }
        if let (Some(surroundings), Some(state)) = (&datagram.surroundings, &datagram.state) {
            self.scene = Some((surroundings.clone(), state.clone()));
        }
        self.state = Some((time.clock_us, Arc::clone(datagram)));
    }

    fn poll(&mut self, time: SeatTime) -> Outbox {
        let Some((received_us, datagram)) = self.state.clone() else { return Outbox::default() };
        let fresh_us = time.now_us + self.one_way_us;
        self.act(time.clock_us, received_us, &datagram, fresh_us).unwrap_or_default()
    }
}
