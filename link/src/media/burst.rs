//! How many of a run of packets get lost when losses come in bursts.

/// Gilbert's model: every packet in the bad state is lost, none in the good one (E. N. Gilbert, "Capacity of a
/// burst-noise channel", 1960).
#[derive(Debug, Clone, Copy)]
pub(super) struct Gilbert {
    /// Probability to fall from good to bad, a packet.
    good_to_bad: f64,
    /// Probability to leave the bad state, a packet.
    bad_to_good: f64,
}

impl Gilbert {
    /// `loss` in 0 to 0.9, `mean_burst` packets; independent losses have bursts of `1 / (1 - loss)`, the least possible.
    pub(super) fn new(loss: f64, mean_burst: f64) -> Self {
        let loss = loss.clamp(0.0, 0.9);
        let bad_to_good = 1.0 / mean_burst.clamp(1.0 / (1.0 - loss), 50.0);
        Self { good_to_bad: (loss / (1.0 - loss) * bad_to_good).min(1.0), bad_to_good }
    }

    fn loss(self) -> f64 {
        let sum = self.good_to_bad + self.bad_to_good;
        if sum > 0.0 { self.good_to_bad / sum } else { 0.0 }
    }

    /// What every `step`-th packet sees: the chain's `step`-fold transition.
    pub(super) fn every(self, step: usize) -> Self {
        let loss = self.loss();
        let memory = (1.0 - self.good_to_bad - self.bad_to_good).powi(step.clamp(1, 1000) as i32);
        Self { good_to_bad: loss * (1.0 - memory), bad_to_good: (1.0 - loss) * (1.0 - memory) }
    }

    /// Starts counting.
    pub(super) fn count(self) -> Counter {
        Counter { chain: self, good: vec![1.0 - self.loss()], bad: vec![self.loss()] }
    }
}

/// The distribution of the number of losses among the packets so far, by dynamic programming over them.
#[derive(Debug)]
pub(super) struct Counter {
    chain: Gilbert,
    /// Probability of each count, with the *next* packet's state good or bad.
    good: Vec<f64>,
    bad: Vec<f64>,
}

impl Counter {
    /// One packet more.
    pub(super) fn step(&mut self) {
        let Gilbert { good_to_bad, bad_to_good } = self.chain;
        let len = self.good.len();
        self.good.push(0.0);
        self.bad.push(0.0);
        for count in (0..=len).rev() {
            let kept = if count < len { self.good[count] } else { 0.0 };
            let lost = if count > 0 { self.bad[count - 1] } else { 0.0 };
            self.good[count] = kept * (1.0 - good_to_bad) + lost * bad_to_good;
            self.bad[count] = kept * good_to_bad + lost * (1.0 - bad_to_good);
        }
    }

    /// Probability of each number of losses.
    pub(super) fn distribution(&self) -> impl Iterator<Item = f64> + '_ {
        self.good.iter().zip(&self.bad).map(|(good, bad)| good + bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_losses_are_binomial() {
        let mut counter = Gilbert::new(0.1, 1.0).count();
        (0..10).for_each(|_| counter.step());
        let got: Vec<f64> = counter.distribution().collect();
        assert!((got[0] - 0.9f64.powi(10)).abs() < 1e-12);
        assert!((got[2] - 45.0 * 0.01 * 0.9f64.powi(8)).abs() < 1e-12);
        assert!((got.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn bursts_keep_the_mean_and_widen_the_spread() {
        let moments = |burst: f64| {
            let mut counter = Gilbert::new(0.1, burst).count();
            (0..20).for_each(|_| counter.step());
            let mean: f64 = counter.distribution().enumerate().map(|(n, p)| n as f64 * p).sum();
            (mean, counter.distribution().skip(8).sum::<f64>())
        };
        let (single, burst) = (moments(1.0), moments(5.0));
        assert!((single.0 - 2.0).abs() < 1e-9 && (burst.0 - 2.0).abs() < 1e-9);
        assert!(burst.1 > 20.0 * single.1, "{burst:?} {single:?}");
    }
}
