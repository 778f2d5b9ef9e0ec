//! What seats send, on its way to the vehicle core.

use protocol::v1;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// What a seat sent, or the end of its session.
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

pub(crate) struct Inbox {
    messages: crossbeam_channel::Sender<FromSeat>,
    dropped: AtomicU64,
}

impl Inbox {
    pub(crate) fn new() -> (Self, crossbeam_channel::Receiver<FromSeat>) {
        let (messages, rx) = crossbeam_channel::bounded(CAPACITY);
        (Self { messages, dropped: AtomicU64::new(0) }, rx)
    }

    pub(crate) fn put(&self, message: FromSeat) {
        if let Err(crossbeam_channel::TrySendError::Full(lost)) = self.messages.try_send(message) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            // A flood must not become one of the log.
            if dropped.is_power_of_two() {
                tracing::error!(session = %lost.session, dropped, "messages of seats dropped: the vehicle core does not read");
            }
        }
    }

    /// Messages that found no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let (inbox, messages) = Inbox::new();
        for n in 0..CAPACITY as u64 + 5 {
            inbox.put(FromSeat {
                session: "s".into(),
                seat_id: "desk".into(),
                watch_only: false,
                received_us: n,
                body: FromSeatBody::Connected,
            });
        }
        assert_eq!((messages.len(), inbox.dropped()), (CAPACITY, 5));
        assert_eq!(messages.recv().unwrap().received_us, 0);
    }
}
