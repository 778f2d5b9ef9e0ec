//! A change of hands without a jerk.
//!
//! Every action passes the gate's rates, so a takeover never steps. An operator who takes over gets the full rates, as
//! there may be need. A policy that gets the wheel back is in no hurry: until its setpoint and what is actuated agree within
//! a band, it moves the channels at a part of their rates, for a second at most.

use super::action::Action;
use protocol::Embodiment;
use protocol::v1::Author;

/// Share of the rates while a policy takes over.
pub const GENTLE_SHARE: f64 = 0.3;
/// Longest duration of a gentle handover, seconds.
pub const LONGEST_S: f64 = 1.0;
/// Setpoint and actuated value agree when they differ by less than this share of the channel's range.
const BAND: f64 = 0.02;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Handover {
    author: Author,
    left_s: f64,
}

impl Handover {
    /// Share of the rates for a tick of `dt_s` in which `author` wants `wanted` while `last` is actuated.
    pub fn share(&mut self, author: Author, wanted: &Action, last: &Action, embodiment: &Embodiment, dt_s: f64) -> f64 {
        if author != self.author {
            self.left_s = if author == Author::Policy { LONGEST_S } else { 0.0 };
            self.author = author;
        }
        if self.left_s <= 0.0 || agree(wanted, last, embodiment) {
            self.left_s = 0.0;
            return 1.0;
        }
        self.left_s -= dt_s;
        GENTLE_SHARE
    }
}

fn agree(wanted: &Action, last: &Action, embodiment: &Embodiment) -> bool {
    let pairs = wanted.as_slice().iter().zip(last.as_slice()).zip(&embodiment.action);
    pairs.into_iter().all(|((w, l), c)| (w - l).abs() < BAND * (c.max - c.min))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(a: f64, s: f64) -> Action {
        Action::new(&[a, s]).unwrap()
    }

    fn share(handover: &mut Handover, author: Author, wanted: Action, dt_s: f64) -> f64 {
        handover.share(author, &wanted, &action(0.0, 0.0), &Embodiment::ackermann_car(), dt_s)
    }

    #[test]
    fn a_policy_takes_over_gently_for_a_second_at_most() {
        let mut handover = Handover::default();
        assert_eq!(share(&mut handover, Author::Operator, action(2.0, 0.3), 0.1), 1.0);
        let shares: Vec<f64> = (0..12).map(|_| share(&mut handover, Author::Policy, action(2.0, 0.3), 0.125)).collect();
        assert!(shares[..8].iter().all(|s| *s == GENTLE_SHARE) && shares[8..].iter().all(|s| *s == 1.0), "{shares:?}");
    }

    #[test]
    fn hands_that_agree_end_the_handover() {
        let mut handover = Handover::default();
        assert_eq!(share(&mut handover, Author::Policy, action(0.0, 0.3), 0.1), GENTLE_SHARE);
        assert_eq!(share(&mut handover, Author::Policy, action(0.0, 0.021), 0.1), 1.0);
        assert_eq!(share(&mut handover, Author::Policy, action(0.0, 0.3), 0.1), 1.0);
        // The band is 2 % of the range: 0.22 m/s^2 and 0.022 rad.
        assert_eq!(share(&mut handover, Author::Operator, action(0.0, 0.3), 0.1), 1.0);
        assert_eq!(share(&mut handover, Author::Policy, action(0.23, 0.0), 0.1), GENTLE_SHARE);
        assert_eq!(share(&mut handover, Author::Policy, action(0.2, 0.023), 0.1), GENTLE_SHARE);
        assert_eq!(share(&mut handover, Author::Policy, action(-0.2, -0.021), 0.1), 1.0);
    }

    #[test]
    fn neither_an_operator_nor_the_manoeuvre_waits() {
        let mut handover = Handover::default();
        share(&mut handover, Author::Policy, action(2.0, 0.3), 0.1);
        assert_eq!(share(&mut handover, Author::Fallback, action(2.0, 0.3), 0.1), 1.0);
        share(&mut handover, Author::Policy, action(2.0, 0.3), 0.1);
        assert_eq!(share(&mut handover, Author::Operator, action(2.0, 0.3), 0.1), 1.0);
    }
}
