//! The deadman of a seat, the same for every seat program: console, script and, in its own words, the browser's
//! (`web/static/deadman.js`, held to the same cases by a test).

/// A seat whose program did not look at its devices for longer has no deadman any more, microseconds.
const STALE_US: u64 = 1_000_000;
/// A release counts at least so long: longer than the vehicle waits for a command, so that no loss hides it, microseconds.
const RELEASED_US: u64 = 250_000;

/// Says whether a person holds the deadman, from what their device says.
///
/// It is held only after it was seen released: one that is tied down, or was down when the device appeared or the program
/// hung, holds nothing. Sans-IO; times are of any clock that does not jump.
#[derive(Debug, Clone, Default)]
pub struct Deadman {
    sampled_us: Option<u64>,
    /// Was seen released, so that a press is a press.
    may_hold: bool,
    held: bool,
    released_us: Option<u64>,
}

impl Deadman {
    /// What the device says at `now_us`, microseconds; whether the deadman counts as held.
    pub fn sample(&mut self, now_us: u64, pressed: bool) -> bool {
        let stale = self.sampled_us.replace(now_us).is_none_or(|at| now_us < at || now_us - at > STALE_US);
        self.may_hold = (self.may_hold && !stale) || !pressed;
        let refractory = self.released_us.is_some_and(|at| now_us >= at && now_us - at < RELEASED_US);
        let held = pressed && self.may_hold && !refractory;
        if self.held && !held {
            self.released_us = Some(now_us);
        }
        self.held = held;
        held
    }

    /// Whether it counted as held at the last sample.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of `milliseconds pressed held`, shared with the browser's.
    const CASES: &str = include_str!("../../../web/static/deadman.txt");

    #[test]
    fn every_case_is_as_written() {
        let mut cases = 0;
        for case in CASES.split("\n\n") {
            let mut deadman = Deadman::default();
            for line in case.lines().filter(|line| !line.starts_with('#')) {
                let numbers: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
                let [ms, pressed, held] = numbers[..] else { panic!("{line}") };
                assert_eq!(deadman.sample(1_000 * ms, pressed == 1), held == 1, "{case}\nat: {line}");
                assert_eq!(deadman.is_held(), held == 1);
                cases += 1;
            }
        }
        assert!(cases > 20);
    }

    #[test]
    fn a_clock_that_goes_back_lets_go() {
        let mut deadman = Deadman::default();
        assert!(!deadman.sample(900_000, false) && deadman.sample(910_000, true));
        assert!(!deadman.sample(10_000, true));
    }
}
