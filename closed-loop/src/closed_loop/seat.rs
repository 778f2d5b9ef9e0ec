//! Who sits at the other end of the link.

use protocol::SeatKind;
use protocol::v1::{StateDatagram, VehicleEvent};
use sim::operator::{Outbox, ScriptedOperator};
use std::sync::Arc;

/// A seat's clock runs ahead of the vehicle's by this, microseconds, so that nothing comes to rely on equal clocks.
pub const SEAT_CLOCK_AHEAD_US: u64 = 77_000_123;

/// The time at a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatTime {
    /// By the vehicle's clock, which a seat does not know: for differences of times alone.
    pub now_us: u64,
    /// What the seat's own clock shows.
    pub clock_us: u64,
}

/// What a vehicle tells a seat.
#[derive(Debug, Clone)]
pub enum ToSeat {
    /// The newest state.
    State(Arc<StateDatagram>),
    /// Something that happened.
    Event(Arc<VehicleEvent>),
}

/// An operator's seat: knows what has arrived, and nothing else.
pub trait LoopSeat {
    /// Its authenticated name.
    fn seat_id(&self) -> &str;

    /// Who sits there.
    fn kind(&self) -> SeatKind;

    /// `message` arrived at `arrived_us` (as [`SeatTime::now_us`]) and is looked at now.
    fn receive(&mut self, arrived_us: u64, time: SeatTime, message: &ToSeat);

    /// Acts.
    fn poll(&mut self, time: SeatTime) -> Outbox;

    /// Whether anybody can sit there at all: an empty seat is told nothing.
    fn is_taken(&self) -> bool {
        true
    }
}

/// Nobody sits there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmptySeat;

impl LoopSeat for EmptySeat {
    fn seat_id(&self) -> &str {
        ""
    }

    fn kind(&self) -> SeatKind {
        SeatKind::Scripted
    }

    fn receive(&mut self, _: u64, _: SeatTime, _: &ToSeat) {}

    fn poll(&mut self, _: SeatTime) -> Outbox {
        Outbox::default()
    }

    fn is_taken(&self) -> bool {
        false
    }
}

impl LoopSeat for ScriptedOperator {
    fn seat_id(&self) -> &str {
        self.seat_id()
    }

    fn kind(&self) -> SeatKind {
        SeatKind::Scripted
    }

    fn receive(&mut self, _: u64, time: SeatTime, message: &ToSeat) {
        match message {
            ToSeat::State(datagram) => self.receive(time.clock_us, datagram),
            ToSeat::Event(event) => self.receive_event(event),
        }
    }

    fn poll(&mut self, time: SeatTime) -> Outbox {
        self.poll(time.clock_us)
    }
}
