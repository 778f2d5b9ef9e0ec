//! What a share counted in samples is worth.

/// The two tails of a 95 % interval.
const TAIL: f64 = 0.025;
/// Halvings of the interval from 0 to 1: 60 leave less than a double can tell apart.
const HALVINGS: usize = 60;

/// Exact two-sided 95 % interval of a share after `successes` in `trials` (Clopper and Pearson 1934): the shares at which as
/// many or more, and as many or fewer, come by chance in 2.5 % of all cases. From 0 to 1 without a trial.
pub(super) fn binomial_interval(successes: u64, trials: u64) -> (f64, f64) {
    let successes = successes.min(trials);
    let low = if successes == 0 { 0.0 } else { share_at(|p| at_least(successes, trials, p), TAIL) };
    let high = if successes == trials { 1.0 } else { share_at(|p| at_least(successes + 1, trials, p), 1.0 - TAIL) };
    (low, high)
}

/// The share at which `rising` reaches `level`, by halving.
fn share_at(rising: impl Fn(f64) -> f64, level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if rising(middle) < level { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Probability of `least` or more successes in `trials`, each with probability `p` in (0, 1): the sum of the terms, each from
/// the one before, in logarithms so that nothing is lost in the tails.
fn at_least(least: u64, trials: u64, p: f64) -> f64 {
    let odds = p.ln() - (-p).ln_1p();
    let mut term = trials as f64 * (-p).ln_1p();
    let mut sum = if least == 0 { term.exp() } else { 0.0 };
    for k in 1..=trials {
        term += ((trials - k + 1) as f64 / k as f64).ln() + odds;
        if k >= least {
            sum += term.exp();
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_their_exact_interval() {
        // By R's binom.test.
        let known = [
            (0, 20, 0.0, 0.168_433),
            (1, 10, 0.002_529, 0.445_016),
            (1, 32, 0.000_791, 0.162_171),
            (10, 20, 0.271_957, 0.728_043),
            (12, 32, 0.211_001, 0.563_125),
            (24, 24, 0.857_526, 1.0),
            (0, 0, 0.0, 1.0),
        ];
        for (successes, trials, low, high) in known {
            let found = binomial_interval(successes, trials);
            let near = (found.0 - low).abs() < 2e-4 && (found.1 - high).abs() < 2e-4;
            assert!(near, "{successes} of {trials}: {found:?}");
        }
        let (low, high) = binomial_interval(20_000, 100_000);
        assert!((low - 0.197_52).abs() < 1e-4 && (high - 0.202_49).abs() < 1e-4, "{low} {high}");
    }
}
