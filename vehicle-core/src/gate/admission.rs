//! Input validation: an operator's input becomes `Validated<Input>` or is refused with a reason.

use super::freshness::Freshness;
use super::{Untrusted, Validated};
use crate::action::Action;
use crate::trajectory::Trajectory;
use protocol::Embodiment;
use protocol::v1::{OperatorInput, Pose2, Reason};

/// An input delayed by more than this beyond the quickest delivery was queued on its way and is stale.
pub const MAX_QUEUED_US: u64 = 200_000;
/// Whoever sees the world as it was longer ago than this does not drive.
pub const MAX_LATENCY_US: u64 = 1_000_000;

/// Nobody counts farther than this, nor has a clock that shows more: whoever were believed it once could say nothing newer
/// ever after.
pub const MAX_COUNT: u64 = i64::MAX as u64;
/// A sequence that is this far ahead of the last is none: a holder is heard every 200 ms, or holds no longer.
pub const MAX_AHEAD: u64 = 1_000_000;
/// A trajectory that comes nowhere within this distance of the vehicle was not made for where it is, metres. (It is
/// followed from much nearer only.)
pub const MAX_AWAY_M: f64 = 100.0;

/// The two forms in which an operator may drive.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::large_enum_variant)] // kept in place: a tick allocates nothing
pub enum Setpoint {
    /// A value for each action channel, now.
    Action(Action),
    /// Where to be in the next seconds.
    Trajectory(Trajectory),
}

/// What an operator wants and how late it comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Input {
    /// What to do.
    pub setpoint: Setpoint,
    /// Arrival by the vehicle's clock.
    pub received_us: u64,
    /// Delay beyond the quickest delivery of the session, microseconds.
    pub queued_us: u64,
    /// Capture time, by the vehicle's clock, of the picture that it answers; `None` when the seat shows none.
    pub shown_us: Option<u64>,
}

/// Who may drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Holder<'a> {
    /// The seat that holds the grant.
    pub seat: Option<&'a str>,
    /// The fencing token in force.
    pub epoch: u64,
}

fn is_from_holder(seat: &str, holder: Holder) -> bool {
    holder.seat == Some(seat)
}

fn is_of_epoch(epoch: u64, holder: Holder) -> bool {
    epoch == holder.epoch
}

fn is_newer(sequence: u64, last: Option<u64>) -> bool {
    last.is_none_or(|last| sequence > last)
}

fn is_countable(number: u64) -> bool {
    number <= MAX_COUNT
}

fn follows_closely(sequence: u64, last: Option<u64>) -> bool {
    last.is_none_or(|last| sequence.saturating_sub(last) <= MAX_AHEAD)
}

fn is_fresh(queued_us: u64) -> bool {
    queued_us <= MAX_QUEUED_US
}

fn shows_no_future(shown_us: Option<u64>, received_us: u64) -> bool {
    shown_us.is_none_or(|shown| shown <= received_us)
}

fn shows_a_recent_picture(shown_us: Option<u64>, received_us: u64) -> bool {
    shown_us.is_none_or(|shown| received_us.saturating_sub(shown) <= MAX_LATENCY_US)
}

fn is_complete(action: &[f64], embodiment: &Embodiment) -> bool {
    action.len() == embodiment.action.len()
}

fn is_finite(action: &[f64]) -> bool {
    action.iter().all(|v| v.is_finite())
}

fn is_within_limits(action: &[f64], embodiment: &Embodiment) -> bool {
    action.iter().zip(&embodiment.action).all(|(v, c)| (c.min..=c.max).contains(v))
}

fn is_from_here(trajectory: &Trajectory, here: Option<&Pose2>) -> bool {
    here.is_none_or(|pose| trajectory.distance_m(pose) <= MAX_AWAY_M)
}

fn read_setpoint(
    input: &OperatorInput,
    received_us: u64,
    here: Option<&Pose2>,
    embodiment: &Embodiment,
) -> Result<Setpoint, Reason> {
    let action = input.action.as_slice();
    if let Some(trajectory) = &input.trajectory {
        // One form at a time, or it would be open which one was meant.
        let alone = action.is_empty().then_some(trajectory).ok_or(Reason::Malformed)?;
        let trajectory = Trajectory::read(alone, received_us, embodiment)?;
        return is_from_here(&trajectory, here).then_some(Setpoint::Trajectory(trajectory)).ok_or(Reason::OutOfLimits);
    }
    if !is_complete(action, embodiment) {
        return Err(Reason::Malformed);
    }
    if !is_finite(action) {
        return Err(Reason::NotFinite);
    }
    if !is_within_limits(action, embodiment) {
        return Err(Reason::OutOfLimits);
    }
    Action::new(action).map(Setpoint::Action).ok_or(Reason::Malformed)
}

/// Order of the inputs under one epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Sequence {
    epoch: u64,
    last: Option<u64>,
}

impl Sequence {
    /// Whether an input of the holder is under the epoch in force and newer than all before it, but not absurdly so;
    /// remembers it if so.
    ///
    /// # Errors
    /// [`Reason::NotInControl`], [`Reason::WrongEpoch`] or [`Reason::OutOfSequence`].
    pub fn check(&mut self, seat: &str, epoch: u64, sequence: u64, holder: Holder) -> Result<(), Reason> {
        if !is_from_holder(seat, holder) {
            return Err(Reason::NotInControl);
        }
        if !is_of_epoch(epoch, holder) {
            return Err(Reason::WrongEpoch);
        }
        if self.epoch != holder.epoch {
            *self = Self { epoch: holder.epoch, last: None };
        }
        if !is_newer(sequence, self.last) || !is_countable(sequence) || !follows_closely(sequence, self.last) {
            return Err(Reason::OutOfSequence);
        }
        self.last = Some(sequence);
        Ok(())
    }
}

/// Input validation and what it remembers.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    sequence: Sequence,
    seat: String,
    freshness: Freshness,
}

impl Admission {
    /// A new session of `seat` began: its clock may be another one.
    pub fn new_session(&mut self, seat: &str) {
        if self.seat == seat {
            self.freshness = Freshness::default();
        }
    }

    fn queued_us(&mut self, seat: &str, received_us: u64, seat_us: u64) -> u64 {
        if self.seat != seat {
            self.seat.clear();
            self.seat.push_str(seat);
            self.freshness = Freshness::default();
        }
        self.freshness.queued_us(received_us, seat_us)
    }

    /// Lets an input of `seat` that arrived at `received_us` pass, or says which predicate it fails; the vehicle is `here`,
    /// if it knows.
    ///
    /// # Errors
    /// The reason of the first predicate that does not hold.
    pub fn admit(
        &mut self,
        Untrusted(input): Untrusted<&OperatorInput>,
        seat: &str,
        received_us: u64,
        holder: Holder,
        (here, embodiment): (Option<&Pose2>, &Embodiment),
    ) -> Result<Validated<Input>, Reason> {
        self.sequence.check(seat, input.epoch, input.sequence, holder)?;
        if !is_countable(input.seat_us) {
            return Err(Reason::Malformed);
        }
        let queued_us = self.queued_us(seat, received_us, input.seat_us);
        let shown_us = (input.shown_frame_us > 0).then_some(input.shown_frame_us);
        if !is_fresh(queued_us) {
            return Err(Reason::Stale);
        }
        if !input.deadman {
            return Err(Reason::DeadmanReleased);
        }
        if !shows_no_future(shown_us, received_us) {
            return Err(Reason::Malformed);
        }
        if !shows_a_recent_picture(shown_us, received_us) {
            return Err(Reason::PictureFrozen);
        }
        let setpoint = read_setpoint(input, received_us, here, embodiment)?;
        Ok(Validated(Input { setpoint, received_us, queued_us, shown_us }))
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
