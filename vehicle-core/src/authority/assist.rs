//! Who may answer the policy's questions.

use super::Authority;
use protocol::SeatKind;
use protocol::v1::{Author, Mode, Reason};

impl Authority {
    /// Whether a seat may answer the policy's questions: anybody while the policy drives in `Assist`, scripts only while
    /// no person is there, nobody else once somebody is about to take over.
    ///
    /// # Errors
    /// The reason why not.
    pub fn may_answer(&self, seat: &str, kind: SeatKind) -> Result<(), Reason> {
        if seat.is_empty() {
            return Err(Reason::NotAuthenticated);
        }
        let other = self.grant.as_ref().is_some_and(|grant| grant.seat != seat);
        if other || self.person_present && !kind.is_human() {
            return Err(Reason::HeldByOther);
        }
        if self.is_assisted() { Ok(()) } else { Err(Reason::NoSuchQuestion) }
    }

    /// Whether the policy drives and may ask.
    #[must_use]
    pub fn is_assisted(&self) -> bool {
        self.mode == Mode::Assist && self.author == Author::Policy
    }
}
