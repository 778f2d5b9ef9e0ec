//! Messages that no honest seat sends, each of one named kind: forged, replayed, from the past and the far future, beyond
//! limits, not numbers, no messages at all. They are fed to the vehicle core in virtual time ([`hostile_run`]) and,
//! over real sessions, to a running bridge (`hostile_messages`, an example of the crate `tests`).
//!
//! What is honest asks for the brake; everything hostile asks for full throttle and full lock, so that acting on any of it
//! would be seen. And whatever is said in the holder's own session, its honest inputs must go on being heard.

pub mod hostile_run;
mod inputs;
mod requests;
mod trajectories;

use prost::Message;
use protocol::Embodiment;
use protocol::v1::{CommandDatagram, OperatorInput, Reason, SeatRequest, seat_request::Request};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// In whose session it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The seat that holds authority.
    Holder,
    /// Another one, in the holder's name.
    Stranger,
}

/// What is said.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // one at a time
pub enum Body {
    /// On the channel of commands.
    Input(OperatorInput),
    /// On the channel of requests.
    Request(Request),
}

/// What a hostile seat knows when it speaks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// The holder's clock, microseconds.
    pub seat_us: u64,
    /// The vehicle's clock, microseconds; not later than it is.
    pub vehicle_us: u64,
    /// Where the vehicle is, metres.
    pub here: (f64, f64),
}

/// One way to be hostile.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// In whose session.
    pub sender: Sender,
    /// What it must be refused for.
    pub reason: Reason,
    make: Make,
}

#[derive(Debug, Clone, Copy)]
enum Make {
    /// Corrupts an input that was good.
    Input(fn(&mut OperatorInput, &mut Draw)),
    Request(fn(&mut Draw) -> Request),
}

/// What a kind draws on.
struct Draw<'a> {
    rng: &'a mut ChaCha8Rng,
    embodiment: &'a Embodiment,
    now: Now,
    epoch: u64,
    honest_sequence: u64,
    earlier: &'a [OperatorInput],
}

/// Share of full lock that hostile inputs ask for.
const LOCK_SHARE: f64 = 10.0 / 11.0;
/// Earlier inputs kept for replays.
const KEPT: usize = 64;

/// Makes messages under one grant: honest ones of the holder, and hostile ones.
#[derive(Debug, Clone)]
pub struct Forger {
    rng: ChaCha8Rng,
    embodiment: Embodiment,
    /// The grant's fencing token.
    pub epoch: u64,
    sequence: u64,
    /// Of the newest honest input: the vehicle has used this one, and none before it can be new.
    honest_sequence: u64,
    earlier: Vec<OperatorInput>,
}

impl Forger {
    /// With the messages of `seed`, against a robot that is `embodiment`.
    #[must_use]
    pub fn new(embodiment: &Embodiment, seed: u64) -> Self {
        let (rng, embodiment) = (ChaCha8Rng::seed_from_u64(seed), embodiment.clone());
        Self { rng, embodiment, epoch: 0, sequence: 0, honest_sequence: 0, earlier: Vec::new() }
    }

    fn input(&mut self, seat_us: u64, action: Vec<f64>) -> OperatorInput {
        self.sequence += 1;
        let (sequence, epoch) = (self.sequence, self.epoch);
        OperatorInput { sequence, epoch, seat_us, deadman: true, action, ..OperatorInput::default() }
    }

    /// The next honest input, stamped `seat_us`.
    pub fn honest(&mut self, seat_us: u64) -> OperatorInput {
        let input = self.input(seat_us, brake(&self.embodiment));
        self.honest_sequence = input.sequence;
        if self.earlier.len() == KEPT {
            self.earlier.remove(0);
        }
        self.earlier.push(input.clone());
        input
    }

    /// One message of a kind.
    pub fn make(&mut self, kind: &Kind, now: Now) -> Body {
        // A stranger's does not count in the holder's sequence.
        let sequence = self.sequence;
        let mut input = self.input(now.seat_us, everything(&self.embodiment));
        if kind.sender == Sender::Stranger {
            self.sequence = sequence;
        }
        let (rng, earlier) = (&mut self.rng, self.earlier.as_slice());
        let mut draw = Draw {
            rng,
            embodiment: &self.embodiment,
            now,
            epoch: self.epoch,
            honest_sequence: self.honest_sequence,
            earlier,
        };
        match kind.make {
            Make::Input(corrupt) => {
                corrupt(&mut input, &mut draw);
                Body::Input(input)
            }
            Make::Request(ask) => Body::Request(ask(&mut draw)),
        }
    }

    /// The holder's next input, good in all but what it asks for: to be sent only in what makes it bad.
    pub fn greedy(&mut self, now: Now) -> OperatorInput {
        let input = self.input(now.seat_us, everything(&self.embodiment));
        self.sequence -= 1;
        input
    }

    /// Any of `kinds`, each as likely.
    ///
    /// # Panics
    /// Without kinds.
    pub fn choose<'a, T>(&mut self, kinds: &'a [T]) -> &'a T {
        &kinds[self.rng.random_range(0..kinds.len())]
    }

    /// Bytes that are no message, neither of commands nor of requests.
    pub fn rubbish(&mut self) -> Vec<u8> {
        loop {
            let mut bytes = vec![0; self.rng.random_range(1..1_200)];
            self.rng.fill_bytes(&mut bytes);
            if !is_readable(&bytes) {
                return bytes;
            }
        }
    }

    /// The beginning of a good input's datagram.
    pub fn truncated(&mut self, now: Now) -> Vec<u8> {
        let whole = datagram(vec![self.greedy(now)]).encode_to_vec();
        loop {
            let cut = &whole[..self.rng.random_range(1..whole.len())];
            if !is_readable(cut) {
                return cut.to_vec();
            }
        }
    }
}

/// What is honest: the brake.
fn brake(embodiment: &Embodiment) -> Vec<f64> {
    let mut action = vec![0.0; embodiment.action.len()];
    if let Some(acceleration) = embodiment.channels().accelerate.and_then(|index| action.get_mut(index)) {
        *acceleration = -embodiment.stop_decel_mps2 / 2.0;
    }
    action
}

/// What is hostile: full throttle, and all but full lock.
fn everything(embodiment: &Embodiment) -> Vec<f64> {
    let accelerate = embodiment.channels().accelerate;
    let share = |index: usize| if Some(index) == accelerate { 1.0 } else { LOCK_SHARE };
    embodiment.action.iter().enumerate().map(|(index, channel)| channel.max * share(index)).collect()
}

/// By luck, anything may be a message.
fn is_readable(bytes: &[u8]) -> bool {
    CommandDatagram::decode(bytes).is_ok() || SeatRequest::decode(bytes).is_ok_and(|r| r.request.is_some())
}

/// As the seat that holds authority sends inputs.
#[must_use]
pub fn datagram(inputs: Vec<OperatorInput>) -> CommandDatagram {
    CommandDatagram { seat_id: "desk".into(), inputs, ..CommandDatagram::default() }
}

/// All kinds.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    inputs::KINDS.iter().chain(trajectories::KINDS).chain(requests::KINDS).copied().collect()
}

const fn corrupt(
    sender: Sender,
    name: &'static str,
    reason: Reason,
    corrupt: fn(&mut OperatorInput, &mut Draw),
) -> Kind {
    Kind { name, sender, reason, make: Make::Input(corrupt) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vehicle_core::trajectory::Trajectory;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_is_repeated_by_its_seed() {
        let names: std::collections::BTreeSet<_> = kinds().iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), kinds().len());
        let all = |seed| {
            let mut forger = Forger { epoch: 7, ..Forger::new(&Embodiment::ackermann_car(), seed) };
            forger.honest(20_000_000);
            let now = Now { seat_us: 20_000_000, vehicle_us: 9_000_000, here: (1.0, 2.0) };
            let made: Vec<_> = kinds().iter().map(|kind| format!("{:?}", forger.make(kind, now))).collect();
            (made, forger.rubbish(), forger.truncated(now))
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
    }

    #[test]
    fn what_is_corrupted_was_good_before() {
        for robot in Embodiment::built_in() {
            let mut forger = Forger { epoch: 7, ..Forger::new(robot, 1) };
            let now = Now { seat_us: 20_000_000, vehicle_us: 9_000_000, here: (1.0, 2.0) };
            let forged = kinds().into_iter().find(|kind| kind.name == "trajectory_forged").unwrap();
            let Body::Input(input) = forger.make(&forged, now) else { panic!("an input") };
            assert!(Trajectory::read(&input.trajectory.unwrap(), now.vehicle_us, robot).is_ok());
            for action in [forger.greedy(now).action, forger.honest(now.seat_us).action] {
                let mut channels = action.iter().zip(&robot.action);
                assert!(channels.all(|(value, channel)| (channel.min..=channel.max).contains(value)), "{action:?}");
            }
        }
    }
}
