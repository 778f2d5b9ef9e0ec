//! What seats send, on its way to the vehicle core.

use protocol::v1;

/// Something of one seat's session.
#[derive(Debug, Clone, PartialEq)]
pub struct FromSeat {
    /// The session's name.
    pub session: String,
    /// Who sits there, as the control plane vouched for it; what a message claims is overwritten with this.
    pub seat_id: String,
    /// Whether the session may only watch.
    pub watch_only: bool,
    /// When it came, on the vehicle's clock, microseconds.
    pub received_us: u64,
    /// What it is.
    pub body: FromSeatBody,
}

/// What a seat sent or what became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum FromSeatBody {
    /// The session can be used in both directions; comes before everything the seat sends, and again when a seat that was silent is back.
    Connected,
    /// The session is over.
    Disconnected {
        /// For the person.
        reason: String,
    },
    /// Operator input or a report; bare clock pings are answered here and not passed on.
    Command(v1::CommandDatagram),
    /// A request; the vehicle core answers it with a `SeatResponse`.
    Request(v1::SeatRequest),
    /// Something that is none of the above.
    Malformed(String),
}

/// Bounded: a vehicle core that stands still must not take the memory. 50 Hz commands of 8 seats fill it in 10 s.
const CAPACITY: usize = 4096;

pub(crate) struct Inbox(crossbeam_channel::Sender<FromSeat>);

impl Inbox {
    pub(crate) fn new() -> (Self, crossbeam_channel::Receiver<FromSeat>) {
        let (tx, rx) = crossbeam_channel::bounded(CAPACITY);
        (Self(tx), rx)
    }

    pub(crate) fn put(&self, message: FromSeat) {
        if let Err(crossbeam_channel::TrySendError::Full(lost)) = self.0.try_send(message) {
            tracing::error!(session = %lost.session, "the vehicle core does not read: message of a seat dropped");
        }
    }
}
