//! Which seats held the vehicle lately, read from the authority that is recorded: whoever asks for the episodes of a
//! person must find all of them.

use prost::Message as _;
use protocol::v1::{Author, AuthorityState, Mode};
use protocol::{Message, SeatId, topics};

/// Seats that are remembered; the ring of seconds sees a few.
const MOST: usize = 64;

/// The seat that drives or is asked, in an encoded [`AuthorityState`]; when nobody does, it names the last one.
pub(crate) fn holder(authority: &[u8]) -> Option<SeatId> {
    let authority = AuthorityState::decode(authority).ok()?;
    let held = matches!(authority.mode(), Mode::Drive | Mode::Assist) || authority.author() == Author::Operator;
    SeatId::new(authority.seat_id).ok().filter(|_| held)
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    /// With the log time at which each held it last, nanoseconds.
    held: Vec<(SeatId, u64)>,
}

impl Seats {
    /// Looks at a message; answers who holds the vehicle if it says so.
    pub(crate) fn note(&mut self, message: &Message) -> Option<&SeatId> {
        if message.topic.name != topics::AUTHORITY.name {
            return None;
        }
        let seat = holder(&message.data)?;
        self.held.retain(|(other, _)| *other != seat);
        if self.held.len() == MOST {
            self.held.remove(0);
        }
        self.held.push((seat, message.log_time_ns));
        self.held.last().map(|(seat, _)| seat)
    }

    /// Those that held it at `from_ns` or later, by when they held it last.
    pub(crate) fn since(&self, from_ns: u64) -> Vec<SeatId> {
        self.held.iter().filter(|(_, last_ns)| *last_ns >= from_ns).map(|(seat, _)| seat.clone()).collect()
    }
}
