//! How often a vehicle is controlled.

/// How often the vehicle is controlled. Whatever happens less often (looks around, states, pictures) goes by it, too, and
/// keeps its own rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ControlRate {
    /// 50 ticks a second.
    #[default]
    Hz50,
    /// 100 ticks a second.
    Hz100,
}

/// A rate that no vehicle is controlled at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the control rate {0:?} is not supported: use 50 or 100, in Hz")]
pub struct RateError(String);

impl ControlRate {
    /// Ticks a second.
    #[must_use]
    pub fn hz(self) -> u64 {
        match self {
            Self::Hz50 => 50,
            Self::Hz100 => 100,
        }
    }

    /// From tick to tick, microseconds.
    #[must_use]
    pub fn period_us(self) -> u64 {
        1_000_000 / self.hz()
    }

    /// Whether something that happens `hz` times a second, at most as often as there are ticks, is due at tick `count`.
    /// Where the rates do not divide, the ticks between differ by one.
    #[must_use]
    pub fn is_due(self, count: u64, hz: u64) -> bool {
        count * hz / self.hz() != (count * hz).saturating_sub(hz) / self.hz()
    }
}

impl std::str::FromStr for ControlRate {
    type Err = RateError;
    fn from_str(text: &str) -> Result<Self, RateError> {
        [Self::Hz50, Self::Hz100]
            .into_iter()
            .find(|rate| rate.to_string() == text)
            .ok_or_else(|| RateError(text.to_owned()))
    }
}

impl std::fmt::Display for ControlRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.hz())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_is_not_supported_is_named() {
        assert_eq!(("50".parse(), "100".parse()), (Ok(ControlRate::Hz50), Ok(ControlRate::Hz100)));
        for bad in ["", "0", "-50", "60", "50.0", "1000", "fast"] {
            let error = bad.parse::<ControlRate>().unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")) && error.contains("50 or 100"), "{error}");
        }
    }

    #[test]
    fn what_happens_less_often_keeps_its_own_rate_whatever_the_ticks() {
        for rate in [ControlRate::Hz50, ControlRate::Hz100] {
            for hz in [1, 5, 10, 25, 30, 50] {
                let due: Vec<u64> = (1..=10 * rate.hz()).filter(|count| rate.is_due(*count, hz)).collect();
                assert_eq!(due.len() as u64, 10 * hz, "{hz} Hz at {rate}");
                let between = due.windows(2).map(|pair| pair[1] - pair[0]);
                assert!(between.clone().max().unwrap() - between.min().unwrap() <= 1, "{hz} Hz at {rate}: {due:?}");
            }
        }
        let pictures = (1..=10).filter(|count| ControlRate::Hz50.is_due(*count, 30));
        assert_eq!(pictures.collect::<Vec<u64>>(), [2, 4, 5, 7, 9, 10]);
    }
}
