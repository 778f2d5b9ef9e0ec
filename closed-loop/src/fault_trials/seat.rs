//! The operator of a trial: drives by what arrives, as a person would, and does not know that something is about to
//! fail.

use crate::{LoopSeat, SeatTime, ToSeat};
use protocol::v1::{
    CommandDatagram, HandBackRequest, Mode, OperatorInput, SeatRequest, StateDatagram, Surroundings, TakeoverRequest,
    VehicleState, seat_request::Request,
};
use protocol::{Embodiment, SeatKind};
use sim::operator::{Outbox, Planner, View, drive};
use std::collections::VecDeque;
use std::sync::Arc;

/// Name of the seat.
pub(super) const SEAT: &str = "desk";
const REPEATS: usize = 4;
/// What a person asks of the steering in an emergency, as a share of what it can do.
const SWERVE_SHARE: f64 = 10.0 / 11.0;

#[derive(Debug, Clone)]
pub(super) struct TrialSeat {
    embodiment: Embodiment,
    planner: Planner,
    scene: Option<(Surroundings, VehicleState)>,
    /// The newest state and when it arrived.
    state: Option<(u64, Arc<StateDatagram>)>,
    inputs: VecDeque<OperatorInput>,
    sequence: u64,
    request: u64,
    one_way_us: u64,
    pub(super) deadman: bool,
    /// Asks for all that the brakes have.
    pub(super) brakes: bool,
    /// Turns as sharply as a person would.
    pub(super) swerves: bool,
    /// The newest picture is the newest state, until it freezes.
    pub(super) picture_frozen: bool,
    shown_us: u64,
}

impl TrialSeat {
    pub(super) fn new(embodiment: Embodiment, one_way_us: u64) -> Self {
        Self {
            embodiment,
            planner: Planner::default(),
            scene: None,
            state: None,
            inputs: VecDeque::new(),
            sequence: 0,
            request: 0,
            one_way_us,
            deadman: true,
            brakes: false,
            swerves: false,
            picture_frozen: false,
            shown_us: 0,
        }
    }

    pub(super) fn take_over(&mut self) -> SeatRequest {
        self.ask(Request::Takeover(TakeoverRequest::default()))
    }

    pub(super) fn hand_back(&mut self, mode: Mode) -> SeatRequest {
        self.ask(Request::HandBack(HandBackRequest { mode: mode.into() }))
    }

    fn ask(&mut self, request: Request) -> SeatRequest {
        self.request += 1;
        SeatRequest { id: self.request, seat_id: SEAT.into(), request: Some(request), ..SeatRequest::default() }
    }

    /// The next datagram, under the epoch that the seat believes in.
    fn command(&mut self, SeatTime { now_us, clock_us }: SeatTime) -> Option<CommandDatagram> {
        let (received_us, datagram) = self.state.as_ref()?;
        let (surroundings, seen_from) = self.scene.as_ref()?;
        let age_us = now_us.saturating_sub(*received_us) + self.one_way_us;
        let view = View::new(&self.embodiment, surroundings, seen_from, datagram.state.as_ref()?, age_us)?;
        let plan = self.planner.plan(&view);
        let mut action = drive(&view, &plan, &self.embodiment);
        let channels = *self.embodiment.channels();
        let acceleration = channels.accelerate.and_then(|index| action.get_mut(index));
        if let Some(acceleration) = acceleration.filter(|_| self.brakes) {
            *acceleration = -self.embodiment.emergency_decel_mps2;
        }
        if let Some(steer) = channels.steer.filter(|_| self.swerves) {
            action[steer] = self.embodiment.action[steer].max * SWERVE_SHARE;
        }
        self.sequence += 1;
        self.inputs.push_back(OperatorInput {
            sequence: self.sequence,
            epoch: datagram.authority.as_ref()?.epoch,
            seat_us: clock_us,
            deadman: self.deadman,
            action,
            shown_frame_us: self.shown_us,
            trajectory: None,
        });
        while self.inputs.len() > REPEATS {
            self.inputs.pop_front();
        }
        Some(CommandDatagram { inputs: self.inputs.iter().cloned().collect(), ..CommandDatagram::default() })
    }
}

impl LoopSeat for TrialSeat {
    fn seat_id(&self) -> &str {
        SEAT
    }

    fn kind(&self) -> SeatKind {
        SeatKind::Human
    }

    fn receive(&mut self, arrived_us: u64, _: SeatTime, message: &ToSeat) {
        let ToSeat::State(datagram) = message else { return };
        let Some(state) = &datagram.state else { return };
        if let Some(surroundings) = &datagram.surroundings {
            self.scene = Some((surroundings.clone(), state.clone()));
        }
        if !self.picture_frozen {
            self.shown_us = state.monotonic_us;
        }
        self.state = Some((arrived_us, Arc::clone(datagram)));
    }

    fn poll(&mut self, time: SeatTime) -> Outbox {
        Outbox { requests: Vec::new(), command: self.command(time) }
    }
}
