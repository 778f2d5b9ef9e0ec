//! A token bucket: how many bytes may be sent now. A state machine; the clock is handed in.

/// Least worth a packet, bytes; smaller amounts are waited for, unless less is wanted.
const PACKET: u64 = 1_200;
/// A burst is what comes together in so much time, within these bounds, bytes: a queue of 20 ms hurts no picture.
const BURST_US: u64 = 20_000;
const BURST: std::ops::RangeInclusive<u64> = PACKET..=64 << 10;
/// Tokens of a byte.
const BYTE: u64 = 1_000_000;

/// See the module.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    /// Bytes per second; `None` for no limit.
    rate: Option<u64>,
    /// Millionths of bytes.
    tokens: u64,
    at_us: u64,
}

/// The bucket's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// So many bytes may be sent at once.
    Now(usize),
    /// Ask again after so many microseconds.
    After(u64),
    /// The rate is zero.
    Never,
}

impl TokenBucket {
    /// An empty bucket that lets nothing through until it has a rate.
    #[must_use]
    pub fn new(now_us: u64) -> Self {
        Self { rate: Some(0), tokens: 0, at_us: now_us }
    }

    /// Largest burst, bytes.
    #[must_use]
    pub fn burst(rate: u64) -> u64 {
        (rate / (1_000_000 / BURST_US)).clamp(*BURST.start(), *BURST.end())
    }

    /// Changes the rate, bytes per second, from now on; `None` lifts the limit.
    pub fn set_rate(&mut self, now_us: u64, rate: Option<u64>) {
        self.refill(now_us);
        if self.rate.is_none() {
            // What was sent without a limit says nothing about what a limit leaves.
            self.tokens = 0;
        }
        self.rate = rate;
        if let Some(rate) = rate {
            self.tokens = self.tokens.min(Self::burst(rate) * BYTE);
        }
    }

    fn refill(&mut self, now_us: u64) {
        let elapsed_us = now_us.saturating_sub(self.at_us);
        self.at_us = self.at_us.max(now_us);
        if let Some(rate) = self.rate {
            let most = Self::burst(rate) * BYTE;
            self.tokens = self.tokens.saturating_add(rate.saturating_mul(elapsed_us)).min(most);
        }
    }

    /// Asks for `wanted` bytes; what is granted counts as sent.
    pub fn take(&mut self, now_us: u64, wanted: usize) -> Grant {
        self.refill(now_us);
        let Some(rate) = self.rate else { return Grant::Now(wanted) };
        let least = (wanted as u64).min(PACKET);
        if self.tokens >= least * BYTE {
            let granted = (self.tokens / BYTE).min(wanted as u64);
            self.tokens -= granted * BYTE;
            return Grant::Now(granted as usize);
        }
        if rate == 0 {
            return Grant::Never;
        }
        Grant::After((least * BYTE - self.tokens).div_ceil(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_its_rates_and_one_burst(
            steps in proptest::collection::vec((0u64..300_000, 0usize..40_000, proptest::option::weighted(0.1, 0u64..3_000_000)), 1..300)
        ) {
            let mut bucket = TokenBucket::new(0);
            bucket.set_rate(0, Some(50_000));
            let (mut now_us, mut rate, mut largest) = (0, 50_000u64, TokenBucket::burst(50_000));
            // Allowed by the rates so far, in millionths of bytes, and sent so far.
            let (mut allowed, mut sent) = (0u128, 0u128);
            let mut history = vec![(0u128, 0u128)];
            for (dt_us, wanted, new_rate) in steps {
                now_us += dt_us;
                allowed += u128::from(rate) * u128::from(dt_us);
                if let Some(new) = new_rate {
                    bucket.set_rate(now_us, Some(new));
                    rate = new;
                    largest = largest.max(TokenBucket::burst(new));
                }
                history.push((allowed, sent));
                match bucket.take(now_us, wanted) {
                    Grant::Now(bytes) => {
                        prop_assert!(bytes <= wanted);
                        sent += bytes as u128 * u128::from(BYTE);
                    }
                    Grant::After(wait_us) => prop_assert!(wait_us > 0 && rate > 0),
                    Grant::Never => prop_assert_eq!(rate, 0),
                }
                for (allowed_then, sent_then) in &history {
                    let most = allowed - allowed_then + u128::from(largest) * u128::from(BYTE);
                    prop_assert!(sent - sent_then <= most);
                }
            }
        }

        #[test]
        fn whoever_waits_as_told_gets_the_whole_rate(rate in 1u64..5_000_000, wanted in 1usize..100_000) {
            let mut bucket = TokenBucket::new(0);
            bucket.set_rate(0, Some(rate));
            let (mut now_us, mut sent) = (0u64, 0u64);
            for _ in 0..200 {
                match bucket.take(now_us, wanted) {
                    Grant::Now(bytes) => sent += bytes as u64,
                    Grant::After(wait_us) => now_us += wait_us,
                    Grant::Never => unreachable!("the rate is {rate}"),
                }
            }
            let expected = rate as f64 * now_us as f64 * 1e-6;
            prop_assert!(sent as f64 >= expected * 0.99 - 1_201.0, "{} of {}", sent, expected);
        }
    }

    #[test]
    fn the_rate_may_be_zero_or_none_and_a_clock_that_stands_gives_nothing() {
        let mut bucket = TokenBucket::new(5);
        assert_eq!(bucket.take(1_000_000, 10), Grant::Never);
        bucket.set_rate(2_000_000, None);
        assert_eq!(bucket.take(2_000_000, 1 << 30), Grant::Now(1 << 30));
        bucket.set_rate(2_000_000, Some(1_000));
        assert_eq!(bucket.take(2_000_000, 100), Grant::After(100_000));
        assert_eq!(bucket.take(1_000_000, 100), Grant::After(100_000), "a clock that goes back");
        assert_eq!(bucket.take(2_100_000, 100), Grant::Now(100));
        bucket.set_rate(u64::MAX, Some(u64::MAX));
        assert!(matches!(bucket.take(u64::MAX, usize::MAX), Grant::Now(_) | Grant::After(_)));
    }
}
