//! The gate: what arrives is [`Untrusted`] until every predicate has let it pass.
//!
//! Each rule is one small named function, so that a reader can check it against the safety page. Nothing here stops
//! the robot by itself: a refused command is simply not there, and the absence of valid commands starts the minimal
//! risk manoeuvre.

use protocol::Embodiment;
use protocol::v1::{OperatorInput, Reason};
use std::collections::VecDeque;

/// Action channels that the core handles without allocation.
pub const MAX_CHANNELS: usize = 8;

/// One action: values of the embodiment's action channels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Action {
    values: [f64; MAX_CHANNELS],
    channels: usize,
}

impl Action {
    /// Takes up to [`MAX_CHANNELS`] values; `None` when there are more.
    #[must_use]
    pub fn new(values: &[f64]) -> Option<Self> {
        let mut action = Self { channels: values.len(), ..Self::default() };
        action.values.get_mut(..values.len())?.copy_from_slice(values);
        Some(action)
    }

    /// The values, one a channel.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        &self.values[..self.channels]
    }

    /// The values, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [f64] {
        &mut self.values[..self.channels]
    }
}

/// Something from outside that nothing has been proven of.
#[derive(Debug, Clone, Copy)]
pub struct Untrusted<T>(pub T);

/// An operator's action that was fresh, in sequence, of the current epoch, finite, within the position limits, and
/// sent with the deadman held. It proves nothing about rate limits: those hold against the last actuated command and
/// are applied by [`limit_rate`] when the action is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validated {
    action: Action,
    received_us: u64,
    age_us: u64,
}

impl Validated {
    /// The action.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// When it arrived, vehicle's clock.
    #[must_use]
    pub fn received_us(&self) -> u64 {
        self.received_us
    }

    /// Its age at arrival beyond the quickest delivery seen lately, microseconds.
    #[must_use]
    pub fn age_us(&self) -> u64 {
        self.age_us
    }
}

/// A command delayed by more than this against the quickest delivery of the last seconds is stale.
pub const MAX_RELATIVE_AGE_US: u64 = 200_000;
const OFFSET_WINDOW_US: u64 = 10_000_000;

/// Judges freshness without trusting the seat's clock: the least difference between arrival and the seat's stamp
/// within ten seconds stands for an undelayed delivery, whatever the clocks' offset; what arrives later than that by
/// more than [`MAX_RELATIVE_AGE_US`] was queued on its way.
#[derive(Debug, Default)]
pub struct Freshness {
    differences: VecDeque<(u64, i128)>,
}

impl Freshness {
    /// Age of a command beyond the quickest delivery, microseconds.
    pub fn age_us(&mut self, received_us: u64, seat_us: u64) -> u64 {
        let difference = i128::from(received_us) - i128::from(seat_us);
        while self.differences.front().is_some_and(|(at, _)| at + OFFSET_WINDOW_US < received_us) {
            self.differences.pop_front();
        }
        // A monotonic queue: the front is the window's minimum.
        while self.differences.back().is_some_and(|(_, d)| *d >= difference) {
            self.differences.pop_back();
        }
        self.differences.push_back((received_us, difference));
        let least = self.differences.front().map_or(difference, |(_, d)| *d);
        u64::try_from(difference - least).unwrap_or(u64::MAX)
    }
}

fn is_newer(input: &OperatorInput, last_sequence: Option<u64>) -> bool {
    last_sequence.is_none_or(|last| input.sequence > last)
}

fn is_of_epoch(input: &OperatorInput, epoch: u64) -> bool {
    input.epoch == epoch
}

fn is_fresh(age_us: u64) -> bool {
    age_us <= MAX_RELATIVE_AGE_US
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

/// What the gate remembers of the seat that holds authority.
#[derive(Debug, Default)]
pub struct OperatorGate {
    freshness: Freshness,
    last_sequence: Option<u64>,
}

impl OperatorGate {
    /// Forgets the sequence of an earlier holder.
    pub fn new_grant(&mut self) {
        *self = Self::default();
    }

    /// Lets `input` pass or says which predicate it fails.
    ///
    /// # Errors
    /// The reason of the first predicate that does not hold.
    pub fn validate(
        &mut self,
        Untrusted(input): Untrusted<&OperatorInput>,
        received_us: u64,
        epoch: u64,
        embodiment: &Embodiment,
    ) -> Result<Validated, Reason> {
        if !is_of_epoch(input, epoch) {
            return Err(Reason::WrongEpoch);
        }
        if !is_newer(input, self.last_sequence) {
            return Err(Reason::OutOfSequence);
        }
        let age_us = self.freshness.age_us(received_us, input.seat_us);
        if !is_fresh(age_us) {
            return Err(Reason::Stale);
        }
        if !is_complete(&input.action, embodiment) {
            return Err(Reason::Malformed);
        }
        if !is_finite(&input.action) {
            return Err(Reason::NotFinite);
        }
        if !is_within_limits(&input.action, embodiment) {
            return Err(Reason::OutOfLimits);
        }
        self.last_sequence = Some(input.sequence);
        if !input.deadman {
            return Err(Reason::DeadmanReleased);
        }
        let action = Action::new(&input.action).ok_or(Reason::Malformed)?;
        Ok(Validated { action, received_us, age_us })
    }
}

/// Moves `wanted` no further from `last` than the embodiment's rates allow in `dt_s`, and into its position limits.
/// A handover between two drivers is smooth because every action passes here.
#[must_use]
pub fn limit_rate(mut wanted: Action, last: &Action, embodiment: &Embodiment, dt_s: f64) -> Action {
    for ((value, last), channel) in wanted.as_mut_slice().iter_mut().zip(last.as_slice()).zip(&embodiment.action) {
        let step = channel.rate_per_s * dt_s;
        *value = value.clamp(last - step, last + step).clamp(channel.min, channel.max);
    }
    wanted
}

/// Lateral acceleration that no command may ask of a car, m/s^2: well below the grip of a dry road.
const MAX_LATERAL_MPS2: f64 = 6.0;

/// The steering angle nearest to `steering_rad` whose arc at `speed_mps` stays below the lateral limit.
#[must_use]
pub fn limit_lateral(steering_rad: f64, speed_mps: f64, wheelbase_m: f64) -> f64 {
    let most = (MAX_LATERAL_MPS2 / (speed_mps * speed_mps).max(1e-3) * wheelbase_m).atan();
    steering_rad.clamp(-most, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(sequence: u64, seat_us: u64, action: Vec<f64>) -> OperatorInput {
        OperatorInput { sequence, epoch: 7, seat_us, deadman: true, action, shown_frame_us: 0 }
    }

    #[test]
    fn each_predicate_refuses_with_its_reason() {
        let car = Embodiment::ackermann_car();
        let mut gate = OperatorGate::default();
        let mut check = |i: &OperatorInput, at| gate.validate(Untrusted(i), at, 7, &car).map(|v| v.age_us());
        assert_eq!(check(&input(5, 1_000, vec![0.5, 0.1]), 1_020), Ok(0));
        assert_eq!(check(&input(5, 2_000, vec![0.5, 0.1]), 2_020), Err(Reason::OutOfSequence));
        assert_eq!(check(&input(6, 3_000, vec![0.5]), 3_020), Err(Reason::Malformed));
        assert_eq!(check(&input(6, 3_000, vec![0.5, f64::NAN]), 3_020), Err(Reason::NotFinite));
        assert_eq!(check(&input(6, 3_000, vec![0.5, 9.0]), 3_020), Err(Reason::OutOfLimits));
        assert_eq!(check(&input(6, 4_000, vec![0.5, 0.1]), 4_020 + 200_001), Err(Reason::Stale));
        assert_eq!(
            check(&OperatorInput { epoch: 6, ..input(6, 4_000, vec![0.5, 0.1]) }, 4_020),
            Err(Reason::WrongEpoch)
        );
        let released = OperatorInput { deadman: false, ..input(6, 5_000, vec![0.5, 0.1]) };
        assert_eq!(check(&released, 5_020), Err(Reason::DeadmanReleased));
        assert_eq!(check(&input(7, 6_000, vec![0.5, 0.1]), 6_120), Ok(100));
    }

    #[test]
    fn queued_commands_are_stale_whatever_the_clocks_offset() {
        let mut fresh = Freshness::default();
        let offset = 5_000_000_000;
        assert_eq!(fresh.age_us(1_000_000, 1_000_000 + offset), 0);
        assert_eq!(fresh.age_us(1_500_000, 1_010_000 + offset), 490_000);
        assert_eq!(fresh.age_us(1_520_000, 1_520_000 + offset), 0);
    }

    #[test]
    fn steering_is_free_when_slow_and_bounded_when_fast() {
        assert_eq!(limit_lateral(0.5, 2.0, 2.7), 0.5);
        let fast = limit_lateral(-0.5, 20.0, 2.7);
        assert!((400.0 * fast.tan() / 2.7 + 6.0).abs() < 1e-9, "{fast}");
    }

    #[test]
    fn a_handover_moves_no_faster_than_the_rates() {
        let car = Embodiment::ackermann_car();
        let last = Action::new(&[0.0, 0.0]).unwrap();
        let next = limit_rate(Action::new(&[3.0, 0.5]).unwrap(), &last, &car, 0.02);
        assert!((next.as_slice()[0] - 0.8).abs() < 1e-9 && (next.as_slice()[1] - 0.014).abs() < 1e-9);
    }
}
