//! How one wall clock stands to another, measured and in words. It is for people: nothing is decided by a wall clock.

use crate::ClockEstimate;
use crate::v1;
use serde::{Deserialize, Serialize};

/// From this on a difference is worth a warning, milliseconds.
pub const NOTABLE_MS: f64 = 1_000.0;
/// A difference that was told is over below this, milliseconds: less, so that one on the border is not told all the time.
const OVER_MS: f64 = 800.0;

/// One clock's reading minus another's at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockDifference {
    /// Milliseconds; negative when the first is behind.
    pub ahead_ms: f64,
    /// The truth lies within this of it, milliseconds: half a round trip and the drift since.
    pub uncertainty_ms: f64,
}

impl ClockDifference {
    /// The clock that reads `unix_us` at `now_us` of the estimate's local clock, minus the estimate's remote one, which
    /// counts from 1970.
    #[must_use]
    pub fn to_remote(estimate: &ClockEstimate, now_us: u64, unix_us: u64) -> Self {
        let remote_us = now_us as f64 + estimate.offset_us;
        Self { ahead_ms: (unix_us as f64 - remote_us) / 1e3, uncertainty_ms: estimate.uncertainty_us / 1e3 }
    }

    /// The wall clock of a vehicle that said `told` of itself minus the clock that reads `unix_us` at `now_us`; `estimate`
    /// is of the vehicle's monotonic clock.
    #[must_use]
    pub fn of_vehicle(told: &v1::WallClock, estimate: &ClockEstimate, now_us: u64, unix_us: u64) -> Self {
        let since_us = now_us as f64 + estimate.offset_us - told.monotonic_us as f64;
        let vehicle_us = told.unix_us as f64 + since_us;
        Self { ahead_ms: (vehicle_us - unix_us as f64) / 1e3, uncertainty_ms: estimate.uncertainty_us / 1e3 }
    }

    /// Whether people should know: a second or more, and certainly so.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        self.ahead_ms.abs() >= NOTABLE_MS && self.ahead_ms.abs() > self.uncertainty_ms
    }

    /// Such as `the vehicle's clock is 6 h 0 min ahead of the control plane's`, with these two names.
    #[must_use]
    pub fn words(&self, one: &str, other: &str) -> String {
        let side = if self.ahead_ms < 0.0 { "behind" } else { "ahead of" };
        format!("{one}'s clock is {} {side} {other}'s", span(self.ahead_ms.abs()))
    }

    /// What people should know of the vehicle's clock beside `other`'s, if anything.
    #[must_use]
    pub fn warning(&self, other: &str) -> Option<String> {
        self.is_notable().then(|| self.words("the vehicle", other))
    }

    /// From a message, if its figures are usable.
    #[must_use]
    pub fn read(told: &v1::ClockDifference) -> Option<Self> {
        // A hundred thousand years: nothing that is said on, as JSON too, overflows.
        let usable = |ms: f64| ms.is_finite() && ms.abs() < 3.2e15;
        let v1::ClockDifference { ahead_ms, uncertainty_ms } = *told;
        (usable(ahead_ms) && usable(uncertainty_ms) && uncertainty_ms >= 0.0)
            .then_some(Self { ahead_ms, uncertainty_ms })
    }

    /// As a message.
    #[must_use]
    pub fn message(&self) -> v1::ClockDifference {
        v1::ClockDifference { ahead_ms: self.ahead_ms, uncertainty_ms: self.uncertainty_ms }
    }
}

/// A length of time in its two greatest units.
fn span(ms: f64) -> String {
    let seconds = ms / 1e3;
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let seconds = seconds.round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours) {
        (0, 0) => format!("{minutes} min {} s", seconds % 60),
        (0, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// What to say of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceNews {
    /// There is one.
    Begins,
    /// It is another one, by more than a second.
    Changes,
    /// There is none any more.
    Ends,
}

/// Remembers what was said of a difference, so that it is said once.
#[derive(Debug, Clone, Copy, Default)]
pub struct DifferenceWatch {
    told_ms: Option<f64>,
}

impl DifferenceWatch {
    /// What to say now; a difference that is not measured is as it was.
    pub fn look(&mut self, difference: Option<ClockDifference>) -> Option<DifferenceNews> {
        let now = difference?;
        match self.told_ms {
            None if now.is_notable() => {
                self.told_ms = Some(now.ahead_ms);
                Some(DifferenceNews::Begins)
            }
            Some(_) if now.ahead_ms.abs() < OVER_MS && now.uncertainty_ms < NOTABLE_MS => {
                self.told_ms = None;
                Some(DifferenceNews::Ends)
            }
            Some(told) if (now.ahead_ms - told).abs() > NOTABLE_MS.max(now.uncertainty_ms) => {
                self.told_ms = Some(now.ahead_ms);
                Some(DifferenceNews::Changes)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: f64 = 3_600_000.0;

    fn difference(ahead_ms: f64, uncertainty_ms: f64) -> ClockDifference {
        ClockDifference { ahead_ms, uncertainty_ms }
    }

    #[test]
    fn it_is_said_in_words() {
        let words = |ms: f64| difference(ms, 1.0).words("the vehicle", "the control plane");
        assert_eq!(words(6.0 * HOUR_MS), "the vehicle's clock is 6 h 0 min ahead of the control plane's");
        assert_eq!(words(-6.0 * HOUR_MS), "the vehicle's clock is 6 h 0 min behind the control plane's");
        for (ms, span) in [
            (1_040.0, "1.0 s"),
            (59_949.0, "59.9 s"),
            (59_960.0, "1 min 0 s"),
            (3_599_400.0, "59 min 59 s"),
            (3_599_600.0, "1 h 0 min"),
            (25.0 * HOUR_MS, "1 d 1 h"),
            (480_000.0 * HOUR_MS, "20000 d 0 h"),
        ] {
            assert_eq!(words(ms), format!("the vehicle's clock is {span} ahead of the control plane's"));
        }
    }

    #[test]
    fn a_second_is_notable_when_it_is_certain() {
        assert!(!difference(999.0, 1.0).is_notable());
        assert!(difference(1_000.0, 1.0).is_notable() && difference(-1_000.0, 1.0).is_notable());
        assert!(!difference(1_500.0, 1_600.0).is_notable());
    }

    #[test]
    fn it_is_told_when_it_begins_changes_and_ends_and_not_in_between() {
        let mut watch = DifferenceWatch::default();
        let mut look = |ms: f64| watch.look(Some(difference(ms, 5.0)));
        assert_eq!(look(900.0), None);
        assert_eq!(look(1_000.0), Some(DifferenceNews::Begins));
        assert_eq!((look(990.0), look(1_010.0), look(1_990.0)), (None, None, None));
        assert_eq!(look(2_001.0), Some(DifferenceNews::Changes));
        assert_eq!(look(-6.0 * HOUR_MS), Some(DifferenceNews::Changes));
        assert_eq!(look(-5.0 * HOUR_MS), Some(DifferenceNews::Changes));
        assert_eq!(look(20.0), Some(DifferenceNews::Ends));
        assert_eq!(look(20.0), None);
        assert_eq!(watch.look(None), None);
        assert_eq!(watch.look(Some(difference(3_000.0, 9_000.0))), None, "nobody knows");
    }

    #[test]
    fn two_machines_differences_are_what_their_clocks_say() {
        // The remote clock counts from 1970; ours was zero at its 1,000 s.
        let estimate = ClockEstimate { offset_us: 1e9, uncertainty_us: 2_000.0, round_trip_us: 4_000.0 };
        let to_remote = ClockDifference::to_remote(&estimate, 5_000_000, 1_006_500_000);
        assert_eq!(to_remote, difference(1_500.0, 2.0));
        // The vehicle said that it was 2,000 s by its wall clock at 1,003 s of its own; now it is 1,005 s there.
        let told = v1::WallClock { unix_us: 2_000_000_000, monotonic_us: 1_003_000_000, control_plane: None };
        let of_vehicle = ClockDifference::of_vehicle(&told, &estimate, 5_000_000, 1_990_000_000);
        assert_eq!(of_vehicle, difference(12_000.0, 2.0));
    }

    #[test]
    fn what_a_message_says_is_read_if_it_makes_sense() {
        let read = |ahead_ms, uncertainty_ms| ClockDifference::read(&v1::ClockDifference { ahead_ms, uncertainty_ms });
        assert_eq!(read(5.0, 1.0), Some(difference(5.0, 1.0)));
        for (ahead, uncertainty) in [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (1.0, f64::NAN), (1.0, -1.0), (1e300, 1.0)]
        {
            assert_eq!(read(ahead, uncertainty), None);
        }
    }
}
